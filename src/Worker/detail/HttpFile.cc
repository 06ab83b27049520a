#include "brigade/Worker/detail/HttpFile.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "brigade/Protocol/HttpConditions.h"
#include "brigade/Protocol/HttpDate.h"

namespace brigade::detail {
namespace {

void appendHex(std::string& text, std::uint64_t number) {
  std::array<char, 16> digits;
  char* const begin = digits.data();
  const char* const end =
      std::to_chars(begin, begin + digits.size(), number, 16).ptr;
  text.append(begin, static_cast<std::size_t>(end - begin));
}

// Strong (RFC 9110, 8.8.1): the time has nanoseconds.
std::string etagOf(const HttpFile& file) {
  std::string etag = "\"";
  appendHex(etag, static_cast<std::uint64_t>(file.modified.tv_sec));
  etag += '-';
  appendHex(etag, static_cast<std::uint64_t>(file.modified.tv_nsec));
  etag += '-';
  appendHex(etag, file.size);
  return etag += '"';
}

// Fields that the program has set are its own.
void setDefault(HttpResponse& head, std::string_view name,
                std::string_view value) {
  if (!head.header(name)) head.set(name, value);
}

void setType(HttpResponse& head) {
  setDefault(head, "Content-Type", contentTypeOf(head.filePath()));
}

HttpFileAnswer refusal(unsigned status) {
  return {HttpResponse::text(std::to_string(status) + " " +
                                 std::string(httpReason(status)) + "\n",
                             status),
          {},
          {}};
}

HttpFileAnswer notSatisfiable(std::uint64_t size) {
  HttpFileAnswer answer = refusal(416);
  answer.head.set("Content-Range", "bytes */" + std::to_string(size));
  return answer;
}

std::string contentRange(const HttpRange& range, std::uint64_t size) {
  return "bytes " + std::to_string(range.first) + "-" +
         std::to_string(range.first + range.length - 1) + "/" +
         std::to_string(size);
}

// Not to be foreseen, or a file could hold it (RFC 2046, 5.1.1).
std::string makeBoundary() {
  std::array<std::uint64_t, 2> random{};
  // getrandom(2): up to 256 bytes come whole, once the system has begun.
  static_cast<void>(::getrandom(random.data(), sizeof random, 0));
  std::string boundary;
  for (const std::uint64_t number : random) appendHex(boundary, number);
  return boundary;
}

using SharedFile = std::shared_ptr<const FileDescriptor>;

SharedFile share(HttpFile& file) {
  return std::make_shared<const FileDescriptor>(std::move(file.descriptor));
}

void addPart(HttpFileAnswer& answer, SharedFile file, const HttpRange& range) {
  if (range.length > 0) answer.parts.push_back({{}, std::move(file), range});
}

// RFC 9110, 15.3.7.2: multipart/byteranges.
void addParts(HttpFileAnswer& answer, HttpFile file,
              const std::vector<HttpRange>& ranges) {
  const std::string boundary = makeBoundary();
  const std::string type(answer.head.header("Content-Type").value_or(""));
  const SharedFile shared = share(file);
  for (const HttpRange& range : ranges) {
    addPart(answer, shared, range);
    answer.parts.back().before =
        (answer.parts.size() == 1 ? "--" : "\r\n--") + boundary +
        "\r\nContent-Type: " + type +
        "\r\nContent-Range: " + contentRange(range, file.size) + "\r\n\r\n";
  }
  answer.behind = "\r\n--" + boundary + "--\r\n";
  answer.head.set("Content-Type", "multipart/byteranges; boundary=" + boundary);
}

HttpFileAnswer whole(HttpFile file, HttpResponse head) {
  HttpFileAnswer answer{std::move(head), {}, {}};
  addPart(answer, share(file), {0, file.size});
  return answer;
}

HttpFileAnswer partial(HttpFile file, HttpResponse head,
                       const std::vector<HttpRange>& ranges) {
  HttpFileAnswer answer{std::move(head), {}, {}};
  if (ranges.size() > 1) {
    addParts(answer, std::move(file), ranges);
  } else {
    answer.head.set("Content-Range", contentRange(ranges[0], file.size));
    addPart(answer, share(file), ranges[0]);
  }
  answer.head.setStatus(206);
  return answer;
}

HttpFileAnswer ranged(HttpFile file, HttpResponse head,
                      std::string_view range) {
  const HttpRanges wanted = parseRanges(range, file.size);
  switch (wanted.kind) {
    case HttpRanges::Kind::kSatisfiable:
      return partial(std::move(file), std::move(head), wanted.ranges);
    case HttpRanges::Kind::kUnsatisfiable:
      return notSatisfiable(file.size);
    case HttpRanges::Kind::kIgnored:
      break;
  }
  return whole(std::move(file), std::move(head));
}

// RFC 9110, 8.8.2.1: nothing was modified later than now.
std::time_t describe(const HttpFile& file, std::time_t now,
                     HttpResponse& head) {
  const std::time_t modified = std::min(file.modified.tv_sec, now);
  const auto date = formatHttpDate(modified);
  setDefault(head, "Last-Modified", {date.data(), date.size()});
  setDefault(head, "ETag", etagOf(file));
  setDefault(head, "Accept-Ranges", "bytes");
  return parseHttpDate(*head.header("Last-Modified")).value_or(modified);
}

HttpFileAnswer selected(HttpFile file, HttpResponse head,
                        const HttpRequest* request) {
  const std::time_t now = ::time(nullptr);
  const std::time_t modified = describe(file, now, head);
  if (request == nullptr) {
    setType(head);
    return whole(std::move(file), std::move(head));
  }
  const std::string etag(*head.header("ETag"));
  const HttpValidators validators{etag, modified, now};
  switch (checkConditions(request->headers(), validators)) {
    case HttpPrecondition::kFailed:
      return refusal(412);
    case HttpPrecondition::kNotModified:
      head.setStatus(304);
      return {std::move(head), {}, {}};
    case HttpPrecondition::kHolds:
      break;
  }
  setType(head);
  const auto range = request->method() == "GET"
                         ? rangeOf(request->headers(), validators)
                         : std::nullopt;
  if (range) return ranged(std::move(file), std::move(head), *range);
  return whole(std::move(file), std::move(head));
}

}  // namespace

int HttpFile::openFlags() {
  return O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
}

HttpFile HttpFile::open(const std::string& path) {
  // The system would take what is before the NUL for the name.
  if (path.find('\0') != std::string::npos) return failed(ENOENT);
  int fd = -1;
  do {
    fd = ::open(path.c_str(), openFlags());
  } while (fd < 0 && errno == EINTR);
  return fd < 0 ? failed(errno) : of(FileDescriptor(fd));
}

HttpFile HttpFile::of(FileDescriptor descriptor) {
  struct stat found {};
  if (::fstat(descriptor.get(), &found) != 0) return failed(errno);
  HttpFile file;
  file.isDirectory = S_ISDIR(found.st_mode);
  if (!S_ISREG(found.st_mode)) return file;
  file.descriptor = std::move(descriptor);
  file.size = static_cast<std::uint64_t>(found.st_size);
  file.modified = found.st_mtim;
  file.status = 200;
  return file;
}

HttpFile HttpFile::failed(int error) {
  HttpFile file;
  switch (error) {
    case EACCES:
    case EPERM:
      file.status = 403;
      break;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
      file.status = 503;
      break;
    default:
      file.status = 404;
  }
  return file;
}

std::uint64_t HttpFileAnswer::length() const {
  std::uint64_t sum = behind.size();
  for (const Part& part : parts) sum += part.before.size() + part.range.length;
  return sum;
}

std::string_view HttpFileAnswer::readSmall(std::span<char> room) {
  if (parts.size() != 1 || parts[0].range.length > room.size()) return {};
  const HttpRange range = parts[0].range;
  ssize_t size = 0;
  do {
    size = ::pread(parts[0].file->get(), room.data(), range.length,
                   static_cast<off_t>(range.first));
  } while (size < 0 && errno == EINTR);
  if (size < 0 || static_cast<std::uint64_t>(size) < range.length) return {};
  parts.clear();
  return {room.data(), range.length};
}

SendResult HttpFileAnswer::sendParts(TcpConnection& tcp) {
  SendResult result = SendResult::kSent;
  const auto sendText = [&](std::string_view text) {
    if (!text.empty()) result = tcp.sendAlways(text);
    return result != SendResult::kDropped;
  };
  // Bytes that the head has promised would be taken for the next answer.
  try {
    for (Part& part : parts) {
      if (!sendText(part.before)) break;
      result = tcp.sendFileAlways(std::move(part.file), part.range.first,
                                  part.range.length);
      if (result == SendResult::kDropped) break;
    }
    if (result != SendResult::kDropped) sendText(behind);
  } catch (...) {
    tcp.close();
    throw;
  }
  if (result == SendResult::kDropped) tcp.close();
  return result;
}

HttpFileAnswer answerWith(HttpFile file, const HttpResponse& response,
                          const HttpFileRequest& asked) {
  if (!file.descriptor) return refusal(file.status);
  HttpResponse head = response;
  head.bodyView({});
  if (!asked.selects || response.status() != 200) {
    setType(head);
    return whole(std::move(file), std::move(head));
  }
  return selected(std::move(file), std::move(head), asked.request);
}

}  // namespace brigade::detail
