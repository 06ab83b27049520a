#pragma once

// WebTest: what the tests of HttpWorker and WebSocketWorker have in common.

#include <gtest/gtest.h>

#include <string>

#include "tests/support/Program.h"
#include "tests/support/WebClient.h"

namespace brigade::test {

class WebTest : public ::testing::Test {
 protected:
  WebClient connect() { return WebClient(program.port()); }
  bool logged(const std::string& text) {
    return eventually(
        [&] { return program.log().find(text) != std::string::npos; });
  }

  Program program{BRIGADE_WEB_SUBJECT};
};

}  // namespace brigade::test
