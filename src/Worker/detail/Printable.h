#pragma once

// Printable: text from elsewhere (a peer, a file name, an exception) made safe
// to show in one line of a log or a terminal: it cannot begin a new line, move
// the cursor or pose as something else.

#include <cstddef>
#include <string>
#include <string_view>

namespace brigade::detail {

// Control characters (also those of Unicode: U+0080 to U+009F) and bytes that
// are not UTF-8 become \n, \r, \t or \xNN; everything else stays as it is, a
// backslash too.
std::string printable(std::string_view text);

// Columns that printable text takes: its code points.
std::size_t displayWidth(std::string_view text);

}  // namespace brigade::detail
