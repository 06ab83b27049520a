#include "brigade/Worker/detail/Settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <limits>
#include <system_error>

namespace brigade::detail {
namespace {

using std::chrono::milliseconds;

// As on the command line: more processes than anybody means, and a day.
constexpr unsigned kMaxWorkers = 1024;
constexpr double kMaxSeconds = 86400;

// ---- Texts as values, and values as texts

[[noreturn]] void refuse(std::string_view text, const std::string& wanted) {
  throw BadSetting("'" + std::string(text) + "' is not " + wanted);
}

template <typename Number>
std::optional<Number> numberOf(std::string_view text) {
  Number value{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

void read(std::string_view text, std::string& value) { value = text; }
std::string write(const std::string& value) { return value; }

template <std::integral Number>
void read(std::string_view text, Number& value) {
  const auto number = numberOf<Number>(text);
  if (!number) {
    refuse(text, "a whole number from 0 to " +
                     std::to_string(std::numeric_limits<Number>::max()));
  }
  value = *number;
}
template <std::integral Number>
std::string write(Number value) {
  return std::to_string(value);
}

void read(std::string_view text, bool& value) {
  if (text != "true" && text != "false") refuse(text, "true or false");
  value = text == "true";
}
std::string write(bool value) { return value ? "true" : "false"; }

void read(std::string_view text, milliseconds& value) {
  const auto seconds = numberOf<double>(text);
  // written so that NaN is refused
  if (!seconds || !(*seconds >= 0 && *seconds <= kMaxSeconds)) {
    refuse(text, "a number of seconds from 0 to 86400");
  }
  value =
      std::chrono::round<milliseconds>(std::chrono::duration<double>(*seconds));
}
std::string write(milliseconds value) {
  std::array<char, 32> digits;
  const double seconds = std::chrono::duration<double>(value).count();
  const auto [end, error] =
      std::to_chars(digits.data(), digits.data() + digits.size(), seconds);
  return {digits.data(), end};
}

void read(std::string_view text, LogLevel& value) {
  const auto level = parseLogLevel(text);
  if (!level) refuse(text, "debug, info, warning, error or none");
  value = *level;
}

constexpr std::pair<std::string_view, AcceptMode> kAcceptModes[] = {
    {"reusePort", AcceptMode::kReusePort},
    {"sticky", AcceptMode::kSticky},
    {"shared", AcceptMode::kShared},
    {"locked", AcceptMode::kLocked}};

void read(std::string_view text, AcceptMode& value) {
  for (const auto& [name, mode] : kAcceptModes) {
    if (name != text) continue;
    value = mode;
    return;
  }
  refuse(text, "reusePort, sticky, shared or locked");
}
std::string write(AcceptMode value) {
  for (const auto& [name, mode] : kAcceptModes) {
    if (mode == value) return std::string(name);
  }
  return {};
}

// ---- What there is

struct RunSetting {
  std::string_view name;
  void (*read)(std::string_view text, RunConfig& config);
};
template <auto member>
constexpr RunSetting of(std::string_view name) {
  return {name, [](std::string_view text, RunConfig& config) {
            read(text, config.*member);
          }};
}
template <auto member>
constexpr RunSetting ofBackoff(std::string_view name) {
  return {name, [](std::string_view text, RunConfig& config) {
            read(text, config.backoff.*member);
          }};
}
template <Resource resource>
constexpr RunSetting ofLimit(std::string_view name) {
  return {name, [](std::string_view text, RunConfig& config) {
            std::uint64_t value = ResourceLimit::kUnlimited;
            if (text != "unlimited") read(text, value);
            std::erase_if(config.limits, [](const ResourceLimit& limit) {
              return limit.resource == resource;
            });
            config.limits.push_back({resource, value});
          }};
}

constexpr RunSetting kRunSettings[] = {
    of<&RunConfig::runDirectory>("runDirectory"),
    of<&RunConfig::pidFile>("pidFile"),
    of<&RunConfig::logFile>("logFile"),
    of<&RunConfig::stdoutFile>("stdoutFile"),
    of<&RunConfig::logLevel>("logLevel"),
    of<&RunConfig::event>("event"),
    of<&RunConfig::stopTimeout>("stopTimeout"),
    of<&RunConfig::readyTimeout>("readyTimeout"),
    of<&RunConfig::daemonize>("daemonize"),
    ofBackoff<&BackoffPolicy::first>("backoff.first"),
    ofBackoff<&BackoffPolicy::longest>("backoff.longest"),
    ofBackoff<&BackoffPolicy::stable>("backoff.stable"),
    ofBackoff<&BackoffPolicy::giveUpAfter>("backoff.giveUpAfter"),
    ofLimit<Resource::kOpenFiles>("limits.openFiles"),
    ofLimit<Resource::kCoreSize>("limits.coreSize"),
    ofLimit<Resource::kFileSize>("limits.fileSize"),
    ofLimit<Resource::kAddressSpace>("limits.addressSpace"),
    ofLimit<Resource::kLockedMemory>("limits.lockedMemory"),
};

struct WorkerSetting {
  std::string_view name;
  void (*read)(std::string_view text, Worker& worker);
  std::string (*write)(const Worker& worker);
};
template <auto member>
constexpr WorkerSetting ofWorker(std::string_view name) {
  return {
      name,
      [](std::string_view text, Worker& worker) { read(text, worker.*member); },
      [](const Worker& worker) { return write(worker.*member); }};
}
constexpr WorkerSetting countOfWorker() {
  return {"count",
          [](std::string_view text, Worker& worker) {
            const auto number = numberOf<unsigned>(text);
            if (!number || *number > kMaxWorkers) {
              refuse(text,
                     "a whole number from 0 to " + std::to_string(kMaxWorkers));
            }
            worker.count = *number;
          },
          [](const Worker& worker) { return write(worker.count); }};
}

constexpr WorkerSetting kWorkerSettings[] = {
    countOfWorker(),
    ofWorker<&Worker::address>("address"),
    ofWorker<&Worker::user>("user"),
    ofWorker<&Worker::group>("group"),
    ofWorker<&Worker::acceptMode>("acceptMode"),
    ofWorker<&Worker::reloadable>("reloadable"),
    ofWorker<&Worker::backlog>("backlog"),
    ofWorker<&Worker::tcpNoDelay>("tcpNoDelay"),
    ofWorker<&Worker::tcpKeepAlive>("tcpKeepAlive"),
    ofWorker<&Worker::maxConnections>("maxConnections"),
    ofWorker<&Worker::maxSendBufferSize>("maxSendBufferSize"),
    ofWorker<&Worker::maxPackageSize>("maxPackageSize"),
    ofWorker<&Worker::idleTimeout>("idleTimeout"),
    ofWorker<&Worker::packageTimeout>("packageTimeout"),
    ofWorker<&Worker::maxRequests>("maxRequests"),
    ofWorker<&Worker::maxAccepts>("maxAccepts"),
    ofWorker<&Worker::maxMemory>("maxMemory"),
    ofWorker<&Worker::hangTimeout>("hangTimeout"),
    ofWorker<&Worker::event>("event"),
};

template <typename Table>
auto* find(const Table& table, std::string_view name) {
  const auto found =
      std::find_if(std::begin(table), std::end(table),
                   [&](const auto& each) { return each.name == name; });
  return found == std::end(table) ? nullptr : &*found;
}

}  // namespace

bool set(RunConfig& config, std::string_view name, std::string_view text) {
  const RunSetting* const setting = find(kRunSettings, name);
  if (setting != nullptr) setting->read(text, config);
  return setting != nullptr;
}

bool set(Worker& worker, std::string_view name, std::string_view text) {
  const WorkerSetting* const setting = find(kWorkerSettings, name);
  if (setting != nullptr) setting->read(text, worker);
  return setting != nullptr;
}

std::optional<std::string> get(const Worker& worker, std::string_view name) {
  const WorkerSetting* const setting = find(kWorkerSettings, name);
  if (setting == nullptr) return std::nullopt;
  return setting->write(worker);
}

}  // namespace brigade::detail
