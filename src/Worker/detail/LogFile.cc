#include "brigade/Worker/detail/LogFile.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <utility>

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>

#include "brigade/Events/FileDescriptor.h"
#include "brigade/Worker/detail/Printable.h"

namespace brigade::detail {

namespace {

// A page, and what a pipe takes in one piece (PIPE_BUF, pipe(7)).
constexpr std::size_t kMaxLine = 4096;
constexpr std::string_view kCutMark = " ... [cut]\n";
constexpr mode_t kLogMode = 0644;

FileDescriptor openForAppend(const std::string& path, Links links) {
  // O_NONBLOCK is for a path that is a pipe or a terminal: a reader that does
  // not read must not stop the server.
  constexpr int kFlags =
      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  const int noLinks = links == Links::kRefuse ? O_NOFOLLOW : 0;
  FileDescriptor fd(::open(path.c_str(), kFlags | noLinks, kLogMode));
  if (!fd) {
    throw std::system_error(errno, std::generic_category(),
                            "cannot open log " + path);
  }
  return fd;
}

// stderr may be shared with others, so it is not set to O_NONBLOCK: it is
// asked first. Room for one line is what poll(2) promises for a pipe.
bool takesALine(int fd) {
  pollfd ask = {fd, POLLOUT, 0};
  return ::poll(&ask, 1, 0) == 1 && (ask.revents & POLLOUT) != 0;
}

class LineSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  LineSink()
      : base_sink(std::make_unique<spdlog::pattern_formatter>(
            "%Y-%m-%d %H:%M:%S.%eZ %l %n[%P]: %v",
            spdlog::pattern_time_type::utc, "\n")) {}

  // Throws std::system_error; then everything stays as it was.
  void open(const std::string& path, Links links) {
    FileDescriptor fd =
        path.empty() ? FileDescriptor() : openForAppend(path, links);
    const std::lock_guard lock(mutex_);
    path_ = path;
    links_ = links;
    use(std::move(fd));
  }

  void take(int descriptor) {
    FileDescriptor fd(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
    if (!fd) {
      throw std::system_error(errno, std::generic_category(),
                              "cannot take the log over");
    }
    const std::lock_guard lock(mutex_);
    if (file_) use(std::move(fd));
  }

  std::string path() {
    const std::lock_guard lock(mutex_);
    return path_;
  }
  Links links() {
    const std::lock_guard lock(mutex_);
    return links_;
  }
  int descriptor() {
    const std::lock_guard lock(mutex_);
    return file_ ? file_.get() : STDERR_FILENO;
  }
  void countLoss() {
    const std::lock_guard lock(mutex_);
    ++lost_;
  }
  std::uint64_t lost() {
    const std::lock_guard lock(mutex_);
    return lost_;
  }

 private:
  void use(FileDescriptor fd) {
    file_ = std::move(fd);
    lossReported_ = false;
    torn_ = false;
  }

  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    cut(line);
    const std::string_view bytes(line.data(), line.size());
    if (writeLine(bytes)) return;
    ++lost_;
    if (!std::exchange(lossReported_, true)) reportLoss(errno);
  }
  void flush_() override {}

  static void cut(spdlog::memory_buf_t& line) {
    if (line.size() <= kMaxLine) return;
    std::size_t end = kMaxLine - kCutMark.size();
    // not inside a character of UTF-8
    while (end > 0 && (line.data()[end] & 0xC0) == 0x80) --end;
    line.resize(end);
    line.append(kCutMark.data(), kCutMark.data() + kCutMark.size());
  }

  // One system call. After a short count (a disk that was just full) half a
  // line stands in the file: the next one ends it first.
  bool writeLine(std::string_view line) {
    if (!file_ && !takesALine(STDERR_FILENO)) {
      errno = EAGAIN;
      return false;
    }
    char newline = '\n';
    const iovec parts[] = {{&newline, 1},
                           {const_cast<char*>(line.data()), line.size()}};
    const iovec* first = torn_ ? parts : parts + 1;
    const std::size_t wanted = line.size() + (torn_ ? 1 : 0);
    const int fd = file_ ? file_.get() : STDERR_FILENO;
    ssize_t written;
    do {
      written = ::writev(fd, first, torn_ ? 2 : 1);
    } while (written < 0 && errno == EINTR);
    if (written < 0) return false;
    torn_ = static_cast<std::size_t>(written) < wanted;
    if (torn_) errno = ENOSPC;
    return !torn_;
  }

  void reportLoss(int error) {
    if (!file_ || !takesALine(STDERR_FILENO)) return;
    const std::string text = "cannot write log " + printable(path_) + ": " +
                             std::generic_category().message(error) +
                             ": lines are lost\n";
    // stderr is the last resort: there is nobody to tell of its failure
    [[maybe_unused]] const ssize_t ignored =
        ::write(STDERR_FILENO, text.data(), text.size());
  }

  FileDescriptor file_;  // empty: stderr
  std::string path_;
  Links links_ = Links::kFollow;
  std::uint64_t lost_ = 0;
  bool lossReported_ = false;
  bool torn_ = false;
};

spdlog::level::level_enum levelOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kNone:
      break;
  }
  return spdlog::level::off;
}

// spdlog's logger without its registry and its threads.
struct State {
  std::shared_ptr<LineSink> sink = std::make_shared<LineSink>();
  std::shared_ptr<spdlog::logger> logger =
      std::make_shared<spdlog::logger>("", sink);
};

// Never destroyed: destructors of a program's own globals may log.
State& state() {
  static State& instance = *std::make_unique<State>().release();
  return instance;
}

}  // namespace

void openLog(const std::string& path, LogLevel level, Links links) {
  // The program may change its directory before a reopen.
  state().sink->open(
      path.empty() ? path : std::filesystem::absolute(path).string(), links);
  state().logger->set_level(levelOf(level));
}

void reopenLog() {
  const std::string path = state().sink->path();
  if (path.empty()) return;
  try {
    state().sink->open(path, state().sink->links());
  } catch (const std::system_error& error) {
    log(LogLevel::kError, "reopen: " + std::string(error.what()));
  }
}

void takeLog(int descriptor) {
  try {
    state().sink->take(descriptor);
  } catch (const std::system_error& error) {
    log(LogLevel::kError, "reopen: " + std::string(error.what()));
  }
}

void setLogName(std::string_view name) {
  std::string column = printable(name);
  if (!column.empty()) column += ' ';
  state().logger = state().logger->clone(std::move(column));
}

int logDescriptor() { return state().sink->descriptor(); }

std::uint64_t lostLogLines() { return state().sink->lost(); }

void writeLog(LogLevel level, std::string_view text) {
  const auto severity = levelOf(level);
  if (level == LogLevel::kNone || !state().logger->should_log(severity)) return;
  try {
    // More than this is cut off anyway.
    state().logger->log(severity, printable(text.substr(0, kMaxLine)));
  } catch (const std::bad_alloc&) {
    state().sink->countLoss();
  }
}

}  // namespace brigade::detail
