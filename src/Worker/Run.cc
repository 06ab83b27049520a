#include "brigade/Worker/Run.h"

#include <charconv>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

#include "brigade/Connection/Address.h"
#include "brigade/Events/ExceptionText.h"
#include "brigade/Process/Launch.h"
#include "brigade/Process/ProcessTitle.h"
#include "brigade/Process/Programs.h"
#include "brigade/Worker/Worker.h"
#include "brigade/Worker/detail/CommandLine.h"
#include "brigade/Worker/detail/Commands.h"
#include "brigade/Worker/detail/Configuration.h"
#include "brigade/Worker/detail/Daemon.h"
#include "brigade/Worker/detail/Inheritance.h"
#include "brigade/Worker/detail/Master.h"
#include "brigade/Worker/detail/RunDirectory.h"
#include "brigade/Worker/detail/Service.h"

namespace brigade {
namespace {

using detail::Configuration;
using detail::ExitCode;

// What the user or the program asked for makes no sense, in itself.
class BadUsage : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

// "[NAME=]VALUE" of --listen and --workers: the Worker it is for, and VALUE.
struct Target {
  Worker* worker;
  std::string_view value;
};

Target findTarget(const std::vector<Worker*>& workers, std::string_view text,
                  std::string_view option) {
  // A name may hold a '=', and so may an address behind its "://".
  const auto equals = text.substr(0, text.find("://")).rfind('=');
  const bool named = equals != std::string_view::npos;
  const std::string_view name = named ? text.substr(0, equals) : "";
  const std::string_view value = name.empty() ? text : text.substr(equals + 1);
  for (Worker* worker : workers) {
    const bool first = name.empty() && !worker->address.empty();
    if (first || (!name.empty() && worker->name == name)) {
      return {worker, value};
    }
  }
  if (name.empty() && !workers.empty()) return {workers.front(), value};
  throw BadUsage(std::string(option) + " " + std::string(text) +
                 ": no worker is named '" + std::string(name) + "'");
}

// The settings that it has fixed.
Configuration::Fixed applyTyped(const detail::Invocation& invocation,
                                const std::vector<Worker*>& workers) {
  Configuration::Fixed fixed;
  for (const std::string& text : invocation.listen) {
    const Target target = findTarget(workers, text, "--listen");
    const std::string& name = target.worker->name;
    if (target.worker->address.empty()) {
      throw BadUsage("--listen " + text + ": worker '" + name +
                     "' does not listen");
    }
    if (!fixed.insert({target.worker, "address"}).second) {
      throw BadUsage("--listen " + text + ": worker '" + name +
                     "' has one address, and was given another");
    }
    target.worker->address = target.value;
  }
  for (const std::string& text : invocation.workers) {
    const Target target = findTarget(workers, text, "--workers");
    const std::string_view value = target.value;
    const char* end = value.data() + value.size();
    const auto [stop, error] =
        std::from_chars(value.data(), end, target.worker->count);
    if (error != std::errc() || stop != end || target.worker->count > 1024) {
      throw BadUsage("--workers " + text + ": not a number from 0 to 1024");
    }
    fixed.insert({target.worker, "count"});
  }
  return fixed;
}

int complain(const RunConfig& config, std::string_view text, ExitCode code) {
  std::fprintf(stderr, "%s: %.*s\n", config.name.c_str(),
               static_cast<int>(text.size()), text.data());
  return code;
}

// Whether its files can be where the settings say; none is made.
void checkPlaces(const RunConfig& config, const Configuration* file) {
  const auto placeOf = [file](const char* key, const std::string& path) {
    return file == nullptr ? std::string() : file->placeOf(key, path);
  };
  const std::string& directory = config.runDirectory;
  detail::useFrom(placeOf("runDirectory", directory),
                  [&] { detail::checkRunDirectory(directory); });
  const auto look = [&](const char* key, const char* what,
                        const std::string& path) {
    detail::useFrom(placeOf(key, path),
                    [&] { detail::checkFile(what, path, directory); });
  };
  look("pidFile", "the pid file", config.pidFile);
  if (!config.logFile.empty()) look("logFile", "the log", config.logFile);
  if (config.daemonize) look("stdoutFile", "stdout's file", config.stdoutFile);
}

// What makes no sense is refused before a running server is stopped and before
// the terminal is left.
void check(const std::vector<Worker*>& workers, const RunConfig& config,
           const Configuration* file) {
  if (workers.empty()) throw BadUsage("there is no Worker to run");
  for (Worker* worker : workers) {
    const detail::Service looked(*worker, config.name, config.event, file);
  }
  checkLimits(config.limits);
  Programs::check(config.programs);
}

// What --check answers; also to a master that asks whether this code may
// follow its own.
int answerCheck(const std::vector<Worker*>& workers, const RunConfig& config) {
  for (const std::string& line : detail::planOf(workers, config)) {
    if (!detail::Inheritance::isAsked()) break;
    std::printf("%s%s\n", detail::kPlanMark, line.c_str());
  }
  std::printf("%s: the settings are good\n", config.name.c_str());
  return ExitCode::kSuccess;
}

// This code cannot follow the one before, which goes on.
void leaveAgain(int argc, char** argv, const detail::Inheritance& inheritance,
                const std::string& why) {
  inheritance.goBack(Launch(argc, argv), "the new code: " + why);
}

// This process was a master before, of older code.
int follow(const std::vector<Worker*>& workers, const RunConfig& config,
           int argc, char** argv, Configuration* file,
           detail::Inheritance& inheritance) {
  try {
    check(workers, config, file);
    detail::Master master(workers, config, file, Launch(argc, argv),
                          inheritance);
    master.run();
    return ExitCode::kSuccess;
  } catch (...) {
    const std::string why = exceptionText(std::current_exception());
    leaveAgain(argc, argv, inheritance, why);
    return complain(config, why, ExitCode::kFailure);
  }
}

int start(const std::vector<Worker*>& workers, const RunConfig& config,
          int argc, char** argv, Configuration* file) {
  std::optional<detail::Daemon> daemon;
  try {
    Launch launch(argc, argv);
    if (config.daemonize) daemon.emplace(config.stdoutFile);
    detail::Master master(workers, config, file, std::move(launch),
                          daemon ? &*daemon : nullptr);
    master.run();
    return ExitCode::kSuccess;
  } catch (...) {
    const std::string why = exceptionText(std::current_exception());
    if (!daemon) return complain(config, why, ExitCode::kFailure);
    daemon->failed(config.name + ": " + why);
    return ExitCode::kFailure;
  }
}

// A daemon is somewhere else when it reads the file again.
std::string absolute(const std::string& path) {
  std::error_code gone;  // the current directory may be
  const auto whole = std::filesystem::absolute(path, gone);
  return gone ? path : whole.string();
}

bool starts(detail::Command command) {
  return command == detail::Command::kStart ||
         command == detail::Command::kRestart;
}

}  // namespace

int run(int argc, char** argv, const std::vector<Worker*>& workers,
        RunConfig config) {
  initProcessTitle(argc, argv);
  RunConfig typed = config;
  std::optional<detail::Inheritance> inheritance;
  try {
    inheritance = detail::Inheritance::take();
  } catch (const std::exception& e) {
    return complain(config, e.what(), ExitCode::kFailure);
  }
  auto parsed = detail::parseCommandLine(argc, argv, typed);
  if (const int* code = std::get_if<int>(&parsed)) return *code;
  auto& invocation = std::get<detail::Invocation>(parsed);
  std::optional<Configuration> file;
  try {
    if (typed.configFile.empty()) {
      config = std::move(typed);
    } else {
      const std::string path = absolute(typed.configFile);
      if (inheritance && !inheritance->heir().failure.empty()) {
        file.emplace(path, workers, inheritance->heir().configText);
      } else {
        file.emplace(path, workers);
      }
      file->apply(config);
      // Once more, over what the file says.
      detail::parseCommandLine(argc, argv, config);
    }
    if (invocation.daemonize) config.daemonize = true;
    detail::completeConfig(config, argv[0]);
    if (starts(invocation.command)) {
      const auto fixed = applyTyped(invocation, workers);
      if (file) file->apply(fixed);
      check(workers, config, file ? &*file : nullptr);
      // What serves already needs none of them made, least of all on the way
      // back from code that failed.
      if (!inheritance) checkPlaces(config, file ? &*file : nullptr);
    }
  } catch (const std::invalid_argument& e) {
    // A bad address, number or file, an unknown protocol or event loop.
    detail::completeConfig(config, argv[0]);
    if (inheritance) leaveAgain(argc, argv, *inheritance, e.what());
    return complain(config, e.what(), ExitCode::kBadUsage);
  } catch (const std::exception& e) {
    if (inheritance) leaveAgain(argc, argv, *inheritance, e.what());
    return complain(config, e.what(), ExitCode::kFailure);
  }
  if (invocation.check) return answerCheck(workers, config);
  if (inheritance) {
    return follow(workers, config, argc, argv, file ? &*file : nullptr,
                  *inheritance);
  }
  if (invocation.command != detail::Command::kStart) {
    const int code = detail::runCommand(invocation, config);
    if (invocation.command != detail::Command::kRestart || code != 0) {
      return code;
    }
  }
  return start(workers, config, argc, argv, file ? &*file : nullptr);
}

}  // namespace brigade
