#pragma once

// HttpConnection::Body: a request whose body arrives in pieces: either they go
// to the program one by one, or request and body are kept until all is there.
// Also one with conditions that is answered after its callback.
//
// HttpConnection::begin: what of a request its answer depends on.
//
// HttpConnection::Callback: forgets the request when a callback has returned or
// thrown: the views in it are no longer good.

#include <string>
#include <utility>

#include "brigade/Protocol/HttpEncoding.h"
#include "brigade/Protocol/HttpRequest.h"
#include "brigade/Worker/HttpConnection.h"
#include "brigade/Worker/HttpWorker.h"

namespace brigade {

struct HttpConnection::Body {
  bool streamed = false;
  std::string head;  // what `request` points into
  HttpRequest request;
  std::string collected;
};

class HttpConnection::Callback {
 public:
  explicit Callback(HttpConnection& http)
      : worker_(http.worker_),
        before_(std::exchange(worker_.atHand_, {&http, nullptr})) {}
  ~Callback() { worker_.atHand_ = before_; }
  Callback(const Callback&) = delete;
  Callback& operator=(const Callback&) = delete;

 private:
  HttpWorker& worker_;
  const HttpWorker::AtHand before_;
};

inline void HttpConnection::begin(const HttpRequest& request) {
  phase_ = Phase::kAnswering;
  worker_.atHand_.request = &request;
  minorVersion_ = static_cast<std::uint8_t>(request.minorVersion());
  const bool gzip = worker_.httpCompression && acceptsGzip(request);
  const bool head = request.method() == "HEAD";
  const bool selects = head || request.method() == "GET";
  // They share a byte: one behind the other they are one write.
  headOnly_ = head;
  selects_ = selects;
  acceptsGzip_ = gzip;
  keepAlive_ = request.keepAlive();
}

}  // namespace brigade
