#pragma once

// HttpConnection: one connection of an HttpWorker. A reference is good inside a
// callback; keep id() and ask HttpWorker::findHttp() to answer later. Requests
// of one connection are handled one after the other: the next is not looked at
// before the one at hand has its whole answer, so pipelined requests are
// answered in their order whatever the program does.
//
//   waiting --request--> answering --send()------------------------> waiting
//                            `------start()--> streaming --end()-------^
//                                                  `--> ending --------^
//
// Ending: end() came inside a write(), from onBufferFull; that write() does it.
//
// What is sent while no request waits for an answer is dropped (kDropped). The
// states change before the bytes leave: in an onBufferFull that comes inside
// send() the request has its answer, and in one inside start() the answer is
// being streamed, so that end() is taken there and nothing else.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "brigade/Connection/TcpConnection.h"
#include "brigade/Protocol/HttpRequest.h"
#include "brigade/Protocol/HttpResponse.h"

namespace brigade {

class Gzip;
class HttpWorker;
struct HttpReply;
namespace detail {
struct HttpFile;
class HttpProtocol;
}  // namespace detail

class HttpConnection {
 public:
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  // The whole answer. Throws what HttpResponse's checks throw.
  //
  // HttpResponse::file(): a large one leaves without passing through memory.
  // 404 for what is no regular file, 403 for one that may not be read, 503 when
  // no descriptor is left; Content-Type by its name unless the program set one.
  // A 200 for GET and HEAD has ETag and Last-Modified, and obeys If-* (304,
  // 412) and Range (206, 416; RFC 9110, 13 and 14), also when it comes late. A
  // file that becomes shorter while it is sent ends the connection.
  SendResult send(const HttpResponse& response);
  // 200, text/plain; the text is UTF-8.
  SendResult send(std::string_view text);

  // An answer in pieces: chunked, or for HTTP/1.0 until the connection ends.
  // kQueued from write(): the peer is slow and the buffer full; go on in
  // onHttpDrain. kDropped: as TcpConnection::send(), and for write() nothing of
  // the piece was taken. An end() that throws, or a write() that compresses,
  // ends the connection.
  SendResult start(const HttpResponse& head);
  SendResult write(std::string_view piece);
  SendResult end();

  // Server-sent events (WHATWG HTML, 9.2): start(), then one event a call; data
  // may have several lines. Throws std::invalid_argument when name or id has a
  // line end.
  SendResult startEvents();
  SendResult sendEvent(std::string_view data, std::string_view name = {},
                       std::string_view id = {});

  // A request waits for its answer, or for the rest of it.
  bool answering() const { return phase_ != Phase::kWaiting; }
  bool streaming() const { return phase_ == Phase::kStreaming; }

  ConnectionId id() const { return tcp_->id(); }
  std::string remoteAddress() const { return tcp_->remoteAddress(); }
  std::string remoteIp() const { return tcp_->remoteIp(); }
  // The program's own state, as TcpConnection's.
  template <typename T>
  T& context() {
    return tcp_->context<T>();
  }
  // Closes after what was sent.
  void close() { tcp_->close(); }
  TcpConnection& tcp() { return *tcp_; }

 private:
  friend class HttpFiles;
  friend class HttpWorker;
  friend class WebSocketWorker;
  friend class detail::HttpProtocol;

  explicit HttpConnection(HttpWorker& worker);

  enum class Phase : std::uint8_t { kWaiting, kAnswering, kStreaming, kEnding };
  struct Body;  // a request that is kept: it arrives in pieces, or has its
                // answer late
  // While it lives a callback has the request.
  class Callback;

  inline void begin(const HttpRequest& request);
  const HttpRequest* handled() const;
  const HttpRequest* request() const;
  SendResult sendWhole(const HttpResponse& head, std::string_view body);
  inline SendResult put(const HttpReply& reply, std::string_view body,
                        Phase next);
  SendResult sendBody(const HttpResponse& head, std::string_view body);
  SendResult sendPacked(const HttpResponse& response, std::string_view body);
  SendResult sendFile(const HttpResponse& response, detail::HttpFile file,
                      const HttpRequest* asked);
  SendResult startPacked(const HttpResponse& head);
  SendResult startStream(const HttpResponse& head, std::unique_ptr<Gzip> gzip);
  SendResult writePacked(std::string_view piece);
  SendResult finish();
  HttpReply replyFor(const HttpResponse& response) const;
  inline void answered();
  void holdBack(const HttpRequest& request);
  void fail(unsigned status);
  void cutOff();

  HttpWorker& worker_;
  TcpConnection* tcp_ = nullptr;  // from onConnect on
  std::unique_ptr<Body> body_;
  std::unique_ptr<Gzip> gzip_;  // of the answer that is streamed
  // Of one without chunks: the last 32 bits of where it begins; less waits.
  std::uint32_t streamBegins_ = 0;
  Phase phase_ = Phase::kWaiting;
  std::uint8_t minorVersion_ = 1;
  bool headOnly_ : 1 = false;
  bool selects_ : 1 = false;      // GET or HEAD
  bool acceptsGzip_ : 1 = false;  // and the worker compresses
  bool keepAlive_ : 1 = true;
  bool chunked_ : 1 = false;      // the answer that is streamed
  bool held_ : 1 = false;         // receiving waits for the answer
  bool bodyPending_ : 1 = false;  // more of the request is on its way
  bool draining_ : 1 = false;
  bool packing_ : 1 = false;  // inside writePacked()
};

}  // namespace brigade
