#include "brigade/Worker/detail/ConfigFile.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>

// Compiled in: nothing to link for who links brigade.
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include "brigade/Worker/detail/Printable.h"

namespace brigade::detail {
namespace {

[[noreturn]] void cannotRead(const std::string& path, int error) {
  throw BadConfigFile("cannot read the configuration file " + path + ": " +
                      std::generic_category().message(error));
}

std::string read(const std::string& path) {
  // A folder is opened as well as a file.
  if (std::error_code none; std::filesystem::is_directory(path, none)) {
    cannotRead(path, EISDIR);
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) cannotRead(path, errno);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (file.bad()) cannotRead(path, errno);
  return text;
}

std::size_t lineOf(const toml::node& node) { return node.source().begin.line; }

std::string textOf(double number) {
  std::array<char, 32> digits;
  const auto [end, error] =
      std::to_chars(digits.data(), digits.data() + digits.size(), number);
  return {digits.data(), end};
}

// Of what is one value; none of a list, a date or a section.
std::optional<std::string> textOf(const toml::node& node) {
  if (const auto* const text = node.as_string()) return text->get();
  if (const auto* const number = node.as_integer()) {
    return std::to_string(number->get());
  }
  if (const auto* const number = node.as_floating_point()) {
    return textOf(number->get());
  }
  if (const auto* const yes = node.as_boolean()) {
    return yes->get() ? "true" : "false";
  }
  return std::nullopt;
}

// A value, or all that is in a table, by names with dots between them.
void add(const ConfigFile& file, const std::string& name,
         const toml::node& node, ConfigFile::Section& section) {
  if (const toml::table* const table = node.as_table()) {
    for (const auto& [key, inner] : *table) {
      add(file, name + "." + std::string(key.str()), inner, section);
    }
  } else if (const auto text = textOf(node)) {
    section[name] = {*text, lineOf(node)};
  } else {
    file.refuse(lineOf(node), "'" + name + "' is a list or a date");
  }
}

void addAll(const ConfigFile& file, const toml::table& table,
            ConfigFile::Section& section) {
  for (const auto& [key, node] : table) {
    add(file, std::string(key.str()), node, section);
  }
}

void addWorkers(const ConfigFile& file, const toml::table& table,
                std::map<std::string, ConfigFile::WorkerSection>& workers) {
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    const toml::table* const own = node.as_table();
    ConfigFile::WorkerSection& section = workers[own == nullptr ? "" : name];
    section.line = lineOf(node);
    if (own == nullptr) {
      add(file, name, node, section.values);
    } else {
      addAll(file, *own, section.values);
    }
  }
}

}  // namespace

std::string ConfigFile::place(std::size_t line) const {
  return path_ + ":" + std::to_string(line) + ": ";
}

void ConfigFile::refuse(std::size_t line, const std::string& what) const {
  throw BadConfigFile(place(line) + printable(what));
}

ConfigFile::ConfigFile(const std::string& path)
    : ConfigFile(path, read(path)) {}

ConfigFile::ConfigFile(const std::string& path, std::string text)
    : path_(path), text_(std::move(text)) {
  toml::table root;
  try {
    root = toml::parse(text_, std::string_view(path));
  } catch (const toml::parse_error& error) {
    refuse(error.source().begin.line, std::string(error.description()));
  }
  for (const auto& [key, node] : root) {
    const toml::table* const table = node.as_table();
    if (table != nullptr && key.str() == "app") {
      addAll(*this, *table, app_);
    } else if (table != nullptr && key.str() == "worker") {
      addWorkers(*this, *table, workers_);
    } else {
      add(*this, std::string(key.str()), node, program_);
    }
  }
}

}  // namespace brigade::detail
