#pragma once

// HttpRequest: one request as the peer sent it (RFC 9110, RFC 9112), checked
// and not decoded (HttpForm.h does that). A view: it and all it gives out are
// valid until the callback that received it returns.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace brigade {

namespace detail {
class HttpFraming;
class HttpParser;
}  // namespace detail

struct HttpHeader {
  std::string_view name;   // as sent: compare with HttpRequest::header()
  std::string_view value;  // without the white space around it
};

class HttpRequest {
 public:
  HttpRequest() = default;
  // The views would still be those of the one that was copied.
  HttpRequest(const HttpRequest&) = delete;
  HttpRequest& operator=(const HttpRequest&) = delete;
  // Makes this the same request, but for its body, with views of `storage`,
  // which gets the bytes of the head: for who keeps one longer.
  void assign(const HttpRequest& other, std::string& storage);
  // What body() gives out, for who has collected it.
  void setBody(std::string_view body) { body_ = body; }

  std::string_view method() const { return method_; }  // "GET"
  // As sent: "/a%20b?c=d", "http://host/a", "*", or "host:443" (CONNECT).
  std::string_view target() const { return target_; }
  // "/a%20b"; "/" for an absolute target without one; "*"; empty for CONNECT.
  std::string_view path() const { return path_; }
  std::string_view query() const { return query_; }        // "c=d"
  unsigned minorVersion() const { return minorVersion_; }  // of HTTP/1.x
  // Of the target when it is absolute (RFC 9112, 3.2.2), else of the field
  // Host: "example.org:8080". Empty when the peer named none.
  std::string_view host() const { return host_; }

  std::span<const HttpHeader> headers() const {
    return {headers_.data(), fields_};
  }
  // The first of that name, whatever its case.
  std::optional<std::string_view> header(std::string_view name) const;

  // Empty while the body is still on its way.
  std::string_view body() const { return body_; }
  // What Content-Length says; none for a chunked body, 0 without a body.
  std::optional<std::uint64_t> contentLength() const {
    return isChunked_ ? std::nullopt : std::optional(contentLength_);
  }
  // Whether the peer may send another request on this connection.
  bool keepAlive() const { return keepAlive_; }
  // Connection: upgrade (RFC 9110, 7.8).
  bool wantsUpgrade() const { return wantsUpgrade_; }
  // Expect: 100-continue (RFC 9110, 10.1.1), which HTTP/1.0 has not.
  bool expectsContinue() const { return expectsContinue_; }

 private:
  friend class detail::HttpFraming;
  friend class detail::HttpParser;
  friend class Http;

  std::string_view head_;  // all of it, as it was received
  std::string_view method_;
  std::string_view target_;
  std::string_view path_;
  std::string_view query_;
  std::string_view host_;
  std::string_view body_;
  std::vector<HttpHeader> headers_;  // as many as the limits allow; the first
  std::size_t fields_ = 0;           // fields_ of them are this request's
  std::uint64_t contentLength_ = 0;
  unsigned minorVersion_ = 1;
  bool isChunked_ = false;
  bool keepAlive_ = true;
  bool wantsUpgrade_ = false;
  bool expectsContinue_ = false;
};

}  // namespace brigade
