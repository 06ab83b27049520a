#pragma once

// Configuration: what a configuration file says, put into RunConfig and the
// Workers, at the start and again with each reload: then what the file says
// otherwise than before, and no more, so that what the program has changed
// meanwhile stays. A key that has gone brings back the program's own value.
// In the master; the Workers outlive it.

#include <map>
#include <optional>
#include <set>
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

}  // namespace brigade::detail
