#pragma once

// ConfigFile: a configuration file as it was read: TOML 1.0. Says what is
// wrong with the file's name and line. The only home of toml++.
//
//   KEY = VALUE               of RunConfig, also as [backoff] and [limits]
//   [worker]                  of the first Worker, as for --workers
//   [worker.NAME]             of the Worker of that name
//   [app]                     the program's own; anything

#include <cstddef>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace brigade::detail {

// "/etc/shout.toml:3: unknown key 'cuont' in [worker]".
class BadConfigFile : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

class ConfigFile {
 public:
  struct Value {
    std::string text;
    std::size_t line = 0;
    bool operator==(const Value& other) const { return text == other.text; }
  };
  using Section = std::map<std::string, Value, std::less<>>;

  struct WorkerSection {
    Section values;
    std::size_t line = 0;
  };

  // Throws BadConfigFile when it cannot be read, is no TOML, or has a section
  // that nobody reads or a value that is a list or a date.
  explicit ConfigFile(const std::string& path);
  // What it held when it was read before.
  ConfigFile(const std::string& path, std::string text);

  const std::string& path() const { return path_; }
  const std::string& text() const { return text_; }
  // "logLevel", "backoff.first".
  const Section& program() const { return program_; }
  // By the name of the Worker; empty: the first.
  const std::map<std::string, WorkerSection>& workers() const {
    return workers_;
  }
  // "mail.server" for server in [app.mail].
  const Section& app() const { return app_; }

  // "/etc/shout.toml:3: "
  std::string place(std::size_t line) const;
  // Throws BadConfigFile: what is wrong in that line.
  [[noreturn]] void refuse(std::size_t line, const std::string& what) const;

 private:
  std::string path_;
  std::string text_;
  Section program_;
  std::map<std::string, WorkerSection> workers_;
  Section app_;
};

}  // namespace brigade::detail
