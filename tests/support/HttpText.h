#pragma once

// HttpText: what the HTTP codec gives out, as a text that does not depend on
// how the bytes were cut: a line for each head, the body, and a mark at its
// end.

#include <string>

#include "brigade/Protocol/Http.h"

namespace brigade::testing {

inline std::string textOf(const HttpRequest& request) {
  std::string text = "[";
  text.append(request.method()).append(" ").append(request.target());
  text.append(" 1.").append(std::to_string(request.minorVersion()));
  if (!request.keepAlive()) text += " close";
  if (request.wantsUpgrade()) text += " upgrade";
  if (request.expectsContinue()) text += " expects";
  if (!request.contentLength()) {
    text += " chunked";
  } else if (*request.contentLength() != 0) {
    text += " length=" + std::to_string(*request.contentLength());
  }
  text += "|";
  for (const HttpHeader& header : request.headers()) {
    text.append(header.name).append("=").append(header.value).append(";");
  }
  return text + "]";
}

inline std::string textOf(const Message& message) {
  const HttpPart& part = message.as<HttpPart>();
  const std::string data(message.data());
  switch (part.kind) {
    case HttpPart::Kind::kRequest:
      return textOf(*part.request) + data + "$";
    case HttpPart::Kind::kHead:
      return textOf(*part.request);
    case HttpPart::Kind::kBody:
      return data;
    case HttpPart::Kind::kEnd:
      break;
  }
  return data + "$";
}

}  // namespace brigade::testing
