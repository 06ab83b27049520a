// Uploads to a running server: what they cost it, and what is left of one that
// fails.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>

#include "tests/support/HttpAnswer.h"
#include "tests/support/Program.h"
#include "tests/support/TempDirectory.h"
#include "tests/support/Wire.h"

namespace brigade::test {
namespace {

constexpr std::size_t kMiB = 1 << 20;
const std::string kPartHead =
    "--XX\r\nContent-Disposition: form-data; name=\"f\"; "
    "filename=\"large\"\r\n\r\n";
const std::string kPartEnd = "\r\n--XX--\r\n";

// The request's head and that of its one file, which has so many bytes.
std::string uploadOf(std::size_t bytes) {
  return "POST /upload HTTP/1.1\r\nHost: a\r\n"
         "Content-Type: multipart/form-data; boundary=XX\r\n"
         "Content-Length: " +
         std::to_string(kPartHead.size() + bytes + kPartEnd.size()) +
         "\r\n\r\n" + kPartHead;
}

class HttpUploadServingTest : public ::testing::Test {
 protected:
  void start(std::vector<std::string> prefix = {}) {
    program_ = std::make_unique<Program>(example("hello"), std::move(prefix));
    // Without a sanitizer's store of what was freed.
    program_->start(
        {"--listen", "http://127.0.0.1:0", "--workers", "1"},
        {"TMPDIR=" + folder_.name(), "ASAN_OPTIONS=quarantine_size_mb=0"});
    pid_ = program_->workerPid(1);
  }

  Wire connect() { return Wire(program_->port()); }

  // "200 Hello, World!", or "nothing".
  static std::string answer(Wire& wire) {
    const auto next = nextAnswer(wire);
    return next ? std::to_string(next->status) + " " + next->body : "nothing";
  }

  static std::string greeting(Wire& wire) {
    wire.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    return answer(wire);
  }

  TempDirectory folder_;
  std::unique_ptr<Program> program_;
  pid_t pid_ = 0;
};

TEST_F(HttpUploadServingTest, ALargeUploadCostsAWorkerLessThan4MiB) {
  start();
  Wire wire = connect();
  ASSERT_TRUE(wire.send(uploadOf(kMiB) + std::string(kMiB, 'x') + kPartEnd));
  ASSERT_TRUE(answer(wire).starts_with("200 f\tlarge\t1048576\t"));
  const std::size_t before = memoryBytes(pid_);
  std::size_t most = 0;
  ASSERT_TRUE(wire.send(uploadOf(128 * kMiB)));
  const std::string piece(kMiB, 'x');
  for (int i = 0; i < 128; ++i) {
    ASSERT_TRUE(wire.send(piece));
    if (i % 8 == 7) most = std::max(most, memoryBytes(pid_));
  }
  ASSERT_TRUE(wire.send(kPartEnd));
  EXPECT_TRUE(answer(wire).starts_with("200 f\tlarge\t134217728\t"));
  most = std::max(most, memoryBytes(pid_));
  EXPECT_LT(most, before + 4 * kMiB);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(HttpUploadServingTest, AClientThatLeavesLeavesNothingBehind) {
  start();
  Wire other = connect();
  EXPECT_EQ(greeting(other), "200 Hello, World!");
  const std::size_t before = descriptorCount(pid_);
  {
    Wire wire = connect();
    ASSERT_TRUE(wire.send(uploadOf(8 * kMiB) + std::string(kMiB, 'x')));
    // Its socket and its file.
    EXPECT_TRUE(
        eventually([&] { return descriptorCount(pid_) == before + 2; }));
    EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
  }
  EXPECT_TRUE(eventually([&] { return descriptorCount(pid_) == before; }));
  EXPECT_EQ(greeting(other), "200 Hello, World!");
}

// The limit on a file's size stands for a full disk here.
TEST_F(HttpUploadServingTest, AFullDiskIs507AndCostsNobodyElseAnything) {
  start({"/bin/sh", "-c", "ulimit -f 2048; exec \"$@\"", "sh"});
  Wire other = connect();
  EXPECT_EQ(greeting(other), "200 Hello, World!");
  Wire wire = connect();
  wire.send(uploadOf(8 * kMiB) + std::string(8 * kMiB, 'x') + kPartEnd);
  EXPECT_EQ(answer(wire),
            "507 507 Insufficient Storage: the upload cannot be stored\n");
  EXPECT_TRUE(wire.isClosed());
  EXPECT_EQ(greeting(other), "200 Hello, World!");
  EXPECT_EQ(program_->workerPid(1), pid_);
  EXPECT_NE(program_->log().find("an upload failed: write in " +
                                 folder_.name() + ": File too large"),
            std::string::npos)
      << program_->log();
}

TEST_F(HttpUploadServingTest, WhatIsNoUploadIsToldSoBeforeItsBody) {
  start();
  Wire wire = connect();
  ASSERT_TRUE(
      wire.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain"
                "\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n"));
  EXPECT_EQ(answer(wire),
            "415 415 Unsupported Media Type: no multipart/form-data\n");
  EXPECT_TRUE(wire.isClosed());
}

TEST_F(HttpUploadServingTest, AConnectionTakesOneUploadAfterTheOther) {
  start();
  Wire wire = connect();
  const std::size_t before = descriptorCount(pid_);
  for (const std::size_t size : {5u, 200'000u, 5u}) {
    ASSERT_TRUE(wire.send(uploadOf(size) + std::string(size, 'x') + kPartEnd));
    EXPECT_TRUE(answer(wire).starts_with("200 f\tlarge\t" +
                                         std::to_string(size) + "\t"));
  }
  EXPECT_LE(descriptorCount(pid_), before + 1);
}

}  // namespace
}  // namespace brigade::test
