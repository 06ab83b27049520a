#pragma once

// ProtocolRegistry: which codec a scheme of an address stands for. A value,
// made by run() with brigade's own schemes in it and copied by the fork.

#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Protocol/ProtocolInterface.h"

namespace brigade {

// Called once per connection, in the worker process. A codec without state may
// be the same one for all connections of the process.
using ProtocolFactory = std::function<std::shared_ptr<ProtocolInterface>()>;

// "unknown protocol 'gopher': have frame, tcp, text, unix".
class UnknownProtocol : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

class ProtocolRegistry {
 public:
  // Holds tcp (and unix, the same raw codec), text and frame.
  ProtocolRegistry();

  // Replaces what the scheme stood for. Throws std::invalid_argument for a
  // scheme that is not [a-z][a-z0-9.-]* (RFC 3986, 3.1; '+' joins transports
  // here) or an empty factory.
  void add(std::string_view scheme, ProtocolFactory factory);

  // Forgets brigade's own as well: for who can make nothing of their messages.
  void clear() { factories_.clear(); }

  // Valid as long as the registry. Throws UnknownProtocol.
  const ProtocolFactory& find(std::string_view scheme) const;

  // In alphabetical order.
  std::vector<std::string> schemes() const;

 private:
  std::map<std::string, ProtocolFactory, std::less<>> factories_;
};

}  // namespace brigade
