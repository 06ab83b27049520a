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

TEST(ExceptionText, OfAReportHasTheTypeToo) {
  EXPECT_EQ(exceptionReport(std::make_exception_ptr(std::out_of_range("why"))),
            "why (std::out_of_range)");
  EXPECT_EQ(exceptionReport(std::make_exception_ptr(42)),
            "an exception that is no std::exception (int)");
}

}  // namespace
}  // namespace brigade::test
