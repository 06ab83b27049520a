#pragma once

// Counts what a test program asks of the heap, in all its threads: link
// Allocations.cc, which replaces operator new.

#include <cstddef>

namespace brigade::test {

// Since the program began.
std::size_t allocations();

}  // namespace brigade::test
