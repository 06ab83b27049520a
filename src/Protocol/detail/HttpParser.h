#pragma once

// HttpParser: the head of a request (RFC 9112, 2-3 and 5), checked byte by byte
// and from left to right, so that a head is refused for the same reason however
// it arrives. Nothing is copied and nothing repaired.
//
//   kMethod -> kTarget -> kVersion -> kLine -> kName -> kValue -.
//                                       ^                       |
//      whole <- an empty line ----------+-----------------------'
//
// A head that arrives in one piece is read once. Of one that does not, every
// byte is checked once as it comes, and the whole of it is read when it is
// complete: the table of fields need not live while a head is incomplete.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "brigade/Protocol/HttpLimits.h"
#include "brigade/Protocol/HttpRequest.h"
#include "brigade/Protocol/detail/HttpFraming.h"

namespace brigade::detail {

class HttpParser {
 public:
  enum class State : std::uint8_t {
    kMethod,
    kTarget,
    kVersion,
    kLine,
    kName,
    kValue
  };

  // How far an incomplete head is checked.
  struct Resume {
    std::uint32_t position = 0;
    std::uint32_t token = 0;  // where the target begins
    std::uint16_t fields = 0;
    State state = State::kMethod;
  };

  struct Result {
    enum class Kind : std::uint8_t { kWhole, kMore, kRefused };
    Kind kind;
    std::size_t length;  // of the whole head, with the empty line
    HttpRefusal refusal;
  };

  // `resume` is {} for a new head; after kMore it is kept for the next call,
  // which sees the same bytes and more behind them. `request` is complete
  // after kWhole, and points into `bytes`; else it is anything. The limits of
  // one head are the same in each call.
  static Result parse(std::string_view bytes, Resume& resume,
                      const HttpLimits& limits, HttpRequest& request);

 private:
  class Reader;

  [[gnu::cold]] static Result check(std::string_view bytes, Resume& resume,
                                    const HttpLimits& limits,
                                    HttpRequest& request);
};

}  // namespace brigade::detail
