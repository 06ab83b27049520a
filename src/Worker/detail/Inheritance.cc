#include "brigade/Worker/detail/Inheritance.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

namespace brigade::detail {
namespace {

constexpr const char* kVariable = "BRIGADE_UPGRADE";
constexpr std::string_view kCheck = "check";

[[noreturn]] void failed(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

std::string readAll(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) failed("cannot read what was left to us");
  std::string bytes(static_cast<std::size_t>(info.st_size), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::pread(fd, bytes.data() + done, bytes.size() - done,
                              static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) failed("cannot read what was left to us");
    done += static_cast<std::size_t>(n);
  }
  return bytes;
}

std::string_view nameOf(AcceptMode mode) {
  switch (mode) {
    case AcceptMode::kReusePort:
      return "reuse-port";
    case AcceptMode::kShared:
      return "shared";
    case AcceptMode::kLocked:
      return "locked";
    case AcceptMode::kSticky:
      return "sticky";
  }
  return "";
}

}  // namespace

// ---- What has to be the same

std::vector<std::string> planOf(const std::vector<Worker*>& workers,
                                const RunConfig& config) {
  std::vector<std::string> plan;
  plan.push_back("state version " + std::to_string(kStateVersion));
  plan.push_back("pid file " + config.pidFile);
  for (const Worker* worker : workers) {
    const std::string& name = worker->name.empty() ? config.name : worker->name;
    std::string line = "worker '" + name + "'";
    if (!worker->address.empty()) {
      line += " on " + worker->address + ", ";
      line += nameOf(worker->acceptMode);
    }
    plan.push_back(std::move(line));
  }
  for (const Program& program : config.programs) {
    plan.push_back("program '" + program.name + "'");
  }
  return plan;
}

std::string differenceOf(const std::vector<std::string>& plan,
                         std::string_view output) {
  std::vector<std::string> other;
  while (!output.empty()) {
    const auto end = output.find('\n');
    std::string_view line = output.substr(0, end);
    if (line.starts_with(kPlanMark)) {
      line.remove_prefix(std::strlen(kPlanMark));
      other.emplace_back(line);
    }
    if (end == std::string_view::npos) break;
    output.remove_prefix(end + 1);
  }
  if (other.empty()) return "it is no program of brigade's";
  std::string difference;
  const auto note = [&](const char* what, const std::string& line) {
    difference += (difference.empty() ? "" : "; ") + std::string(what) + line;
  };
  for (const std::string& line : plan) {
    if (std::find(other.begin(), other.end(), line) == other.end()) {
      note("it has no ", line);
    }
  }
  for (const std::string& line : other) {
    if (std::find(plan.begin(), plan.end(), line) == plan.end()) {
      note("new is ", line);
    }
  }
  return difference;
}

// ---- What is left

void Heir::carry(Archive& archive) {
  archive(image, path, startedAt, started, descriptors.rlim_cur,
          descriptors.rlim_max);
  std::string mask(reinterpret_cast<const char*>(&signals), sizeof signals);
  archive(mask);
  std::memcpy(&signals, mask.data(), std::min(mask.size(), sizeof signals));
  archive(note, upgrades, isGraceful, replies, isAskedAgain, nextReplies,
          failure, failedImage, configText, counts, states);
}

Inheritance::Inheritance(std::string bytes)
    : bytes_(std::move(bytes)), archive_(bytes_) {
  archive_(previous_, heir_);
}

std::optional<Inheritance> Inheritance::take() {
  const char* const text = std::getenv(kVariable);
  if (text == nullptr || text == kCheck) return std::nullopt;
  int number = -1;
  const char* const end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, number);
  const bool isNumber = error == std::errc() && stop == end && number > 2;
  ::unsetenv(kVariable);
  if (!isNumber) {
    throw std::runtime_error(std::string(kVariable) + " is set to something");
  }
  const FileDescriptor state(number);
  return Inheritance(readAll(state.get()));
}

bool Inheritance::isAsked() {
  const char* const text = std::getenv(kVariable);
  return text != nullptr && text == kCheck;
}

std::string Inheritance::variableForCheck() {
  return std::string(kVariable) + "=" + std::string(kCheck);
}

std::string Inheritance::variableFor(int state) {
  return std::string(kVariable) + "=" + std::to_string(state);
}

FileDescriptor Inheritance::write(const Archive& archive) {
  FileDescriptor state(::memfd_create("brigade-state", MFD_CLOEXEC));
  if (!state) failed("cannot make memory for what is carried over");
  std::string_view bytes = archive.bytes();
  while (!bytes.empty()) {
    const ssize_t n = ::write(state.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) failed("cannot write down what is carried over");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return state;
}

FileDescriptor Inheritance::takePrevious() {
  const int previous = std::exchange(previous_, -1);
  if (previous >= 0) ::fcntl(previous, F_SETFD, FD_CLOEXEC);
  return FileDescriptor(previous);
}

// Every descriptor is as it came; the state is written anew, for the failure in
// it. The other image of it is this one, which is not asked again.
void Inheritance::goBack(const Launch& launch, const std::string& why) const {
  if (isTaken_ || previous_ < 0) return;
  Archive archive;
  int none = -1;
  Heir heir = heir_;
  heir.failure = why;
  heir.failedImage = heir_.image;
  ++heir.image;
  archive(none, heir);
  archive.append(std::string_view(bytes_).substr(archive_.position()));
  const FileDescriptor state = write(archive);
  ::fcntl(state.get(), F_SETFD, 0);
  ::fcntl(previous_, F_SETFD, FD_CLOEXEC);
  launch.execute(previous_, {}, variableFor(state.get()));
}

}  // namespace brigade::detail
