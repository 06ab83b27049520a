#pragma once

// HttpOracle: whether another parser, llhttp in strict mode, sees the same
// requests in a stream as brigade's codec. Where they differ, two servers of
// one chain may disagree on where a request ends, and that is an attack.
//
// The codec may refuse what llhttp takes. What it takes, llhttp takes in the
// same way, but for methods that llhttp does not know (RFC 9110, 9.1) and minor
// versions over 1 (2.5).

#include <string>
#include <string_view>

namespace brigade::testing {

// Where the two differ, in words; empty: nowhere.
std::string disagreementOn(std::string_view stream);

}  // namespace brigade::testing
