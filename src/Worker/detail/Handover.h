#pragma once

// HandoverGiver, HandoverTaker: the two ends of the channel over which a worker
// process passes its connections to its successor.
//
//   giver                                                        taker
//     | (kPart* kConnection)*   the bytes of one, its socket with   |
//     |                         the last of them                    |
//     | kAll -----------------> it has them all                     |
//     | <---------------- kTaken                                    |
//
// Until kTaken both have the sockets, and neither uses them. A giver that hears
// kTaken forgets its connections; one that hears the end of the channel first
// takes them back. A giver that cannot go on says kNone, and waits for that
// end. A taker that hears the end before kAll has the connections that came
// whole: the giver closes its end by dying only.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "brigade/Connection/ConnectionTable.h"
#include "brigade/Connection/SavedConnection.h"
#include "brigade/Events/EventInterface.h"
#include "brigade/Events/FileDescriptor.h"
#include "brigade/Process/Channel.h"

namespace brigade::detail {

class HandoverGiver final : private ChannelHandler {
 public:
  // Of a connection that is detached: what the program knows of it.
  struct Item {
    ConnectionId id;
    std::string content;
  };
  struct Handler {
    // The successor has those. Neither may destroy the giver.
    std::function<void(const std::vector<Item>&)> onTaken;
    // It has none, and these are still ours; there are none before give().
    std::function<void(const std::vector<Item>&)> onRefused;
  };

  HandoverGiver(EventInterface& loop, FileDescriptor end, Handler handler);

  // From `table`, which outlives the giver. Once.
  void give(ConnectionTable& table, std::vector<Item> items);
  bool isGiving() const { return table_ != nullptr; }
  // onTaken or onRefused has been called.
  bool isDone() const { return isDone_; }

 private:
  void onFrame(const Frame& frame) override;
  void onChannelClosed() override;
  void onChannelProgress() override { pump(); }
  void pump();
  void sendNext();

  Handler handler_;
  Channel channel_;
  ConnectionTable* table_ = nullptr;  // null: before give()
  std::vector<Item> items_;
  std::size_t next_ = 0;  // of items_
  bool isPumping_ = false;
  bool saidAll_ = false;
  bool isDone_ = false;
};

class HandoverTaker final : private ChannelHandler {
 public:
  // Longest silence of a giver, which handles its last mail first; then it
  // keeps what it has.
  static constexpr std::chrono::seconds kPatience{4};

  struct Item {
    FileDescriptor socket;
    SavedConnection connection;
  };
  // Called once, with what is ours from then on, and the giver's last
  // generation of ids.
  using Done =
      std::function<void(std::vector<Item> items, std::uint32_t generation)>;

  HandoverTaker(EventInterface& loop, FileDescriptor end, Done done);
  ~HandoverTaker();

 private:
  void onFrame(const Frame& frame) override;
  void onChannelClosed() override { finish(); }
  void addConnection(const Frame& frame);
  void waitForMore();
  void giveUp();
  void finish();

  EventInterface& loop_;
  Done done_;
  Channel channel_;
  TimerId silence_{};
  std::vector<Item> items_;
  std::string part_;  // of the connection that is being received
  std::uint32_t generation_ = 0;
};

}  // namespace brigade::detail
