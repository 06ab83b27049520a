#pragma once

// Counts what a test program gives zlib to compress, and lets zlib have no
// memory when an allocation is to fail: link Deflated.cc and Allocations.cc.

#include <cstddef>

namespace brigade::test {

// Bytes that were taken, since the program began.
std::size_t deflatedBytes();

}  // namespace brigade::test
