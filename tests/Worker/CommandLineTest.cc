#include "brigade/Worker/detail/CommandLine.h"

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <regex>
#include <string>
#include <variant>
#include <vector>

namespace brigade::detail {
namespace {

using std::chrono::milliseconds;
using Texts = std::vector<std::string>;

class CommandLine : public ::testing::Test {
 protected:
  CommandLine() { config_.version = "1.2"; }

  // Parses; the exit code, or -1 when there is an invocation.
  int parse(Texts arguments) {
    arguments.insert(arguments.begin(), "/opt/bin/shout");
    std::vector<char*> argv;
    for (std::string& each : arguments) argv.push_back(each.data());
    argv.push_back(nullptr);
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const auto parsed = parseCommandLine(static_cast<int>(arguments.size()),
                                         argv.data(), config_);
    out_ = ::testing::internal::GetCapturedStdout();
    error_ = ::testing::internal::GetCapturedStderr();
    if (const int* code = std::get_if<int>(&parsed)) return *code;
    invocation_ = std::get<Invocation>(parsed);
    return -1;
  }
  // The one line on stderr, without program and hint.
  std::string refusal(const Texts& arguments) {
    if (parse(arguments) != kBadUsage) return "not refused";
    if (!out_.empty()) return "on stdout: " + out_;
    const std::string head = "shout: ";
    const auto hint = error_.find(" (try '/opt/bin/shout");
    const auto end = error_.find('\n');
    if (!error_.starts_with(head) || hint > end || end + 1 != error_.size()) {
      return "odd form: " + error_;
    }
    return error_.substr(head.size(), hint - head.size());
  }

  RunConfig config_;
  Invocation invocation_;
  std::string out_;
  std::string error_;
};

TEST_F(CommandLine, KnowsEveryCommand) {
  const std::vector<std::pair<std::string, Command>> commands = {
      {"start", Command::kStart},     {"stop", Command::kStop},
      {"restart", Command::kRestart}, {"reload", Command::kReload},
      {"status", Command::kStatus},   {"connections", Command::kConnections},
      {"reopen", Command::kReopen}};
  for (const auto& [name, command] : commands) {
    EXPECT_EQ(parse({name}), -1) << name << error_;
    EXPECT_EQ(invocation_.command, command) << name;
    EXPECT_EQ(out_ + error_, "");
  }
}

TEST_F(CommandLine, P41_P42_OrdersToAWorkerNeedItsIndex) {
  const std::vector<std::pair<std::string, Command>> commands = {
      {"stop-worker", Command::kStopWorker},
      {"start-worker", Command::kStartWorker},
      {"restart-worker", Command::kRestartWorker}};
  for (const auto& [name, command] : commands) {
    EXPECT_EQ(parse({name, "12"}), -1) << name << error_;
    EXPECT_EQ(invocation_.command, command) << name;
    EXPECT_EQ(invocation_.worker, 12u);
    for (const char* bad : {"0", "x", "1x", ""}) {
      EXPECT_NE(refusal({name, bad}).find("is not the index of a worker"),
                std::string::npos)
          << name << " " << bad << ": " << error_;
    }
    EXPECT_EQ(refusal({name}), "index is required");
    EXPECT_EQ(refusal({name, "1", "2"}), "unexpected argument '2'");
  }
}

TEST_F(CommandLine, FillsTheConfigFromTheOptionsOfStart) {
  for (const char* command : {"start", "restart"}) {
    config_ = RunConfig();
    EXPECT_EQ(parse({command,
                     "-d",
                     "--workers",
                     "4",
                     "--workers=chat=2",
                     "--listen",
                     "tcp://[::]:80",
                     "--listen",
                     "a=unix:///x=y",
                     "--event",
                     "epoll",
                     "--run-dir",
                     "/r",
                     "--pid-file",
                     "/p.pid",
                     "--log-file",
                     "/l.log",
                     "--log-level",
                     "error",
                     "--stop-timeout",
                     "1.5"}),
              -1)
        << error_;
    EXPECT_TRUE(invocation_.daemonize);
    EXPECT_EQ(invocation_.workers, (Texts{"4", "chat=2"}));
    EXPECT_EQ(invocation_.listen, (Texts{"tcp://[::]:80", "a=unix:///x=y"}));
    EXPECT_EQ(config_.event, "epoll");
    EXPECT_EQ(config_.runDirectory, "/r");
    EXPECT_EQ(config_.pidFile, "/p.pid");
    EXPECT_EQ(config_.logFile, "/l.log");
    EXPECT_EQ(config_.logLevel, LogLevel::kError);
    EXPECT_EQ(config_.stopTimeout, milliseconds(1500));
  }
}

TEST_F(CommandLine, KeepsWhatTheProgramConfigured) {
  config_.event = "poll";
  config_.runDirectory = "/mine";
  config_.logLevel = LogLevel::kDebug;
  config_.stopTimeout = milliseconds(123);
  EXPECT_EQ(parse({"start"}), -1);
  EXPECT_EQ(config_.event, "poll");
  EXPECT_EQ(config_.runDirectory, "/mine");
  EXPECT_EQ(config_.logLevel, LogLevel::kDebug);
  EXPECT_EQ(config_.stopTimeout, milliseconds(123));
  EXPECT_FALSE(invocation_.daemonize);
}

TEST_F(CommandLine, KnowsTheFlagsOfEachCommand) {
  EXPECT_EQ(parse({"stop", "-g"}), -1);
  EXPECT_TRUE(invocation_.graceful);
  EXPECT_EQ(parse({"restart", "-d", "-g"}), -1);
  EXPECT_TRUE(invocation_.graceful && invocation_.daemonize);
  EXPECT_EQ(parse({"restart", "-dg"}), -1);
  EXPECT_TRUE(invocation_.graceful && invocation_.daemonize);
  EXPECT_EQ(parse({"reload", "--graceful"}), -1);
  EXPECT_TRUE(invocation_.graceful);
  EXPECT_EQ(parse({"status", "--watch", "--json"}), -1);
  EXPECT_TRUE(invocation_.watch && invocation_.json);
  EXPECT_EQ(parse({"connections", "--json"}), -1);
  EXPECT_TRUE(invocation_.json);
  EXPECT_FALSE(invocation_.watch);
}

TEST_F(CommandLine, TakesThePlacesBeforeAndAfterEveryCommand) {
  for (const char* command : {"start", "stop", "restart", "reload", "status",
                              "connections", "reopen"}) {
    EXPECT_EQ(parse({command, "--run-dir", "/a", "--pid-file", "/b"}), -1)
        << command << error_;
    EXPECT_EQ(config_.runDirectory + config_.pidFile, "/a/b");
    EXPECT_EQ(parse({"--run-dir=/c", "--pid-file=/d", command}), -1)
        << command << error_;
    EXPECT_EQ(config_.runDirectory + config_.pidFile, "/c/d");
  }
}

TEST_F(CommandLine, TakesTheLastOfAnOptionThatIsGivenTwice) {
  EXPECT_EQ(parse({"start", "--log-level", "debug", "--log-level", "none",
                   "--event", "epoll", "--event", "libev"}),
            -1)
      << error_;
  EXPECT_EQ(config_.logLevel, LogLevel::kNone);
  EXPECT_EQ(config_.event, "libev");
}

TEST_F(CommandLine, RefusesWhatItDoesNotKnowByName) {
  EXPECT_EQ(refusal({"statrt"}), "unknown command 'statrt'");
  EXPECT_EQ(refusal({"--bogus"}), "unknown option '--bogus'");
  EXPECT_EQ(refusal({"start", "--bogus", "x"}), "unknown option '--bogus'");
  EXPECT_EQ(refusal({"stop", "-d"}), "unknown option '-d'");
  EXPECT_EQ(refusal({"status", "-g"}), "unknown option '-g'");
  EXPECT_EQ(refusal({"start", "extra"}), "unexpected argument 'extra'");
  EXPECT_EQ(refusal({"start", "stop"}), "unexpected argument 'stop'");
  EXPECT_EQ(refusal({"start", "--workers", "2", "x"}),
            "unexpected argument 'x'");
  EXPECT_EQ(refusal({"a\nb\x1b[m"}), "unknown command 'a\\nb\\x1b[m'");
}

TEST_F(CommandLine, RefusesBadValuesByName) {
  EXPECT_EQ(refusal({"start", "--log-level", "loud"}),
            "--log-level: unknown level 'loud': have debug, info, warning, "
            "error, none");
  EXPECT_EQ(refusal({"start", "--event", ""}), "--event: needs a value");
  for (const char* bad :
       {"x", "-1", "1.5", "1025", "4x", "a=", "a=b", "=", "99999999999"}) {
    EXPECT_TRUE(refusal({"start", "--workers", bad})
                    .ends_with("is not a number from 0 to 1024"))
        << bad << error_;
  }
  EXPECT_EQ(parse({"start", "--workers", "0", "--workers", "1024"}), -1);
  for (const char* bad : {"x", "-1", "nan", "inf", "5s", "86401", "1e99"}) {
    EXPECT_EQ(refusal({"restart", "--stop-timeout", bad}),
              "--stop-timeout: '" + std::string(bad) +
                  "' is not a number of seconds from 0 to 86400");
  }
  EXPECT_EQ(parse({"stop", "--stop-timeout", "86400"}), -1);
}

TEST_F(CommandLine, RefusesAMissingValueByName) {
  for (const char* option :
       {"--workers", "--listen", "--event", "--run-dir", "--pid-file",
        "--log-file", "--log-level", "--stop-timeout"}) {
    const std::string name = option;
    EXPECT_TRUE(refusal({"start", name}).starts_with(name + ": ")) << error_;
    EXPECT_TRUE(refusal({"start", name + "="}).starts_with(name + ": "))
        << error_;
    EXPECT_TRUE(refusal({"start", name, ""}).starts_with(name + ": "))
        << error_;
  }
}

TEST_F(CommandLine, WithoutACommandShowsTheUsageOnStderr) {
  EXPECT_EQ(parse({}), kBadUsage);
  EXPECT_EQ(out_, "");
  EXPECT_NE(error_.find("Usage: shout"), std::string::npos) << error_;
  EXPECT_TRUE(error_.ends_with(
      "shout: no command given (try '/opt/bin/shout --help')\n"))
      << error_;
}

TEST_F(CommandLine, PointsToTheHelpOfTheCommand) {
  EXPECT_EQ(parse({"start", "--bogus"}), kBadUsage);
  EXPECT_TRUE(error_.ends_with(" (try '/opt/bin/shout start --help')\n"))
      << error_;
}

TEST_F(CommandLine, ShowsTheVersions) {
  EXPECT_EQ(parse({"--version"}), kSuccess);
  EXPECT_TRUE(std::regex_match(
      out_, std::regex("shout 1\\.2 \\(brigade [0-9]+\\.[0-9]+\\.[0-9]+\\)\n")))
      << out_;
  EXPECT_EQ(error_, "");
  config_.version = "";
  config_.name = "other";
  EXPECT_EQ(parse({"--version"}), kSuccess);
  EXPECT_TRUE(out_.starts_with("other (brigade ")) << out_;
}

TEST_F(CommandLine, HelpHasALineForEachCommand) {
  EXPECT_EQ(parse({"--help"}), kSuccess);
  for (const char* command :
       {"start", "stop", "restart", "reload", "status", "connections", "reopen",
        "stop-worker", "start-worker", "restart-worker"}) {
    EXPECT_NE(out_.find("\n  " + std::string(command) + "  "),
              std::string::npos)
        << out_;
  }
  EXPECT_EQ(error_, "");
}

TEST_F(CommandLine, HelpOfACommandHasALineForEachOption) {
  for (const char* command : {"start", "restart"}) {
    EXPECT_EQ(parse({command, "--help"}), kSuccess);
    for (const char* option :
         {"--daemon", "--workers", "--listen", "--event", "--run-dir",
          "--pid-file", "--log-file", "--log-level", "--stop-timeout"}) {
      EXPECT_NE(out_.find(option), std::string::npos) << option << out_;
    }
  }
  EXPECT_EQ(parse({"stop", "-h"}), kSuccess);
  EXPECT_NE(out_.find("-g,--graceful"), std::string::npos) << out_;
  EXPECT_EQ(out_.find("--workers"), std::string::npos) << out_;
}

TEST_F(CommandLine, HelpFitsATerminalOf80Columns) {
  for (const Texts& arguments :
       {Texts{"--help"}, Texts{"start", "--help"}, Texts{"stop", "--help"},
        Texts{"reload", "--help"}, Texts{"status", "--help"}}) {
    EXPECT_EQ(parse(arguments), kSuccess);
    for (std::size_t at = 0; at < out_.size();) {
      const auto end = out_.find('\n', at);
      EXPECT_LE(end - at, 80U) << out_.substr(at, end - at);
      at = end + 1;
    }
  }
}

// What `ask` returns in a child that is not root.
std::string asOrdinaryUser(const std::function<std::string()>& ask) {
  int ends[2];
  if (::pipe(ends) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && ::setuid(4711) != 0) ::_exit(1);
    const std::string text = ask();
    const bool ok = ::write(ends[1], text.data(), text.size()) ==
                    static_cast<ssize_t>(text.size());
    ::_exit(ok ? 0 : 1);
  }
  ::close(ends[1]);
  char text[1024];
  const ssize_t length = ::read(ends[0], text, sizeof text);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (status != 0 || length < 0) return "the child failed";
  return {text, static_cast<std::size_t>(length)};
}

TEST(CompleteConfig, TakesTheNameFromTheProgram) {
  RunConfig config;
  completeConfig(config, "./bin/shout");
  EXPECT_EQ(config.name, "shout");
  RunConfig nameless;
  completeConfig(nameless, nullptr);
  EXPECT_EQ(nameless.name, "brigade");
}

TEST(CompleteConfig, PutsTheFilesIntoTheRunDirectory) {
  RunConfig config;
  config.name = "shout";
  config.runDirectory = "/r";
  completeConfig(config, "x");
  EXPECT_EQ(config.pidFile, "/r/shout.pid");
  EXPECT_EQ(config.logFile, "") << "in the foreground: stderr";
  config.daemonize = true;
  completeConfig(config, "x");
  EXPECT_EQ(config.logFile, "/r/shout.log");
}

TEST(CompleteConfig, KeepsWhatIsGiven) {
  RunConfig config;
  config.name = "shout";
  config.runDirectory = "/r";
  config.pidFile = "/p/x.pid";
  config.logFile = "/l/x.log";
  config.daemonize = true;
  completeConfig(config, "x");
  EXPECT_EQ(config.name, "shout");
  EXPECT_EQ(config.pidFile, "/p/x.pid");
  EXPECT_EQ(config.logFile, "/l/x.log");
}

TEST(CompleteConfig, MakesPathsAbsolute) {
  RunConfig config;
  config.runDirectory = "run";
  config.logFile = "x.log";
  completeConfig(config, "shout");
  const std::string here = std::filesystem::current_path().string();
  EXPECT_EQ(config.runDirectory, here + "/run");
  EXPECT_EQ(config.pidFile, here + "/run/shout.pid");
  EXPECT_EQ(config.logFile, here + "/x.log");
}

TEST(CompleteConfig, KeepsASlashInTheNameOutOfFileNames) {
  RunConfig config;
  config.name = "a/../b";
  config.runDirectory = "/r";
  completeConfig(config, "x");
  EXPECT_EQ(config.pidFile, "/r/a-..-b.pid");
}

TEST(CompleteConfig, FindsTheRunDirectoryOfRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "not root";
  RunConfig config;
  completeConfig(config, "shout");
  EXPECT_EQ(config.runDirectory, "/run/shout");
}

TEST(CompleteConfig, FindsTheRunDirectoryOfAnOrdinaryUser) {
  const auto find = [] {
    RunConfig config;
    completeConfig(config, "shout");
    return config.runDirectory;
  };
  EXPECT_EQ(asOrdinaryUser([&] {
              ::setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
              return find();
            }),
            "/run/user/7/shout");
  for (const char* unusable : {"", "relative"}) {
    const std::string found = asOrdinaryUser([&] {
      ::setenv("XDG_RUNTIME_DIR", unusable, 1);
      return find() + " " + std::to_string(::geteuid());
    });
    const std::string user = found.substr(found.find(' ') + 1);
    EXPECT_EQ(found, "/tmp/brigade-" + user + "/shout " + user);
  }
}

}  // namespace
}  // namespace brigade::detail
