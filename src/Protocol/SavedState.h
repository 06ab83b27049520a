#pragma once

// StateWriter, StateReader: what one process writes down for the one that
// follows it, which may be another build of the same program. Host byte order:
// it never leaves the machine. Values. Not Archive: that is of Events, of which
// Protocol knows nothing.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace brigade {

class StateWriter {
 public:
  template <typename T>
  requires std::is_trivially_copyable_v<T>
  void put(const T& value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  // With their length.
  void putBytes(std::string_view bytes) {
    put(std::uint64_t{bytes.size()});
    bytes_ += bytes;
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// What it was not given by the writer's calls, in their order, it throws for:
// std::length_error.
class StateReader {
 public:
  // `bytes` outlive it.
  explicit StateReader(std::string_view bytes) : bytes_(bytes) {}

  template <typename T>
  requires std::is_trivially_copyable_v<T> T get() {
    T value;
    const std::string_view part = take(sizeof value);
    std::memcpy(&value, part.data(), sizeof value);
    return value;
  }
  // A view into the bytes it was made with.
  std::string_view getBytes() { return take(get<std::uint64_t>()); }
  bool atEnd() const { return bytes_.empty(); }

 private:
  std::string_view take(std::uint64_t size) {
    if (size > bytes_.size()) {
      throw std::length_error("what was saved ends too early");
    }
    const std::string_view part = bytes_.substr(0, size);
    bytes_.remove_prefix(part.size());
    return part;
  }

  std::string_view bytes_;
};

}  // namespace brigade
