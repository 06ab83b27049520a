#include "tests/support/ClientOf.h"

#include <gtest/gtest.h>

namespace brigade::test {

std::unique_ptr<Wire> clientOf(const Program& program,
                               const std::string& question,
                               const std::string& word) {
  const std::string wanted = " " + word + " ";
  for (int i = 0; i < 500; ++i) {
    auto client = std::make_unique<Wire>(program.port());
    const std::string answer = client->ask(question).value_or("");
    if ((" " + answer + " ").find(wanted) != std::string::npos) return client;
  }
  ADD_FAILURE() << "no connection reached the process that says " << word;
  return nullptr;
}

}  // namespace brigade::test
