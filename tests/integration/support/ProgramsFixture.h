#pragma once

// ProgramsFixture: a running ProgramsSubject.cc, the programs and modules under
// it, and what they have left in files.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/Program.h"
#include "tests/support/TempDirectory.h"

namespace brigade::test {

class Programs : public ::testing::Test {
 protected:
  using Lines = std::vector<std::string>;

  // Programs may run as somebody else.
  Programs() { ::chmod(folder.name().c_str(), 0777); }

  // Adds a program; the settings are the subject's.
  void add(const std::string& name, const Lines& command,
           const nlohmann::json& more = nlohmann::json::object()) {
    nlohmann::json one = more;
    one["name"] = name;
    one["command"] = command;
    settings.push_back(one);
  }
  Lines environment(const Lines& more = {}) {
    std::ofstream(folder / "settings") << settings;
    Lines all{"PROGRAMS=" + folder / "settings", "EVENTS=" + folder / "events"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  void start(const Lines& options = {}, const Lines& more = {}) {
    program.start(options, environment(more));
  }

  std::string script(const std::string& name, const std::string& text) const {
    std::ofstream(folder / name) << "#!/bin/sh\n" << text;
    ::chmod((folder / name).c_str(), 0755);
    return folder / name;
  }
  Lines lines(const std::string& file) const {
    Lines all;
    std::ifstream in(folder / file);
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }
  std::size_t count(const std::string& file, const std::string& text) const {
    const Lines all = lines(file);
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [&](const std::string& line) {
          return line.find(text) != std::string::npos;
        }));
  }
  // The PIDs in a file that scripts write them to.
  std::vector<pid_t> pids(const std::string& file) const {
    std::vector<pid_t> all;
    for (const std::string& line : lines(file)) all.push_back(std::stoi(line));
    return all;
  }
  bool until(const std::function<bool()>& condition) {
    return eventually(condition);
  }

  nlohmann::json row(const std::string& name) const {
    const nlohmann::json all = program.status().at("programs");
    for (const nlohmann::json& each : all) {
      if (each.at("name") == name) return each;
    }
    return nullptr;
  }
  std::string state(const std::string& name) const {
    return row(name).at("state").get<std::string>();
  }
  pid_t pidOf(const std::string& name) const {
    const nlohmann::json pid = row(name).at("pid");
    return pid.is_null() ? 0 : pid.get<pid_t>();
  }
  bool runs(const std::string& name) const {
    return row(name).at("state") == "running";
  }
  nlohmann::json worker(const std::string& name) const {
    const nlohmann::json all = program.status().at("workers");
    for (const nlohmann::json& each : all) {
      if (each.at("name") == name) return each;
    }
    return nullptr;
  }
  bool logged(const std::string& text) const {
    return program.log().find(text) != std::string::npos;
  }

  static bool allGone(const std::vector<pid_t>& processes) {
    return std::none_of(processes.begin(), processes.end(), processExists);
  }
  // What /proc says of a process: "Uid:", "Groups:" ...
  static std::string fact(pid_t pid, const std::string& file,
                          const std::string& key) {
    std::ifstream in("/proc/" + std::to_string(pid) + "/" + file);
    for (std::string line; std::getline(in, line);) {
      if (!line.starts_with(key)) continue;
      std::istringstream words(line.substr(key.size()));
      std::string text;
      for (std::string word; words >> word;) text += word + " ";
      return text;
    }
    return "";
  }
  static std::set<std::string> descriptors(pid_t pid) {
    std::set<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(
             "/proc/" + std::to_string(pid) + "/fd")) {
      all.insert(entry.path().filename());
    }
    return all;
  }

  TempDirectory folder;
  nlohmann::json settings = nlohmann::json::array();
  Program program{BRIGADE_PROGRAMS_SUBJECT};
};

}  // namespace brigade::test
