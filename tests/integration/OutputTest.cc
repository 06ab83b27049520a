// What a program prints, and what brigade logs, are kept apart and whole.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "tests/support/Program.h"
#include "tests/support/Wire.h"

namespace brigade::test {
namespace {

class Output : public ::testing::Test {
 protected:
  Output() { std::ofstream(config) << "stdoutFile = '" << printed << "'\n"; }

  void startDaemon(const std::string& workers) {
    const Outcome start =
        program.command({"start", "-d", "--workers", workers, "--log-file",
                         logged, "--config", config});
    ASSERT_EQ(start.code, 0) << start.err;
  }
  // A test that failed leaves no daemon.
  void TearDown() override {
    if (program.command({"status"}).code == 0) stop();
  }
  void stop() { EXPECT_EQ(program.command({"stop"}).code, 0); }

  static std::string textOf(const std::string& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
  }
  // Of all files whose names begin like this.
  std::vector<std::string> linesOf(const std::string& prefix) const {
    std::vector<std::string> lines;
    for (const auto& entry :
         std::filesystem::directory_iterator(program.directory())) {
      if (!entry.path().filename().string().starts_with(prefix)) continue;
      const std::string text = textOf(entry.path());
      EXPECT_TRUE(text.empty() || text.ends_with('\n')) << entry.path();
      std::istringstream in(text);
      for (std::string line; std::getline(in, line);) lines.push_back(line);
    }
    return lines;
  }

  Program program{BRIGADE_SUBJECT};
  const std::string config = program.directory() + "/settings.log";
  const std::string printed = program.directory() + "/printed.log";
  const std::string logged = program.directory() + "/logged.log";
};

TEST_F(Output, P28_OfADaemonWhatIsPrintedAndWhatIsLoggedAreApart) {
  startDaemon("1");
  Wire client(program.port());
  ASSERT_EQ(client.ask("print a word"), "said");
  EXPECT_EQ(textOf(printed), "a word\n") << "at once";
  ASSERT_EQ(client.ask("complain another"), "said");
  ASSERT_EQ(client.ask("log a third"), "said");
  stop();
  EXPECT_EQ(textOf(printed), "a word\nanother\n");
  const std::string log = textOf(logged);
  EXPECT_NE(log.find("]: a third\n"), std::string::npos) << log;
  EXPECT_NE(log.find("]: stopped\n"), std::string::npos) << log;
  EXPECT_EQ(log.find("word"), std::string::npos) << log;
}

TEST_F(Output, P28_InTheForegroundThereIsNoFileForWhatIsPrinted) {
  program.launch({"--workers", "1", "--log-file", logged, "--config", config});
  ASSERT_TRUE(eventually([&] {
    return textOf(logged).find("]: ready\n") != std::string::npos;
  })) << textOf(logged);
  {
    Wire client(program.port());
    ASSERT_EQ(client.ask("print a word"), "said");
    ASSERT_EQ(client.ask("log a third"), "said");
  }
  stop();
  EXPECT_EQ(program.wait(), 0);
  EXPECT_EQ(program.log(), "a word\n");
  EXPECT_NE(textOf(logged).find("]: a third\n"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(printed));
}

TEST_F(Output, P28_RotationsTearNoLineAndLoseNone) {
  constexpr int kClients = 3;
  constexpr int kRotations = 8;
  startDaemon("3");
  const std::uint16_t port = program.port();
  const std::string padding(300, '.');
  const auto textOfLine = [&](int client, int line) {
    return std::to_string(client) + "/" + std::to_string(line) + padding;
  };
  std::atomic<bool> rotated{false};
  std::array<int, kClients> said{};
  std::vector<std::thread> clients;
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([&, c] {
      Wire wire(port);
      int& lines = said.at(static_cast<std::size_t>(c));
      for (; !rotated; ++lines) {
        ASSERT_EQ(wire.ask("print " + textOfLine(c, lines)), "said");
        ASSERT_EQ(wire.ask("log " + textOfLine(c, lines)), "said");
      }
    });
  }
  for (int i = 0; i < kRotations; ++i) {
    for (const std::string& file : {printed, logged}) {
      std::error_code gone;
      std::filesystem::rename(file, file + "." + std::to_string(i) + ".log",
                              gone);
      EXPECT_FALSE(gone) << file << ": " << gone.message();
    }
    EXPECT_EQ(program.command({"reopen"}).code, 0);
    EXPECT_TRUE(std::filesystem::exists(printed));
    EXPECT_TRUE(std::filesystem::exists(logged));
  }
  rotated = true;
  for (std::thread& each : clients) each.join();
  stop();

  std::map<std::string, int> prints;
  for (const std::string& line : linesOf("printed")) ++prints[line];
  std::map<std::string, int> logs;
  for (const std::string& line : linesOf("logged")) {
    // "2026-11-21 07:34:14.123Z info subject worker 3 [812]: TEXT"
    const auto behind = line.find("]: ");
    EXPECT_TRUE(line.starts_with("20") && behind != std::string::npos) << line;
    if (behind != std::string::npos) ++logs[line.substr(behind + 3)];
  }
  std::size_t lines = 0;
  for (int c = 0; c < kClients; ++c) {
    for (int i = 0; i < said.at(static_cast<std::size_t>(c)); ++i, ++lines) {
      ASSERT_EQ(prints[textOfLine(c, i)], 1) << c << "/" << i;
      ASSERT_EQ(logs[textOfLine(c, i)], 1) << c << "/" << i;
    }
  }
  EXPECT_GT(lines, 0u);
  EXPECT_EQ(prints.size(), lines) << "nothing else is there";
}

TEST_F(Output, P28_AFileThatCannotBeOpenedAnewIsKept) {
  std::ofstream(config) << "stdoutFile = '" << program.directory()
                        << "/sub/printed'\n";
  const std::string folder = program.directory() + "/sub";
  std::filesystem::create_directory(folder);
  startDaemon("1");
  std::filesystem::rename(folder, folder + ".log");
  EXPECT_EQ(program.command({"reopen"}).code, 0);
  EXPECT_NE(textOf(logged).find("reopen: cannot open " + folder + "/printed"),
            std::string::npos)
      << textOf(logged);
  EXPECT_EQ(Wire(program.port()).ask("print still here"), "said");
  stop();
  EXPECT_EQ(textOf(folder + ".log/printed"), "still here\n");
}

}  // namespace
}  // namespace brigade::test
