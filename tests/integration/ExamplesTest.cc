// Every example, run as its README says, with a client nobody here wrote: nc.

#include <gtest/gtest.h>

#include "tests/support/Client.h"
#include "tests/support/Program.h"

namespace brigade::test {
namespace {

std::string nc(const Program& program, const std::string& input) {
  const Outcome outcome =
      runCommand({"/bin/sh", "-c",
                  "printf '" + input + "' | nc -N -w 10 127.0.0.1 " +
                      std::to_string(program.port())});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return outcome.out;
}

TEST(ExamplesTest, ShoutAnswersInUpperCase) {
  Program shout(example("shout"));
  shout.start({"--listen", "text://127.0.0.1:0"});
  EXPECT_EQ(nc(shout, "hello\\nworld\\n"), "HELLO\nWORLD\n");
  EXPECT_EQ(shout.status().at("workers").size(), 4u);
}

TEST(ExamplesTest, EchoSpeaksWhateverItsAddressSays) {
  for (const char* protocol : {"tcp", "text", "frame"}) {
    Program echo(example("echo"));
    echo.start({"--listen", std::string(protocol) + "://127.0.0.1:0"});
    const std::string bytes = protocol == std::string("frame")
                                  ? "\\000\\000\\000\\007abc"
                                  : "some bytes\\n";
    const std::string expected = protocol == std::string("frame")
                                     ? std::string("\0\0\0\7abc", 7)
                                     : "some bytes\n";
    EXPECT_EQ(nc(echo, bytes), expected) << protocol;
  }
}

TEST(ExamplesTest, EchoListensOnIPv6AndTakesIPv4There) {
  Program echo(example("echo"));
  echo.start({"--listen", "text://[::]:0"});
  EXPECT_EQ(nc(echo, "four\\n"), "four\n");
  const Outcome six = runCommand(
      {"/bin/sh", "-c",
       "printf 'six\\n' | nc -6 -N -w 10 ::1 " + std::to_string(echo.port())});
  EXPECT_EQ(six.out, "six\n");
}

TEST(ExamplesTest, EchoLosesNothingToASlowReader) {
  Program echo(example("echo"));
  echo.start({"--listen", "tcp://127.0.0.1:0"});
  const Outcome outcome =
      runCommand({"/bin/sh", "-c",
                  "head -c 20000000 /dev/zero | nc -N -w 20 127.0.0.1 " +
                      std::to_string(echo.port()) + " | wc -c"});
  EXPECT_EQ(std::stoul(outcome.out), 20'000'000u);
  EXPECT_EQ(echo.status().at("totals").at("sendFailures"), 0);
}

TEST(ExamplesTest, ChatTellsEverybodyElse) {
  Program chat(example("chat"));
  chat.start({"--listen", "text://127.0.0.1:0"});
  Client ada(chat.port());
  Client bob(chat.port());
  EXPECT_EQ(ada.line(), "Welcome. What is your name?");
  EXPECT_EQ(ada.ask("Ada"), "Hello, Ada. Here: Ada");
  EXPECT_EQ(bob.line(), "Welcome. What is your name?");
  EXPECT_EQ(bob.ask("Ada"), "Somebody has that name. What is your name?");
  EXPECT_EQ(bob.ask("Bob"), "Hello, Bob. Here: Ada, Bob");
  EXPECT_EQ(ada.line(), "Bob joined");
  ASSERT_TRUE(ada.send("hello all\n"));
  EXPECT_EQ(bob.line(), "Ada: hello all");
  bob = Client(0);
  EXPECT_EQ(ada.line(), "Bob left");
}

TEST(ExamplesTest, JsonlAddsUpAndRefusesWhatIsNoJson) {
  Program jsonl(example("jsonl"));
  jsonl.start({"--listen", "jsonl://127.0.0.1:0"});
  EXPECT_EQ(nc(jsonl, "[1, 2, 3.5]\\n"), "{\"count\":3,\"sum\":6.5}\n");
  EXPECT_EQ(nc(jsonl, "no json\\n"), "");
  EXPECT_EQ(jsonl.status().at("totals").at("protocolErrors"), 1);
}

TEST(ExamplesTest, BackgroundTicksWithoutAnAddress) {
  Program background(example("background"));
  background.start();
  EXPECT_EQ(background.status().at("workers").size(), 3u);
  EXPECT_TRUE(eventually([&] {
    const std::string log = background.log();
    return log.find("ticker worker 1") != std::string::npos &&
           log.find("tick 2") != std::string::npos;
  }));
  EXPECT_EQ(background.status().at("workers").at(0).at("timers"), 1);
}

}  // namespace
}  // namespace brigade::test
