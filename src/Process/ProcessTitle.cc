#include "brigade/Process/ProcessTitle.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace brigade {
namespace {

// What the kernel shows of a process is the memory in which its arguments lie
// (proc(5), cmdline), with the environment right behind them. One per process,
// as that memory is.
struct TitleArea {
  char* begin = nullptr;
  std::size_t size = 0;
};

TitleArea& area() {
  static TitleArea one;
  return one;
}

// The environment's new home, and the arguments': kept for as long as the
// process lives, since anybody may hold pointers into them.
std::vector<std::string>& kept() {
  static std::vector<std::string> strings;
  return strings;
}

}  // namespace

void initProcessTitle(int argc, char** argv) {
  if (argc < 1 || area().begin != nullptr) return;
  char* end = argv[0];
  std::vector<char**> places;
  for (int i = 0; i < argc; ++i) places.push_back(&argv[i]);
  for (char** variable = environ; *variable != nullptr; ++variable) {
    places.push_back(variable);
  }
  kept().reserve(places.size());
  area().begin = argv[0];
  for (char** place : places) {
    if (*place != end) break;  // not behind the one before: not in the area
    end += std::strlen(*place) + 1;
    kept().emplace_back(*place);
    *place = kept().back().data();
  }
  area().size = static_cast<std::size_t>(end - area().begin);
}

void setProcessTitle(std::string_view title) {
  if (area().size == 0) return;
  const std::size_t length = std::min(title.size(), area().size - 1);
  std::memcpy(area().begin, title.data(), length);
  std::memset(area().begin + length, '\0', area().size - length);
}

}  // namespace brigade
