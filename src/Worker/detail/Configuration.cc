#include "brigade/Worker/detail/Configuration.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "brigade/Worker/detail/Settings.h"

namespace brigade::detail {
namespace {

const ConfigFile::Value* valueOf(const ConfigFile::Section& section,
                                 const std::string& key) {
  const auto found = section.find(key);
  return found == section.end() ? nullptr : &found->second;
}

// The keys whose values differ.
std::set<std::string> changes(const ConfigFile::Section& before,
                              const ConfigFile::Section& after) {
  std::set<std::string> changed;
  for (const auto& [key, value] : before) {
    const auto* const now = valueOf(after, key);
    if (now == nullptr || now->text != value.text) changed.insert(key);
  }
  for (const auto& [key, value] : after) {
    if (valueOf(before, key) == nullptr) changed.insert(key);
  }
  return changed;
}

template <typename Target>
void put(Target& target, const ConfigFile& file, const std::string& key,
         const ConfigFile::Value& value, const std::string& where) {
  try {
    if (set(target, key, value.text)) return;
  } catch (const BadSetting& error) {
    file.refuse(value.line, "'" + key + "'" + where + ": " + error.what());
  }
  file.refuse(value.line, "unknown key '" + key + "'" + where);
}

std::string sectionOf(const std::string& name) {
  return name.empty() ? " in [worker]" : " in [worker." + name + "]";
}

}  // namespace

Configuration::Configuration(const std::string& path,
                             std::vector<Worker*> workers)
    : path_(path),
      workers_(std::move(workers)),
      file_(checked(ConfigFile(path))) {}

Configuration::Configuration(const std::string& path,
                             std::vector<Worker*> workers, std::string text)
    : path_(path),
      workers_(std::move(workers)),
      file_(checked(ConfigFile(path, std::move(text)))) {}

// Puts all of it into what is thrown away, to see whether it can be.
ConfigFile Configuration::checked(ConfigFile file) const {
  RunConfig config;
  for (const auto& [key, value] : file.program()) {
    put(config, file, key, value, "");
  }
  for (const auto& [name, section] : file.workers()) {
    find(name, file, section.line);
    Worker worker;
    for (const auto& [key, value] : section.values) {
      put(worker, file, key, value, sectionOf(name));
    }
  }
  return file;
}

// As for --workers: without a name the first Worker that has an address, or
// else the first. Null: there is none of that name.
Worker* Configuration::look(const std::string& name) const {
  const auto found =
      std::find_if(workers_.begin(), workers_.end(), [&](const Worker* worker) {
        return name.empty() ? !worker->address.empty() : worker->name == name;
      });
  if (found != workers_.end()) return *found;
  return name.empty() && !workers_.empty() ? workers_.front() : nullptr;
}

Worker& Configuration::find(const std::string& name, const ConfigFile& file,
                            std::size_t line) const {
  if (Worker* const worker = look(name)) return *worker;
  file.refuse(line, "no worker is named '" + name + "'");
}

void Configuration::apply(RunConfig& config) {
  for (const auto& [key, value] : file_.program()) {
    put(config, file_, key, value, "");
  }
}

void Configuration::apply(const Fixed& fixed) {
  fixed_ = fixed;
  for (const auto& [name, section] : file_.workers()) {
    update(find(name, file_, section.line), {}, section.values);
  }
  takeApp();
}

void Configuration::update(Worker& worker, const ConfigFile::Section& before,
                           const ConfigFile::Section& after) {
  for (const std::string& key : changes(before, after)) {
    const std::pair<const Worker*, std::string> setting(&worker, key);
    if (fixed_.contains(setting)) continue;
    if (const auto* const value = valueOf(after, key)) {
      own_.emplace(setting, get(worker, key).value_or(""));
      set(worker, key, value->text);
    } else if (const auto own = own_.extract(setting); !own.empty()) {
      set(worker, key, own.mapped());
    }
  }
}

void Configuration::takeApp() {
  std::map<std::string, std::string, std::less<>> app;
  for (const auto& [key, value] : file_.app()) app[key] = value.text;
  for (Worker* const worker : workers_) worker->app_ = app;
}

std::string Configuration::placeOf(const Worker& worker,
                                   const std::string& key) const {
  for (const auto& [name, section] : file_.workers()) {
    const auto* const value = valueOf(section.values, key);
    // A Worker may have another name by now.
    if (value == nullptr || look(name) != &worker) continue;
    Worker asTheFileSays;
    set(asTheFileSays, key, value->text);
    if (get(asTheFileSays, key) == get(worker, key)) {
      return file_.place(value->line);
    }
  }
  return {};
}

std::string Configuration::placeOf(const std::string& key,
                                   const std::string& value) const {
  const auto* const said = valueOf(file_.program(), key);
  if (said == nullptr) return {};
  std::error_code gone;  // the current directory may be
  const auto path = std::filesystem::absolute(said->text, gone);
  const bool isIt = said->text == value || (!gone && path == value);
  return isIt ? file_.place(said->line) : std::string();
}

void Configuration::check() const { checked(ConfigFile(path_)); }

std::vector<std::string> Configuration::reread() {
  const ConfigFile before = std::exchange(file_, checked(ConfigFile(path_)));
  const auto valuesIn = [](const ConfigFile& file, const std::string& name) {
    const auto found = file.workers().find(name);
    return found == file.workers().end() ? ConfigFile::Section()
                                         : found->second.values;
  };
  std::set<std::string> names;
  for (const auto& [name, section] : before.workers()) names.insert(name);
  for (const auto& [name, section] : file_.workers()) names.insert(name);
  for (const std::string& name : names) {
    update(find(name, file_, 0), valuesIn(before, name), valuesIn(file_, name));
  }
  takeApp();
  const auto waiting = changes(before.program(), file_.program());
  return {waiting.begin(), waiting.end()};
}

}  // namespace brigade::detail
