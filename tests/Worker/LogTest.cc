#include "brigade/Worker/Log.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <string>
#include <system_error>
#include <vector>

#include "brigade/Events/FileDescriptor.h"
#include "brigade/Worker/detail/LogFile.h"
#include "tests/support/TempDirectory.h"

namespace brigade {
namespace {

using std::filesystem::path;

// stderr of this process goes into a pipe for as long as this lives.
class CapturedStderr {
 public:
  CapturedStderr() : saved_(::dup(STDERR_FILENO)) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) std::abort();
    read_.reset(ends[0]);
    write_.reset(ends[1]);
    ::dup2(write_.get(), STDERR_FILENO);
  }
  ~CapturedStderr() { ::dup2(saved_.get(), STDERR_FILENO); }

  std::string text() {
    std::string all;
    char bytes[4096];
    ssize_t n;
    while ((n = ::read(read_.get(), bytes, sizeof bytes)) > 0) {
      all.append(bytes, static_cast<std::size_t>(n));
    }
    return all;
  }
  void fill() {
    const std::string page(4096, 'x');
    while (::write(write_.get(), page.data(), page.size()) > 0) {
    }
    // Writers must not count on O_NONBLOCK here: stderr has none.
    ::fcntl(write_.get(), F_SETFL, 0);
  }

 private:
  FileDescriptor saved_, read_, write_;
};

class Log : public ::testing::Test {
 protected:
  Log() {
    // Far from UTC, as POSIX writes it: needs no time zone files. For all
    // tests, since the formatter remembers the second.
    ::setenv("TZ", "NPT-5:45", 1);
    ::tzset();
  }
  ~Log() override {
    detail::openLog("", LogLevel::kInfo);
    detail::setLogName("");
  }

  void open(LogLevel level = LogLevel::kDebug) {
    detail::openLog(file_.string(), level);
  }
  static std::vector<std::string> linesOf(const path& file) {
    std::ifstream in(file);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }
  std::vector<std::string> lines() const { return linesOf(file_); }
  // What stands behind "[pid]: ".
  static std::string textOf(const std::string& line) {
    const std::string mark = "[" + std::to_string(::getpid()) + "]: ";
    const auto at = line.find(mark);
    return at == std::string::npos ? "no pid in " + line
                                   : line.substr(at + mark.size());
  }

  const test::TempDirectory temp_;
  const path directory_ = temp_.path();
  const path file_ = directory_ / "app.log";
};

TEST_F(Log, LineHasTimeLevelNameAndPid) {
  open();
  detail::setLogName("shout worker 3");
  log(LogLevel::kWarning, "text {} %s");
  ASSERT_EQ(lines().size(), 1U);
  const std::regex form(
      R"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z warning shout worker 3 )"
      R"(\[(\d+)\]: text \{\} %s)");
  std::smatch match;
  const std::string line = lines()[0];
  ASSERT_TRUE(std::regex_match(line, match, form)) << line;
  EXPECT_EQ(match[1], std::to_string(::getpid()));
}

TEST_F(Log, TimeIsUtc) {
  open();
  const std::time_t before = std::time(nullptr);
  log(LogLevel::kInfo, "now");
  std::tm parts = {};
  ASSERT_NE(::strptime(lines().at(0).c_str(), "%Y-%m-%d %H:%M:%S", &parts),
            nullptr);
  EXPECT_LE(::timegm(&parts) - before, 2);
  EXPECT_GE(::timegm(&parts) - before, 0);
}

TEST_F(Log, LineOfANamelessProcessHasNoGap) {
  open();
  log(LogLevel::kInfo, "x");
  EXPECT_NE(lines().at(0).find("Z info ["), std::string::npos) << lines()[0];
}

TEST_F(Log, LevelFiltersWhatIsBelowIt) {
  open(LogLevel::kWarning);
  log(LogLevel::kDebug, "d");
  log(LogLevel::kInfo, "i");
  log(LogLevel::kWarning, "w");
  log(LogLevel::kError, "e");
  log(LogLevel::kNone, "n");
  ASSERT_EQ(lines().size(), 2U);
  EXPECT_EQ(textOf(lines()[0]), "w");
  EXPECT_EQ(textOf(lines()[1]), "e");
}

TEST_F(Log, LevelStaysWhenTheNameChanges) {
  open(LogLevel::kError);
  detail::setLogName("worker");
  log(LogLevel::kInfo, "i");
  EXPECT_TRUE(lines().empty());
}

TEST_F(Log, LevelNoneIsSilent) {
  open(LogLevel::kNone);
  log(LogLevel::kError, "e");
  log(LogLevel::kNone, "n");
  EXPECT_TRUE(lines().empty());
}

TEST_F(Log, LevelsHaveNames) {
  for (const auto level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError,
        LogLevel::kNone}) {
    EXPECT_EQ(parseLogLevel(toString(level)), level);
  }
  EXPECT_EQ(parseLogLevel("warning"), LogLevel::kWarning);
  EXPECT_EQ(parseLogLevel("WARNING"), std::nullopt);
  EXPECT_EQ(parseLogLevel(""), std::nullopt);
}

TEST_F(Log, TextCannotForgeALine) {
  open();
  log(LogLevel::kInfo, "a\n2026-11-21 07:34:14.123Z error master [1]: b\x1b[m");
  ASSERT_EQ(lines().size(), 1U);
  EXPECT_EQ(textOf(lines()[0]),
            "a\\n2026-11-21 07:34:14.123Z error master [1]: b\\x1b[m");
}

TEST_F(Log, NameCannotForgeALine) {
  open();
  detail::setLogName("a\nb");
  log(LogLevel::kInfo, "x");
  ASSERT_EQ(lines().size(), 1U);
  EXPECT_NE(lines()[0].find(" a\\nb ["), std::string::npos) << lines()[0];
}

TEST_F(Log, LineOf4KiBIsWholeAndALongerOneIsCut) {
  open();
  log(LogLevel::kInfo, "");
  const std::size_t head = lines().at(0).size() + 1;  // and the line's end
  log(LogLevel::kInfo, std::string(4096 - head, 'a'));
  log(LogLevel::kInfo, std::string(4096 - head + 1, 'b'));
  log(LogLevel::kInfo, std::string(1 << 20, 'c'));
  ASSERT_EQ(lines().size(), 4U);
  EXPECT_EQ(textOf(lines()[1]), std::string(4096 - head, 'a'));
  for (const std::size_t i : {2U, 3U}) {
    EXPECT_EQ(lines()[i].size(), 4095U);
    EXPECT_TRUE(lines()[i].ends_with(" ... [cut]"));
  }
}

TEST_F(Log, CutKeepsCharactersWhole) {
  open();
  for (const char* shift : {"", "x", "xx"}) {
    std::string text = shift;
    while (text.size() < 8192) text += "世";
    log(LogLevel::kInfo, text);
  }
  ASSERT_EQ(lines().size(), 3U);
  for (const std::string& line : lines()) {
    const std::string end = "世 ... [cut]";
    EXPECT_TRUE(line.ends_with(end)) << line.substr(line.size() - 20);
  }
}

TEST_F(Log, LinesOfManyProcessesNeverMix) {
  open();
  const auto before = detail::lostLogLines();
  constexpr int kProcesses = 8;
  constexpr int kLines = 2000;
  std::vector<pid_t> children;
  for (int p = 0; p < kProcesses; ++p) {
    const pid_t child = ::fork();
    if (child == 0) {
      detail::setLogName("worker");
      const std::string text(300, static_cast<char>('a' + p));
      for (int i = 0; i < kLines; ++i) log(LogLevel::kInfo, text);
      ::_exit(detail::lostLogLines() == before ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  std::map<std::string, int> seen;  // pid and text
  for (const std::string& line : lines()) {
    const auto pid = line.find(" worker [");
    ASSERT_NE(pid, std::string::npos) << line;
    ++seen[line.substr(pid)];
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(kProcesses));
  for (const auto& [what, count] : seen) EXPECT_EQ(count, kLines) << what;
}

TEST_F(Log, FileIsAppendedToAndClosedOnExec) {
  std::ofstream(file_) << "before\n";
  open();
  log(LogLevel::kInfo, "x");
  EXPECT_EQ(lines().at(0), "before");
  EXPECT_EQ(lines().size(), 2U);
  EXPECT_NE(::fcntl(detail::logDescriptor(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(::fcntl(detail::logDescriptor(), F_GETFL) & O_APPEND, 0);
}

TEST_F(Log, OpenNamesThePathThatItCannotOpen) {
  const std::string bad = (directory_ / "none" / "app.log").string();
  open();
  try {
    detail::openLog(bad, LogLevel::kInfo);
    FAIL() << "opened";
  } catch (const std::system_error& error) {
    EXPECT_EQ(std::string(error.what()),
              "cannot open log " + bad + ": No such file or directory");
  }
  log(LogLevel::kInfo, "the old one goes on");
  EXPECT_EQ(lines().size(), 1U);
}

TEST_F(Log, ReopenFollowsTheName) {
  open();
  log(LogLevel::kInfo, "first");
  const path old = directory_ / "app.log.1";
  std::filesystem::rename(file_, old);
  log(LogLevel::kInfo, "second");
  detail::reopenLog();
  log(LogLevel::kInfo, "third");
  EXPECT_EQ(linesOf(old).size(), 2U);
  ASSERT_EQ(lines().size(), 1U);
  EXPECT_EQ(textOf(lines()[0]), "third");
}

TEST_F(Log, ReopenFindsARelativePathFromAnotherDirectory) {
  const path start = std::filesystem::current_path();
  std::filesystem::current_path(directory_);
  detail::openLog("app.log", LogLevel::kInfo);
  std::filesystem::current_path("/");
  std::filesystem::remove(file_);
  detail::reopenLog();
  log(LogLevel::kInfo, "x");
  std::filesystem::current_path(start);
  EXPECT_EQ(lines().size(), 1U);
}

TEST_F(Log, ReopenThatFailsKeepsTheOldFileAndSaysWhy) {
  const path inner = directory_ / "inner";
  std::filesystem::create_directory(inner);
  const std::string name = (inner / "app.log").string();
  detail::openLog(name, LogLevel::kInfo);
  std::filesystem::rename(inner, directory_ / "moved");
  detail::reopenLog();
  log(LogLevel::kInfo, "still here");
  const auto kept = linesOf(directory_ / "moved" / "app.log");
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(textOf(kept[0]),
            "reopen: cannot open log " + name + ": No such file or directory");
  EXPECT_EQ(textOf(kept[1]), "still here");
}

TEST_F(Log, FullDiskLosesLinesCountsThemAndSaysSoOnce) {
  CapturedStderr error;
  const auto before = detail::lostLogLines();
  detail::openLog("/dev/full", LogLevel::kInfo);
  for (int i = 0; i < 3; ++i) log(LogLevel::kInfo, "x");
  EXPECT_EQ(detail::lostLogLines() - before, 3U);
  EXPECT_EQ(error.text(),
            "cannot write log /dev/full: No space left on device: lines are "
            "lost\n");
}

TEST_F(Log, LineAfterATornOneBeginsAtALineStart) {
  // A file that may grow to 100 bytes stands for a disk that fills up.
  const auto before = detail::lostLogLines();
  const pid_t child = ::fork();
  if (child == 0) {
    open();
    struct rlimit limit = {};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    ::signal(SIGXFSZ, SIG_IGN);
    limit.rlim_cur = 100;
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::dup2(::open("/dev/null", O_WRONLY), STDERR_FILENO);
    log(LogLevel::kInfo, std::string(200, 'a'));  // 100 bytes of it
    log(LogLevel::kInfo, "lost");
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_FSIZE, &limit);
    log(LogLevel::kInfo, "whole");
    log(LogLevel::kInfo, "next");
    ::_exit(detail::lostLogLines() - before == 2 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  ASSERT_EQ(lines().size(), 3U);
  EXPECT_EQ(lines()[0].size(), 100U);
  EXPECT_TRUE(lines()[1].ends_with("]: whole")) << lines()[1];
  EXPECT_TRUE(lines()[2].ends_with("]: next")) << lines()[2];
}

TEST_F(Log, GoesToStderrUntilItIsOpened) {
  CapturedStderr error;
  log(LogLevel::kInfo, "early");
  EXPECT_EQ(textOf(error.text()), "early\n");
  EXPECT_EQ(detail::logDescriptor(), STDERR_FILENO);
}

TEST_F(Log, DoesNotWaitForAReaderOfStderr) {
  CapturedStderr error;
  error.fill();
  const auto before = detail::lostLogLines();
  log(LogLevel::kError, "nobody reads this");
  EXPECT_EQ(detail::lostLogLines() - before, 1U);
}

TEST_F(Log, DoesNotWaitForAReaderOfAPipe) {
  ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
  EXPECT_THROW(open(), std::system_error);
  const FileDescriptor reader(
      ::open(file_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  open();
  CapturedStderr error;
  const auto before = detail::lostLogLines();
  const std::string page(4000, 'x');
  for (int i = 0; i < 100; ++i) log(LogLevel::kInfo, page);
  EXPECT_GT(detail::lostLogLines(), before);
}

}  // namespace
}  // namespace brigade
