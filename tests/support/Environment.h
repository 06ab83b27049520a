#pragma once

// Environment: what a test tells the program that it runs.

#include <cstdint>
#include <string>

namespace brigade::test {

// `otherwise` when it is not set.
std::string variable(const char* name, const char* otherwise = "");
// 0 when it is not set, or empty.
std::uint64_t number(const char* name);

// Leaves `setting` as it is when it is not set, or empty.
template <typename T>
void setFrom(const char* name, T& setting) {
  if (!variable(name).empty()) setting = T(number(name));
}

}  // namespace brigade::test
