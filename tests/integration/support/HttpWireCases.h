#pragma once

// Bytes over the wire, and what the running server makes of them. A case says
// what is sent and what must come back:
//
//   "200 200 400 closed"   three answers, the last one ends the connection
//   "200 kept"             and the next request is answered, with its own body
//   "waits"                no answer: more of the request is wanted
//   "200- kept"            an answer to HEAD, which has no body
//   "100? 200 kept"        100 may come, if the body was not there yet

#include <ostream>
#include <string>
#include <vector>

namespace brigade::test {

struct WireCase {
  std::string name;  // begins with the section of the RFC
  std::string bytes;
  std::string answers;
  std::string last = {};  // the last answer's body, unless it is empty
  bool halfClose = false;
};

struct WireGroup {
  std::string name;
  std::string server;
  std::vector<WireCase> cases;
};

inline void PrintTo(const WireGroup& group, std::ostream* out) {
  *out << group.name;
}

// The groups, by what they are about; all of them.
std::vector<WireGroup> httpMessageCases();
std::vector<WireGroup> httpConnectionCases();

// ---- What is sent

inline std::string request(const std::string& line,
                           const std::string& fields = {}) {
  return line + "\r\nHost: a\r\n" + fields + "\r\n";
}

inline std::string get(const std::string& fields = {}) {
  return request("GET / HTTP/1.1", fields);
}

// A request whose framing is in question, and one that it might hide.
inline std::string post(const std::string& fields, const std::string& body) {
  return request("POST / HTTP/1.1", fields) + body;
}

inline std::string chunked(const std::string& body) {
  return post("Transfer-Encoding: chunked\r\n", body);
}

inline std::string length(const std::string& value) {
  return post("Content-Length: " + value + "\r\n", "12345");
}

inline std::string codings(const std::string& value) {
  return post("Transfer-Encoding: " + value + "\r\n",
              "5\r\n12345\r\n0\r\n\r\n");
}

inline std::string host(const std::string& value) {
  return "GET / HTTP/1.1\r\nHost: " + value + "\r\n\r\n";
}

inline std::string times(unsigned count, const std::string& text) {
  std::string all;
  while (count-- > 0) all += text;
  return all;
}

inline const std::string kHidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

}  // namespace brigade::test
