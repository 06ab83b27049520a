#pragma once

// Message: one whole packet as a codec decoded it: its bytes and, for typed
// protocols, the object they stand for. A view: bytes and object are valid
// until the callback that received the message returns.

#include <string_view>
#include <typeinfo>

namespace brigade {

class Message {
 public:
  Message(std::string_view data) : data_(data) {}  // NOLINT: meant to convert
  Message(const char* data) : data_(data) {}       // NOLINT: meant to convert
  template <typename String>
  requires requires(const String& s) { std::string_view(s); }
  Message(const String& data) : data_(data) {}  // NOLINT: meant to convert

  // A message that carries `object`, which outlives it.
  template <typename T>
  static Message of(const T& object, std::string_view data = {}) {
    Message message(data);
    message.object_ = &object;
    message.type_ = &typeid(T);
    return message;
  }

  std::string_view data() const { return data_; }

  template <typename T>
  bool is() const {
    // As nearly always; only that it is another one takes more than a look.
    if (type_ == &typeid(T)) return true;
    return type_ != nullptr && *type_ == typeid(T);
  }

  // Throws std::bad_cast when the message carries no T.
  template <typename T>
  const T& as() const {
    if (!is<T>()) throw std::bad_cast();
    return *static_cast<const T*>(object_);
  }

 private:
  std::string_view data_;
  const void* object_ = nullptr;
  const std::type_info* type_ = nullptr;
};

}  // namespace brigade
