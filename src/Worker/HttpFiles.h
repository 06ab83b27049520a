#pragma once

// HttpFiles: a folder whose files are answers. A value of the program, made
// before run() or later; const and without state of its own, so that one serves
// all requests.
//
//   brigade::HttpFiles files_{"/srv/www"};
//   router.add("GET", "/static/*path", [this](auto& http, auto& request,
//                                             auto& parameters) {
//     files_.answer(http, request, parameters["path"]);
//   });
//
// It opens the folder, and throws std::system_error when it cannot: as a member
// of the Worker that ends every command of the program, `stop` too, so one
// whose folder may be missing is made in onMasterStart.
//
// Nothing outside of the folder is ever opened: the kernel resolves the name
// beneath it (openat2(2), Linux 5.6). Files and folders whose name begins with
// a dot do not exist for it.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Protocol/HttpRequest.h"
#include "brigade/Worker/HttpConnection.h"

namespace brigade {

namespace detail {
struct HttpFile;
}

struct HttpFilesSettings {
  // kInside: symbolic links that stay beneath the folder; one with an absolute
  // target does not. kNone: none at all.
  enum class Links : std::uint8_t { kNone, kInside };

  Links links = Links::kInside;
  // What stands for a folder: the first that there is.
  std::vector<std::string> index = {"index.html"};
  // The field Cache-Control of every file; empty: none.
  std::string cacheControl = {};
};

class HttpFiles {
 public:
  // Throws std::system_error, which names the folder, when it cannot be opened
  // or is none, or when the kernel has no openat2(2). It is looked up by name
  // for each request: another one may take its place meanwhile.
  explicit HttpFiles(const std::string& root, HttpFilesSettings settings = {});

  // Answers with the file of that name beneath the folder; `path` is the rest
  // of the request's path, still percent-encoded, with or without a slash in
  // front. As HttpConnection::send() with HttpResponse::file(), and:
  //   404  what is not there or refused: an empty or hidden segment, ".", "..",
  //        a slash, backslash or NUL that was encoded, a bad escape
  //   301  a folder without a slash behind it, to the path with one
  //   404  a folder without an index
  //   405  neither GET nor HEAD
  void answer(HttpConnection& http, const HttpRequest& request,
              std::string_view path) const;

 private:
  detail::HttpFile open(const std::string& name) const;
  detail::HttpFile openIndex(std::string& name) const;

  std::string root_;  // absolute: a daemon is somewhere else
  HttpFilesSettings settings_;
};

}  // namespace brigade
