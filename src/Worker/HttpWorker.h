#pragma once

// HttpWorker: a Worker that speaks HTTP/1.1 and 1.0 on an http:// address, also
// http+unix://. Of other protocols it takes those that the program registers:
// by itself it could answer on none.
//
//   class Hello : public brigade::HttpWorker {
//    public:
//     Hello() : HttpWorker("http://0.0.0.0:8080") {}
//     void onRequest(brigade::HttpConnection& http,
//                    const brigade::HttpRequest&) override {
//       http.send("Hello, World!");
//     }
//   };
//
// A request is answered inside onRequest, or later through findHttp(). Every
// request gets one answer: an exception that leaves one of these callbacks
// gives 500, and a body that is too long 413. What is no HTTP is refused with
// its status before the program sees it, and CONNECT with 501: this is no
// proxy.

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "brigade/Protocol/HttpCompression.h"
#include "brigade/Protocol/HttpDate.h"
#include "brigade/Protocol/HttpLimits.h"
#include "brigade/Protocol/HttpRequest.h"
#include "brigade/Protocol/HttpResponse.h"
#include "brigade/Worker/HttpConnection.h"
#include "brigade/Worker/Worker.h"

namespace brigade {

class HttpSessions;
class HttpShared;
namespace detail {
class HttpPacker;
class HttpProtocol;
}  // namespace detail

class HttpWorker : public Worker {
 public:
  explicit HttpWorker(std::string address);
  ~HttpWorker() override;

  // ---- Settings, besides those of Worker. maxPackageSize bounds a body that
  // is collected; packageTimeout (60 s) a request's head, from its first byte;
  // idleTimeout (75 s) the wait for the next request, and for each piece of a
  // body.

  HttpLimits httpLimits;  // of a request's head
  // Answers of text, JSON and the like are sent as gzip to who asks for it, but
  // not files, nor events. None: nothing is compressed. An answer that holds a
  // secret beside what somebody else chose gives the secret away by its length
  // (BREACH): `Cache-Control: no-transform` leaves one as it is.
  std::optional<HttpCompression> httpCompression;

  // ---- Callbacks

  // By itself: 404.
  virtual void onRequest(HttpConnection& http, const HttpRequest& request);
  // The head of a request that has a body. True: its pieces go to
  // onBody, and onBodyEnd follows in place of onRequest. False: onRequest comes
  // when all of it is there.
  virtual bool streamBody(HttpConnection&, const HttpRequest&) { return false; }
  virtual void onBody(HttpConnection&, std::string_view /*piece*/) {}
  virtual void onBodyEnd(HttpConnection&) {}
  // The client has shut its side of the connection while its request, which is
  // there as a whole, waits for the answer or for the rest of a stream: most
  // that do so have left, but some still read. By itself the answer goes on;
  // http.close() ends the connection. Comes again if the program resumes
  // receiving meanwhile.
  virtual void onHttpEnd(HttpConnection&) {}
  // The connection is gone, answered or not.
  virtual void onHttpClose(HttpConnection&) {}
  // All of a streamed answer that waited has left: write() takes more.
  virtual void onHttpDrain(HttpConnection&) {}
  // onHandover and onAdopt of Worker, for a connection that waits for a request
  // or has received a part of its head. Any other one is drained.
  virtual std::optional<std::string> onHttpHandover(HttpConnection&) {
    return std::string();
  }
  virtual void onHttpAdopt(HttpConnection&, std::string_view /*state*/) {}

  // ---- In a worker process

  // Null when it is closed. The pointer is good until the callback returns.
  HttpConnection* findHttp(ConnectionId id);

 protected:
  // This Worker's codec for another scheme as well. Before run().
  void registerHttp(std::string_view scheme);
  // tcp, unix, text and frame as well, for who overrides onConnect and
  // onMessage for them: by itself nothing is answered there. Before run(), and
  // before registerProtocol() of the same names.
  void registerPlain();

  // Of now, as a Date field has it; looked up once a second.
  std::string_view date();

  void onConnect(TcpConnection& tcp) override;
  void onMessage(TcpConnection& tcp, const Message& message) override;
  void onClose(TcpConnection& tcp) override;
  void onBufferFull(TcpConnection& tcp) override;
  void onBufferDrain(TcpConnection& tcp) override;
  void onEnd(TcpConnection& tcp) override;
  void onEndAhead(TcpConnection& tcp) override;
  bool onIdle(TcpConnection& tcp) override;
  Drain onDrain(TcpConnection& tcp) override;
  std::optional<std::string> saveConnection(TcpConnection& tcp) override;
  void restoreConnection(TcpConnection& tcp, std::string_view saved) override;

  void prepareBuiltinsInProcess(detail::WorkerProcess& process) override;

 private:
  friend class HttpConnection;
  friend class HttpSessions;
  friend class detail::HttpProtocol;

  void prepareBuiltins(const detail::Service& service) override;

  // A request for another protocol on this connection. True: it is dealt with.
  virtual bool upgrade(HttpConnection&, const HttpRequest&) { return false; }

  void attach(HttpConnection& http, TcpConnection& tcp) const;
  inline void handle(HttpConnection& http, const HttpRequest& request);
  void beginBody(HttpConnection& http, const HttpRequest& head);
  bool streamWhole(HttpConnection& http, const HttpRequest& request);
  bool staysForAnswer(TcpConnection& tcp);
  void addBody(HttpConnection& http, std::string_view piece);
  void endBody(HttpConnection& http);
  static HttpConnection* httpOf(TcpConnection& tcp);
  static bool refusesTunnel(HttpConnection& http, const HttpRequest& request);
  template <typename Callback>
  void guarded(HttpConnection& http, const HttpRequest& request,
               Callback callback);

  [[noreturn, gnu::cold]] static void failed(HttpConnection& http,
                                             const HttpRequest& request);

  detail::HttpPacker& packer();
  [[gnu::cold]] void lookUpDate(Clock::time_point now);

  // The request that a callback has, and whose: here and not in every
  // connection, of which nearly all have none.
  struct AtHand {
    const HttpConnection* http = nullptr;
    const HttpRequest* request = nullptr;
  };

  std::unique_ptr<HttpShared> shared_;
  std::unique_ptr<detail::HttpPacker> packer_;
  HttpSessions* sessions_ = nullptr;  // a member of the program, if it has one
  AtHand atHand_;
  const HttpResponse text_ = HttpResponse::text({});  // of HttpConnection::send
  std::array<char, kHttpDateSize> date_{};
  Clock::time_point dateEnds_{};
};

}  // namespace brigade
