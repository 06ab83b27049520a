#pragma once

// Settings: what may be set by its name, as text: the plain values of RunConfig
// and of a Worker. The names are those of the members; durations are seconds,
// "1.5".

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "brigade/Worker/RunConfig.h"
#include "brigade/Worker/Worker.h"

namespace brigade::detail {

// "'many' is not a whole number from 0 to 1024".
class BadSetting : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

// False: there is no such setting. Throw BadSetting for a text that is no value
// of it.
// Of RunConfig those in it and, as "backoff.first" and "limits.openFiles", in
// what it holds.
bool set(RunConfig& config, std::string_view name, std::string_view text);
bool set(Worker& worker, std::string_view name, std::string_view text);

// As set() takes it; none when there is no such setting.
std::optional<std::string> get(const Worker& worker, std::string_view name);

}  // namespace brigade::detail
