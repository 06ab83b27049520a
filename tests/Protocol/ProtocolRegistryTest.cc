#include "brigade/Protocol/ProtocolRegistry.h"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "brigade/Protocol/Frame.h"
#include "brigade/Protocol/Tcp.h"
#include "brigade/Protocol/Text.h"

namespace brigade {
namespace {

class Mine : public Text {};

std::unique_ptr<ProtocolInterface> makeMine() {
  return std::make_unique<Mine>();
}

template <typename Codec>
bool makes(const ProtocolRegistry& registry, std::string_view scheme) {
  const std::shared_ptr<ProtocolInterface> codec = registry.find(scheme)();
  return dynamic_cast<Codec*>(codec.get()) != nullptr;
}

// What the exception says that `action` throws as an Exception.
template <typename Exception, typename Action>
std::string errorOf(Action action) {
  try {
    action();
  } catch (const Exception& e) {
    return e.what();
  }
  return "nothing was thrown";
}

TEST(ProtocolRegistry, KnowsThePlainProtocols) {
  const ProtocolRegistry registry;
  EXPECT_TRUE(makes<Tcp>(registry, "tcp"));
  EXPECT_TRUE(makes<Tcp>(registry, "unix"));
  EXPECT_TRUE(makes<Text>(registry, "text"));
  EXPECT_TRUE(makes<Frame>(registry, "frame"));
}

TEST(ProtocolRegistry, MakesACodecWithStateForEachConnection) {
  const ProtocolRegistry registry;
  const ProtocolFactory& factory = registry.find("text");
  EXPECT_NE(factory(), factory());
}

TEST(ProtocolRegistry, ACodecWithoutStateIsOneForAllConnections) {
  const ProtocolRegistry registry;
  for (const char* scheme : {"tcp", "unix", "frame"}) {
    const ProtocolFactory& factory = registry.find(scheme);
    EXPECT_EQ(factory(), factory()) << scheme;
  }
}

TEST(ProtocolRegistry, TakesAProtocolOfTheProgram) {
  ProtocolRegistry registry;
  registry.add("mine", makeMine);
  EXPECT_TRUE(makes<Mine>(registry, "mine"));
  const std::vector<std::string> all = {"frame", "mine", "tcp", "text", "unix"};
  EXPECT_EQ(registry.schemes(), all);
}

TEST(ProtocolRegistry, ReplacesAProtocol) {
  ProtocolRegistry registry;
  registry.add("text", makeMine);
  EXPECT_TRUE(makes<Mine>(registry, "text"));
  EXPECT_EQ(registry.schemes().size(), 4U);
}

TEST(ProtocolRegistry, ACopyIsItsOwn) {
  const ProtocolRegistry original;
  ProtocolRegistry copy = original;
  copy.add("mine", makeMine);
  EXPECT_TRUE(makes<Mine>(copy, "mine"));
  EXPECT_THROW(original.find("mine"), UnknownProtocol);
}

TEST(ProtocolRegistry, SaysWhatIsThereInsteadOfAnUnknownProtocol) {
  const ProtocolRegistry registry;
  EXPECT_EQ(errorOf<UnknownProtocol>([&] { registry.find("gopher"); }),
            "unknown protocol 'gopher': have frame, tcp, text, unix");
  EXPECT_EQ(errorOf<UnknownProtocol>([&] { registry.find(""); }),
            "unknown protocol '': have frame, tcp, text, unix");
}

TEST(ProtocolRegistry, TakesEveryGoodScheme) {
  ProtocolRegistry registry;
  for (const char* scheme : {"a", "z", "jsonl", "x-y.2", "a--"}) {
    registry.add(scheme, makeMine);
    EXPECT_TRUE(makes<Mine>(registry, scheme)) << scheme;
  }
}

TEST(ProtocolRegistry, RefusesABadScheme) {
  ProtocolRegistry registry;
  for (const std::string scheme : {"", "Text", "2text", "-a", ".a", "a+b",
                                   "a_b", "a b", "a:", "\xc3\xa4"}) {
    const auto add = [&] { registry.add(scheme, makeMine); };
    EXPECT_EQ(errorOf<std::invalid_argument>(add),
              "bad protocol scheme '" + scheme +
                  "': want a letter a-z, then letters a-z, digits, '.' and "
                  "'-'");
  }
  EXPECT_EQ(registry.schemes().size(), 4U);
}

TEST(ProtocolRegistry, ThatIsClearedHasOnlyWhatIsAddedBehind) {
  ProtocolRegistry registry;
  registry.clear();
  registry.add("mine", makeMine);
  EXPECT_EQ(registry.schemes(), std::vector<std::string>{"mine"});
  EXPECT_EQ(errorOf<UnknownProtocol>([&] { registry.find("text"); }),
            "unknown protocol 'text': have mine");
}

TEST(ProtocolRegistry, RefusesAFactoryThatIsEmpty) {
  ProtocolRegistry registry;
  const auto add = [&] { registry.add("text", nullptr); };
  EXPECT_EQ(errorOf<std::invalid_argument>(add),
            "protocol 'text' has no factory");
  EXPECT_TRUE(makes<Text>(registry, "text"));
}

}  // namespace
}  // namespace brigade
