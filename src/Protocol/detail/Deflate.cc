#include "brigade/Protocol/detail/Deflate.h"

#include <zlib.h>

#include <algorithm>
#include <new>

namespace brigade::detail {

struct ZlibStream {
  z_stream z{};
};

namespace {

constexpr std::string_view kTail("\0\0\xff\xff", 4);
// zlib counts in 32 bits.
constexpr std::size_t kMaxPiece = 1 << 30;
// Room that zlib gets at once; it wants more than 6 bytes, lest it repeats a
// flush.
constexpr std::size_t kLeastRoom = 256;
constexpr int kNoWindowBelow = 9;

void check(int status) {
  // Nothing else can go wrong where the arguments are ours.
  if (status != Z_OK) throw std::bad_alloc();
}

void setInput(z_stream& z, std::string_view bytes) {
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
}

void setOutput(z_stream& z, char* at, std::size_t size) {
  z.next_out = reinterpret_cast<Bytef*>(at);
  z.avail_out = static_cast<uInt>(std::min(size, kMaxPiece));
}

// ---- Compressing

void deflatePiece(z_stream& z, std::string_view piece, int flush,
                  Buffer& packed) {
  setInput(z, piece);
  do {
    const std::size_t before = packed.size();
    const std::size_t room =
        std::min(std::max(kLeastRoom, packed.capacity() - before), kMaxPiece);
    setOutput(z, packed.extend(room, static_cast<std::size_t>(-1)), room);
    // Z_BUF_ERROR: the room before was filled exactly, all was said.
    ::deflate(&z, flush);
    packed.resizeDown(before + room - z.avail_out);
  } while (z.avail_out == 0);
}

// ---- Inflating

enum class Wants { kInput, kRoom, kEnd };

// Goes on until it lacks something; kEnd: the bytes are no deflate stream.
Wants inflateOn(z_stream& z) {
  while (true) {
    const int status = ::inflate(&z, Z_SYNC_FLUSH);
    if (status == Z_MEM_ERROR) throw std::bad_alloc();
    if (status == Z_STREAM_END) {
      // A last block is not the end (RFC 7692, 7.2.3.4): what follows may
      // still refer to the window, which this keeps.
      ::inflateResetKeep(&z);
      if (z.avail_in == 0) return Wants::kInput;
      if (z.avail_out == 0) return Wants::kRoom;
      continue;
    }
    if (status != Z_OK && status != Z_BUF_ERROR) return Wants::kEnd;
    return z.avail_out == 0 ? Wants::kRoom : Wants::kInput;
  }
}

// Between two blocks, as zlib says it.
bool atBlockEnd(const z_stream& z) { return (z.data_type & 128) != 0; }

class Probe {
 public:
  explicit Probe(z_stream& of) { check(::inflateCopy(&z, &of)); }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;
  ~Probe() { ::inflateEnd(&z); }

  z_stream z{};
};

}  // namespace

// zlib has no window of 256 bytes for raw streams. That of 512 will do: its
// matches never reach back more than 512 - 262 bytes.
Deflater::Deflater(int windowBits, const WebSocketCompression& settings)
    : stream_(std::make_unique<ZlibStream>()) {
  check(::deflateInit2(&stream_->z, std::clamp(settings.level, 1, 9),
                       Z_DEFLATED, -std::max(windowBits, kNoWindowBelow),
                       std::clamp(settings.memoryLevel, 1, 9),
                       Z_DEFAULT_STRATEGY));
}

Deflater::~Deflater() {
  if (stream_) ::deflateEnd(&stream_->z);
}

void Deflater::deflate(std::string_view message, WebSocketContext context,
                       Buffer& packed) {
  z_stream& z = stream_->z;
  if (context == WebSocketContext::kNone) check(::deflateReset(&z));
  for (; message.size() > kMaxPiece; message.remove_prefix(kMaxPiece)) {
    deflatePiece(z, message.substr(0, kMaxPiece), Z_NO_FLUSH, packed);
  }
  deflatePiece(z, message, Z_SYNC_FLUSH, packed);
  packed.resizeDown(packed.size() - kTail.size());
}

Inflater::Inflater(int windowBits) : stream_(std::make_unique<ZlibStream>()) {
  check(::inflateInit2(&stream_->z, -windowBits));
}

Inflater::~Inflater() {
  if (stream_) ::inflateEnd(&stream_->z);
}

Inflater::Result Inflater::inflate(std::string_view packed,
                                   WebSocketContext context, std::size_t most,
                                   Buffer& message) {
  if (context == WebSocketContext::kNone) check(::inflateReset(&stream_->z));
  Result result = Result::kWhole;
  while (!packed.empty() && result == Result::kWhole) {
    const std::string_view piece = packed.substr(0, kMaxPiece);
    result = inflatePiece(piece, most, message);
    packed.remove_prefix(piece.size());
  }
  if (result == Result::kWhole) result = inflatePiece(kTail, most, message);
  if (result == Result::kWhole && !atBlockEnd(stream_->z)) {
    result = Result::kBroken;
  }
  return result;
}

Inflater::Result Inflater::inflatePiece(std::string_view piece,
                                        std::size_t most, Buffer& message) {
  z_stream& z = stream_->z;
  setInput(z, piece);
  bool measured = false;
  while (true) {
    const std::size_t before = message.size();
    if (!measured && before >= most / 4 && before >= message.capacity()) {
      const std::size_t rest = measure(most - before);
      if (rest > most - before) return Result::kTooLong;
      // One more shows that there is no more.
      message.reserve(before + rest + 1);
      measured = true;
    }
    const std::size_t room =
        std::min(std::max(kLeastRoom, message.capacity() - before), kMaxPiece);
    setOutput(z, message.extend(room, most / 4), room);
    const Wants wants = inflateOn(z);
    message.resizeDown(before + std::min(room, kMaxPiece) - z.avail_out);
    if (message.size() > most) return Result::kTooLong;
    if (wants == Wants::kEnd) return Result::kBroken;
    if (wants == Wants::kInput) return Result::kWhole;
  }
}

// How many bytes the rest of the input comes to, or more than `most`.
std::size_t Inflater::measure(std::size_t most) {
  Probe probe(stream_->z);
  char scratch[16 << 10];
  std::size_t size = 0;
  Wants wants = Wants::kRoom;
  while (wants == Wants::kRoom && size <= most) {
    setOutput(probe.z, scratch, sizeof scratch);
    wants = inflateOn(probe.z);
    size += sizeof scratch - probe.z.avail_out;
  }
  return size;
}

}  // namespace brigade::detail
