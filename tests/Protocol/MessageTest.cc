#include "brigade/Protocol/Message.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <typeinfo>

namespace brigade {
namespace {

struct Request {
  std::string path;
};
struct Special : Request {};

// A program's own string class.
struct Name {
  std::string text;
  operator std::string_view() const { return text; }
};

std::string_view dataOf(const Message& message) { return message.data(); }

TEST(Message, IsMadeOfAnythingThatIsText) {
  const std::string text = "text";
  EXPECT_EQ(dataOf("text"), "text");
  EXPECT_EQ(dataOf(text.c_str()), "text");
  EXPECT_EQ(dataOf(text), "text");
  EXPECT_EQ(dataOf(std::string_view("text")), "text");
  EXPECT_EQ(dataOf(Name{"text"}), "text");
}

TEST(Message, IsAView) {
  const std::string text = "text";
  const Message message = text;
  const Message copy = message;
  EXPECT_EQ(copy.data().data(), text.data());
}

TEST(Message, HoldsBytesOfAnyValue) {
  const std::string_view bytes("a\0b", 3);
  EXPECT_EQ(dataOf(bytes), bytes);
}

TEST(Message, OfBytesCarriesNoObject) {
  const Message message = "text";
  EXPECT_FALSE(message.is<Request>());
  EXPECT_THROW(message.as<Request>(), std::bad_cast);
}

TEST(Message, CarriesAnObjectOfOneType) {
  const Request request{"/"};
  const Message message = Message::of(request, "GET /");
  EXPECT_TRUE(message.is<Request>());
  EXPECT_EQ(&message.as<Request>(), &request);
  EXPECT_EQ(message.data(), "GET /");
}

TEST(Message, CarriesAnObjectWithoutBytes) {
  const Request request{"/"};
  EXPECT_EQ(Message::of(request).data(), "");
}

TEST(Message, IsNotMistakenForAnotherType) {
  const Special special{{"/"}};
  const Message message = Message::of(special);
  EXPECT_FALSE(message.is<Request>());
  EXPECT_FALSE(message.is<std::string>());
  EXPECT_THROW(message.as<Request>(), std::bad_cast);
}

TEST(Message, KeepsItsObjectWhenCopied) {
  const Request request{"/"};
  Message message = "text";
  message = Message::of(request);
  EXPECT_EQ(&message.as<Request>(), &request);
}

}  // namespace
}  // namespace brigade
