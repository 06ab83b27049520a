#pragma once

// HttpFraming: what the fields of a head say about the message as a whole:
// where its body ends and what becomes of the connection (RFC 9112, 3.2, 6
// and 9.3; RFC 9110, 10.1.1). All that request smuggling is made of is
// refused here.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "brigade/Protocol/HttpRequest.h"

namespace brigade::detail {

// Why a request is refused: the status of the answer and static text.
struct HttpRefusal {
  unsigned status = 0;
  const char* reason = nullptr;

  explicit operator bool() const { return reason != nullptr; }
};

// Which of the fields matter here, noted while they are read.
class HttpSeen {
 public:
  struct Field {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };
  Field host, contentLength, transferEncoding, connection, expect;
  bool plainHost = false;  // Host is known to be valid

  void note(std::string_view name, std::size_t index) {
    if (name.size() < 32 && ((kLengths >> name.size()) & 1) != 0) {
      noteKnown(name, index);
    }
  }

 private:
  static constexpr std::uint32_t kLengths =
      1U << 4 | 1U << 6 | 1U << 10 | 1U << 14 | 1U << 17;

  void noteKnown(std::string_view name, std::size_t index);
};

class HttpFraming {
 public:
  // Completes what `request` says of its body and its connection; its fields
  // and its version are there.
  static HttpRefusal read(const HttpSeen& seen, HttpRequest& request);

 private:
  static HttpRefusal readBody(const HttpSeen& seen, HttpRequest& request);
  static void readConnection(const HttpSeen::Field& field,
                             HttpRequest& request);
  static HttpRefusal readExpect(const HttpSeen::Field& field,
                                HttpRequest& request);
};

}  // namespace brigade::detail
