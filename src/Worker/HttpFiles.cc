#include "brigade/Worker/HttpFiles.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "brigade/Events/FileDescriptor.h"
#include "brigade/Protocol/HttpForm.h"
#include "brigade/Protocol/HttpResponse.h"
#include "brigade/Worker/detail/HttpFile.h"

namespace brigade {
namespace {

using Links = HttpFilesSettings::Links;

// openat2(2): EAGAIN when something was renamed meanwhile, and it cannot tell
// whether that led outside.
constexpr int kTries = 16;

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::system_category(), "HttpFiles: " + what);
}

// Empty when there is none.
std::string absolute(const std::string& root) {
  std::error_code none;
  return std::filesystem::absolute(root, none);
}

FileDescriptor openFolder(const std::string& root) {
  return FileDescriptor(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

// None: errno says why.
FileDescriptor openBeneath(const FileDescriptor& folder, const char* name,
                           int flags, Links links) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS |
                (links == Links::kNone ? RESOLVE_NO_SYMLINKS : 0);
  long fd = -1;
  int tries = 0;
  do {
    fd = ::syscall(SYS_openat2, folder.get(), name, &how, sizeof how);
  } while (fd < 0 && (errno == EINTR || errno == EAGAIN) && ++tries < kTries);
  return FileDescriptor(static_cast<int>(fd));
}

// One segment of a path, decoded once. Empty: refused.
std::string segmentOf(std::string_view encoded) {
  constexpr std::string_view kRefused("/\\\0", 3);
  const std::string segment = percentDecode(encoded).value_or("");
  const bool refused = segment.starts_with('.') ||
                       segment.find_first_of(kRefused) != std::string::npos;
  return refused ? std::string() : segment;
}

// What a path names beneath the folder; it may end in a slash.
std::optional<std::string> nameOf(std::string_view path) {
  if (path.ends_with('/')) path.remove_suffix(1);
  std::string name;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string segment = segmentOf(path.substr(at, end - at));
    if (segment.empty()) return std::nullopt;
    name.append(name.empty() ? "" : "/").append(segment);
    at = end + 1;
  }
  return name;
}

// Of two slashes in front, or a slash and a backslash, what follows would be
// taken for a host (WHATWG URL, 4.4).
void redirectToFolder(HttpConnection& http, const HttpRequest& request) {
  const std::string_view path = request.path();
  const auto begin = std::min(path.find_first_not_of("/\\"), path.size());
  std::string location = "/";
  if (begin < path.size()) location.append(path.substr(begin)) += '/';
  if (!request.query().empty()) location.append("?").append(request.query());
  http.send(HttpResponse::redirect(location, 301));
}

}  // namespace

HttpFiles::HttpFiles(const std::string& root, HttpFilesSettings settings)
    : root_(absolute(root)), settings_(std::move(settings)) {
  const FileDescriptor folder = openFolder(root_);
  if (!folder) fail(root);
  if (!openBeneath(folder, ".", O_PATH | O_CLOEXEC, settings_.links)) {
    fail("openat2 in " + root);
  }
}

// Errors of the folder itself are those of everything in it.
detail::HttpFile HttpFiles::open(const std::string& name) const {
  using detail::HttpFile;
  const FileDescriptor folder = openFolder(root_);
  if (!folder) return HttpFile::failed(errno);
  FileDescriptor found = openBeneath(folder, name.empty() ? "." : name.c_str(),
                                     HttpFile::openFlags(), settings_.links);
  return found ? HttpFile::of(std::move(found)) : HttpFile::failed(errno);
}

// Adds what was found to the name.
detail::HttpFile HttpFiles::openIndex(std::string& name) const {
  const std::string folder = name.empty() ? "" : name + "/";
  for (const std::string& index : settings_.index) {
    name = folder + index;
    detail::HttpFile file = open(name);
    if (file.status != 404) return file;
  }
  return {};
}

void HttpFiles::answer(HttpConnection& http, const HttpRequest& request,
                       std::string_view path) const {
  if (request.method() != "GET" && request.method() != "HEAD") {
    http.send(HttpResponse::text("405 Method Not Allowed\n", 405)
                  .set("Allow", "GET, HEAD"));
    return;
  }
  if (path.starts_with('/')) path.remove_prefix(1);
  const bool isFolder = (path.empty() ? request.path() : path).ends_with('/');
  std::optional<std::string> name = path.empty() ? std::string() : nameOf(path);
  if (!name) {
    http.send(HttpResponse::text("404 Not Found\n", 404));
    return;
  }
  detail::HttpFile file = isFolder ? openIndex(*name) : open(*name);
  if (file.isDirectory && !isFolder) {
    redirectToFolder(http, request);
    return;
  }
  HttpResponse response = HttpResponse::file(*name);
  if (!settings_.cacheControl.empty()) {
    response.set("Cache-Control", settings_.cacheControl);
  }
  http.sendFile(response, std::move(file), &request);
}

}  // namespace brigade
