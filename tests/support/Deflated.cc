#include "tests/support/Deflated.h"

#include <dlfcn.h>
#include <zlib.h>

namespace {

std::size_t deflated = 0;

}  // namespace

// zlib's own is behind this one.
extern "C" int deflate(z_streamp stream, int flush) {
  using Deflate = int (*)(z_streamp, int);
  static const auto real =
      reinterpret_cast<Deflate>(::dlsym(RTLD_NEXT, "deflate"));
  const uInt before = stream->avail_in;
  const int status = real(stream, flush);
  deflated += before - stream->avail_in;
  return status;
}

namespace brigade::test {

std::size_t deflatedBytes() { return deflated; }

}  // namespace brigade::test
