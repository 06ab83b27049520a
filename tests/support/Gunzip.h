#pragma once

// unpacked: what a gzip stream says, as zlib reads it.

#include <gtest/gtest.h>
#include <zlib.h>

#include <array>
#include <string>
#include <string_view>

namespace brigade::testing {

// As far as it has come, with a '$' where it ends. A checksum that is wrong is
// a failure.
inline std::string unpacked(std::string_view packed) {
  z_stream z{};
  EXPECT_EQ(::inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  z.avail_in = static_cast<uInt>(packed.size());
  std::string text;
  std::array<char, 4096> room;
  int status = Z_OK;
  while (status == Z_OK) {
    z.next_out = reinterpret_cast<Bytef*>(room.data());
    z.avail_out = room.size();
    status = ::inflate(&z, Z_SYNC_FLUSH);
    text.append(room.data(), room.size() - z.avail_out);
  }
  EXPECT_TRUE(status == Z_STREAM_END || status == Z_BUF_ERROR) << status;
  if (status == Z_STREAM_END) text += "$";
  ::inflateEnd(&z);
  return text;
}

}  // namespace brigade::testing
