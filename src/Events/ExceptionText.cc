#include "brigade/Events/ExceptionText.h"

#include <utility>

namespace brigade {

std::string exceptionText(std::exception_ptr exception) {
  try {
    std::rethrow_exception(std::move(exception));
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

}  // namespace brigade
