#pragma once

// Payload: bytes that came from another process and are kept: in a string, or,
// when they were many, in memory that was never copied. Copies share it.

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "brigade/Process/SealedMemory.h"

namespace brigade {

class Payload {
 public:
  Payload() = default;
  explicit Payload(std::string_view bytes)
      : owner_(std::make_shared<const std::string>(bytes)),
        view_(*static_cast<const std::string*>(owner_.get())) {}
  explicit Payload(std::shared_ptr<const SealedMemory> memory)
      : owner_(std::move(memory)),
        view_(static_cast<const SealedMemory*>(owner_.get())->bytes()) {}

  // Valid as long as a copy of this object.
  std::string_view view() const { return view_; }

 private:
  std::shared_ptr<const void> owner_;
  std::string_view view_;
};

}  // namespace brigade
