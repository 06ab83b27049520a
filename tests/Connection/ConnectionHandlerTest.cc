#include "brigade/Connection/ConnectionHandler.h"

#include <set>
#include <string>

#include "tests/Connection/ConnectionFixture.h"

namespace brigade::test {
namespace {

TEST(ErrorCode, EachHasATextOfItsOwn) {
  std::set<std::string_view> texts;
  const auto last = static_cast<int>(ErrorCode::kException);
  for (int code = 0; code <= last; ++code) {
    const std::string_view text = toString(static_cast<ErrorCode>(code));
    EXPECT_NE(text, "unknown") << code;
    texts.insert(text);
  }
  EXPECT_EQ(texts.size(), static_cast<std::size_t>(last) + 1);
}

class ConnectionHandlerTest : public ConnectionFixture {};

TEST_F(ConnectionHandlerTest, ByItselfTheEndOfInputClosesWhenAllIsSent) {
  FileDescriptor client;
  accept(client).send("last");
  ::shutdown(client.get(), SHUT_WR);
  ASSERT_TRUE(until([&] { return handler.count("close") == 1; }));
  EXPECT_EQ(hear(client), "last\n");
  EXPECT_TRUE(atEnd(client));
}

}  // namespace
}  // namespace brigade::test
