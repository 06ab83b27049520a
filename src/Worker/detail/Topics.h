#pragma once

// Topics: who of this process's WebSockets wants what is published where. A
// topic's subscribers are one dense list, walked once a broadcast; to subscribe
// and unsubscribe is O(topics of that connection).

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "brigade/Worker/WebSocketConnection.h"

namespace brigade::detail {

class Topic {
 public:
  explicit Topic(std::string name) : name_(std::move(name)) {}

  const std::string& name() const { return name_; }
  const std::vector<WebSocketConnection*>& subscribers() const {
    return subscribers_;
  }
  bool add(WebSocketConnection& connection);     // false: it is there already
  bool remove(WebSocketConnection& connection);  // false: it is not there

 private:
  std::string name_;
  std::vector<WebSocketConnection*> subscribers_;
};

class Topics {
 public:
  // Null when nobody subscribes to it.
  Topic* find(std::string_view name);
  void subscribe(std::string_view name, WebSocketConnection& connection);
  void unsubscribe(std::string_view name, WebSocketConnection& connection);
  // A topic without subscribers goes.
  void forgetIfEmpty(Topic& topic);

 private:
  // The keys are the names in the topics.
  std::unordered_map<std::string_view, std::unique_ptr<Topic>> topics_;
};

}  // namespace brigade::detail
