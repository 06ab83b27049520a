#include "brigade/Worker/detail/Configuration.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/TempDirectory.h"

namespace brigade::detail {
namespace {

using std::chrono::milliseconds;

class ConfigurationTest : public ::testing::Test {
 protected:
  ConfigurationTest() {
    front.name = "front";
    back.name = "back";
    back.count = 7;
  }
  void write(const std::string& text) const { std::ofstream(path) << text; }
  // The file as it is now, put into everything.
  Configuration applied(const std::string& text,
                        const Configuration::Fixed& fixed = {}) {
    write(text);
    Configuration file(path, {&clock, &front, &back});
    file.apply(config);
    file.apply(fixed);
    return file;
  }
  // What is wrong, behind the name of the file.
  std::string refusal(const std::string& text) {
    write(text);
    try {
      const Configuration file(path, {&clock, &front, &back});
    } catch (const BadConfigFile& error) {
      const std::string what = error.what();
      EXPECT_TRUE(what.starts_with(path)) << what;
      return what.substr(path.size());
    }
    return "none";
  }

  const test::TempDirectory temp;
  const std::string path = temp / "app.toml";
  RunConfig config;
  Worker clock;  // without an address
  Worker front{"text://127.0.0.1:1"}, back{"text://127.0.0.1:2"};
};

TEST_F(ConfigurationTest, M14_CommentsTextsNumbersAndSwitchesAreRead) {
  applied(R"(# of the whole program
logLevel = "warning"
stopTimeout = 2.5      # seconds
daemonize = true
pidFile = '/run/a#b.pid'
[backoff]
giveUpAfter = 3
longest = 10
[limits]
coreSize = "unlimited"
openFiles = 512

[worker]               # the first that listens
count = 0
[worker.back]
address = "text://0.0.0.0:5678"
maxPackageSize = 1_000_000
acceptMode = "sticky"
idleTimeout = 60
reloadable = false
)");
  EXPECT_EQ(config.logLevel, LogLevel::kWarning);
  EXPECT_EQ(config.stopTimeout, milliseconds(2500));
  EXPECT_TRUE(config.daemonize);
  EXPECT_EQ(config.pidFile, "/run/a#b.pid");
  EXPECT_EQ(config.backoff.giveUpAfter, 3u);
  EXPECT_EQ(config.backoff.longest, milliseconds(10'000));
  ASSERT_EQ(config.limits.size(), 2u);
  EXPECT_EQ(config.limits[0].value, ResourceLimit::kUnlimited);
  EXPECT_EQ(config.limits[1].resource, Resource::kOpenFiles);
  EXPECT_EQ(config.limits[1].value, 512u);
  EXPECT_EQ(front.count, 0u);
  EXPECT_EQ(clock.count, 1u);
  EXPECT_EQ(back.address, "text://0.0.0.0:5678");
  EXPECT_EQ(back.maxPackageSize, 1'000'000u);
  EXPECT_EQ(back.acceptMode, AcceptMode::kSticky);
  EXPECT_EQ(back.idleTimeout, std::chrono::seconds(60));
  EXPECT_FALSE(back.reloadable);
  EXPECT_EQ(back.count, 7u) << "the program's";
}

TEST_F(ConfigurationTest, M14_TheProgramReadsWhatItCallsItsOwn) {
  applied(
      "[app]\ngreeting = \"hello\"\nlimit = 5\nratio = 0.5\n"
      "[app.mail]\nserver = 'mail.example.com'\n");
  for (const Worker* worker : {&clock, &front, &back}) {
    EXPECT_EQ(worker->configured("greeting"), "hello");
    EXPECT_EQ(worker->configured("limit"), "5");
    EXPECT_EQ(worker->configured("ratio"), "0.5");
    EXPECT_EQ(worker->configured("mail.server"), "mail.example.com");
    EXPECT_EQ(worker->configured("mail"), std::nullopt);
  }
}

TEST_F(ConfigurationTest, M14_WhatIsWrongIsNamedWithFileAndLine) {
  EXPECT_EQ(refusal("\ncuont = 1\n"), ":2: unknown key 'cuont'");
  EXPECT_EQ(refusal("[worker]\n\ncuont = 1\n"),
            ":3: unknown key 'cuont' in [worker]");
  EXPECT_EQ(refusal("[worker.back]\ncount.x = 1\n"),
            ":2: unknown key 'count.x' in [worker.back]");
  EXPECT_EQ(refusal("\n[worker.nobody]\ncount = 1\n"),
            ":2: no worker is named 'nobody'");
  EXPECT_EQ(refusal("[server]\nport = 1\n"), ":2: unknown key 'server.port'");
  EXPECT_EQ(refusal("[[worker]]\n"), ":1: 'worker' is a list or a date");
  EXPECT_EQ(refusal("[app]\nlist = [1, 2]\n"),
            ":2: 'list' is a list or a date");
  EXPECT_EQ(refusal("[worker]\ncount = \"many\"\n"),
            ":2: 'count' in [worker]: 'many' is not a whole number from 0 to "
            "1024");
  EXPECT_TRUE(
      refusal("[worker]\ncount = 1025\n").starts_with(":2: 'count' in"));
}

TEST_F(ConfigurationTest, M14_WhatIsNoTomlIsNamedWithItsLine) {
  EXPECT_TRUE(refusal("a = 1\n[app]\nb = {\n").starts_with(":3: "));
  EXPECT_TRUE(refusal("\n[worker\n").starts_with(":2: "));
  EXPECT_TRUE(refusal("[app]\na = 1\na = 2\n").starts_with(":3: "));
  EXPECT_TRUE(refusal("logLevel = none\n").starts_with(":1: "));
}

TEST_F(ConfigurationTest, AFileThatCannotBeReadIsNamed) {
  try {
    const Configuration file(temp / "none.toml", {});
    FAIL();
  } catch (const BadConfigFile& error) {
    EXPECT_EQ(error.what(), "cannot read the configuration file " +
                                temp / "none.toml" +
                                ": No such file or directory");
  }
  EXPECT_THROW(Configuration(temp.name(), {}), BadConfigFile) << "a folder";
}

TEST_F(ConfigurationTest, EachKindOfValueHasItsBounds) {
  const std::pair<const char*, const char*> bad[] = {
      {"logLevel = 'loud'", "'loud' is not debug, info, warning, error or"},
      {"stopTimeout = -1", "'-1' is not a number of seconds from 0 to 86400"},
      {"stopTimeout = nan", "is not a number of seconds"},
      {"daemonize = 1", "'1' is not true or false"},
      {"worker.acceptMode = 'any'", "'any' is not reusePort, sticky, shared"},
      {"worker.maxRequests = -1", "'-1' is not a whole number from 0 to 184"},
      {"worker.backlog = 1.5", "'1.5' is not a whole number"},
      {"limits.openFiles = 'some'", "'some' is not a whole number"},
  };
  for (const auto& [text, reason] : bad) {
    EXPECT_NE(refusal(text).find(reason), std::string::npos)
        << text << ": " << refusal(text);
  }
}

// ---- Where it stands

TEST_F(ConfigurationTest, ASettingHasAPlaceWhileItIsAsTheFileSays) {
  const Configuration file = applied(
      "logFile = 'x.log'\n[worker]\naddress = 'text://[::]:1'\n"
      "[worker.back]\nidleTimeout = 1.50\n");
  EXPECT_EQ(file.placeOf(front, "address"), path + ":3: ");
  EXPECT_EQ(file.placeOf(back, "idleTimeout"), path + ":5: ");
  EXPECT_EQ(file.placeOf(back, "address"), "");
  EXPECT_EQ(file.placeOf(front, "user"), "");
  front.address = "text://[::]:2";  // somebody else has said otherwise
  EXPECT_EQ(file.placeOf(front, "address"), "");
  back.name = "another";
  EXPECT_EQ(file.placeOf(back, "idleTimeout"), "");
  EXPECT_EQ(file.placeOf("logFile", "x.log"), path + ":1: ");
  EXPECT_EQ(file.placeOf("logFile", std::filesystem::absolute("x.log")),
            path + ":1: ");
  EXPECT_EQ(file.placeOf("logFile", "y.log"), "");
  EXPECT_EQ(file.placeOf("pidFile", ""), "");
}

// ---- Read again

TEST_F(ConfigurationTest, OnlyWhatHasChangedIsPutInAgain) {
  Configuration file = applied("[worker.back]\ncount = 2\nidleTimeout = 5\n");
  back.count = 9;  // the program's own doing since
  write("[worker.back]\ncount = 2\nidleTimeout = 6\n");
  EXPECT_TRUE(file.reread().empty());
  EXPECT_EQ(back.count, 9u);
  EXPECT_EQ(back.idleTimeout, std::chrono::seconds(6));
  write("[worker.back]\ncount = 3\n");
  file.reread();
  EXPECT_EQ(back.count, 3u);
  EXPECT_EQ(back.idleTimeout, milliseconds(0)) << "the program's own again";
  write("");
  file.reread();
  EXPECT_EQ(back.count, 7u) << "the program's own again";
}

TEST_F(ConfigurationTest, WhatTheCommandLineHasFixedStays) {
  back.count = 4;  // by --workers back=4
  Configuration file =
      applied("[worker.back]\ncount = 2\n", {{&back, "count"}});
  EXPECT_EQ(back.count, 4u);
  write("[worker.back]\ncount = 3\n");
  file.reread();
  write("");
  file.reread();
  EXPECT_EQ(back.count, 4u);
}

TEST_F(ConfigurationTest, M14_ABrokenFileLeavesWhatWasReadBefore) {
  Configuration file = applied("[worker.back]\ncount = 2\n[app]\na = 1\n");
  write("[worker.back]\ncount = 3\n[app]\na = 2\n{\n");
  EXPECT_THROW(file.check(), BadConfigFile);
  EXPECT_THROW(file.reread(), BadConfigFile);
  EXPECT_EQ(back.count, 2u);
  EXPECT_EQ(back.configured("a"), "1");
}

TEST_F(ConfigurationTest, WhatOnlyAStartTakesIsTold) {
  Configuration file = applied("logLevel = 'info'\nstopTimeout = 1\n");
  write("logLevel = 'debug'\nstopTimeout = 1\n[limits]\nopenFiles = 9\n");
  EXPECT_EQ(file.reread(),
            (std::vector<std::string>{"limits.openFiles", "logLevel"}));
  EXPECT_TRUE(file.reread().empty()) << "once";
  EXPECT_EQ(config.logLevel, LogLevel::kInfo);
}

}  // namespace
}  // namespace brigade::detail
