#include "tests/support/Deflated.h"

#include <dlfcn.h>
#include <zlib.h>

#include "tests/support/Allocations.h"

namespace {

std::size_t deflated = 0;

// zlib's own, behind the one here.
template <typename Function>
Function* behind(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" int deflate(z_streamp stream, int flush) {
  static auto* const real = behind<int(z_streamp, int)>("deflate");
  const uInt before = stream->avail_in;
  const int status = real(stream, flush);
  deflated += before - stream->avail_in;
  return status;
}

// What zlib's macro calls.
extern "C" int deflateInit2_(z_streamp stream, int level, int method, int bits,
                             int memory, int strategy, const char* version,
                             int size) {
  using Init = int(z_streamp, int, int, int, int, int, const char*, int);
  static auto* const real = behind<Init>("deflateInit2_");
  if (brigade::test::allocationFails()) return Z_MEM_ERROR;
  return real(stream, level, method, bits, memory, strategy, version, size);
}

namespace brigade::test {

std::size_t deflatedBytes() { return deflated; }

}  // namespace brigade::test
