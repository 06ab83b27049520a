// HttpFiles, through a program that uses it: what of a folder can be had, and
// that nothing else can.

#include "brigade/Worker/HttpFiles.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <system_error>

#include "tests/support/HttpAnswer.h"
#include "tests/support/Program.h"
#include "tests/support/TempDirectory.h"
#include "tests/support/Wire.h"

namespace brigade::test {
namespace {

namespace fs = std::filesystem;

class HttpFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    write("secret.txt", "secret");
    write("www-other/secret.txt", "secret");
    write("www/a.txt", "a");
    write("www/a b%41.txt", "odd");
    write("www/index.html", "<root>");
    write("www/sub/index.html", "<sub>");
    write("www/sub/b.txt", "b");
    write("www/empty/deep/c.txt", "c");
    write("www/.hidden", "secret");
    write("www/.git/config", "secret");
    write("www/sub/.env", "secret");
    link("a.txt", "www/in");
    link("../a.txt", "www/sub/up");
    link("sub", "www/folder");
    link("../secret.txt", "www/out");
    link(dir_ / "secret.txt", "www/absolute");
    link(dir_ / "www/a.txt", "www/absolute-in");
    link("..", "www/above");
    link("/proc/self/cwd", "www/magic");
    link("loop", "www/loop");
    subject_.start({"--listen", "http://127.0.0.1:0"},
                   {"FILES=" + (dir_ / "www")});
  }

  void write(const std::string& name, const std::string& content) {
    fs::create_directories(fs::path(dir_ / name).parent_path());
    std::ofstream(dir_ / name) << content;
  }
  void link(const std::string& target, const std::string& name) {
    fs::create_symlink(target, dir_ / name);
  }

  HttpAnswer ask(const std::string& target, const std::string& method = "GET") {
    Wire wire = Wire(subject_.port());
    EXPECT_TRUE(
        wire.send(method + " " + target + " HTTP/1.1\r\nHost: a\r\n\r\n"));
    const auto next =
        nextAnswer(wire, method == "HEAD" ? AnswerTo::kHead : AnswerTo::kOther);
    EXPECT_TRUE(next) << target;
    return next.value_or(HttpAnswer());
  }

  // "200 body", or the status, and for a redirection where to.
  std::string outcome(const std::string& target) {
    const HttpAnswer answer = ask(target);
    EXPECT_EQ(answer.head.find("secret"), std::string::npos) << target;
    EXPECT_EQ(answer.body.find("secret"), std::string::npos) << target;
    const std::string status = std::to_string(answer.status);
    if (answer.status == 200) return status + " " + answer.body;
    return status + answer.field("Location").value_or("").insert(0, " ");
  }

  TempDirectory dir_;
  Program subject_{BRIGADE_HTTP_SUBJECT};
};

TEST_F(HttpFilesTest, WhatIsThereCanBeHad) {
  const std::pair<const char*, const char*> cases[] = {
      {"/files/a.txt", "200 a"},        {"/files/a.txt?query", "200 a"},
      {"/files/%61.txt", "200 a"},      {"/files/a%20b%2541.txt", "200 odd"},
      {"/files/sub/b.txt", "200 b"},    {"/files/empty/deep/c.txt", "200 c"},
      {"/files/in", "200 a"},           {"/files/sub/up", "200 a"},
      {"/files/folder/b.txt", "200 b"}, {"/files/folder/up", "200 a"},
      {"/files/", "200 <root>"},        {"/files/sub/", "200 <sub>"},
      {"/files/folder/", "200 <sub>"},  {"/any?as=/a.txt", "200 a"},
      {"/files//a.txt", "200 a"},       {"/files//", "200 <root>"},
  };
  for (const auto& [target, expected] : cases) {
    EXPECT_EQ(outcome(target), expected) << target;
  }
}

TEST_F(HttpFilesTest, NothingElseCanBeHad) {
  const std::string cases[] = {
      "/files/none", "/files/sub/none", "/files/A.txt",
      // Upwards: as it is, encoded in parts and twice, mixed.
      "/files/../secret.txt", "/files/sub/../../secret.txt",
      "/files/%2e%2e/secret.txt", "/files/.%2e/secret.txt",
      "/files/%2E./secret.txt", "/files/%2e%2e%2fsecret.txt",
      "/files/..%2fsecret.txt", "/files/..%2Fsecret.txt",
      "/files/%252e%252e/secret.txt", "/files/%252e%252e%252fsecret.txt",
      "/files/..%252fsecret.txt", "/files/..%5csecret.txt",
      "/files/..\\secret.txt", "/files/sub\\b.txt", "/files/sub%5cb.txt",
      "/files/%c0%ae%c0%ae/secret.txt", "/files/..;/secret.txt",
      "/files/sub/..", "/files/..", "/files/../", "/files/.", "/files/./a.txt",
      "/files/sub/../a.txt", "/files/../www-other/secret.txt",
      "/files/sub%2fb.txt",
      // Absolute.
      "/files//etc/passwd", "/files/%2fetc/passwd", "/files/%2fetc%2fpasswd",
      "/any?as=//etc/passwd", "/any?as=/", "/any?as=//",
      // Empty segments; but for one in front, a slash that is not missed.
      "/files/sub//b.txt", "/files/sub//",
      // NUL, and what is no escape.
      "/files/a.txt%00", "/files/a.txt%00.html", "/files/%00", "/files/%",
      "/files/%6", "/files/%zz", "/files/a.txt%", "/files/a.txt%0",
      // Hidden.
      "/files/.hidden", "/files/%2ehidden", "/files/.git/config",
      "/files/sub/.env", "/files/.git/", "/files/.git",
      // Links that lead outside, by whatever way.
      "/files/out", "/files/absolute", "/files/absolute-in",
      "/files/above/secret.txt", "/files/above/www/a.txt", "/files/above/",
      "/files/magic/", "/files/magic", "/files/loop",
      // A file is no folder, and a folder without an index is nothing.
      "/files/a.txt/", "/files/a.txt/x", "/files/empty/", "/files/empty/deep/",
      // Longer than the system takes.
      "/files/" + std::string(300, 'x'), "/files/a" + [] {
        std::string deep;
        for (int i = 0; i < 2500; ++i) deep += "/a";
        return deep;
      }()};
  for (const std::string& target : cases) {
    // What stands for the root itself.
    const bool isRoot = target == "/any?as=/";
    EXPECT_EQ(outcome(target), isRoot ? "301 /any/?as=/" : "404 ") << target;
  }
}

TEST_F(HttpFilesTest, AFolderWithoutItsSlashIsSomewhereElse) {
  const std::pair<const char*, const char*> cases[] = {
      {"/files/sub", "301 /files/sub/"},
      {"/files/sub?a=b&c", "301 /files/sub/?a=b&c"},
      {"/files/s%75b", "301 /files/s%75b/"},
      {"/files/empty", "301 /files/empty/"},
      {"http://a/files/sub", "301 /files/sub/"},
      // No other host is named by a path.
      {"//evil.example?as=sub", "301 /evil.example/?as=sub"},
      {"///evil.example?as=sub", "301 /evil.example/?as=sub"},
      {"/\\evil.example?as=sub", "301 /evil.example/?as=sub"},
      {"//evil.example/%2e%2e?as=sub", "301 /evil.example/%2e%2e/?as=sub"},
  };
  for (const auto& [target, expected] : cases) {
    EXPECT_EQ(outcome(target), expected) << target;
  }
}

TEST_F(HttpFilesTest, SettingsAreKept) {
  EXPECT_EQ(outcome("/nolinks/a.txt"), "200 a");
  EXPECT_EQ(ask("/nolinks/a.txt").field("Cache-Control"), "max-age=60");
  EXPECT_FALSE(ask("/files/a.txt").field("Cache-Control"));
  EXPECT_EQ(ask("/nolinks/a.txt").field("Content-Type"),
            "text/plain; charset=utf-8");
  for (const char* target :
       {"/nolinks/in", "/nolinks/sub/up", "/nolinks/folder/b.txt",
        "/nolinks/folder/", "/nolinks/out", "/nolinks/"}) {
    EXPECT_EQ(outcome(target), "404 ") << target;
  }
  const HttpAnswer index = ask("/nolinks/sub/");
  EXPECT_EQ(index.body, "b");
  EXPECT_EQ(index.field("Content-Type"), "text/plain; charset=utf-8");
}

TEST_F(HttpFilesTest, OnlyGetAndHeadAreMethods) {
  for (const char* method : {"DELETE", "OPTIONS", "PUT"}) {
    const HttpAnswer answer = ask("/files/a.txt", method);
    EXPECT_EQ(answer.status, 405) << method;
    EXPECT_EQ(answer.field("Allow"), "GET, HEAD") << method;
  }
  const HttpAnswer head = ask("/files/a.txt", "HEAD");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.field("Content-Length"), "1");
}

TEST_F(HttpFilesTest, AnotherFolderMayTakeItsPlace) {
  fs::rename(dir_ / "www", dir_ / "old");
  EXPECT_EQ(outcome("/files/a.txt"), "404 ");
  write("www/a.txt", "new");
  EXPECT_EQ(outcome("/files/a.txt"), "200 new");
}

TEST(HttpFiles, WantsAFolderAndNamesIt) {
  const TempDirectory dir;
  std::ofstream(dir / "file") << "x";
  for (const std::string& root : {dir / "none", dir / "file", std::string()}) {
    try {
      const HttpFiles files(root);
      ADD_FAILURE() << root;
    } catch (const std::system_error& e) {
      EXPECT_NE(std::string(e.what()).find("HttpFiles: " + root),
                std::string::npos)
          << e.what();
    }
  }
  EXPECT_NO_THROW(HttpFiles(dir.name()));
}

}  // namespace
}  // namespace brigade::test
