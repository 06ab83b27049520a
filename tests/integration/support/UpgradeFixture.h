#pragma once

// UpgradeFixture: a running UpgradeSubject.cc, and other code put in its place.

#include <gtest/gtest.h>
#include <sys/types.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/support/ClientOf.h"
#include "tests/support/Program.h"
#include "tests/support/TempDirectory.h"
#include "tests/support/Wire.h"

namespace brigade::test {

class UpgradeTest : public ::testing::Test {
 protected:
  // Puts code of that version where the program lies, as an installer does: a
  // new file, renamed over the one before.
  void install(const std::string& code) {
    const std::string fresh = folder.name() + "/fresh";
    std::filesystem::copy_file(
        BRIGADE_UPGRADE_SUBJECT, fresh,
        std::filesystem::copy_options::overwrite_existing);
    std::ofstream(fresh, std::ios::app) << "\n#upgrade " << code << "\n";
    std::filesystem::rename(fresh, path);
  }
  void start(const std::vector<std::string>& environment = {},
             std::vector<std::string> options = {}) {
    // The address is the program's own: it is of the plan.
    options.insert(options.begin(), {"--listen", "text://127.0.0.1:0"});
    program.start(options, environment);
  }
  std::string ask(const std::string& line) {
    return Wire(program.port()).ask(line).value_or("(closed)");
  }
  // Of all workers that answer a few questions.
  std::set<std::string> versions() {
    std::set<std::string> all;
    for (int i = 0; i < 16; ++i) all.insert(ask("id").substr(0, 9));
    return all;
  }
  // A client of the process with this pid.
  std::unique_ptr<Wire> clientOf(pid_t pid) const {
    return test::clientOf(program, "id", "pid=" + std::to_string(pid));
  }
  std::string note() { return program.status().at("note"); }
  bool hasPid(pid_t pid) {
    const auto pids = program.workerPids();
    return std::find(pids.begin(), pids.end(), pid) != pids.end();
  }

  TempDirectory folder;
  const std::string path = folder.name() + "/server";
  Program program{(install("1"), path)};
};

}  // namespace brigade::test
