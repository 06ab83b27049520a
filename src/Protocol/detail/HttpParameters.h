#pragma once

// HttpParameters: *( OWS ";" OWS token "=" ( token / quoted-string ) ), as
// they stand behind a media type (RFC 9110, 5.6.6) and a disposition (RFC
// 6266).

#include <cstdint>
#include <string>
#include <string_view>

namespace brigade::detail {

// kForms: browsers put '\' into file names without escaping it, and '"' as %22
// (RFC 7578, 4.2); only \" and \\ are escapes there.
enum class Quoting : std::uint8_t { kStrict, kForms };

class HttpParameters {
 public:
  // `rest` begins where the value before it ended.
  HttpParameters(std::string_view rest, Quoting quoting)
      : rest_(rest), quoting_(quoting) {}

  // False: there is no other, or it is malformed.
  bool next();
  bool malformed() const { return malformed_; }

  std::string_view name() const { return name_; }  // as sent
  const std::string& value() const { return value_; }

 private:
  bool fail();
  bool quoted();
  bool token();

  std::string_view rest_;
  Quoting quoting_;
  std::string_view name_;
  std::string value_;
  bool malformed_ = false;
};

}  // namespace brigade::detail
