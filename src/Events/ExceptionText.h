#pragma once

// ExceptionText: what an exception says, as a reason, and of which type it is,
// for a log line.

#include <exception>
#include <string>

namespace brigade {

std::string exceptionText(std::exception_ptr exception);

// "no such key (std::out_of_range)"
std::string exceptionReport(const std::exception_ptr& exception);

}  // namespace brigade
