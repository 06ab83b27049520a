#pragma once

// exchange: one HTTP request and its answer, before the measuring begins.

#include <string>
#include <string_view>

namespace brigade::bench {

// Sends `request` on a blocking socket and reads one answer: its head, and as
// many bytes as its Content-Length says. Throws std::system_error, and
// std::runtime_error for an answer with another status, for one that does not
// end, and when nothing comes for a while.
std::string exchange(int socket, std::string_view request, int status);

}  // namespace brigade::bench
