#pragma once

// FaultFixture: a running Subject.cc.

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>

#include "tests/integration/support/Load.h"
#include "tests/support/ClientOf.h"
#include "tests/support/Program.h"
#include "tests/support/Wire.h"

namespace brigade::test {

class FaultFixture : public ::testing::Test {
 protected:
  Program program{BRIGADE_SUBJECT};

  // A client of the worker process with this pid.
  std::unique_ptr<Wire> clientOf(pid_t pid) const {
    return test::clientOf(program, "pid", std::to_string(pid));
  }

  std::size_t logLines(const std::string& text) const {
    const std::string log = program.log();
    std::size_t count = 0;
    for (std::size_t at = 0; (at = log.find(text, at)) != std::string::npos;
         at += text.size()) {
      ++count;
    }
    return count;
  }

  std::uint64_t total(const char* figure) const {
    return program.status().at("totals").at(figure).get<std::uint64_t>();
  }
};

}  // namespace brigade::test
