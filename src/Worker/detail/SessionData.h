#pragma once

// SessionData: keys and values of a session as the bytes that a store keeps:
// for each pair the lengths of both in 4 bytes, big-endian, then both. Bytes
// are kept as they are.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "brigade/Worker/HttpSession.h"

namespace brigade::detail {

// How long a pair is among them.
inline std::size_t encodedSize(std::string_view key, std::string_view value) {
  return 8 + key.size() + value.size();
}

std::string encodeSession(const HttpSession::Values& values);

// None when these are not bytes of encodeSession().
std::optional<HttpSession::Values> decodeSession(std::string_view bytes);

}  // namespace brigade::detail
