// HttpResponse::file() over the wire: heads, conditions, ranges, and how a file
// leaves among other answers.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/support/HttpAnswer.h"
#include "tests/support/Program.h"
#include "tests/support/TempDirectory.h"
#include "tests/support/Wire.h"

namespace brigade::test {
namespace {

constexpr const char* kDigits = "0123456789";
constexpr std::time_t kModified = 784111777;
constexpr const char* kDate = "Sun, 06 Nov 1994 08:49:37 GMT";

std::string request(const std::string& line, const std::string& fields = {}) {
  return line + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

std::string get(const std::string& path, const std::string& fields = {}) {
  return request("GET " + path, fields);
}

std::string replaced(std::string text, const std::string& what,
                     const std::string& by) {
  for (auto at = text.find(what); at != std::string::npos;
       at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

class HttpFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    write("digits.txt", kDigits);
    const timespec times[2] = {{kModified, 0}, {kModified, 123456789}};
    ASSERT_EQ(::utimensat(AT_FDCWD, (files_ / "digits.txt").c_str(), times, 0),
              0);
    subject_.start({"--listen", "http://127.0.0.1:0", "--workers", "1"},
                   {"FILES=" + files_.name()});
    wire_ = std::make_unique<Wire>(connect());
  }

  Wire connect() { return Wire(subject_.port()); }

  void write(const std::string& name, const std::string& content) {
    std::ofstream(files_ / name, std::ios::binary) << content;
  }
  // Without a disk full of it.
  void writeLarge(const std::string& name, std::uintmax_t size) {
    write(name, "begin");
    std::filesystem::resize_file(files_ / name, size);
  }

  HttpAnswer ask(const std::string& bytes, AnswerTo to = AnswerTo::kOther) {
    EXPECT_TRUE(wire_->send(bytes));
    const auto next = nextAnswer(*wire_, to);
    EXPECT_TRUE(next) << "no answer to " << bytes;
    return next.value_or(HttpAnswer());
  }

  // "206 012": the status, and the body of what has one of its own.
  std::string outcome(const std::string& bytes) {
    const HttpAnswer answer = ask(bytes);
    std::string text = std::to_string(answer.status);
    if (answer.status < 300) text += " " + answer.body;
    return text;
  }

  TempDirectory files_;
  Program subject_{BRIGADE_HTTP_SUBJECT};
  std::unique_ptr<Wire> wire_;
};

// ---- Heads

TEST_F(HttpFileTest, HasAHeadThatSaysWhatItIs) {
  const HttpAnswer answer = ask(get("/file/digits.txt"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, kDigits);
  EXPECT_EQ(answer.field("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(answer.field("Last-Modified"), kDate);
  EXPECT_EQ(answer.field("ETag"), "\"2ebc98a1-75bcd15-a\"");
  EXPECT_EQ(answer.field("Accept-Ranges"), "bytes");
  EXPECT_EQ(ask(get("/typed/digits.txt")).field("Content-Type"), "text/x-own");
}

TEST_F(HttpFileTest, WhatChangedHasAnotherTag) {
  const auto before = ask(get("/file/digits.txt")).field("ETag");
  const timespec times[2] = {{kModified, 0}, {kModified, 123456790}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (files_ / "digits.txt").c_str(), times, 0),
            0);
  EXPECT_NE(ask(get("/file/digits.txt")).field("ETag"), before);
}

TEST_F(HttpFileTest, HeadHasTheHeadOfGetAndNoBody) {
  const HttpAnswer whole = ask(get("/file/digits.txt"));
  const HttpAnswer head =
      ask(request("HEAD /file/digits.txt"), AnswerTo::kHead);
  for (const char* name : {"Content-Length", "Content-Type", "Last-Modified",
                           "ETag", "Accept-Ranges"}) {
    EXPECT_EQ(head.field(name), whole.field(name)) << name;
  }
  // RFC 9110, 14.2: only GET has ranges.
  const HttpAnswer range =
      ask(request("HEAD /file/digits.txt", "Range: bytes=0-1\r\n"),
          AnswerTo::kHead);
  EXPECT_EQ(range.status, 200);
  EXPECT_EQ(range.field("Content-Length"), "10");
  EXPECT_EQ(ask(request("HEAD /file/none"), AnswerTo::kHead).status, 404);
  EXPECT_EQ(ask(request("HEAD /file/digits.txt", "If-None-Match: *\r\n"),
                AnswerTo::kHead)
                .status,
            304);
  EXPECT_EQ(outcome(get("/")), "200 hello");
}

TEST_F(HttpFileTest, AnEmptyOneIsAnAnswer) {
  write("empty", "");
  const HttpAnswer answer = ask(get("/file/empty"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("Content-Length"), "0");
  EXPECT_EQ(ask(get("/file/empty", "Range: bytes=0-\r\n")).status, 416);
  EXPECT_EQ(outcome(get("/")), "200 hello");
}

TEST_F(HttpFileTest, ForHttp10EndsTheConnection) {
  const HttpAnswer answer = ask("GET /file/digits.txt HTTP/1.0\r\n\r\n");
  EXPECT_EQ(answer.body, kDigits);
  EXPECT_TRUE(answer.closes());
  EXPECT_TRUE(wire_->isClosed());
}

TEST_F(HttpFileTest, WhatIsNoRegularFileIsNotThere) {
  std::filesystem::create_directory(files_ / "folder");
  ASSERT_EQ(::mkfifo((files_ / "fifo").c_str(), 0666), 0);
  for (const char* name : {"none", "folder", "fifo", "digits.txt/x"}) {
    EXPECT_EQ(ask(get(std::string("/file/") + name)).status, 404) << name;
  }
  EXPECT_EQ(outcome(get("/")), "200 hello");
}

TEST_F(HttpFileTest, WhatMayNotBeReadIsForbidden) {
  ASSERT_EQ(::chmod((files_ / "digits.txt").c_str(), 0), 0);
  // Root may read everything, and its worker is somebody else.
  Program other(BRIGADE_HTTP_SUBJECT);
  std::vector<std::string> environment = {"FILES=" + files_.name()};
  if (::geteuid() == 0) environment.push_back("SERVER_USER=nobody");
  other.start({"--listen", "http://127.0.0.1:0"}, environment);
  *wire_ = Wire(other.port());
  EXPECT_EQ(ask(get("/file/digits.txt")).status, 403);
  EXPECT_EQ(ask(get("/files/digits.txt")).status, 403);
}

// ---- Conditions

struct ConditionCase {
  const char* fields;  // TAG and DATE are those of the file
  const char* outcome;
};

TEST_F(HttpFileTest, ConditionsAreKept) {
  const ConditionCase cases[] = {
      {"If-None-Match: TAG\r\n", "304"},
      {"If-None-Match: W/TAG\r\n", "304"},
      {"If-None-Match: \"x\"\r\n", "200 0123456789"},
      {"If-None-Match: \"x\"\r\nIf-Modified-Since: DATE\r\n", "200 0123456789"},
      {"If-Modified-Since: DATE\r\n", "304"},
      {"If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n",
       "200 0123456789"},
      {"If-Modified-Since: yesterday\r\n", "200 0123456789"},
      {"If-Match: TAG\r\n", "200 0123456789"},
      {"If-Match: W/TAG\r\n", "412"},
      {"If-Match: \"x\"\r\nIf-None-Match: TAG\r\n", "412"},
      {"If-Unmodified-Since: DATE\r\n", "200 0123456789"},
      {"If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n", "412"},
      {"If-Range: TAG\r\nRange: bytes=1-2\r\n", "206 12"},
      {"If-Range: DATE\r\nRange: bytes=1-2\r\n", "206 12"},
      {"If-Range: W/TAG\r\nRange: bytes=1-2\r\n", "200 0123456789"},
      {"If-Range: \"x\"\r\nRange: bytes=1-2\r\n", "200 0123456789"},
      {"If-Range: \"x\"\r\nRange: bytes=50-\r\n", "200 0123456789"},
      {"If-None-Match: TAG\r\nRange: bytes=1-2\r\n", "304"},
      {"If-Match: \"x\"\r\nRange: bytes=1-2\r\n", "412"},
  };
  const std::string tag = ask(get("/file/digits.txt")).field("ETag").value();
  for (const ConditionCase& c : cases) {
    const std::string fields =
        replaced(replaced(c.fields, "TAG", tag), "DATE", kDate);
    EXPECT_EQ(outcome(get("/file/digits.txt", fields)), c.outcome) << fields;
  }
}

TEST_F(HttpFileTest, NotModifiedHasTheValidators) {
  const HttpAnswer answer =
      ask(get("/file/digits.txt", "If-None-Match: *\r\n"));
  EXPECT_EQ(answer.status, 304);
  EXPECT_EQ(answer.field("Last-Modified"), kDate);
  EXPECT_TRUE(answer.field("ETag"));
  EXPECT_FALSE(answer.field("Content-Type"));
}

TEST_F(HttpFileTest, ThereAreNoConditionsForOtherMethodsAndStatuses) {
  const std::string fields = "Range: bytes=1-2\r\nIf-None-Match: *\r\n";
  const HttpAnswer posted =
      ask(request("POST /file/digits.txt", fields + "Content-Length: 0\r\n"));
  EXPECT_EQ(posted.status, 200);
  EXPECT_EQ(posted.body, kDigits);
  EXPECT_FALSE(posted.field("ETag"));
  const HttpAnswer page = ask(get("/page/digits.txt", fields));
  EXPECT_EQ(page.status, 404);
  EXPECT_EQ(page.body, kDigits);
  EXPECT_FALSE(page.field("Accept-Ranges"));
}

// ---- Ranges

struct RangeCase {
  const char* range;
  int status;
  const char* contentRange;
  const char* body;
};

TEST_F(HttpFileTest, ARangeIsAPartOfIt) {
  const RangeCase cases[] = {
      {"bytes=0-0", 206, "bytes 0-0/10", "0"},
      {"bytes=2-4", 206, "bytes 2-4/10", "234"},
      {"bytes=7-", 206, "bytes 7-9/10", "789"},
      {"bytes=-3", 206, "bytes 7-9/10", "789"},
      {"bytes=-99", 206, "bytes 0-9/10", kDigits},
      {"bytes=9-99", 206, "bytes 9-9/10", "9"},
      {"bytes=0-9", 206, "bytes 0-9/10", kDigits},
      {"bytes=20-, 1-2", 206, "bytes 1-2/10", "12"},
      {"bytes=10-", 416, "bytes */10", nullptr},
      {"bytes=-0", 416, "bytes */10", nullptr},
      {"bytes=4-2", 200, "", kDigits},
      {"bytes=x", 200, "", kDigits},
      {"lines=0-1", 200, "", kDigits},
      {"bytes=0-9,0-0", 200, "", kDigits},
      {"bytes=0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0", 200, "", kDigits},
  };
  for (const RangeCase& c : cases) {
    SCOPED_TRACE(c.range);
    const HttpAnswer answer =
        ask(get("/file/digits.txt", "Range: " + std::string(c.range) + "\r\n"));
    EXPECT_EQ(answer.status, c.status);
    EXPECT_EQ(answer.field("Content-Range").value_or(""), c.contentRange);
    if (c.body != nullptr) {
      EXPECT_EQ(answer.body, c.body);
    }
  }
}

TEST_F(HttpFileTest, SeveralRangesAreAMultipartBody) {
  const HttpAnswer answer =
      ask(get("/file/digits.txt", "Range: bytes=-1,0-0,2-4\r\n"));
  EXPECT_EQ(answer.status, 206);
  EXPECT_FALSE(answer.field("Content-Range"));
  const std::string start = "multipart/byteranges; boundary=";
  const std::string type = answer.field("Content-Type").value_or("");
  ASSERT_TRUE(type.starts_with(start)) << type;
  const std::string mark = "--" + type.substr(start.size());
  const std::string text = "\r\nContent-Type: text/plain; charset=utf-8\r\n";
  EXPECT_EQ(answer.body,
            mark + text + "Content-Range: bytes 9-9/10\r\n\r\n9\r\n" +  //
                mark + text + "Content-Range: bytes 0-0/10\r\n\r\n0\r\n" +
                mark + text + "Content-Range: bytes 2-4/10\r\n\r\n234\r\n" +
                mark + "--\r\n");
  EXPECT_EQ(outcome(get("/")), "200 hello");
}

TEST_F(HttpFileTest, SixteenRangesAreNotTooMany) {
  write("large", std::string(1000, 'x'));
  std::string ranges = "Range: bytes=0-0";
  for (int i = 1; i < 16; ++i) {
    const std::string byte = std::to_string(i);
    ranges.append(",").append(byte).append("-").append(byte);
  }
  EXPECT_EQ(ask(get("/file/large", ranges + "\r\n")).status, 206);
  EXPECT_EQ(ask(get("/file/large", ranges + ",99-\r\n")).status, 200);
}

// ---- Late answers, and requests that come in pieces

TEST_F(HttpFileTest, ALateAnswerKnowsTheConditionsOfItsRequest) {
  const std::string range = "Range: bytes=1-2\r\n";
  EXPECT_EQ(outcome(get("/late-file/digits.txt", range)), "206 12");
  EXPECT_EQ(outcome(get("/late-file/digits.txt", "If-None-Match: *\r\n")),
            "304");
  // And not those of the one before.
  EXPECT_EQ(outcome(get("/late-file/digits.txt")), "200 0123456789");
  EXPECT_EQ(outcome(get("/late-file/digits.txt", range)), "206 12");
  EXPECT_EQ(outcome(get("/file/digits.txt")), "200 0123456789");
  EXPECT_EQ(outcome(request("POST /late-file/digits.txt",
                            range + "Content-Length: 0\r\n")),
            "200 0123456789");
}

TEST_F(HttpFileTest, ARequestWithABodyHasItsConditionsToo) {
  for (const char* path : {"/file/digits.txt", "/late-file/digits.txt"}) {
    EXPECT_EQ(outcome(get(path,
                          "Range: bytes=1-2\r\n"
                          "Transfer-Encoding: chunked\r\n") +
                      "3\r\nabc\r\n0\r\n\r\n"),
              "206 12")
        << path;
  }
  EXPECT_EQ(outcome(request("POST /echo", "Transfer-Encoding: chunked\r\n") +
                    "3\r\nabc\r\n0\r\n\r\n"),
            "200 abc");
}

// ---- Among other answers

TEST_F(HttpFileTest, W13_PipelinedFilesComeInTheirOrder) {
  std::string requests;
  for (int i = 0; i < 50; ++i) {
    const std::string name = "file" + std::to_string(i);
    write(name, name + std::string(static_cast<std::size_t>(i) * 5000, 'x'));
    requests += get("/file/" + name) + get("/") +
                get("/late-file/digits.txt", "Range: bytes=0-0\r\n");
  }
  ASSERT_TRUE(wire_->send(requests));
  for (int i = 0; i < 50; ++i) {
    const auto file = nextAnswer(*wire_);
    ASSERT_TRUE(file) << i;
    const std::string name = "file" + std::to_string(i);
    EXPECT_EQ(file->body.substr(0, name.size()), name);
    EXPECT_EQ(file->body.size(),
              name.size() + static_cast<std::size_t>(i) * 5000);
    EXPECT_EQ(nextAnswer(*wire_).value_or(HttpAnswer()).body, "hello") << i;
    EXPECT_EQ(nextAnswer(*wire_).value_or(HttpAnswer()).body, "0") << i;
  }
}

TEST_F(HttpFileTest, W13_ALargeOneReachesASlowReaderWholeAndTakesNoMemory) {
  std::string content(5'000'000, 'x');
  for (std::size_t i = 0; i < content.size(); i += 1000) {
    content[i] = static_cast<char>('a' + i / 1000 % 26);
  }
  write("large", content);
  const std::size_t before = memoryBytes(subject_.workerPid(1));
  ASSERT_TRUE(wire_->send(get("/file/large") + get("/")));
  ASSERT_TRUE(wire_->receiveAtLeast(1));
  // Others are served while it waits.
  Wire other = connect();
  ASSERT_TRUE(other.send(get("/")));
  EXPECT_EQ(nextAnswer(other).value_or(HttpAnswer()).body, "hello");
  EXPECT_LT(memoryBytes(subject_.workerPid(1)), before + (1 << 20));
  EXPECT_TRUE(ask("").body == content);
  EXPECT_EQ(ask("").body, "hello");
  EXPECT_EQ(outcome(get("/file/digits.txt")), "200 0123456789");
}

// The head crosses the mark.
TEST_F(HttpFileTest, BehindABufferThatIsNearlyFullItIsWhole) {
  Program other(BRIGADE_HTTP_SUBJECT);
  other.start({"--listen", "http://127.0.0.1:0"},
              {"FILES=" + files_.name(), "MAX_SEND=100000000"});
  const std::string content(20000, 'x');
  write("large", content);
  for (const char* ranges : {"", "Range: bytes=0-9,10-19999\r\n"}) {
    SCOPED_TRACE(ranges);
    *wire_ = Wire(other.port());
    ASSERT_TRUE(wire_->send(get("/big/20000000") +
                            get("/late-file/large", ranges) + get("/")));
    EXPECT_EQ(ask("").body.size(), 20'000'000u);
    const std::string body = ask("").body;
    EXPECT_EQ(std::count(body.begin(), body.end(), 'x') / 20000, 1);
    EXPECT_EQ(ask("").body, "hello");
  }
}

// Whichever allocation fails: nobody waits for the rest of an answer.
TEST_F(HttpFileTest, OneThatMemoryLacksForIsWholeOrEndsTheConnection) {
  const std::string content(20000, 'x');
  write("large", content);
  bool cut = false;
  bool whole = false;
  for (int which = 0; which < 50 && !whole; ++which) {
    SCOPED_TRACE(which);
    Wire wire = connect();
    ASSERT_TRUE(wire.send(
        get("/late-starved-file/" + std::to_string(which) + "/large") +
        get("/")));
    const auto answer = nextAnswer(wire);
    if (answer) {
      whole = answer->body == content;
      EXPECT_TRUE(whole || answer->body == "starved") << answer->body.size();
      EXPECT_EQ(nextAnswer(wire).value_or(HttpAnswer()).body, "hello");
    } else {
      cut = true;
      char byte = 0;
      EXPECT_EQ(::recv(wire.fd(), &byte, 1, MSG_DONTWAIT), 0);
    }
  }
  EXPECT_TRUE(cut);
  EXPECT_TRUE(whole);
}

TEST_F(HttpFileTest, WhoDoesNotReadKeepsOneFileOpen) {
  writeLarge("large", 64 << 20);
  Wire other = connect();
  ASSERT_TRUE(other.send(get("/")));
  ASSERT_TRUE(nextAnswer(other));
  const pid_t worker = subject_.workerPid(1);
  const std::size_t before = descriptorCount(worker);
  std::string requests;
  for (int i = 0; i < 20; ++i) requests += get("/file/large");
  ASSERT_TRUE(wire_->send(requests));
  ASSERT_TRUE(wire_->receiveAtLeast(1));
  // Behind all that was received of the first connection.
  ASSERT_TRUE(other.send(get("/")));
  ASSERT_TRUE(nextAnswer(other));
  EXPECT_EQ(descriptorCount(worker), before + 1);
  wire_->close();
  EXPECT_TRUE(eventually([&] { return descriptorCount(worker) < before; }));
}

TEST_F(HttpFileTest, ManyRangesKeepOneFileOpen) {
  writeLarge("large", 64 << 20);
  EXPECT_EQ(outcome(get("/")), "200 hello");
  const pid_t worker = subject_.workerPid(1);
  const std::size_t before = descriptorCount(worker);
  const std::string ranges =
      "Range: bytes=0-19999999,20000000-39999999,40000000-59999999\r\n";
  ASSERT_TRUE(wire_->send(get("/file/large", ranges) + get("/")));
  ASSERT_TRUE(wire_->receiveAtLeast(1));
  EXPECT_EQ(descriptorCount(worker), before + 1);
  EXPECT_GT(ask("").body.size(), 60'000'000u);
  EXPECT_EQ(ask("").body, "hello");
  EXPECT_EQ(descriptorCount(worker), before);
}

// What is open works on; nothing more can be opened.
TEST_F(HttpFileTest, WithoutADescriptorLeftItIs503AndTheConnectionLivesOn) {
  EXPECT_EQ(outcome(get("/files/digits.txt")), "200 0123456789");
  const pid_t worker = subject_.workerPid(1);
  rlimit usual{};
  ASSERT_EQ(::prlimit(worker, RLIMIT_NOFILE, nullptr, &usual), 0);
  const rlimit none{0, usual.rlim_max};
  ASSERT_EQ(::prlimit(worker, RLIMIT_NOFILE, &none, nullptr), 0);
  for (const char* path : {"/files/digits.txt", "/file/digits.txt"}) {
    EXPECT_EQ(outcome(get(path)), "503") << path;
    EXPECT_EQ(outcome(get("/")), "200 hello");
  }
  ASSERT_EQ(::prlimit(worker, RLIMIT_NOFILE, &usual, nullptr), 0);
  EXPECT_EQ(outcome(get("/files/digits.txt")), "200 0123456789");
  EXPECT_EQ(outcome(get("/file/digits.txt")), "200 0123456789");
}

TEST_F(HttpFileTest, OneThatBecomesShorterEndsTheConnection) {
  writeLarge("large", 64 << 20);
  ASSERT_TRUE(wire_->send(get("/file/large") + get("/")));
  ASSERT_TRUE(wire_->receiveAtLeast(1));
  std::filesystem::resize_file(files_ / "large", 10);
  EXPECT_FALSE(nextAnswer(*wire_));
  EXPECT_EQ(wire_->received().find("hello"), std::string::npos);
  wire_ = std::make_unique<Wire>(connect());
  EXPECT_EQ(outcome(get("/")), "200 hello");
}

}  // namespace
}  // namespace brigade::test
