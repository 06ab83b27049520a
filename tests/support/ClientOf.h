#pragma once

// clientOf: a client of one certain process, of those that share a port.

#include <memory>
#include <string>

#include "tests/support/Program.h"
#include "tests/support/Wire.h"

namespace brigade::test {

// Connects until the answer to `question` has that word: "pid=812". Null, and
// the test has failed, when 500 connections came to other processes.
std::unique_ptr<Wire> clientOf(const Program& program,
                               const std::string& question,
                               const std::string& word);

}  // namespace brigade::test
