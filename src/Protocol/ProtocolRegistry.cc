#include "brigade/Protocol/ProtocolRegistry.h"

#include <utility>

#include "brigade/Protocol/Frame.h"
#include "brigade/Protocol/Tcp.h"
#include "brigade/Protocol/Text.h"

namespace brigade {
namespace {

constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kSchemeBytes =
    "abcdefghijklmnopqrstuvwxyz0123456789.-";

bool isScheme(std::string_view name) {
  return !name.empty() && kLetters.find(name[0]) != std::string_view::npos &&
         name.find_first_not_of(kSchemeBytes) == std::string_view::npos;
}

template <typename Codec>
std::shared_ptr<ProtocolInterface> make() {
  return std::make_shared<Codec>();
}

// A codec without state: with many connections, each of its own would be
// fetched from memory for every message.
template <typename Codec>
ProtocolFactory share() {
  return [codec = std::make_shared<Codec>()] { return codec; };
}

}  // namespace

ProtocolRegistry::ProtocolRegistry()
    : factories_{{"frame", share<Frame>()},
                 {"tcp", share<Tcp>()},
                 {"text", make<Text>},
                 {"unix", share<Tcp>()}} {}

void ProtocolRegistry::add(std::string_view scheme, ProtocolFactory factory) {
  const std::string name(scheme);
  if (!isScheme(scheme)) {
    throw std::invalid_argument(
        "bad protocol scheme '" + name +
        "': want a letter a-z, then letters a-z, digits, '.' and '-'");
  }
  if (!factory) {
    throw std::invalid_argument("protocol '" + name + "' has no factory");
  }
  factories_.insert_or_assign(name, std::move(factory));
}

const ProtocolFactory& ProtocolRegistry::find(std::string_view scheme) const {
  const auto found = factories_.find(scheme);
  if (found != factories_.end()) return found->second;
  std::string message = "unknown protocol '" + std::string(scheme) + "': have ";
  const char* separator = "";
  for (const auto& [name, factory] : factories_) {
    message += separator + name;
    separator = ", ";
  }
  throw UnknownProtocol(message);
}

std::vector<std::string> ProtocolRegistry::schemes() const {
  std::vector<std::string> names;
  names.reserve(factories_.size());
  for (const auto& [name, factory] : factories_) names.push_back(name);
  return names;
}

}  // namespace brigade
