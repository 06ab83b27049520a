#include "tests/support/HttpOracle.h"

#include <llhttp.h>

#include <memory>

#include "brigade/Protocol/Http.h"
#include "tests/support/CodecRun.h"

namespace brigade::testing {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

// Whether a line ends in white space with an HTAB in it.
bool hasTabAtLineEnd(std::string_view stream) {
  for (auto end = stream.find("\r\n"); end != std::string_view::npos;
       end = stream.find("\r\n", end + 2)) {
    const std::string_view line = stream.substr(0, end);
    const auto blanks = line.find_last_not_of(" \t") + 1;  // 0: there is none
    if (line.find('\t', blanks) != std::string_view::npos) return true;
  }
  return false;
}

// Whether the connection goes on is seen in what follows: one of both may see
// its end where the other sees another request.
void addFraming(std::string& text, bool chunked, std::uint64_t length) {
  if (chunked) {
    text += " chunked";
  } else if (length != 0) {
    text.append(" ").append(std::to_string(length));
  }
  text += "]";
}

// What llhttp makes of a stream, as textOfOurs() writes it.
class Theirs {
 public:
  Theirs() {
    llhttp_settings_init(&settings_);
    settings_.on_message_begin = [](llhttp_t* p) { return of(p).begin(); };
    settings_.on_url = [](llhttp_t* p, const char* at, size_t size) {
      of(p).url_.append(at, size);
      return 0;
    };
    settings_.on_header_field = [](llhttp_t* p, const char* at, size_t size) {
      return of(p).name(at, size);
    };
    settings_.on_header_value = [](llhttp_t* p, const char* at, size_t size) {
      of(p).value_.append(at, size);
      return 0;
    };
    settings_.on_header_value_complete = [](llhttp_t* p) {
      return of(p).field();
    };
    settings_.on_headers_complete = [](llhttp_t* p) { return of(p).head(); };
    settings_.on_body = [](llhttp_t* p, const char* at, size_t size) {
      of(p).text.append(at, size);
      return 0;
    };
    settings_.on_message_complete = [](llhttp_t* p) {
      of(p).text += "$";
      return 0;
    };
  }

  void run(std::string_view stream) {
    llhttp_init(&parser_, HTTP_REQUEST, &settings_);
    parser_.data = this;
    llhttp_errno error = llhttp_execute(&parser_, stream.data(), stream.size());
    while (error == HPE_PAUSED_UPGRADE && parser_.method != HTTP_CONNECT) {
      const char* at = llhttp_get_error_pos(&parser_);
      const auto rest =
          static_cast<std::size_t>(stream.data() + stream.size() - at);
      llhttp_resume_after_upgrade(&parser_);
      error = llhttp_execute(&parser_, at, rest);
    }
    const char* reason = llhttp_get_error_reason(&parser_);
    if (error != HPE_OK && reason != nullptr) refusal = reason;
    // A method or version that it does not know.
    unknown = error == HPE_INVALID_METHOD || error == HPE_INVALID_VERSION ||
              refusal.find("method") != std::string::npos;
  }

  std::string text;
  std::string refusal;
  bool unknown = false;

 private:
  static Theirs& of(llhttp_t* parser) {
    return *static_cast<Theirs*>(parser->data);
  }

  int begin() {
    url_.clear();
    fields_.clear();
    inTrailer_ = false;
    return 0;
  }
  int name(const char* at, std::size_t size) {
    name_.append(at, size);
    return 0;
  }
  int field() {
    if (!inTrailer_) {
      fields_.append(name_).append("=").append(trim(value_)).append(";");
    }
    name_.clear();
    value_.clear();
    return 0;
  }
  int head() {
    inTrailer_ = true;
    const auto method = static_cast<llhttp_method_t>(parser_.method);
    text.append("[").append(llhttp_method_name(method)).append(" ");
    text.append(url_).append(" 1.");
    text.append(std::to_string(parser_.http_minor)).append("|");
    text.append(fields_);
    addFraming(
        text, (parser_.flags & F_CHUNKED) != 0,
        (parser_.flags & F_CONTENT_LENGTH) != 0 ? parser_.content_length : 0);
    return 0;
  }

  llhttp_settings_t settings_;
  llhttp_t parser_;
  std::string url_;
  std::string fields_;
  std::string name_;
  std::string value_;
  bool inTrailer_ = false;
};

std::string textOfOurs(const HttpRequest& request) {
  std::string text = "[";
  text.append(request.method()).append(" ").append(request.target());
  text.append(" 1.").append(std::to_string(request.minorVersion()));
  text.append("|");
  for (const HttpHeader& header : request.headers()) {
    text.append(header.name).append("=").append(header.value).append(";");
  }
  addFraming(text, !request.contentLength(),
             request.contentLength().value_or(0));
  return text;
}

// Drives the codec over the stream, which must lie still.
std::string ours(std::string_view stream) {
  static HttpShared shared;
  Http codec(shared);
  std::string text;
  std::string packet;
  while (!stream.empty()) {
    const Packet found = codec.input(stream);
    if (found.kind > Packet::Kind::kSilent) break;
    if (found.kind == Packet::Kind::kWhole) {
      packet = stream.substr(0, found.length);
      const Message message = codec.decode(packet);
      const HttpPart& part = message.as<HttpPart>();
      if (part.request != nullptr) text += textOfOurs(*part.request);
      text += message.data();
      if (part.kind == HttpPart::Kind::kRequest ||
          part.kind == HttpPart::Kind::kEnd) {
        text += "$";
      }
    }
    stream.remove_prefix(found.length);
  }
  return text;
}

}  // namespace

std::string disagreementOn(std::string_view stream) {
  Theirs theirs;
  theirs.run(stream);
  const std::string text = ours(stream);
  if (std::string_view(theirs.text).starts_with(text)) return "";
  if (theirs.unknown && std::string_view(text).starts_with(theirs.text)) {
    return "";
  }
  // White space around a value may be HTAB (RFC 9110, 5.6.3); llhttp knows only
  // the space behind one that it looks into.
  if (!theirs.refusal.empty() && hasTabAtLineEnd(stream)) return "";
  // Nor does it know an escape in the value of a chunk's extension, nor another
  // extension behind one with a value (RFC 9112, 7.1.1).
  if (theirs.refusal.find("in chunk") != std::string::npos &&
      stream.find('=') != std::string_view::npos &&
      std::string_view(text).starts_with(theirs.text)) {
    return "";
  }
  std::string difference("brigade: ");
  difference.append(text).append("\nllhttp:  ").append(theirs.text);
  return difference.append(" (").append(theirs.refusal).append(")");
}

}  // namespace brigade::testing
