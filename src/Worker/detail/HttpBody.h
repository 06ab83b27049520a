#pragma once

// HttpConnection::Body: a request whose body arrives in pieces: either they go
// to the program one by one, or request and body are kept until all is there.
// Also one with conditions that is answered after its callback.
//
// HttpConnection::Callback: forgets the request when a callback has returned or
// thrown: the views in it are no longer good.

#include <string>
#include <utility>

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

}  // namespace brigade
