#pragma once

// The name that ps(1) shows: "brigade: shout worker 3".

#include <string_view>

namespace brigade {

// Once, first thing in main, with main's own arguments: makes room by moving
// the environment away.
void initProcessTitle(int argc, char** argv);
void setProcessTitle(std::string_view title);

}  // namespace brigade
