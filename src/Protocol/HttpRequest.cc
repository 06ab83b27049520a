#include "brigade/Protocol/HttpRequest.h"

#include <functional>

#include "brigade/Protocol/detail/HttpSyntax.h"

namespace brigade {

std::optional<std::string_view> HttpRequest::header(
    std::string_view name) const {
  for (const HttpHeader& header : headers()) {
    if (detail::sameName(header.name, name)) return header.value;
  }
  return std::nullopt;
}

void HttpRequest::assign(const HttpRequest& other, std::string& storage) {
  storage = other.head_;
  const auto moved = [&](std::string_view view) -> std::string_view {
    const std::less_equal<const char*> notAfter;
    const char* const begin = other.head_.data();
    // Static text stays where it is.
    if (!notAfter(begin, view.data()) ||
        !notAfter(view.data() + view.size(), begin + other.head_.size())) {
      return view;
    }
    return {storage.data() + (view.data() - begin), view.size()};
  };
  head_ = storage;
  method_ = moved(other.method_);
  target_ = moved(other.target_);
  path_ = moved(other.path_);
  query_ = moved(other.query_);
  host_ = moved(other.host_);
  body_ = {};
  isChunked_ = other.isChunked_;
  headers_.clear();
  for (const HttpHeader& header : other.headers()) {
    headers_.push_back({moved(header.name), moved(header.value)});
  }
  fields_ = headers_.size();
  contentLength_ = other.contentLength_;
  minorVersion_ = other.minorVersion_;
  keepAlive_ = other.keepAlive_;
  wantsUpgrade_ = other.wantsUpgrade_;
  expectsContinue_ = other.expectsContinue_;
}

}  // namespace brigade
