#include "brigade/Worker/HttpConnection.h"

#include <array>
#include <stdexcept>
#include <utility>

#include "brigade/Protocol/Gzip.h"
#include "brigade/Protocol/Http.h"
#include "brigade/Protocol/HttpConditions.h"
#include "brigade/Protocol/HttpEncoding.h"
#include "brigade/Worker/HttpWorker.h"
#include "brigade/Worker/detail/HttpBody.h"
#include "brigade/Worker/detail/HttpFile.h"
#include "brigade/Worker/detail/HttpPacker.h"

namespace brigade {
namespace {

void appendField(std::string& event, std::string_view name,
                 std::string_view value) {
  if (value.find_first_of("\r\n") != std::string_view::npos) {
    throw std::invalid_argument("the " + std::string(name) +
                                " of an event has a line end");
  }
  if (value.empty()) return;
  event.append(name).append(": ").append(value) += '\n';
}

void appendData(std::string& event, std::string_view data) {
  while (true) {
    const auto end = data.find_first_of("\r\n");
    event.append("data: ").append(data.substr(0, end)) += '\n';
    if (end == std::string_view::npos) return;
    const bool both =
        data[end] == '\r' && data.substr(end + 1).starts_with('\n');
    data.remove_prefix(end + (both ? 2 : 1));
  }
}

}  // namespace

HttpConnection::HttpConnection(HttpWorker& worker) : worker_(worker) {}

HttpConnection::~HttpConnection() = default;

// The one that a callback has, while it runs.
const HttpRequest* HttpConnection::handled() const {
  const HttpWorker::AtHand& atHand = worker_.atHand_;
  return atHand.http == this ? atHand.request : nullptr;
}

// The one that is being answered, when something of it may matter.
const HttpRequest* HttpConnection::request() const {
  if (const HttpRequest* const request = handled()) return request;
  return body_ ? &body_->request : nullptr;
}

HttpReply HttpConnection::replyFor(const HttpResponse& response) const {
  if (response.status() < 200) {
    throw std::invalid_argument("status " + std::to_string(response.status()) +
                                " is not a final one");
  }
  return {.response = response,
          .headOnly = headOnly_,
          // A body that nobody reads to its end would be taken for a request.
          .keepAlive = keepAlive_ && !draining_ && !bodyPending_,
          .minorVersion = minorVersion_,
          .date = worker_.date()};
}

SendResult HttpConnection::send(const HttpResponse& response) {
  if (phase_ != Phase::kAnswering) return SendResult::kDropped;
  if (!response.filePath().empty()) {
    return sendFile(response, detail::HttpFile::open(response.filePath()),
                    request());
  }
  return sendBody(response, response.body());
}

SendResult HttpConnection::sendBody(const HttpResponse& head,
                                    std::string_view body) {
  return worker_.httpCompression ? sendPacked(head, body)
                                 : sendWhole(head, body);
}

// Compressed, if that is asked for and helps.
SendResult HttpConnection::sendPacked(const HttpResponse& response,
                                      std::string_view body) {
  const HttpCompression& settings = *worker_.httpCompression;
  if (body.size() < settings.least || body.size() > settings.most ||
      !isCompressible(response)) {
    return sendWhole(response, body);
  }
  HttpResponse head = response.head();
  addVary(head);
  const std::string_view packed =
      acceptsGzip_ ? worker_.packer().pack(body, settings.level)
                   : std::string_view();
  if (!packed.empty()) {
    addEncoding(head);
    body = packed;
  }
  return sendWhole(head, body);
}

SendResult HttpConnection::sendFile(const HttpResponse& response,
                                    detail::HttpFile file,
                                    const HttpRequest* asked) {
  if (phase_ != Phase::kAnswering) return SendResult::kDropped;
  detail::HttpFileAnswer answer =
      detail::answerWith(std::move(file), response, {selects_, asked});
  HttpReply reply = replyFor(answer.head);
  if (!answer.parts.empty()) {
    reply.framing = HttpReply::Framing::kLength;
    reply.length = answer.length();
  }
  std::array<char, detail::HttpFileAnswer::kSmall> room;
  const std::string_view small = headOnly_ ? "" : answer.readSmall(room);
  SendResult result =
      put(reply, small.empty() ? answer.head.body() : small, Phase::kWaiting);
  if (result != SendResult::kDropped && !headOnly_ && !answer.parts.empty()) {
    result = answer.sendParts(*tcp_);
  }
  keepAlive_ = reply.keepAlive && reply.staysOpen();
  answered();
  return result;
}

SendResult HttpConnection::send(std::string_view text) {
  if (phase_ != Phase::kAnswering) return SendResult::kDropped;
  return sendBody(worker_.text_, text);
}

SendResult HttpConnection::sendWhole(const HttpResponse& head,
                                     std::string_view body) {
  const HttpReply reply = replyFor(head);
  const SendResult result = put(reply, body, Phase::kWaiting);
  keepAlive_ = reply.keepAlive && reply.staysOpen();
  answered();
  return result;
}

// The phase that follows begins before the bytes leave: what the program sends
// inside onBufferFull finds it.
SendResult HttpConnection::put(const HttpReply& reply, std::string_view body,
                               Phase next) {
  phase_ = next;
  try {
    return tcp_->send(Message::of(reply, body));
  } catch (...) {
    phase_ = Phase::kAnswering;
    throw;
  }
}

SendResult HttpConnection::start(const HttpResponse& head) {
  if (phase_ != Phase::kAnswering) return SendResult::kDropped;
  return worker_.httpCompression && isCompressible(head)
             ? startPacked(head)
             : startStream(head, {});
}

SendResult HttpConnection::startPacked(const HttpResponse& head) {
  HttpResponse encoded = head.head();
  addVary(encoded);
  if (!acceptsGzip_) return startStream(encoded, {});
  addEncoding(encoded);
  std::unique_ptr<Gzip> gzip;
  if (!headOnly_) {
    gzip = std::make_unique<Gzip>(worker_.httpCompression->level,
                                  Gzip::Use::kPieces);
  }
  return startStream(encoded, std::move(gzip));
}

// onBufferFull may end the answer: nothing is to be done behind put().
SendResult HttpConnection::startStream(const HttpResponse& head,
                                       std::unique_ptr<Gzip> gzip) {
  HttpReply reply = replyFor(head);
  const bool headOnly = headOnly_;
  const bool keepAlive = keepAlive_;
  chunked_ = minorVersion_ >= 1;
  reply.framing =
      chunked_ ? HttpReply::Framing::kChunked : HttpReply::Framing::kUntilClose;
  keepAlive_ = reply.keepAlive && reply.staysOpen();
  headOnly_ = !reply.hasBody();
  gzip_ = std::move(gzip);
  if (!chunked_) {
    streamBegins_ = static_cast<std::uint32_t>(tcp_->outputPosition());
  }
  try {
    return put(reply, {}, Phase::kStreaming);
  } catch (...) {
    headOnly_ = headOnly;
    keepAlive_ = keepAlive;
    gzip_.reset();
    throw;
  }
}

SendResult HttpConnection::write(std::string_view piece) {
  if (phase_ != Phase::kStreaming) return SendResult::kDropped;
  if (headOnly_ || piece.empty()) return SendResult::kSent;
  SendResult result = gzip_ ? writePacked(piece)
                      : chunked_
                          ? tcp_->send(Message::of(HttpPiece::kChunk, piece))
                          : tcp_->sendRaw(piece);
  if (phase_ == Phase::kEnding) result = finish();
  // Only a full buffer is followed by onHttpDrain: who waited for it because of
  // less would wait for ever.
  const bool waits = result == SendResult::kQueued && !tcp_->bufferFull();
  return waits ? SendResult::kSent : result;
}

// What the stream has taken has to be sent: so a piece is taken whole or, past
// the mark, not at all; an empty one is the end, which always is. sendAlways()
// may come back here by onBufferFull.
SendResult HttpConnection::writePacked(std::string_view piece) {
  SendResult result = SendResult::kDropped;
  if (packing_ || (!piece.empty() && tcp_->bufferFull())) return result;
  if (tcp_->status() != TcpConnection::Status::kEstablished) return result;
  const auto flush = piece.empty() ? Gzip::Flush::kEnd : Gzip::Flush::kPiece;
  packing_ = true;
  try {
    worker_.packer().pack(*gzip_, piece, flush, [&](std::string_view packed) {
      result = chunked_
                   ? tcp_->sendAlways(Message::of(HttpPiece::kChunk, packed))
                   : tcp_->sendAlways(packed);
      return result != SendResult::kDropped;
    });
  } catch (...) {
    packing_ = false;
    // What follows could not be read.
    cutOff();
    throw;
  }
  packing_ = false;
  return result;
}

SendResult HttpConnection::end() {
  if (phase_ != Phase::kStreaming) return SendResult::kDropped;
  phase_ = Phase::kEnding;
  // In onBufferFull, with a part of a piece: write() has the others.
  return packing_ ? SendResult::kQueued : finish();
}

SendResult HttpConnection::finish() {
  SendResult result = SendResult::kSent;
  try {
    if (gzip_) result = writePacked({});
    if (chunked_ && !headOnly_) {
      // Also past the mark: without it the whole answer is worth nothing.
      result = tcp_->sendAlways(Message::of(HttpPiece::kLastChunk));
    }
  } catch (...) {
    cutOff();
    throw;
  }
  answered();
  return result;
}

SendResult HttpConnection::startEvents() {
  return start(HttpResponse()
                   .set("Content-Type", "text/event-stream")
                   .set("Cache-Control", "no-store"));
}

SendResult HttpConnection::sendEvent(std::string_view data,
                                     std::string_view name,
                                     std::string_view id) {
  std::string event;
  appendField(event, "event", name);
  appendField(event, "id", id);
  appendData(event, data);
  event += '\n';
  return write(event);
}

// The next request may come: the one that waits, or one that is still to be
// received.
void HttpConnection::answered() {
  phase_ = Phase::kWaiting;
  gzip_.reset();
  // Inside a callback the request in it may be the one that is looked at.
  if (handled() == nullptr) body_.reset();
  // A drain that came after the head of this answer.
  const bool drained = draining_ && tcp_->receiveQueueSize() == 0;
  if (!keepAlive_ || bodyPending_ || drained) {
    tcp_->close();
  } else if (held_) {
    held_ = false;
    // Past the mark the next answer would be dropped: onBufferDrain does it.
    if (!tcp_->bufferFull()) tcp_->resumeRecv();
  }
}

void HttpConnection::holdBack(const HttpRequest& request) {
  held_ = true;
  tcp_->pauseRecv();
  // Only a file's answer looks at the request again.
  if (!selects_ || streaming() || !hasConditions(request.headers())) return;
  auto kept = std::make_unique<Body>();
  kept->request.assign(request, kept->head);
  body_ = std::move(kept);
}

// Answers for the program, as far as that is still possible, and closes.
void HttpConnection::fail(unsigned status) {
  keepAlive_ = false;
  if (phase_ == Phase::kAnswering) {
    const std::string text =
        std::to_string(status) + " " + std::string(httpReason(status)) + "\n";
    send(HttpResponse(status)
             .set("Content-Type", "text/plain; charset=utf-8")
             .bodyView(text));
  } else if (answering()) {
    cutOff();
  } else {
    tcp_->close();
  }
}

// A streamed answer that will not be whole: it is seen to have no end, and what
// was answered before it is not lost. For HTTP/1.0 the end of the connection is
// that of the answer: there as little as possible of it is sent.
void HttpConnection::cutOff() {
  if (chunked_ || gzip_ || headOnly_) {
    tcp_->close();
  } else {
    const std::uint64_t now = tcp_->outputPosition();
    tcp_->closeBehind(now - (static_cast<std::uint32_t>(now) - streamBegins_));
  }
}

}  // namespace brigade
