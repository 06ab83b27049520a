#pragma once

// HttpFile: a file that is an answer: opened, and then described by a head and
// the parts of it that are sent. Both live as long as one call of
// HttpConnection::send(); what waits for the peer is in the connection's queue.

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Connection/TcpConnection.h"
#include "brigade/Events/FileDescriptor.h"
#include "brigade/Protocol/HttpForm.h"
#include "brigade/Protocol/HttpRequest.h"
#include "brigade/Protocol/HttpResponse.h"

namespace brigade::detail {

// Regular files only: whatever else there is could block, or has no end.
struct HttpFile {
  FileDescriptor descriptor;  // none: `status` says why
  std::uint64_t size = 0;
  std::timespec modified{};
  unsigned status = 404;
  bool isDirectory = false;  // then there is no descriptor

  // O_NONBLOCK: a FIFO without a writer is no reason to wait.
  static int openFlags();
  static HttpFile open(const std::string& path);
  // What open(2) has given, and what it has said.
  static HttpFile of(FileDescriptor descriptor);
  static HttpFile failed(int error);
};

// What the request was, for the answer.
struct HttpFileRequest {
  // GET or HEAD: only they have conditions.
  bool selects = false;
  // Null when it has no condition, or is gone.
  const HttpRequest* request = nullptr;
};

struct HttpFileAnswer {
  struct Part {
    std::string before;  // of a multipart body, what stands in front of it
    std::shared_ptr<const FileDescriptor> file;
    HttpRange range;
  };

  // 200, 206, 304, 403, 404, 412, 416 or 503, or the program's own status. The
  // parts are its body; without any, body() is.
  HttpResponse head;
  std::vector<Part> parts;
  std::string behind;  // the last part

  std::uint64_t length() const;
  // All of a body that is one part and has room here: with its head it leaves
  // in one system call. Then there are no parts any more; else it is empty.
  static constexpr std::size_t kSmall = 8 * 1024;
  std::string_view readSmall(std::span<char> room);
  // Behind the head. A body that is not taken whole ends the connection.
  SendResult sendParts(TcpConnection& tcp);
};

// RFC 9110, 13 and 14, for a response of 200; one of another status is sent
// with all of the file.
HttpFileAnswer answerWith(HttpFile file, const HttpResponse& response,
                          const HttpFileRequest& asked);

}  // namespace brigade::detail
