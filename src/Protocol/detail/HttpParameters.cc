#include "brigade/Protocol/detail/HttpParameters.h"

#include "brigade/Protocol/detail/HttpSyntax.h"

namespace brigade::detail {
namespace {

std::string_view takeToken(std::string_view& rest) {
  std::size_t size = 0;
  while (size < rest.size() && contains(kTokenBytes, rest[size])) ++size;
  const std::string_view token = rest.substr(0, size);
  rest.remove_prefix(size);
  return token;
}

void skipBlanks(std::string_view& rest) {
  while (!rest.empty() && isBlank(rest.front())) rest.remove_prefix(1);
}

}  // namespace

bool HttpParameters::fail() {
  malformed_ = true;
  return false;
}

bool HttpParameters::next() {
  // RFC 9110, 5.6.6: there may be a ';' with nothing behind it.
  do {
    skipBlanks(rest_);
    if (rest_.empty()) return false;
    if (rest_.front() != ';') return fail();
    rest_.remove_prefix(1);
    skipBlanks(rest_);
  } while (rest_.empty() || rest_.front() == ';');
  name_ = takeToken(rest_);
  if (name_.empty() || rest_.empty() || rest_.front() != '=') return fail();
  rest_.remove_prefix(1);
  value_.clear();
  return !rest_.empty() && rest_.front() == '"' ? quoted() : token();
}

bool HttpParameters::token() {
  const std::string_view token = takeToken(rest_);
  if (token.empty()) return fail();
  value_ = token;
  return true;
}

bool HttpParameters::quoted() {
  rest_.remove_prefix(1);
  while (!rest_.empty()) {
    char c = rest_.front();
    rest_.remove_prefix(1);
    if (c == '"') return true;
    if (isControl(c)) return fail();
    if (c == '\\' && !rest_.empty() &&
        (quoting_ == Quoting::kStrict || rest_.front() == '"' ||
         rest_.front() == '\\')) {
      c = rest_.front();
      rest_.remove_prefix(1);
      if (isControl(c)) return fail();
    }
    value_ += c;
  }
  return fail();
}

}  // namespace brigade::detail
