#pragma once

// HelloUpload: the form with files that a connection of hello is sending to
// /upload, and the answer to it: a line a file, with its field, its name, its
// size and its SHA-256. They are digested as they arrive: what is large is not
// in memory, and read once more it would hold up the other connections.

#include <brigade/brigade.h>
#include <openssl/evp.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

class HelloUpload {
 public:
  static constexpr std::string_view kPath = "/upload";

  void begin(brigade::HttpConnection& http, const brigade::HttpRequest& head);
  void add(brigade::HttpConnection& http, std::string_view piece);
  void end(brigade::HttpConnection& http);

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  using Digest = std::unique_ptr<EVP_MD_CTX, Free>;

  static Digest newDigest();
  static std::string hexOf(const Digest& digest);
  void addToDigest(std::string_view piece);
  std::string lines();
  void refuse(brigade::HttpConnection& http);

  std::optional<brigade::HttpUpload> upload_;
  std::vector<Digest> digests_;  // of the files, in their order
};
