#include "HelloUpload.h"

#include <array>
#include <cstdio>
#include <new>

namespace {

// It is the client's: nothing in it begins another column or line.
std::string printable(std::string_view name) {
  std::string text(name);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7F) c = '?';
  }
  return text;
}

}  // namespace

void HelloUpload::begin(brigade::HttpConnection& http,
                        const brigade::HttpRequest& head) {
  digests_.clear();
  upload_.emplace(head);
  if (upload_->refused()) {
    refuse(http);
    return;
  }
  upload_->onFileBytes = [this](std::string_view piece) { addToDigest(piece); };
}

void HelloUpload::add(brigade::HttpConnection& http, std::string_view piece) {
  if (!upload_->add(piece)) refuse(http);
}

void HelloUpload::end(brigade::HttpConnection& http) {
  if (!upload_->end()) {
    refuse(http);
    return;
  }
  http.send(lines());
  upload_.reset();
}

void HelloUpload::refuse(brigade::HttpConnection& http) {
  http.send(upload_->refusal());
  upload_.reset();
}

HelloUpload::Digest HelloUpload::newDigest() {
  Digest digest(EVP_MD_CTX_new());
  if (!digest || EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) != 1) {
    throw std::bad_alloc();
  }
  return digest;
}

void HelloUpload::addToDigest(std::string_view piece) {
  while (digests_.size() < upload_->files().size()) {
    digests_.push_back(newDigest());
  }
  EVP_DigestUpdate(digests_.back().get(), piece.data(), piece.size());
}

std::string HelloUpload::hexOf(const Digest& digest) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes;
  unsigned size = 0;
  EVP_DigestFinal_ex(digest.get(), bytes.data(), &size);
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    std::array<char, 3> digits;
    std::snprintf(digits.data(), digits.size(), "%02x", bytes[i]);
    text += digits.data();
  }
  return text;
}

std::string HelloUpload::lines() {
  const auto files = upload_->files();
  while (digests_.size() < files.size()) digests_.push_back(newDigest());
  std::string text;
  for (std::size_t i = 0; i < files.size(); ++i) {
    text += printable(files[i].name()) + '\t' + printable(files[i].filename()) +
            '\t' + std::to_string(files[i].size()) + '\t' + hexOf(digests_[i]) +
            '\n';
  }
  return text;
}
