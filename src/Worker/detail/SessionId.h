#pragma once

// The names of sessions: 128 bits that nobody can foresee, as 32 digits of 0-9
// and a-f. Nothing else is ever looked up, so nothing else can name a file.

#include <cstddef>
#include <string>
#include <string_view>

namespace brigade::detail {

constexpr std::size_t kSessionIdSize = 32;

bool isSessionId(std::string_view text);

// From getrandom(2). Throws std::system_error when the kernel gives none.
std::string makeSessionId();

}  // namespace brigade::detail
