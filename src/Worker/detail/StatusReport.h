#pragma once

// StatusReport: turns the JSON that the master sends into tables for people.

#include <string>
#include <string_view>
#include <vector>

namespace brigade::detail {

// A head (program, version, loop, start time, load, totals), a row for each
// worker process, and one for each program under the master, if there are any.
// Throws std::runtime_error when the text is not a status.
std::string statusTable(std::string_view json);

// A row for each of the connections (one JSON object each).
std::string connectionsTable(const std::vector<std::string>& json);

}  // namespace brigade::detail
