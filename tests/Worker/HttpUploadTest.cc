#include "brigade/Worker/HttpUpload.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Protocol/detail/HttpParser.h"
#include "tests/support/TempDirectory.h"

namespace brigade {
namespace {

using IfExists = HttpUpload::File::IfExists;

std::string field(const std::string& name, const std::string& value) {
  return "--XX\r\nContent-Disposition: form-data; name=\"" + name +
         "\"\r\n\r\n" + value + "\r\n";
}

std::string file(const std::string& name, const std::string& filename,
                 const std::string& bytes) {
  return "--XX\r\nContent-Disposition: form-data; name=\"" + name +
         "\"; filename=\"" + filename + "\"\r\nContent-Type: image/x\r\n\r\n" +
         bytes + "\r\n";
}

const std::string kEnd = "--XX--\r\n";

std::string contentOf(const HttpUpload::File& file) {
  std::string bytes(file.bytes());
  if (!file.descriptor()) return bytes;
  bytes.resize(file.size() + 1);
  const ssize_t size =
      ::pread(file.descriptor().get(), bytes.data(), bytes.size(), 0);
  bytes.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  return bytes;
}

std::string contentOf(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

class HttpUploadTest : public ::testing::Test {
 protected:
  HttpUploadTest() { settings.folder = folder.name(); }

  // Of a request with these fields.
  HttpUpload begin(const std::string& fields) {
    head_ = "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
    HttpRequest request;
    detail::HttpParser::Resume resume;
    detail::HttpParser::parse(head_, resume, {}, request);
    return HttpUpload(request, settings);
  }

  HttpUpload begin() {
    return begin("Content-Type: multipart/form-data; boundary=XX\r\n");
  }

  // The whole body, `step` bytes at a time.
  HttpUpload uploaded(std::string_view body, std::size_t step = 1 << 20) {
    HttpUpload upload = begin();
    while (!body.empty() && upload.add(body.substr(0, step))) {
      body.remove_prefix(std::min(step, body.size()));
    }
    upload.end();
    return upload;
  }

  // "200", or "413 why".
  std::string outcome(std::string_view body) {
    const HttpUpload upload = uploaded(body);
    if (!upload.refused()) return "200";
    return std::to_string(upload.status()) + " " + upload.reason();
  }

  auto entries() const {
    return std::distance(std::filesystem::directory_iterator(folder.path()),
                         std::filesystem::directory_iterator());
  }

  test::TempDirectory folder;
  HttpUploadSettings settings;

 private:
  std::string head_;
};

TEST_F(HttpUploadTest, FieldsAndFilesAreWhatWasSentHoweverItIsCut) {
  settings.memoryFileBytes = 10;
  const std::string large(300, 'l');
  const std::string body = field("name", "Ada") + file("f", "a.png", "small") +
                           file("f", "b.png", large) + field("name", "again") +
                           file("g", "none", "") + kEnd;
  for (std::size_t step = 1; step <= body.size(); ++step) {
    const HttpUpload upload = uploaded(body, step);
    ASSERT_FALSE(upload.refused()) << step << ": " << upload.reason();
    ASSERT_EQ(upload.fields().size(), 2u);
    EXPECT_EQ(upload.field("name"), "Ada");
    EXPECT_EQ(upload.fields()[1].value, "again");
    EXPECT_EQ(upload.field("f"), std::nullopt);
    const auto files = upload.files();
    ASSERT_EQ(files.size(), 3u);
    EXPECT_EQ(files[0].name() + files[0].filename() + files[0].contentType(),
              "fa.pngimage/x");
    EXPECT_FALSE(files[0].descriptor());
    EXPECT_EQ(contentOf(files[0]), "small");
    EXPECT_EQ(files[1].name() + files[1].filename(), "fb.png");
    EXPECT_TRUE(files[1].descriptor());
    EXPECT_EQ(files[1].size(), large.size());
    EXPECT_EQ(contentOf(files[1]), large);
    EXPECT_EQ(files[2].size(), 0u);
  }
}

TEST_F(HttpUploadTest, AnInputWithoutAFileIsNoFile) {
  const HttpUpload upload =
      uploaded(file("f", "", "") + file("f", "", "pasted") + kEnd);
  ASSERT_EQ(upload.files().size(), 1u);
  EXPECT_EQ(upload.files()[0].bytes(), "pasted");
}

TEST_F(HttpUploadTest, EachPieceOfAFileIsShownAsItArrives) {
  settings.memoryFileBytes = 4;
  HttpUpload upload = begin();
  std::string seen;
  upload.onFileBytes = [&](std::string_view piece) {
    seen += std::to_string(upload.files().size());
    seen += piece;
  };
  ASSERT_TRUE(upload.add(field("n", "value") + file("f", "a", "one") +
                         file("f", "b", "second") + kEnd));
  EXPECT_EQ(seen, "1one2second");
}

TEST_F(HttpUploadTest, WhatIsNoFormWithFilesIsRefusedAtOnce) {
  EXPECT_EQ(begin("").status(), 415u);
  EXPECT_EQ(begin("Content-Type: text/plain\r\n").status(), 415u);
  EXPECT_EQ(begin("Content-Type: multipart/form-data\r\n").status(), 400u);
  EXPECT_EQ(begin("Content-Type: multipart/form-data; boundary=XX\r\n"
                  "Content-Encoding: gzip\r\n")
                .status(),
            415u);
  HttpUpload upload = begin("Content-Type: multipart/mixed; boundary=XX\r\n");
  EXPECT_EQ(upload.status(), 415u);
  EXPECT_FALSE(upload.add(kEnd));
  EXPECT_FALSE(upload.end());
  const HttpResponse refusal = upload.refusal();
  EXPECT_EQ(refusal.status(), 415u);
  EXPECT_EQ(refusal.body(),
            "415 Unsupported Media Type: no multipart/form-data\n");
}

TEST_F(HttpUploadTest, AMalformedBodyIs400AndNothingOfItStays) {
  EXPECT_EQ(outcome(field("a", "1")),
            "400 a body that ends before its last boundary");
  EXPECT_EQ(outcome("--XX\r\nX: y\r\n\r\n"),
            "400 a part without Content-Disposition");
  settings.memoryFileBytes = 0;
  const HttpUpload upload = uploaded(field("a", "1") + file("f", "a", "bytes"));
  EXPECT_EQ(upload.status(), 400u);
  EXPECT_TRUE(upload.files().empty());
  EXPECT_TRUE(upload.fields().empty());
}

TEST_F(HttpUploadTest, EachLimitIs413OneBeyondIt) {
  const std::string body =
      field("a", "1234") + file("f", "x", "12345") + file("f", "y", "1") + kEnd;
  settings.parts = 3;
  settings.files = 2;
  settings.fieldBytes = 4;
  settings.fileBytes = 5;
  settings.bytes = body.size();
  EXPECT_EQ(outcome(body), "200");
  const auto with = [&](auto HttpUploadSettings::*limit) {
    const auto before = settings.*limit;
    --(settings.*limit);
    std::string result = outcome(body);
    settings.*limit = before;
    return result;
  };
  EXPECT_EQ(with(&HttpUploadSettings::parts), "413 too many parts");
  EXPECT_EQ(with(&HttpUploadSettings::files), "413 too many files");
  EXPECT_EQ(with(&HttpUploadSettings::fieldBytes),
            "413 a field over the limit");
  EXPECT_EQ(with(&HttpUploadSettings::fileBytes), "413 a file over the limit");
  EXPECT_EQ(with(&HttpUploadSettings::bytes), "413 an upload over the limit");
}

TEST_F(HttpUploadTest, ALengthOverTheLimitIsRefusedBeforeTheBody) {
  const auto status = [&] {
    return begin(
               "Content-Type: multipart/form-data; boundary=XX\r\n"
               "Content-Length: 1000\r\n")
        .status();
  };
  settings.bytes = 1000;
  EXPECT_EQ(status(), 0u);
  settings.bytes = 999;
  EXPECT_EQ(status(), 413u);
}

TEST_F(HttpUploadTest, FilesTakeMemoryUpToTheThresholdAndTheSumOfAll) {
  settings.memoryFileBytes = 1000;
  settings.memoryBytes = 4000;
  const std::string bytes(1000, 'b');
  std::string body;
  for (int i = 0; i < 5; ++i) body += file("f", "x", bytes);
  body += file("f", "y", bytes + "1");
  const HttpUpload upload = uploaded(body + kEnd, 100);
  ASSERT_EQ(upload.files().size(), 6u) << upload.reason();
  EXPECT_FALSE(upload.files()[0].descriptor());
  EXPECT_TRUE(upload.files()[4].descriptor());  // no memory is left for it
  EXPECT_TRUE(upload.files()[5].descriptor());
  for (const auto& file : upload.files()) {
    EXPECT_EQ(contentOf(file).substr(0, 1000), bytes);
  }
  // A field can only be there.
  settings.memoryBytes = 1000;
  EXPECT_EQ(outcome(field("a", bytes) + kEnd),
            "413 fields over the limit of memory");
  EXPECT_EQ(outcome(file("f", bytes, "") + kEnd),
            "413 fields over the limit of memory");
}

TEST_F(HttpUploadTest, TemporaryFilesHaveNoName) {
  settings.memoryFileBytes = 0;
  const HttpUpload upload = uploaded(file("f", "a", "bytes") + kEnd);
  ASSERT_TRUE(upload.files()[0].descriptor());
  EXPECT_EQ(entries(), 0);
  // They do not survive exec(3) either.
  EXPECT_EQ(::fcntl(upload.files()[0].descriptor().get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(HttpUploadTest, AFileIsKeptUnderTheNameItIsGiven) {
  const std::string path = folder / "kept";
  for (const std::size_t threshold : {0u, 100u}) {
    settings.memoryFileBytes = threshold;
    const HttpUpload upload = uploaded(file("f", "../a", "bytes") + kEnd);
    const auto& file = upload.files()[0];
    EXPECT_EQ(file.saveAs(path), std::error_code());
    EXPECT_EQ(contentOf(path), "bytes");
    EXPECT_EQ(std::filesystem::status(path).permissions(),
              std::filesystem::perms(0600));
    EXPECT_EQ(file.saveAs(folder / "missing/kept"),
              std::errc::no_such_file_or_directory);
    EXPECT_EQ(entries(), 1);
    std::filesystem::remove(path);
  }
}

TEST_F(HttpUploadTest, AFileThatIsThereIsReplacedOnlyWhenAsked) {
  const std::string path = folder / "there";
  for (const std::size_t threshold : {0u, 100u}) {
    settings.memoryFileBytes = threshold;
    std::ofstream(path) << "before";
    const HttpUpload upload = uploaded(file("f", "a", "after") + kEnd);
    const auto& file = upload.files()[0];
    EXPECT_EQ(file.saveAs(path), std::errc::file_exists);
    EXPECT_EQ(contentOf(path), "before");
    EXPECT_EQ(file.saveAs(path, IfExists::kReplace), std::error_code());
    EXPECT_EQ(contentOf(path), "after");
    EXPECT_EQ(entries(), 1);
  }
}

TEST_F(HttpUploadTest, AFileIsNotSavedBeforeItIsWhole) {
  for (const std::size_t threshold : {0u, 100u}) {
    settings.memoryFileBytes = threshold;
    HttpUpload upload = begin();
    std::string body = file("f", "a", "bytes");
    body.resize(body.size() - 3);  // "bytes" may go on
    ASSERT_TRUE(upload.add(body));
    EXPECT_EQ(upload.files()[0].saveAs(folder / "kept"),
              std::errc::operation_in_progress);
    EXPECT_EQ(entries(), 0);
    ASSERT_TRUE(upload.add("s\r\n" + kEnd));
    EXPECT_EQ(upload.files()[0].saveAs(folder / "kept"), std::error_code());
    EXPECT_EQ(contentOf(folder / "kept"), "bytes");
    std::filesystem::remove(folder / "kept");
  }
}

TEST_F(HttpUploadTest, AFileMayBeSavedAgain) {
  for (const std::size_t threshold : {0u, 100u}) {
    settings.memoryFileBytes = threshold;
    const HttpUpload upload = uploaded(file("f", "a", "bytes") + kEnd);
    // Also when the first name is gone, as a link to it can no longer be had.
    for (const char* name : {"one", "two"}) {
      EXPECT_EQ(upload.files()[0].saveAs(folder / name), std::error_code());
      EXPECT_EQ(contentOf(folder / name), "bytes");
    }
    std::filesystem::remove(folder / "one");
    std::filesystem::remove(folder / "two");
    EXPECT_EQ(upload.files()[0].saveAs(folder / "one"), std::error_code());
    EXPECT_EQ(contentOf(folder / "one"), "bytes");
    std::filesystem::remove(folder / "one");
  }
}

// ---- What the system refuses

TEST_F(HttpUploadTest, AFolderThatIsNotThereIs500AndLogged) {
  settings.folder = folder / "missing";
  settings.memoryFileBytes = 0;
  testing::internal::CaptureStderr();
  EXPECT_EQ(outcome(file("f", "a", "bytes") + kEnd),
            "500 the upload cannot be stored");
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("an upload failed: open in " + settings.folder +
                     ": No such file or directory"),
            std::string::npos)
      << log;
}

class Limited {
 public:
  Limited(__rlimit_resource resource, rlim_t value) : resource_(resource) {
    ::getrlimit(resource_, &before_);
    rlimit now = before_;
    now.rlim_cur = value;
    ::setrlimit(resource_, &now);
  }
  ~Limited() { ::setrlimit(resource_, &before_); }
  Limited(const Limited&) = delete;
  Limited& operator=(const Limited&) = delete;

 private:
  __rlimit_resource resource_;
  rlimit before_{};
};

TEST_F(HttpUploadTest, WhatNoCopyWouldMendIsSaidWithoutOne) {
  settings.memoryFileBytes = 0;
  const HttpUpload upload = uploaded(file("f", "a", "bytes") + kEnd);
  std::filesystem::create_directory(folder / "taken");
  const Limited limited(RLIMIT_NOFILE, 3);  // a copy would meet it
  EXPECT_EQ(upload.files()[0].saveAs(folder / "taken", IfExists::kReplace),
            std::errc::is_a_directory);
}

TEST_F(HttpUploadTest, ManyThatFailTakeTenLinesOfTheLogASecond) {
  settings.folder = folder / "missing";
  settings.memoryFileBytes = 0;
  const pid_t child = ::fork();  // the limit is one of the process
  if (child == 0) {
    testing::internal::CaptureStderr();
    for (int i = 0; i < 200; ++i) outcome(file("f", "a", "bytes") + kEnd);
    const std::string log = testing::internal::GetCapturedStderr();
    const auto lines = std::count(log.begin(), log.end(), '\n');
    ::_exit(lines > 0 && lines < 200 ? 0 : 1);
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

// The limit on a file's size stands for a full disk here.
TEST_F(HttpUploadTest, ADiskThatTakesNoMoreIs507) {
  settings.memoryFileBytes = 0;
  ::signal(SIGXFSZ, SIG_IGN);
  std::string result;
  testing::internal::CaptureStderr();
  {
    const Limited limited(RLIMIT_FSIZE, 100'000);
    result = outcome(file("f", "a", std::string(200'000, 'x')) + kEnd);
  }
  const std::string log = testing::internal::GetCapturedStderr();
  ::signal(SIGXFSZ, SIG_DFL);
  EXPECT_EQ(result, "507 the upload cannot be stored");
  EXPECT_NE(log.find("File too large"), std::string::npos) << log;
}

TEST_F(HttpUploadTest, NoDescriptorLeftIs503) {
  settings.memoryFileBytes = 0;
  std::string result;
  testing::internal::CaptureStderr();
  {
    const Limited limited(RLIMIT_NOFILE, 3);
    result = outcome(file("f", "a", "bytes") + kEnd);
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(result, "503 the upload cannot be stored");
  EXPECT_NE(log.find("Too many open files"), std::string::npos) << log;
}

}  // namespace
}  // namespace brigade
