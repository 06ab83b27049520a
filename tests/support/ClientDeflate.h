#pragma once

// ClientDeflate: the client's side of permessage-deflate (RFC 7692, 7.2), by
// zlib, and texts that compress well and badly.

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>

namespace brigade::test {

// A client's zlib.
class Packer {
 public:
  explicit Packer(int bits = 15, int level = 9, int strategy = 0,
                  int memoryLevel = 8) {
    EXPECT_EQ(deflateInit2(&z_, level, Z_DEFLATED, -std::max(bits, 9),
                           memoryLevel, strategy),
              Z_OK);
  }
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;
  ~Packer() { deflateEnd(&z_); }

  std::string pack(std::string_view message, int flush = Z_SYNC_FLUSH) {
    std::string packed;
    z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(message.data()));
    z_.avail_in = static_cast<uInt>(message.size());
    do {
      char piece[16384];
      z_.next_out = reinterpret_cast<Bytef*>(piece);
      z_.avail_out = sizeof piece;
      deflate(&z_, flush);
      packed.append(piece, sizeof piece - z_.avail_out);
    } while (z_.avail_out == 0);
    if (flush == Z_SYNC_FLUSH) packed.resize(packed.size() - 4);
    return packed;
  }
  void reset() { deflateReset(&z_); }

 private:
  z_stream z_{};
};

// A client's zlib, which holds back no more than its window.
class Unpacker {
 public:
  explicit Unpacker(int bits = 15) {
    EXPECT_EQ(inflateInit2(&z_, -bits), Z_OK);
  }
  Unpacker(const Unpacker&) = delete;
  Unpacker& operator=(const Unpacker&) = delete;
  ~Unpacker() { inflateEnd(&z_); }

  std::string unpack(std::string packed) {
    packed += std::string_view("\0\0\xff\xff", 4);
    z_.next_in = reinterpret_cast<Bytef*>(packed.data());
    z_.avail_in = static_cast<uInt>(packed.size());
    std::string message;
    int status = Z_OK;
    do {
      // One byte at a time, so that zlib must look it up in the window.
      char byte = 0;
      z_.next_out = reinterpret_cast<Bytef*>(&byte);
      z_.avail_out = 1;
      status = inflate(&z_, Z_SYNC_FLUSH);
      if (z_.avail_out == 0) message += byte;
    } while (status == Z_OK && z_.avail_out == 0);
    EXPECT_TRUE(status == Z_OK || status == Z_BUF_ERROR) << status;
    return message;
  }
  void reset() { inflateReset(&z_); }

 private:
  z_stream z_{};
};

inline std::string packed(std::string_view message) {
  return Packer().pack(message);
}

// Words that repeat at all distances.
inline std::string proseOf(std::size_t size) {
  std::minstd_rand random(7);
  std::string prose;
  while (prose.size() < size) {
    prose += "word" + std::to_string(random() % 500) + " ";
  }
  prose.resize(size);
  return prose;
}

inline std::string noiseOf(std::size_t size) {
  std::minstd_rand random(3);
  std::string noise;
  while (noise.size() < size) noise += static_cast<char>(random() >> 8);
  return noise;
}

}  // namespace brigade::test
