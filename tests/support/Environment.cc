#include "tests/support/Environment.h"

#include <cstdlib>

namespace brigade::test {

std::string variable(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

std::uint64_t number(const char* name) {
  const std::string value = variable(name);
  return value.empty() ? 0 : std::stoull(value);
}

}  // namespace brigade::test
