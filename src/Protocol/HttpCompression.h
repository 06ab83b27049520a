#pragma once

// HttpCompression: which answers of a server are compressed with gzip
// (RFC 9110, 8.4.1.3) for clients that ask for it.

#include <cstddef>

namespace brigade {

struct HttpCompression {
  int level = 6;  // 1 (fast) to 9 (small)
  // Bodies of fewer bytes are not worth it, and larger ones would hold up the
  // other connections of the process for tens of milliseconds; neither bounds
  // an answer in pieces.
  std::size_t least = 1024;
  std::size_t most = std::size_t{1} << 20;
};

}  // namespace brigade
