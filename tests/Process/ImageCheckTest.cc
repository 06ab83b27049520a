#include "brigade/Process/ImageCheck.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/RunUntil.h"

namespace brigade::test {
namespace {

class ImageCheckTest : public ::testing::Test {
 protected:
  // Runs a script of the shell: what it is told of.
  void check(const std::string& script,
             Clock::duration patience = std::chrono::seconds(10),
             const char* image = "/bin/sh") {
    const FileDescriptor code(::open(image, O_RDONLY | O_CLOEXEC));
    ImageCheck::Options options{code.get(), {script}, "X=1", patience, {}};
    subject = std::make_unique<ImageCheck>(
        *loop, launch, std::move(options),
        [this](std::string_view why, std::string_view said) {
          reason = why;
          output = said;
          subject.reset();
        });
    pid = subject->pid();
  }
  bool ends() {
    return runUntil(*loop, [this] { return reason.has_value(); });
  }
  bool isGone() const { return ::kill(pid, 0) != 0 && errno == ESRCH; }

  std::vector<std::string> words{"sh", "-c"};
  std::vector<char*> pointers{words[0].data(), words[1].data(), nullptr};
  Launch launch{2, pointers.data()};
  std::unique_ptr<EventInterface> loop = makeEventLoop("epoll");
  std::unique_ptr<ImageCheck> subject;
  pid_t pid = 0;
  std::optional<std::string> reason;
  std::string output;
};

TEST_F(ImageCheckTest, TellsWhatAGoodOneSays) {
  check("echo hello $X; echo more >&2");
  ASSERT_TRUE(ends());
  EXPECT_EQ(*reason, "");
  EXPECT_EQ(output, "hello 1\nmore\n");
  EXPECT_TRUE(isGone());
}

TEST_F(ImageCheckTest, TellsHowABadOneEnds) {
  check("echo first; echo the reason >&2; exit 3");
  ASSERT_TRUE(ends());
  EXPECT_EQ(*reason, "exit 3: the reason");
  reason.reset();
  check("kill -TERM $$");
  ASSERT_TRUE(ends());
  EXPECT_EQ(*reason, "killed by SIGTERM");
}

TEST_F(ImageCheckTest, OneThatDoesNotEndIsKilled) {
  check("while :; do :; done", std::chrono::milliseconds(50));
  ASSERT_TRUE(ends());
  EXPECT_EQ(*reason, "it did not end in time");
  EXPECT_TRUE(isGone());
}

TEST_F(ImageCheckTest, WhatIsNoProgramIsSaidSo) {
  check("", std::chrono::seconds(10), "/etc/passwd");
  ASSERT_TRUE(ends());
  EXPECT_EQ(*reason, "exit 126: cannot run: Permission denied");
}

TEST_F(ImageCheckTest, MoreThanItMaySayIsThrownAway) {
  check("head -c 1000000 /dev/zero | tr '\\0' x");
  ASSERT_TRUE(ends());
  EXPECT_EQ(*reason, "");
  EXPECT_EQ(output.size(), ImageCheck::kMaxOutput);
}

TEST_F(ImageCheckTest, OneThatIsGivenUpLeavesNoProcess) {
  check("while :; do :; done");
  subject.reset();
  EXPECT_TRUE(isGone());
  EXPECT_FALSE(reason);
}

}  // namespace
}  // namespace brigade::test
