#include "brigade/Events/ExceptionText.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace brigade::test {
namespace {

TEST(ExceptionText, IsWhatTheExceptionSays) {
  EXPECT_EQ(exceptionText(std::make_exception_ptr(std::runtime_error("why"))),
            "why");
}

TEST(ExceptionText, OfWhatIsNoExceptionSaysThat) {
  EXPECT_EQ(exceptionText(std::make_exception_ptr(42)),
            "an exception that is no std::exception");
}

}  // namespace
}  // namespace brigade::test
