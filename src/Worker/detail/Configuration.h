#pragma once

// Configuration: what a configuration file says, put into RunConfig and the
// Workers, at the start and again with each reload: then what the file says
// otherwise than before, and no more, so that what the program has changed
// meanwhile stays. A key that has gone brings back the program's own value.
// In the master; the Workers outlive it.

#include <exception>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "brigade/Worker/RunConfig.h"
#include "brigade/Worker/Worker.h"
#include "brigade/Worker/detail/ConfigFile.h"

namespace brigade::detail {

class Configuration {
 public:
  // A setting that the command line has fixed: no file changes it.
  using Fixed = std::set<std::pair<const Worker*, std::string>>;

  // Throws BadConfigFile: the file is wrong in itself, or names what is not
  // there.
  Configuration(const std::string& path, std::vector<Worker*> workers);
  // The same of what the file held before: it may have changed.
  Configuration(const std::string& path, std::vector<Worker*> workers,
                std::string text);

  // "/etc/shout.toml:3: ", of a setting that is as the file says; empty: it is
  // somebody else's. `value` is that of RunConfig, where a path is absolute.
  std::string placeOf(const Worker& worker, const std::string& key) const;
  std::string placeOf(const std::string& key, const std::string& value) const;

  // What the file held when it was taken last.
  const std::string& text() const { return file_.text(); }

  // Puts everything in.
  void apply(RunConfig& config);
  void apply(const Fixed& fixed);

  // For a reload. Throws BadConfigFile; then nothing has changed.
  void check() const;
  // As check(), and puts what has changed into the Workers. The keys of
  // RunConfig that have: they wait for the next start.
  std::vector<std::string> reread();

 private:
  ConfigFile checked(ConfigFile file) const;
  Worker* look(const std::string& name) const;
  Worker& find(const std::string& name, const ConfigFile& file,
               std::size_t line) const;
  void update(Worker& worker, const ConfigFile::Section& before,
              const ConfigFile::Section& after);
  void takeApp();

  std::string path_;
  std::vector<Worker*> workers_;
  ConfigFile file_;
  Fixed fixed_;
  // What a file has replaced.
  std::map<std::pair<const Worker*, std::string>, std::string> own_;
};

// Uses a setting: what that throws begins with the place where it stands. What
// is no std::invalid_argument becomes a std::runtime_error.
template <typename Use>
auto useFrom(const std::string& place, Use use) {
  try {
    return use();
  } catch (const std::invalid_argument& e) {
    if (place.empty()) throw;
    throw std::invalid_argument(place + e.what());
  } catch (const std::exception& e) {
    if (place.empty()) throw;
    throw std::runtime_error(place + e.what());
  }
}

}  // namespace brigade::detail
