#include "brigade/Events/ExceptionText.h"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <typeinfo>
#include <utility>

namespace brigade {
namespace {

// Inside a catch block. As it is written in C++, or else as the linker has it.
std::string currentType() {
  const std::type_info* const type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "of another language";
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(type->name(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? name.get() : type->name();
}

}  // namespace

std::string exceptionText(std::exception_ptr exception) {
  try {
    std::rethrow_exception(std::move(exception));
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

std::string exceptionReport(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (...) {
    return exceptionText(exception) + " (" + currentType() + ")";
  }
}

}  // namespace brigade
