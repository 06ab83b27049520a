#pragma once

// Counts the system calls by which a test program sends, and by which it tells
// the kernel what it waits for: link SystemCalls.cc, which stands in for
// send(2), sendmsg(2) and epoll_ctl(2).

#include <cstddef>

namespace brigade::test {

// Since the program began, in all its threads.
std::size_t systemCalls();

}  // namespace brigade::test
