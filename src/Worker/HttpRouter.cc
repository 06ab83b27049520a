#include "brigade/Worker/HttpRouter.h"

#include <algorithm>
#include <stdexcept>

#include "brigade/Protocol/HttpResponse.h"

namespace brigade {

// One segment of the patterns, and what may follow it.
struct HttpRouter::Node {
  struct Route {
    std::vector<std::string> names;  // of the pattern, from left to right
    Handler handler;
  };

  std::string allow() const {
    std::string methods = "OPTIONS";
    for (const auto& [method, route] : routes) {
      methods += ", " + method;
      if (method == "GET" && !routes.contains("HEAD")) methods += ", HEAD";
    }
    return methods;
  }

  std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
  std::unique_ptr<Node> one;                         // ":name"
  std::unique_ptr<Node> rest;                        // "*name"
  std::map<std::string, Route, std::less<>> routes;  // by method
};

namespace {

[[noreturn]] void refuse(std::string_view pattern, const char* why) {
  throw std::invalid_argument("pattern '" + std::string(pattern) + "': " + why);
}

// Takes the first segment, and the slash behind it, off `rest`.
std::string_view takeSegment(std::string_view& rest) {
  const auto slash = rest.find('/');
  const std::string_view segment = rest.substr(0, slash);
  rest =
      slash == std::string_view::npos ? std::string_view() : rest.substr(slash);
  return segment;
}

template <typename Node>
Node& child(std::unique_ptr<Node>& place) {
  if (!place) place = std::make_unique<Node>();
  return *place;
}

}  // namespace

std::string_view HttpParameters::operator[](std::string_view name) const {
  for (const auto& [key, value] : values_) {
    if (key == name) return value;
  }
  return {};
}

HttpRouter::HttpRouter() : root_(std::make_unique<Node>()) {}
HttpRouter::~HttpRouter() = default;

void HttpRouter::add(std::string_view method, std::string_view pattern,
                     Handler handler) {
  if (!pattern.starts_with('/')) refuse(pattern, "it begins with no slash");
  Node* node = root_.get();
  std::vector<std::string> names;
  std::string_view rest = pattern;
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::string_view segment = takeSegment(rest);
    if (segment.starts_with(':')) {
      names.emplace_back(segment.substr(1));
      node = &child(node->one);
    } else if (segment.starts_with('*')) {
      if (!rest.empty()) refuse(pattern, "a '*' is not at its end");
      names.emplace_back(segment.substr(1));
      node = &child(node->rest);
    } else {
      node = &child(node->literals[std::string(segment)]);
    }
  }
  const bool added =
      node->routes
          .try_emplace(std::string(method),
                       Node::Route{std::move(names), std::move(handler)})
          .second;
  if (!added) refuse(pattern, "it has a function for that method already");
}

// `rest` is empty, or begins with the slash before the next segment.
const HttpRouter::Node* HttpRouter::find(const Node& node,
                                         std::string_view rest,
                                         Matches& matches) {
  if (rest.empty()) return node.routes.empty() ? nullptr : &node;
  std::string_view behind = rest.substr(1);
  const std::string_view all = behind;
  const std::string_view segment = takeSegment(behind);
  const std::size_t known = matches.size();
  const auto literal = node.literals.find(segment);
  if (literal != node.literals.end()) {
    if (const Node* found = find(*literal->second, behind, matches)) {
      return found;
    }
  }
  if (node.one && !segment.empty()) {
    matches.push_back(segment);
    if (const Node* found = find(*node.one, behind, matches)) return found;
  }
  matches.resize(known);
  if (!node.rest) return nullptr;
  matches.push_back(all);
  return node.rest.get();
}

void HttpRouter::route(HttpConnection& http, const HttpRequest& request) const {
  if (request.path() == "*") {  // OPTIONS of the server (RFC 9110, 9.3.7)
    http.send(HttpResponse(204));
    return;
  }
  Matches matches;
  const Node* const node = find(*root_, request.path(), matches);
  if (node == nullptr) {
    http.send(HttpResponse::text("404 Not Found\n", 404));
    return;
  }
  auto route = node->routes.find(request.method());
  if (route == node->routes.end() && request.method() == "HEAD") {
    route = node->routes.find("GET");
  }
  if (route != node->routes.end()) {
    HttpParameters parameters;
    for (std::size_t i = 0; i < matches.size(); ++i) {
      parameters.values_.emplace_back(route->second.names[i], matches[i]);
    }
    route->second.handler(http, request, parameters);
  } else if (request.method() == "OPTIONS") {
    http.send(HttpResponse(204).set("Allow", node->allow()));
  } else {
    http.send(HttpResponse::text("405 Method Not Allowed\n", 405)
                  .set("Allow", node->allow()));
  }
}

}  // namespace brigade
