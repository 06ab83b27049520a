#include "brigade/Worker/detail/Handover.h"

#include <fcntl.h>

#include <algorithm>
#include <exception>
#include <string_view>
#include <utility>

namespace brigade::detail {
namespace {

// The correlation: the generation that kGiving says, in kConnection the id.
constexpr auto kGiving = static_cast<FrameKind>(64);
constexpr auto kPart = static_cast<FrameKind>(65);
constexpr auto kConnection = static_cast<FrameKind>(66);
constexpr auto kAll = static_cast<FrameKind>(67);
constexpr auto kNone = static_cast<FrameKind>(68);
constexpr auto kTaken = static_cast<FrameKind>(69);

}  // namespace

// ---- The process that leaves

HandoverGiver::HandoverGiver(EventInterface& loop, FileDescriptor end,
                             Handler handler)
    : handler_(std::move(handler)), channel_(loop, std::move(end), *this) {}

void HandoverGiver::give(ConnectionTable& table, std::vector<Item> items) {
  table_ = &table;
  items_ = std::move(items);
  channel_.post({.kind = kGiving, .correlation = table.lastGeneration()});
  channel_.flush();
  pump();
}

// One connection waits here at most, so that much is not in memory twice.
void HandoverGiver::pump() {
  if (table_ == nullptr || saidAll_ || std::exchange(isPumping_, true)) return;
  while (next_ < items_.size() && channel_.queuedBytes() == 0) sendNext();
  isPumping_ = false;
  if (next_ < items_.size() || std::exchange(saidAll_, true)) return;
  channel_.post({kAll});
  channel_.flush();
}

void HandoverGiver::sendNext() {
  const Item& item = items_[next_];
  SavedConnection saved = table_->save(item.id);
  saved.content = item.content;
  const std::string bytes = encode(saved);
  std::string_view rest = bytes;
  while (rest.size() > Channel::kMaxPayload) {
    channel_.post({kPart, rest.substr(0, Channel::kMaxPayload)});
    rest.remove_prefix(Channel::kMaxPayload);
  }
  channel_.flush();
  ++next_;
  const Frame last{.kind = kConnection,
                   .payload = rest,
                   .correlation = item.id.value(),
                   .descriptor = table_->socketOf(item.id)};
  const auto result =
      channel_.queuedBytes() == 0 ? channel_.send(last) : channel_.post(last);
  if (result != Channel::Result::kFull) return;
  // It had to wait, and no descriptor is left to keep its own by.
  next_ = items_.size();
  saidAll_ = true;
  channel_.post({kNone});
  channel_.flush();
}

void HandoverGiver::onFrame(const Frame& frame) {
  if (frame.kind != kTaken || std::exchange(isDone_, true)) return;
  handler_.onTaken(items_);
}

void HandoverGiver::onChannelClosed() {
  if (!std::exchange(isDone_, true)) handler_.onRefused(items_);
}

// ---- The process that comes

HandoverTaker::HandoverTaker(EventInterface& loop, FileDescriptor end,
                             Done done)
    : loop_(loop),
      done_(std::move(done)),
      channel_(loop, std::move(end), *this) {
  waitForMore();
}

HandoverTaker::~HandoverTaker() { loop_.del(silence_); }

void HandoverTaker::waitForMore() {
  loop_.del(silence_);
  silence_ = loop_.add(kPatience, Repeat::kOnce, [this] { giveUp(); });
}

void HandoverTaker::onFrame(const Frame& frame) {
  if (!done_) return;
  waitForMore();
  if (frame.kind == kGiving) {
    generation_ = static_cast<std::uint32_t>(frame.correlation);
  } else if (frame.kind == kPart) {
    part_ += frame.payload;
  } else if (frame.kind == kConnection) {
    addConnection(frame);
  } else if (frame.kind == kNone) {
    giveUp();
  } else if (frame.kind == kAll) {
    // From here on they are ours: also when nobody hears it.
    channel_.send({kTaken});
    finish();
  }
}

void HandoverTaker::addConnection(const Frame& frame) {
  part_ += frame.payload;
  try {
    FileDescriptor socket(::fcntl(frame.descriptor, F_DUPFD_CLOEXEC, 0));
    if (!socket) {
      giveUp();
      return;
    }
    items_.push_back({std::move(socket), decodeConnection(part_)});
  } catch (const std::exception&) {
    giveUp();
    return;
  }
  part_.clear();
}

// The giver goes on with all of them: the end of the channel tells it.
void HandoverTaker::giveUp() {
  items_.clear();
  finish();
}

void HandoverTaker::finish() {
  loop_.del(std::exchange(silence_, {}));
  if (!done_) return;
  // It destroys us.
  const Done done = std::exchange(done_, nullptr);
  done(std::move(items_), generation_);
}

}  // namespace brigade::detail
