#include "brigade/Worker/detail/CommandLine.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <string_view>
#include <system_error>
#include <utility>

#include <CLI/CLI.hpp>

#include "brigade/Worker/detail/Printable.h"

namespace brigade::detail {

namespace {

// More processes than anybody means.
constexpr unsigned kMaxWorkers = 1024;
// A day: longer waits are a typing error.
constexpr double kMaxStopTimeout = 86400;

constexpr const char* kFooter = R"(
Signals to the master: TERM and INT stop, QUIT stops gracefully, HUP reloads,
and upgrades when the program's file has changed, USR2 upgrades, USR1 reopens
the log.

Exit codes: 0 success, 1 failure, 2 bad usage, 7 not running; of status: 0
running, 1 dead but a pid file exists, 3 not running, 4 unknown.
)";

std::string baseName(const char* argv0) {
  const std::string name =
      argv0 == nullptr ? "" : std::filesystem::path(argv0).filename().string();
  return name.empty() ? "brigade" : name;
}

// What CLI11 calls a check: the text says what is wrong, empty means nothing.

std::string checkWorkers(const std::string& text) {
  // A name may hold a '=', a number not.
  const auto equals = text.rfind('=');
  const std::string number =
      equals == std::string::npos ? text : text.substr(equals + 1);
  unsigned value = 0;
  const char* end = number.data() + number.size();
  const auto [stop, error] = std::from_chars(number.data(), end, value);
  if (error == std::errc() && stop == end && value <= kMaxWorkers) return {};
  return "'" + number + "' is not a number from 0 to " +
         std::to_string(kMaxWorkers);
}

std::string checkIndex(const std::string& text) {
  unsigned value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && stop == end && value > 0) return {};
  return "'" + text + "' is not the index of a worker process";
}

std::string checkNotEmpty(const std::string& text) {
  return text.empty() ? "needs a value" : "";
}

std::string checkLogLevel(const std::string& text) {
  if (parseLogLevel(text)) return {};
  return "unknown level '" + text + "': have debug, info, warning, error, none";
}

std::optional<double> parseSeconds(const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  const bool whole = error == std::errc() && stop == end;
  // written so that NaN is refused
  if (!whole || !(value >= 0 && value <= kMaxStopTimeout)) return std::nullopt;
  return value;
}

std::string checkSeconds(const std::string& text) {
  if (parseSeconds(text)) return {};
  return "'" + text + "' is not a number of seconds from 0 to 86400";
}

class Parser {
 public:
  Parser(std::string argv0, RunConfig& config)
      : argv0_(std::move(argv0)), config_(config) {
    name_ = config.name.empty() ? baseName(argv0_.c_str()) : config.name;
    app_.name(name_);
    app_.description(title() + "\n");
    app_.footer(kFooter);
    app_.set_version_flag("--version", title(), "Show the version and exit");
    app_.set_help_flag("-h,--help", "Show this help and exit");
    // Judged in findCommand(), which knows better what was meant.
    app_.allow_extras();
    app_.get_formatter()->column_width(32);
    app_.get_formatter()->label("SUBCOMMAND", "COMMAND");
    addPlaces(app_);
    addCommands();
  }

  std::variant<Invocation, int> parse(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
      return findCommand();
    } catch (const CLI::CallForHelp&) {
      std::cout << app_.help() << std::flush;
      return kSuccess;
    } catch (const CLI::CallForVersion&) {
      std::cout << title() << std::endl;
      return kSuccess;
    } catch (const CLI::ParseError& error) {
      return badUsage(error.what());
    }
  }

 private:
  std::string title() const {
    return name_ + (config_.version.empty() ? "" : " " + config_.version) +
           " (brigade " BRIGADE_VERSION ")";
  }

  int badUsage(const std::string& what) const {
    std::string help = argv0_;
    const auto given = app_.get_subcommands();
    if (!given.empty()) help += ' ' + given.front()->get_name();
    std::cerr << name_ << ": " << printable(what) << " (try '" << help
              << " --help')" << std::endl;
    return kBadUsage;
  }

  std::variant<Invocation, int> findCommand() {
    const std::vector<CLI::App*> given = app_.get_subcommands();
    const std::vector<std::string> extras = app_.remaining(true);
    if (!extras.empty()) {
      const std::string& first = extras.front();
      const std::string what = first.starts_with('-') ? "unknown option"
                               : given.empty()        ? "unknown command"
                                                      : "unexpected argument";
      return badUsage(what + " '" + first + "'");
    }
    if (given.empty()) {
      std::cerr << app_.help();
      return badUsage("no command given");
    }
    if (given.size() > 1) {
      return badUsage("unexpected argument '" + given[1]->get_name() + "'");
    }
    const auto found =
        std::find_if(commands_.begin(), commands_.end(),
                     [&](const auto& each) { return each.first == given[0]; });
    invocation_.command = found->second;
    return invocation_;
  }

  void addCommands() {
    CLI::App& start = add("start", Command::kStart,
                          "Start the server, in the foreground unless -d");
    addStartOptions(start);
    CLI::App& stop =
        add("stop", Command::kStop, "Stop it and wait until it is gone");
    addGraceful(stop, "Let open connections finish first");
    addStopTimeout(stop, "How long to wait for it");
    CLI::App& restart = add("restart", Command::kRestart,
                            "Stop it, if it runs; start it as is typed here");
    addGraceful(restart, "Let open connections finish first");
    addStartOptions(restart);
    CLI::App& reload = add("reload", Command::kReload,
                           "Replace the worker processes; no request is lost");
    addGraceful(reload, "Quiet connections may stay, up to --stop-timeout");
    CLI::App& upgrade =
        add("upgrade", Command::kUpgrade, "Go on as the program's file is now");
    addGraceful(upgrade, "Quiet connections may stay, up to --stop-timeout");
    CLI::App& status =
        add("status", Command::kStatus, "Show the server and its workers");
    status.add_flag("--watch", invocation_.watch, "Again every second");
    addJson(status);
    addJson(add("connections", Command::kConnections,
                "Show every open connection"));
    add("reopen", Command::kReopen, "Reopen the log file after a rotation");
    addIndex(add("stop-worker", Command::kStopWorker,
                 "Drain one process; no other follows it"));
    addIndex(add("start-worker", Command::kStartWorker,
                 "Start a process that was stopped, or failed"));
    addIndex(add("restart-worker", Command::kRestartWorker,
                 "Replace one process; the others go on"));
  }

  CLI::App& add(const char* name, Command command, const char* description) {
    CLI::App& app = *app_.add_subcommand(name, description);
    app.footer("");
    app.group("Commands, each with its own --help");
    commands_.emplace_back(&app, command);
    addPlaces(app);
    return app;
  }

  void addPlaces(CLI::App& app) {
    addValue(app, "--config", config_.configFile, "FILE",
             "Configuration file" + (config_.configFile.empty()
                                         ? std::string()
                                         : " (" + config_.configFile + ")"));
    addValue(app, "--run-dir", config_.runDirectory, "DIR",
             "Where pid file, control socket and log are");
    addValue(app, "--pid-file", config_.pidFile, "FILE",
             "Pid file (DIR/" + name_ + ".pid)");
  }

  void addStartOptions(CLI::App& app) {
    app.add_flag("-d,--daemon", invocation_.daemonize,
                 "Leave the terminal; returns once it serves");
    app.add_flag("--check", invocation_.check,
                 "Look at the settings only, and say what is wrong");
    addList(app, "--workers", invocation_.workers, "[NAME=]N",
            "So many processes; 0: as many as processors")
        ->check(checkWorkers);
    addList(app, "--listen", invocation_.listen, "[NAME=]ADDRESS",
            "Instead of the program's, as text://0.0.0.0:5678")
        ->check(checkNotEmpty);
    // Judged with the Workers, which may have registered others.
    addValue(app, "--event", config_.event, "NAME",
             "Event loop: libev, epoll, select, poll ...");
    addValue(app, "--log-file", config_.logFile, "FILE",
             "Log (stderr; of a daemon DIR/" + name_ + ".log)");
    addConverted(app, "--log-level", "LEVEL",
                 "debug, info, warning, error or none", checkLogLevel,
                 [this](const std::string& text) {
                   config_.logLevel = parseLogLevel(text).value();
                 });
    addStopTimeout(app, "From the order to stop to SIGKILL");
  }

  void addStopTimeout(CLI::App& app, const std::string& description) {
    const auto text = CLI::detail::to_string(
        std::chrono::duration<double>(config_.stopTimeout).count());
    addConverted(
        app, "--stop-timeout", "SECONDS", description + " (" + text + ")",
        checkSeconds, [this](const std::string& value) {
          config_.stopTimeout =
              std::chrono::duration_cast<std::chrono::milliseconds>(
                  std::chrono::duration<double>(parseSeconds(value).value()));
        });
  }

  void addGraceful(CLI::App& app, const char* description) {
    app.add_flag("-g,--graceful", invocation_.graceful, description);
  }
  void addIndex(CLI::App& app) {
    app.add_option("index", invocation_.worker, "As `status` shows it")
        ->type_name("INDEX")
        ->check(checkIndex)
        ->required();
  }
  void addJson(CLI::App& app) {
    app.add_flag("--json", invocation_.json, "As JSON, for programs");
  }

  // The last one counts, so that a script can add to fixed arguments.
  static CLI::Option* addValue(CLI::App& app, const char* name,
                               std::string& value, const char* type,
                               const std::string& description) {
    return app.add_option(name, value, description)
        ->type_name(type)
        ->check(checkNotEmpty)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }

  static void addConverted(
      CLI::App& app, const char* name, const char* type,
      const std::string& description,
      const std::function<std::string(const std::string&)>& check,
      const std::function<void(const std::string&)>& take) {
    app.add_option_function<std::string>(name, take, description)
        ->type_name(type)
        ->check(check)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }

  static CLI::Option* addList(CLI::App& app, const char* name,
                              std::vector<std::string>& values,
                              const char* type,
                              const std::string& description) {
    // Each takes one value; what follows is not swallowed.
    return app.add_option(name, values, description)
        ->type_name(type)
        ->allow_extra_args(false);
  }

  std::string argv0_;
  std::string name_;
  RunConfig& config_;
  Invocation invocation_;
  CLI::App app_;
  std::vector<std::pair<CLI::App*, Command>> commands_;
};

std::string defaultRunDirectory(const std::string& fileName) {
  if (::geteuid() == 0) return "/run/" + fileName;
  const char* session = std::getenv("XDG_RUNTIME_DIR");
  if (session != nullptr && session[0] == '/') {
    return std::string(session) + "/" + fileName;
  }
  return "/tmp/brigade-" + std::to_string(::geteuid()) + "/" + fileName;
}

}  // namespace

std::variant<Invocation, int> parseCommandLine(int argc, char** argv,
                                               RunConfig& config) {
  return Parser(argc > 0 ? argv[0] : "", config).parse(argc, argv);
}

void completeConfig(RunConfig& config, const char* argv0) {
  if (config.name.empty()) config.name = baseName(argv0);
  std::string fileName = config.name;
  std::replace(fileName.begin(), fileName.end(), '/', '-');
  if (config.runDirectory.empty()) {
    config.runDirectory = defaultRunDirectory(fileName);
  }
  const std::string prefix = config.runDirectory + "/" + fileName;
  if (config.pidFile.empty()) config.pidFile = prefix + ".pid";
  if (config.daemonize && config.logFile.empty()) {
    config.logFile = prefix + ".log";
  }
  // The program may change its directory.
  for (std::string* path :
       {&config.configFile, &config.runDirectory, &config.pidFile,
        &config.logFile, &config.stdoutFile}) {
    if (path->empty()) continue;
    std::error_code gone;  // the current directory may be
    const auto absolute = std::filesystem::absolute(*path, gone);
    if (!gone) *path = absolute.string();
  }
}

}  // namespace brigade::detail
