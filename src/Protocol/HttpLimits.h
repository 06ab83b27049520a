#pragma once

// HttpLimits: what one request may cost before a program has seen it. A value;
// all codecs of a worker share one. A body has no limit here: it is streamed,
// and who collects it decides.

#include <cstddef>

namespace brigade {

struct HttpLimits {
  // Request line and fields with their line ends; over it: 431, or 414 while
  // the request line is not over. What Apache and node take.
  std::size_t headBytes = 16 * 1024;
  // Fields of a head; over it: 431.
  std::size_t fields = 100;
  // The request target; over it: 414. RFC 9112, 3: at least 8000.
  std::size_t targetBytes = 8 * 1024;
  // Extensions of one chunk (RFC 9112, 7.1.1: "a server ought to limit"), and
  // those of all chunks of a body; over it: 400.
  std::size_t chunkExtensionBytes = 1024;
  std::size_t bodyExtensionBytes = 16 * 1024;
  // The trailer section of a chunked body; over it: 431.
  std::size_t trailerBytes = 8 * 1024;
  // A body is handed over together with its head, as one message, when it has
  // arrived with it and both are no longer than this.
  std::size_t wholeRequestBytes = 64 * 1024;
};

}  // namespace brigade
