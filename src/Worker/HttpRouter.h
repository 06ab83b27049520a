#pragma once

// HttpRouter: which function answers which method and path.
//
//   router.add("GET", "/users/:id", [](HttpConnection& http,
//                                      const HttpRequest&,
//                                      const HttpParameters& parameters) {
//     http.send(parameters["id"]);
//   });
//
// A pattern is segments: literal text, ":name" for exactly one segment that is
// not empty, and "*name" at the end for all that follows, slashes included. A
// literal segment goes before ":name", and that before "*name". Segments are
// compared as they were sent, without percent-decoding: what could be a slash
// in disguise matches no literal.
//
// HEAD is answered by GET's function. OPTIONS and a method that a path does not
// have are answered with Allow (204, 405), and an unknown path with 404.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "brigade/Protocol/HttpRequest.h"
#include "brigade/Worker/HttpConnection.h"

namespace brigade {

// What the pattern's names stand for in one request: views of its path.
class HttpParameters {
 public:
  // Empty when the pattern has no such name.
  std::string_view operator[](std::string_view name) const;

 private:
  friend class HttpRouter;
  std::vector<std::pair<std::string_view, std::string_view>> values_;
};

class HttpRouter {
 public:
  using Handler = std::function<void(HttpConnection&, const HttpRequest&,
                                     const HttpParameters&)>;

  HttpRouter();
  ~HttpRouter();

  // Throws std::invalid_argument, naming the pattern, when it does not begin
  // with a slash, when "*name" is not at its end, or when the same method and
  // pattern have a function already.
  void add(std::string_view method, std::string_view pattern, Handler handler);

  // Answers the request.
  void route(HttpConnection& http, const HttpRequest& request) const;

 private:
  struct Node;
  using Matches = std::vector<std::string_view>;

  static const Node* find(const Node& node, std::string_view rest,
                          Matches& matches);

  std::unique_ptr<Node> root_;
};

}  // namespace brigade
