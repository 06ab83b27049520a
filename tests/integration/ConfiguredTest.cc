// A program with a configuration file, as a user runs it. What a file may say
// is tested in tests/Worker/ConfigurationTest.cc.

#include <algorithm>
#include <filesystem>

#include "tests/integration/LabFixture.h"

namespace brigade::test {
namespace {

class Configured : public LabFixture {
 protected:
  const std::string path = program.directory() + "/lab.log";  // a log may stay

  void write(const std::string& text) const { std::ofstream(path) << text; }
  void startWithFile(const std::string& text, Strings options = {},
                     Strings environment = {}) {
    write(text);
    options.insert(options.end(), {"--config", path});
    startWith(std::move(options), std::move(environment));
  }
  // What a start says of the file.
  std::string refusal(const std::string& text) {
    write(text);
    const Outcome outcome =
        runCommand({BRIGADE_LAB_SUBJECT, "start", "-d", "--run-dir",
                    program.directory(), "--config", path});
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1);
    return outcome.err;
  }
  bool logs(const std::string& text) {
    return eventually(
        [&] { return program.log().find(text) != std::string::npos; });
  }
};

TEST_F(Configured, M01_C01_AFileSaysHowManyProcessesServe) {
  startWithFile("# no section for the worker\n");
  EXPECT_EQ(program.workerPids().size(), 1U);
  EXPECT_EQ(ask("echo hello"), "hello");
  EXPECT_EQ(ask("count x"), "1 1") << "mail works alone, too";
  program.command({"stop"});
  ASSERT_EQ(program.wait(), 0);
  startWithFile("[worker]\ncount = 3\n");
  EXPECT_EQ(program.workerPids().size(), 3U);
  EXPECT_EQ(ask("echo hello"), "hello");
  EXPECT_EQ(ask("count x"), "3 3");
}

TEST_F(Configured, M01_M14_AnUnknownValueIsNamedWithKeyFileAndLine) {
  EXPECT_NE(refusal("[worker]\nacceptMode = \"foo\"\n")
                .find(path + ":2: 'acceptMode' in [worker]: 'foo' is not "),
            std::string::npos);
  EXPECT_NE(refusal("[worker]\n{\n").find(path + ":2: "), std::string::npos);
  EXPECT_NE(refusal("foo = 1\n").find(path + ":1: unknown key 'foo'"),
            std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(eventLog())) << "nothing has begun";
  EXPECT_EQ(runCommand({BRIGADE_LAB_SUBJECT, "start", "--run-dir",
                        program.directory(), "--config", path + "-none"})
                .code,
            2);
}

// For start and for its check, of which the second is to make nothing.
TEST_F(Configured, WhatOnlyTheSystemKnowsToBeWrongHasItsLineToo) {
  const std::string no = program.directory() + "/none.log/here";
  const std::pair<std::string, std::string> wrong[] = {
      {"pidFile = '" + no + "'",
       ":1: cannot open the pid file " + no + ": No such file or directory\n"},
      {"\nlogFile = '" + no + "'",
       ":2: cannot open the log " + no + ": No such file or directory\n"},
      {"daemonize = true\nstdoutFile = '" + program.directory() + "'",
       ":2: cannot open stdout's file " + program.directory() +
           ": Is a directory\n"},
      {"[worker]\nuser = 'no-such'", ":2: user 'no-such': no such user\n"},
  };
  for (const auto& [text, reason] : wrong) {
    write(text);
    for (const char* how : {"--check", "-d"}) {
      const Outcome outcome = program.command({"start", how, "--config", path});
      EXPECT_EQ(outcome.code, 1) << text;
      EXPECT_EQ(outcome.err, "lab_subject: " + path + reason) << how;
    }
  }
  write("runDirectory = '" + path + "/inner'");
  const Outcome outcome =
      runCommand({BRIGADE_LAB_SUBJECT, "start", "--check", "--config", path});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err, "lab_subject: " + path +
                             ":1: cannot use the run directory " + path +
                             "/inner: " + path + " is no directory\n");
  EXPECT_FALSE(std::filesystem::exists(program.directory() + "/none.log"));
}

TEST_F(Configured, ATakenAddressHasTheLineOfTheFileThatNamesIt) {
  startWith({});
  const std::string address = program.address();
  write("[worker]\ncount = 2\naddress = '" + address + "'\n");
  Program second(BRIGADE_LAB_SUBJECT);
  const std::string refusal =
      "cannot listen on " + address + ": Address already in use\n";
  for (const char* how : {"-d", "--workers=1"}) {
    EXPECT_EQ(second.command({"start", how, "--config", path}).err,
              "lab_subject: " + path + ":3: " + refusal);
  }
  // One that was typed is nobody's line.
  write("[worker]\naddress = 'text://127.0.0.1:0'\n");
  EXPECT_EQ(
      second.command({"start", "-d", "--config", path, "--listen", address})
          .err,
      "lab_subject: " + refusal);
}

TEST_F(Configured, M06_TheProgramHasTheLastWordBeforeItStarts) {
  startWithFile("[worker]\ncount = 1\n", {}, {"START_COUNT=3"});
  EXPECT_EQ(program.workerPids().size(), 3U);
  ASSERT_EQ(program.command({"reload"}).code, 0);
  EXPECT_EQ(program.workerPids().size(), 3U) << "the file says what it said";
}

TEST_F(Configured, TheCommandLineHasItBeforeTheFile) {
  startWithFile("[worker]\ncount = 1\n", {"--workers", "2"});
  EXPECT_EQ(program.workerPids().size(), 2U);
  write("[worker]\ncount = 3\n");
  ASSERT_EQ(program.command({"reload"}).code, 0);
  EXPECT_EQ(program.workerPids().size(), 2U);
}

TEST_F(Configured, AReloadReadsItAgain) {
  startWithFile("[worker]\ncount = 1\n[app]\ngreeting = \"hello\"\n");
  EXPECT_EQ(ask("app greeting"), "hello");
  EXPECT_EQ(ask("app none"), "(none)");
  write(
      "logLevel = \"debug\"\n[worker]\ncount = 2\naddress = \"text://[::]:1\"\n"
      "[app]\ngreeting = \"good day\"\n");
  ASSERT_EQ(program.command({"reload"}).code, 0);
  EXPECT_EQ(program.workerPids().size(), 2U);
  EXPECT_EQ(ask(1, "app greeting"), "good day");
  EXPECT_EQ(ask(2, "app greeting"), "good day");
  EXPECT_TRUE(logs("a change of logLevel waits for the next start"));
  EXPECT_TRUE(logs("lab: a change of address waits for the next start"));
}

TEST_F(Configured, M14_AReloadWithABrokenFileIsRefusedAndAllGoesOn) {
  startWithFile("[worker]\ncount = 2\n[app]\ngreeting = \"hello\"\n");
  const auto pids = program.workerPids();
  write("[worker]\ncount = \n[app]\ngreeting = \"good day\"\n");
  const Outcome reload = program.command({"reload"});
  EXPECT_EQ(reload.code, 1);
  EXPECT_NE(reload.err.find(path + ":2: "), std::string::npos) << reload.err;
  ASSERT_EQ(::kill(program.masterPid(), SIGHUP), 0);
  EXPECT_TRUE(logs("SIGHUP: no reload: " + path + ":2: "));
  EXPECT_EQ(program.workerPids(), pids);
  EXPECT_EQ(ask("app greeting"), "hello");
  write("[worker]\ncount = 2\n[app]\ngreeting = \"good day\"\n");
  EXPECT_EQ(program.command({"reload"}).code, 0);
  EXPECT_EQ(ask("app greeting"), "good day");
}

TEST_F(Configured, OneFileIsEnoughForEveryCommand) {
  const std::string directory = program.directory() + "/run.log";
  write("daemonize = true\nrunDirectory = \"" + directory + "\"\n");
  const auto command = [&](const std::string& word) {
    return runCommand({BRIGADE_LAB_SUBJECT, word, "--config", path});
  };
  const Outcome start = command("start");
  ASSERT_EQ(start.code, 0) << start.err;
  EXPECT_EQ(command("status").code, 0);
  EXPECT_TRUE(std::filesystem::exists(directory + "/lab_subject.pid"));
  EXPECT_EQ(command("stop").code, 0);
  EXPECT_EQ(command("status").code, 3);
}

}  // namespace
}  // namespace brigade::test
