#pragma once

// ProgramSlot: the place of one program, over all the processes that fill it.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "brigade/Process/Backoff.h"
#include "brigade/Process/ProgramChannel.h"
#include "brigade/Process/Programs.h"
#include "brigade/Process/detail/Child.h"
#include "brigade/Process/detail/PreparedProgram.h"

namespace brigade::detail {

struct ProgramSlot final : public ProgramChannelHandler {
  explicit ProgramSlot(std::unique_ptr<PreparedProgram> prepared)
      : program(std::move(prepared)), backoff(program->settings.backoff) {}

  ProgramView view() const;
  // But for the guard and the channel.
  void carry(Archive& archive);
  const std::string& name() const { return program->settings.name; }
  void onMessage(std::string_view event, std::string_view data) override {
    told(event, data);
  }
  void onBadMessage(std::string_view reason) override { complained(reason); }

  std::unique_ptr<PreparedProgram> program;
  std::function<void(std::string_view event, std::string_view data)> told;
  std::function<void(std::string_view reason)> complained;

  ProgramState state = ProgramState::kExited;
  std::unique_ptr<Child> guard;
  // The master's end of the channel; of `channel` once the program runs, for
  // before that nobody knows whose words they are.
  FileDescriptor channelEnd;
  std::unique_ptr<ProgramChannel> channel;
  pid_t pid = 0;                     // of the program itself
  std::optional<ExitStatus> status;  // once the guard has told it
  bool failedForGood = false;
  bool startAgain = false;  // it is being stopped for a reload

  Backoff backoff;
  TimerId restart{};
  Clock::time_point restartAt{};
  Clock::time_point since{};
  unsigned restarts = 0;
  std::uint64_t messages = 0;
  std::uint64_t badMessages = 0;
  std::string lastExit;
};

}  // namespace brigade::detail
