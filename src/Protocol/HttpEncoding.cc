#include "brigade/Protocol/HttpEncoding.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "brigade/Protocol/HttpForm.h"
#include "brigade/Protocol/detail/HttpSyntax.h"

namespace brigade {
namespace {

using detail::nextElement;
using detail::sameName;

constexpr std::string_view kAcceptEncoding = "Accept-Encoding";
constexpr std::string_view kVary = "Vary";

constexpr std::array<std::string_view, 4> kTypes = {
    "application/javascript", "application/json", "application/wasm",
    "application/xml"};

bool startsWith(std::string_view text, std::string_view beginning) {
  return sameName(text.substr(0, beginning.size()), beginning);
}

bool endsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() &&
         sameName(text.substr(text.size() - end.size()), end);
}

bool isCompressibleType(std::string_view contentType) {
  const std::string_view type = nextElement(contentType, ';');
  if (startsWith(type, "text/")) return !sameName(type, "text/event-stream");
  return endsWith(type, "+json") || endsWith(type, "+xml") ||
         std::any_of(kTypes.begin(), kTypes.end(), [&](std::string_view known) {
           return sameName(known, type);
         });
}

bool hasElement(std::string_view list, std::string_view element) {
  while (!list.empty()) {
    if (sameName(nextElement(list, ','), element)) return true;
  }
  return false;
}

// Whether a line of that name has it: all of them are one list (5.3).
bool hasElement(const HttpResponse& response, std::string_view name,
                std::string_view element) {
  std::string_view lines = response.fields();
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find("\r\n"));
    lines.remove_prefix(line.size() + 2);
    const std::size_t colon = line.find(':');
    if (sameName(line.substr(0, colon), name) &&
        hasElement(line.substr(colon + 1), element)) {
      return true;
    }
  }
  return false;
}

}  // namespace

// RFC 9110, 5.3: lines of one name are one list.
bool acceptsGzip(const HttpRequest& request) {
  const auto first = request.header(kAcceptEncoding);
  if (!first) return false;
  const auto headers = request.headers();
  const auto isOne = [](const HttpHeader& header) {
    return sameName(header.name, kAcceptEncoding);
  };
  if (std::count_if(headers.begin(), headers.end(), isOne) == 1) {
    return acceptsEncoding(*first, "gzip");
  }
  std::string all;
  for (const HttpHeader& header : headers) {
    if (isOne(header)) all.append(header.value).append(",");
  }
  return acceptsEncoding(all, "gzip");
}

bool isCompressible(const HttpResponse& response) {
  const unsigned status = response.status();
  if (status < 200 || status == 204 || status == 206 || status == 304) {
    return false;
  }
  return isCompressibleType(response.header("Content-Type").value_or("")) &&
         !response.header("Content-Encoding") &&
         !hasElement(response, "Cache-Control", "no-transform");
}

void addVary(HttpResponse& head) {
  if (hasElement(head, kVary, "*") ||
      hasElement(head, kVary, kAcceptEncoding)) {
    return;
  }
  head.add(kVary, kAcceptEncoding);
}

void addEncoding(HttpResponse& head) {
  const std::string_view etag = head.header("ETag").value_or("");
  if (etag.starts_with('"')) head.set("ETag", "W/" + std::string(etag));
  head.add("Content-Encoding", "gzip");
}

}  // namespace brigade
