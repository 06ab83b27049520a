// What it costs that processes share nothing is written down, with its measure.

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

namespace brigade::test {
namespace {

std::string textOf(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(std::string(BRIGADE_SOURCES) + "/" + file).rdbuf();
  return text.str();
}

// The lines of a page from that heading to the next.
std::string sectionOf(const std::string& page, const std::string& heading) {
  const auto begin = page.find("\n" + heading + "\n");
  if (begin == std::string::npos) return {};
  return page.substr(begin, page.find("\n## ", begin + 1) - begin);
}

TEST(SharingCost, N09_EveryWayToShareHasItsCostAndTheBenchmarkThatPrintsIt) {
  const std::string section =
      sectionOf(textOf("docs/processes.md"), "## What sharing costs");
  ASSERT_FALSE(section.empty());
  for (const char* way : {"| letters", "| large data", "| shared state",
                          "| sessions in files", "| sessions in the master"}) {
    EXPECT_NE(section.find(way), std::string::npos) << way;
  }
  const std::string cases = textOf("benchmarks/processes.py");
  const std::string results = textOf("benchmarks/README.md");
  const std::string mark = "`scripts/bench ";
  std::set<std::string> named;
  for (auto at = section.find(mark); at != std::string::npos;
       at = section.find(mark, at + 1)) {
    const auto begin = at + mark.size();
    std::istringstream words(
        section.substr(begin, section.find('`', begin) - begin));
    for (std::string word; words >> word;) named.insert(word);
  }
  EXPECT_TRUE(named.contains("relay")) << "the way from worker to worker";
  for (const std::string& name : named) {
    EXPECT_NE(cases.find("TreeCase(\"" + name + "\""), std::string::npos)
        << name;
    EXPECT_NE(results.find("| `" + name + "` |"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace brigade::test
