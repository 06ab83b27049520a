#pragma once

// ExceptionText: what an exception says, for a log line.

#include <exception>
#include <string>

namespace brigade {

std::string exceptionText(std::exception_ptr exception);

}  // namespace brigade
