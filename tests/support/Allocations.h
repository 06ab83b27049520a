#pragma once

// Counts what a test program asks of the heap, in all its threads, and denies
// it: link Allocations.cc, which replaces operator new.

#include <cstddef>

namespace brigade::test {

// Since the program began.
std::size_t allocations();

// The next allocation but `which` fails, once.
void failAllocation(std::size_t which);
// None fails any more.
void failNoAllocation();
// For who allocates otherwise: counts one, and whether it is to fail.
bool allocationFails();

}  // namespace brigade::test
