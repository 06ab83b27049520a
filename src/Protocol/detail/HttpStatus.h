#pragma once

// HttpStatus: the status lines of the registered statuses (RFC 9110, 15, and
// the registry it founds), made at compile time.

#include <string_view>

namespace brigade::detail {

inline constexpr unsigned kFirstStatus = 100;
inline constexpr unsigned kLastStatus = 599;

// "HTTP/1.1 404 Not Found\r\n"; empty for one that is not registered.
std::string_view statusLine(unsigned status);

}  // namespace brigade::detail
