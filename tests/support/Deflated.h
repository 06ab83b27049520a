#pragma once

// Counts what a test program gives zlib to compress: link Deflated.cc, which
// stands in front of deflate(3).

#include <cstddef>

namespace brigade::test {

// Bytes that were taken, since the program began.
std::size_t deflatedBytes();

}  // namespace brigade::test
