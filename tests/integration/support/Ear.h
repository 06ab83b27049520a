#pragma once

// Ear: what one process of MessengerSubject.cc has heard, and says of it.

#include <brigade/brigade.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace brigade::test {

// FNV-1a.
inline std::uint64_t checksum(std::string_view bytes) {
  std::uint64_t sum = 14695981039346656037u;
  for (const char c : bytes) {
    sum = (sum ^ static_cast<unsigned char>(c)) * 1099511628211u;
  }
  return sum;
}

// Of bytes that are too many to be said.
inline std::string describe(std::string_view bytes) {
  return std::to_string(bytes.size()) + ":" + std::to_string(checksum(bytes));
}

inline std::string nameOf(const Member& member) {
  return std::to_string(member.index) + "." + std::to_string(member.generation);
}

class Ear {
 public:
  void open(Messenger& messenger) {
    messenger_ = &messenger;
    for (const char* event : {"e", "task", "report", "boot"}) {
      messenger.on(event, [this](const Letter& letter) { take(letter); });
    }
    messenger.on("flood", [this](const Letter& letter) { flooded(letter); });
    messenger.on("large", [this](const Letter& letter) {
      note("large", letter.from.index, describe(letter.data));
    });
    messenger.onOnline([this](const Member& member) {
      news_ += '+';
      news_ += nameOf(member) + " ";
    });
    messenger.onOffline([this](const Member& member, std::string_view reason) {
      news_ += '-';
      news_ += nameOf(member) + "(" + std::string(reason) + ") ";
    });
    messenger.onRoom(
        [this](unsigned index) { room_ += std::to_string(index) + " "; });
  }

  std::string got(const std::string& event) const {
    const auto found = heard_.find(event);
    return found == heard_.end() ? "0" : found->second.text();
  }
  const std::string& news() const { return news_; }
  const std::string& room() const { return room_; }
  void note(const std::string& event, unsigned from, std::string_view data) {
    Heard& heard = heard_[event];
    ++heard.count;
    heard.from = from;
    heard.last = data;
  }

 private:
  struct Heard {
    std::size_t count = 0;
    unsigned from = 0;
    std::string last;
    std::string text() const {
      return std::to_string(count) + " from " + std::to_string(from) + ": " +
             last;
    }
  };
  void take(const Letter& letter) {
    note(std::string(letter.event), letter.from.index, letter.data);
  }
  // Each begins with its number; the last one tells whether one was missing.
  void flooded(const Letter& letter) {
    const std::string number(letter.data.substr(0, letter.data.find(' ')));
    const bool next = number == std::to_string(floods_++);
    inOrder_ = inOrder_ && next;
    note("flood", letter.from.index, inOrder_ ? "in order" : "not in order");
  }

  Messenger* messenger_ = nullptr;
  std::map<std::string, Heard> heard_;
  std::size_t floods_ = 0;
  bool inOrder_ = true;
  std::string news_;
  std::string room_;
};

}  // namespace brigade::test
