#include "brigade/Protocol/Tcp.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/CodecProperty.h"

namespace brigade {
namespace {

using testing::CodecMemory;
using testing::CodecProperty;
using testing::CodecRun;

std::vector<std::string> messagesOf(const std::vector<std::string>& reads) {
  Tcp codec;
  CodecMemory memory;
  CodecRun run(codec, memory);
  for (const std::string& read : reads) run.feed(read);
  EXPECT_EQ(run.broken(), "");
  EXPECT_EQ(run.result().rest, 0U);
  EXPECT_EQ(run.result().malformed, "");
  return run.result().messages;
}

TEST(Tcp, EveryReadIsAMessage) {
  const std::vector<std::string> reads = {"a", "two\nlines\n",
                                          std::string("\0\xff", 2), "b"};
  EXPECT_EQ(messagesOf(reads), reads);
}

TEST(Tcp, AMessageIsSentAsItIs) {
  Tcp codec;
  EXPECT_EQ(CodecProperty::encoded(codec, "as it is\r\n"), "as it is\r\n");
}

TEST(Tcp, AnEmptyMessageSendsNothing) {
  Tcp codec;
  EXPECT_EQ(CodecProperty::encoded(codec, ""), "");
}

TEST(Tcp, AMessageSurvivesTheWayThere) {
  const CodecProperty property([] { return std::make_unique<Tcp>(); });
  property.survives("one\ntwo\n");
  property.survives(std::string(100000, 'x'));
}

TEST(Tcp, TheCodecOfAConnectionIsTiny) { EXPECT_LE(sizeof(Tcp), 16U); }

}  // namespace
}  // namespace brigade
