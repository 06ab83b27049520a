#pragma once

// Http: HTTP/1.1 and 1.0 as a server speaks them (RFC 9112). A request that has
// arrived whole is one message; the body of another one streams:
//
//   kRequest                        no body, or all of it came with the head
//   kHead (kBody)* kEnd             every other one; kEnd carries the last
//   piece
//
// Message::as<HttpPart>() says which, and Message::data() is the piece of the
// body as it arrived, without its chunked framing: no memory is spent on a
// body. Views, as every message. What is malformed is refused with a status,
// which refuse() sends; a request after one that ends the connection is
// ignored. Empty lines before a request: one is.
//
// Encoded are HttpReply, HttpPiece, and plain data, which goes out as it is.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "brigade/Protocol/HttpLimits.h"
#include "brigade/Protocol/HttpRequest.h"
#include "brigade/Protocol/HttpResponse.h"
#include "brigade/Protocol/ProtocolInterface.h"
#include "brigade/Protocol/detail/ChunkedDecoder.h"
#include "brigade/Protocol/detail/HttpParser.h"

namespace brigade {

struct HttpPart {
  enum class Kind : std::uint8_t { kRequest, kHead, kBody, kEnd };
  Kind kind = Kind::kRequest;
  // Of kRequest, with its body(), and kHead; else null.
  const HttpRequest* request = nullptr;
};

// A response on its way: connection.send(Message::of(reply, body)). The body
// that is sent is the message's data, not that of the response.
struct HttpReply {
  enum class Framing : std::uint8_t {
    kWhole,      // the data is the whole body
    kLength,     // `length` bytes in all, the data is the first of them
    kChunked,    // HttpPiece follow; none of the data is sent
    kUntilClose  // bytes follow until the connection ends
  };

  const HttpResponse& response;
  Framing framing = Framing::kWhole;
  std::uint64_t length = 0;
  bool headOnly = false;       // the request was HEAD: its body is left out
  bool keepAlive = true;       // false: says that the connection will close
  unsigned minorVersion = 1;   // of the request
  std::string_view date = {};  // kHttpDateSize bytes, or none: no Date

  // False: only the end of the connection ends this response. HTTP/1.0 has no
  // chunks: then the pieces go out bare.
  bool staysOpen() const {
    const bool framed = framing != Framing::kUntilClose &&
                        (framing != Framing::kChunked || minorVersion > 0);
    return keepAlive && (framed || !hasBody());
  }
  // False: the request or the status forbids a body.
  bool hasBody() const { return !headOnly && mayHaveBody(response.status()); }
  // RFC 9112, 6.3: one that may not has no framing either.
  static bool mayHaveBody(unsigned status) {
    return status >= 200 && status != 204 && status != 304;
  }
};

// Pieces of a chunked response, and the interim one: Message::of(piece, data).
enum class HttpPiece : std::uint8_t {
  kChunk,  // the data as one chunk; nothing at all for no data
  kLastChunk,
  kContinue  // HTTP/1.1 100 Continue
};

// What the codecs of one loop share: limits, and room for the one head that is
// being looked at, so that an idle connection has none. Outlives them.
class HttpShared {
 public:
  explicit HttpShared(const HttpLimits& limits = {}) : limits_(limits) {}
  HttpShared(const HttpShared&) = delete;
  HttpShared& operator=(const HttpShared&) = delete;

  const HttpLimits& limits() const { return limits_; }
  // Date of the answers of refuse(), kept by the caller; empty: none.
  std::string_view date;

 private:
  friend class Http;

  HttpLimits limits_;
  HttpRequest request_;
  HttpPart part_;
  // Which packet of which codec request_ was read from.
  const void* codec_ = nullptr;
  const char* packet_ = nullptr;
  std::size_t headLength_ = 0;
};

class Http : public ProtocolInterface {
 public:
  explicit Http(HttpShared& shared);

  Packet input(std::string_view bytes) override;
  Message decode(std::span<char> packet) override;
  // A response of a status that has no body (1xx, 204, 304: RFC 9112, 6.3) goes
  // out without one, and without its length.
  void encode(const Message& message, Output& out) final;
  // The whole answer to what was refused last, in text/plain; kTimeout is 408,
  // or nothing when no byte of a request has come. The connection ends.
  [[gnu::cold]] void refuse(Refusal refusal, Output& out) override;

  // Between two requests, and inside a head; in a body, or when no request
  // follows, none.
  std::optional<std::string> save() const override;
  void restore(std::string_view saved) override;

  // What input() refused last, for logs; status 0: nothing.
  const detail::HttpRefusal& refusal() const { return refusal_; }

 protected:
  // What is neither HttpReply nor HttpPiece: its data, as it is.
  virtual void encodeOther(const Message& message, Output& out);

 private:
  enum class Phase : std::uint8_t {
    kHead,
    kLength,
    kChunked,
    kIgnore,  // what follows a request that ends the connection
    kRefused
  };

  inline Packet head(std::string_view bytes);
  Packet afterHead(std::string_view bytes);
  inline Packet begin(const HttpRequest& request, std::string_view bytes,
                      std::size_t headLength);
  Packet fixedBody(std::size_t present);
  Packet chunkedBody(std::string_view bytes);
  Packet whole(HttpPart::Kind kind, std::size_t length);
  Packet refused(const detail::HttpRefusal& refusal);
  void endRequest();
  inline Message decodeHead(std::span<char> packet);
  [[gnu::cold]] Message readAndDecode(std::span<char> packet);
  unsigned statusOf(Refusal refusal) const;

  HttpShared& shared_;
  detail::HttpRefusal refusal_;
  detail::ChunkedDecoder chunks_;
  std::uint64_t bodyLeft_ = 0;  // of a body of known length
  detail::HttpParser::Resume resume_;
  Phase phase_ = Phase::kHead;
  HttpPart::Kind kind_ = HttpPart::Kind::kRequest;  // what decode() is given
  Phase next_ = Phase::kHead;                       // behind this request
  std::uint8_t emptyLines_ : 4 = 0;  // before it, up to kEmptyLines
  bool begun_ : 1 = false;           // a byte of this request has come
};

}  // namespace brigade
