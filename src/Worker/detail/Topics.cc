#include "brigade/Worker/detail/Topics.h"

#include <algorithm>
#include <utility>

namespace brigade::detail {

bool Topic::add(WebSocketConnection& connection) {
  if (!connection.places_) {
    connection.places_ =
        std::make_unique<std::vector<WebSocketConnection::Place>>();
  }
  auto& places = *connection.places_;
  const bool known = std::any_of(places.begin(), places.end(),
                                 [&](auto& p) { return p.topic == this; });
  if (known) return false;
  places.push_back({this, subscribers_.size()});
  subscribers_.push_back(&connection);
  return true;
}

bool Topic::remove(WebSocketConnection& connection) {
  if (!connection.places_) return false;
  auto& places = *connection.places_;
  const auto place = std::find_if(places.begin(), places.end(),
                                  [&](auto& p) { return p.topic == this; });
  if (place == places.end()) return false;
  // The last one takes its position.
  WebSocketConnection* const last = subscribers_.back();
  const std::size_t position = place->position;
  subscribers_[position] = last;
  subscribers_.pop_back();
  places.erase(place);
  if (last != &connection) {
    auto& others = *last->places_;
    std::find_if(others.begin(), others.end(), [&](auto& p) {
      return p.topic == this;
    })->position = position;
  }
  return true;
}

Topic* Topics::find(std::string_view name) {
  const auto found = topics_.find(name);
  return found == topics_.end() ? nullptr : found->second.get();
}

void Topics::subscribe(std::string_view name, WebSocketConnection& connection) {
  Topic* topic = find(name);
  if (topic == nullptr) {
    auto made = std::make_unique<Topic>(std::string(name));
    topic = made.get();
    topics_.emplace(topic->name(), std::move(made));
  }
  topic->add(connection);
}

void Topics::unsubscribe(std::string_view name,
                         WebSocketConnection& connection) {
  Topic* const topic = find(name);
  if (topic != nullptr && topic->remove(connection)) forgetIfEmpty(*topic);
}

void Topics::forgetIfEmpty(Topic& topic) {
  if (!topic.subscribers().empty()) return;
  // The key lives in what goes.
  const auto found = topics_.find(topic.name());
  const std::unique_ptr<Topic> keep = std::move(found->second);
  topics_.erase(found);
}

}  // namespace brigade::detail
