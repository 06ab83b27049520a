#include "brigade/Worker/detail/SessionId.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace brigade::detail {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

}  // namespace

bool isSessionId(std::string_view text) {
  return text.size() == kSessionIdSize &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return kDigits.find(c) != std::string_view::npos;
         });
}

std::string makeSessionId() {
  std::array<unsigned char, kSessionIdSize / 2> random{};
  // getrandom(2): up to 256 bytes come whole, and uninterrupted once the system
  // has begun.
  ssize_t size = 0;
  do {
    size = ::getrandom(random.data(), random.size(), 0);
  } while (size < 0 && errno == EINTR);
  if (size != static_cast<ssize_t>(random.size())) {
    throw std::system_error(errno, std::generic_category(), "getrandom");
  }
  std::string id;
  id.reserve(kSessionIdSize);
  for (const unsigned char byte : random) {
    id += kDigits[byte >> 4];
    id += kDigits[byte & 15];
  }
  return id;
}

}  // namespace brigade::detail
