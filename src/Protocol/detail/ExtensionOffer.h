#pragma once

// ExtensionOffer: the lists of a WebSocket handshake, and what the offers of
// permessage-deflate among them come to (RFC 6455, 9.1; RFC 7692, 5 and 7.1).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Protocol/WebSocketCompression.h"

namespace brigade::detail {

bool isAlphanumeric(char c);  // of ASCII
// Whatever the case of ASCII letters.
bool sameToken(std::string_view a, std::string_view b);
// Whether a comma-separated list has that element, whatever else is in it.
bool listHas(std::string_view list, std::string_view token);
// Appends the elements of 1#token. False: the list is not one.
bool readTokens(std::string_view list, std::vector<std::string_view>& tokens);

struct ExtensionOffer {
  struct Parameter {
    std::string_view name;
    std::optional<std::string> value;
  };

  std::string_view name;
  std::vector<Parameter> parameters;
};

// Appends what Sec-WebSocket-Extensions offers, in the client's order; views
// of `list`. False: it is malformed.
bool readOffers(std::string_view list, std::vector<ExtensionOffer>& offers);

// What comes of one offer; then `answer` is the extension's answer. None: it
// is declined, as another extension, as invalid, or as out of our bounds.
std::optional<WebSocketAgreement> agree(const ExtensionOffer& offer,
                                        const WebSocketCompression& ours,
                                        std::string& answer);

}  // namespace brigade::detail
