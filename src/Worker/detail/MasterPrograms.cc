// What the master does with the programs that run under it.

#include <sys/resource.h>

#include <exception>
#include <string>
#include <utility>

#include "brigade/Worker/Log.h"
#include "brigade/Worker/detail/Daemon.h"
#include "brigade/Worker/detail/Master.h"

namespace brigade::detail {
namespace {

using std::chrono::milliseconds;

std::string describe(const ProgramView& program) {
  return "program " + program.name;
}

std::string describe(const ProgramView& program, pid_t pid) {
  return describe(program) + (pid == 0 ? "" : ", pid " + std::to_string(pid));
}

// "; starting it again in 200 ms", or nothing.
std::string whatNext(const ProgramView& program) {
  if (program.state != ProgramState::kBackoff) return "";
  const auto wait = std::chrono::ceil<milliseconds>(program.backoff);
  if (wait.count() == 0) return "; starting it again at once";
  return "; starting it again in " + std::to_string(wait.count()) + " ms";
}

}  // namespace

void Master::makePrograms() {
  Programs::Options options;
  options.stopTimeout = config_.stopTimeout;
  options.startTimeout = config_.readyTimeout;
  options.title = "brigade: " + config_.name + " program ";
  programs_ = std::make_unique<Programs>(*loop_, *this, config_.programs,
                                         std::move(options));
}

void Master::onProgramStart(const ProgramView& program) {
  log(LogLevel::kInfo, describe(program, program.pid) + ": started");
}

void Master::onProgramFailed(const ProgramView& program,
                             std::string_view reason) {
  log(LogLevel::kError, describe(program) + " cannot start: " +
                            std::string(reason) + whatNext(program));
}

void Master::onProgramExit(const ProgramView& program, pid_t pid,
                           bool expected) {
  const std::string text =
      describe(program, pid) + ": " + program.lastExit + whatNext(program);
  log(expected ? LogLevel::kInfo : LogLevel::kWarning, text);
  progress(text);
}

void Master::onProgramMessage(const ProgramMessage& message) {
  if (!config_.onProgramMessage) return;
  try {
    config_.onProgramMessage(message, *programs_);
  } catch (...) {
    logException("onProgramMessage");
  }
}

void Master::onProgramBadMessage(const ProgramView& program,
                                 std::string_view reason) {
  log(LogLevel::kWarning, describe(program, program.pid) +
                              ": its channel is closed: it sent " +
                              std::string(reason));
}

void Master::onProgramLogKept(const ProgramView& program,
                              std::string_view reason) {
  log(LogLevel::kError, "reopen: " + std::string(reason) + "; " +
                            describe(program) + " keeps its old log");
}

void Master::inGuard() {
  ::setrlimit(RLIMIT_NOFILE, &descriptors_);
  if (daemon_ != nullptr) daemon_->closeInChild();
}

}  // namespace brigade::detail
