#pragma once

// Archive: what a process takes along over execve(2): values, one behind the
// other, and descriptors that stay open. One function of each class says what
// is carried, for both directions:
//
//   void carry(Archive& archive) { archive(count_, name_, socket_); }
//
// In the writing process that appends the values, in the reading one it fills
// them. For a struct of others there is carryOver(Archive&, T&) in its place.
// A codec, which includes nothing of ours, has Protocol's SavedState.h instead.
// Numbers are in host byte order: both are on one machine, and of one version
// of what they carry.

#include <chrono>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "brigade/Events/FileDescriptor.h"

namespace brigade {

// It ends too early: another version has written it.
class BadArchive : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Archive {
 public:
  Archive() = default;
  // Reads what another has written.
  explicit Archive(std::string bytes)
      : bytes_(std::move(bytes)), isReading_(true) {}

  bool isReading() const { return isReading_; }
  const std::string& bytes() const { return bytes_; }
  // Of what has been read.
  std::size_t position() const { return at_; }
  // Bytes that another has written, as they are.
  void append(std::string_view bytes) { bytes_ += bytes; }

  template <typename... Values>
  void operator()(Values&... values) {
    (carry(values), ...);
  }

  // Of somebody who keeps it: its number is written.
  void write(int descriptor);
  // Close-on-exec, as everywhere; empty when that was written.
  FileDescriptor readDescriptor();

  // Those that were written stay open over execve(2), or do no more.
  void keepDescriptors() const;
  void releaseDescriptors() const;

 private:
  template <typename T>
  void carry(T& value) {
    if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
      carryBytes(&value, sizeof value);
    } else if constexpr (requires { value.carry(*this); }) {
      value.carry(*this);
    } else {
      carryOver(*this, value);
    }
  }
  template <typename Rep, typename Period>
  void carry(std::chrono::duration<Rep, Period>& value) {
    Rep count = value.count();
    carry(count);
    value = std::chrono::duration<Rep, Period>(count);
  }
  template <typename Clock, typename Duration>
  void carry(std::chrono::time_point<Clock, Duration>& value) {
    Duration since = value.time_since_epoch();
    carry(since);
    value = std::chrono::time_point<Clock, Duration>(since);
  }
  void carry(std::string& value);
  void carry(FileDescriptor& value);
  template <typename First, typename Second>
  void carry(std::pair<First, Second>& value) {
    (*this)(value.first, value.second);
  }
  template <typename T>
  void carry(std::optional<T>& value) {
    bool has = value.has_value();
    carry(has);
    if (!has) {
      value.reset();
      return;
    }
    if (!value) value.emplace();
    carry(*value);
  }
  template <typename T>
  void carry(std::vector<T>& values) {
    carrySequence(values);
  }
  template <typename T>
  void carry(std::deque<T>& values) {
    carrySequence(values);
  }
  template <typename Key, typename T, typename Less>
  void carry(std::map<Key, T, Less>& values) {
    carryNodes<std::pair<Key, T>>(values);
  }
  template <typename T, typename Less>
  void carry(std::set<T, Less>& values) {
    carryNodes<T>(values);
  }

  template <typename Values>
  void carrySequence(Values& values) {
    std::uint64_t size = values.size();
    carry(size);
    if (isReading_) values.clear();
    for (std::uint64_t i = 0; i < size; ++i) {
      if (isReading_) values.emplace_back();
      carry(values[i]);
    }
  }
  template <typename Node, typename Values>
  void carryNodes(Values& values) {
    std::uint64_t size = values.size();
    carry(size);
    if (isReading_) {
      values.clear();
      for (std::uint64_t i = 0; i < size; ++i) {
        Node node{};
        carry(node);
        values.insert(std::move(node));
      }
      return;
    }
    for (auto& value : values) carryWritten(value);
  }
  template <typename Key, typename T>
  void carryWritten(std::pair<const Key, T>& value) {
    Key key = value.first;
    (*this)(key, value.second);
  }
  template <typename T>
  void carryWritten(const T& value) {
    T copy = value;
    carry(copy);
  }
  void carryBytes(void* value, std::size_t size);

  std::string bytes_;
  std::vector<int> descriptors_;
  std::size_t at_ = 0;
  bool isReading_ = false;
};

}  // namespace brigade
