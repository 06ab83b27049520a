#include "tests/support/Allocations.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

constexpr std::size_t kNever = static_cast<std::size_t>(-1);

std::atomic<std::size_t> allocated{0};
std::atomic<std::size_t> failing{kNever};  // the number of it

void* count(std::size_t size) {
  void* memory = brigade::test::allocationFails() ? nullptr : std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t size) { return count(size); }
void* operator new[](std::size_t size) { return count(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace brigade::test {

std::size_t allocations() { return allocated; }

void failAllocation(std::size_t which) { failing = allocated + which; }

void failNoAllocation() { failing = kNever; }

bool allocationFails() { return allocated++ == failing; }

}  // namespace brigade::test
