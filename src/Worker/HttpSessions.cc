#include "brigade/Worker/HttpSessions.h"

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <utility>
#include <vector>

#include "brigade/Events/ExceptionText.h"
#include "brigade/Protocol/HttpForm.h"
#include "brigade/Worker/FileSessionStore.h"
#include "brigade/Worker/HttpWorker.h"
#include "brigade/Worker/Log.h"
#include "brigade/Worker/detail/MasterSessionStore.h"
#include "brigade/Worker/detail/Service.h"
#include "brigade/Worker/detail/SessionId.h"
#include "brigade/Worker/detail/WorkerProcess.h"

namespace brigade {
namespace {

// Of one name there are several when one was set for a deeper path, or for the
// domain above: the one that counts need not be the first.
constexpr std::size_t kMaxOffered = 4;
// Room in a session, unless the store takes less.
constexpr std::size_t kUsual = 64 * 1024;
// A step of a collection, and the time for others between two: a folder of a
// million files is through in three minutes, and takes a fiftieth of a process.
constexpr std::size_t kCollectStep = 128;
constexpr std::chrono::milliseconds kCollectPause{20};
// Between two lines about a store that fails.
constexpr std::chrono::seconds kNoteInterval{10};

bool isCookieField(std::string_view name) {
  constexpr std::string_view kName = "cookie";
  return std::equal(name.begin(), name.end(), kName.begin(), kName.end(),
                    [](char c, char lower) { return (c | 0x20) == lower; });
}

}  // namespace

HttpSessions::HttpSessions(HttpWorker& worker, HttpSessionSettings settings)
    : HttpSessions(worker, nullptr, std::move(settings)) {
  if (settings_.place == HttpSessionSettings::Place::kMaster) {
    auto store = std::make_unique<detail::MasterSessionStore>();
    inMaster_ = store.get();
    store_ = std::move(store);
  } else if (!settings_.folder.empty()) {
    store_ = std::make_unique<FileSessionStore>(settings_.folder);
  }
}

HttpSessions::HttpSessions(HttpWorker& worker,
                           std::unique_ptr<SessionStore> store,
                           HttpSessionSettings settings)
    : worker_(worker),
      settings_(std::move(settings)),
      store_(std::move(store)) {
  using namespace std::chrono_literals;
  HttpResponse().cookie({.name = settings_.cookieName});
  if (settings_.lifetime < 1s || settings_.collectInterval < 1s) {
    throw std::invalid_argument(
        "HttpSessions: lifetime and collectInterval are a second or more");
  }
  const bool inMaster = settings_.place == HttpSessionSettings::Place::kMaster;
  if (inMaster && (store_ || !settings_.folder.empty())) {
    throw std::invalid_argument(
        "HttpSessions: a store, or a folder, and the master as their place");
  }
  const std::size_t most = inMaster ? detail::MasterSessionStore::kMaxBytes
                           : store_ ? store_->maxBytes()
                                    : FileSessionStore::kMaxBytes;
  if (settings_.maxBytes == 0) settings_.maxBytes = std::min(kUsual, most);
  if (settings_.maxBytes > most) {
    throw std::invalid_argument(
        "HttpSessions: maxBytes is " + std::to_string(settings_.maxBytes) +
        ", and the store takes " + std::to_string(most));
  }
  if (worker.sessions_ != nullptr) {
    throw std::logic_error("HttpSessions: the worker has one already");
  }
  worker.sessions_ = this;
}

HttpSessions::~HttpSessions() { worker_.sessions_ = nullptr; }

void HttpSessions::prepare(const detail::Service& service) {
  if (inMaster_ != nullptr) {
    inMaster_->setScope(service.name);
    // As for files: nobody has said that two Workers are to share them.
    service.claimPath("sessions");
  }
  if (!store_) {
    store_ = std::make_unique<FileSessionStore>(service.claimPath("sessions"));
  }
  store_->prepare(service.identity.uid, service.identity.gid);
}

void HttpSessions::prepareProcess(detail::WorkerProcess& process) {
  if (inMaster_ != nullptr) inMaster_->setTable(process.masterTable());
  store_->prepareProcess();
  // Others would only look at the same ones.
  if (worker_.id() == 1) collectAfter(kCollectPause);
}

void HttpSessions::collectAfter(Clock::duration delay) {
  worker_.loop().add(delay, Repeat::kOnce, [this] { collect(); });
}

void HttpSessions::collect() {
  bool more = false;
  try {
    more = store_->collect(now(), kCollectStep);
  } catch (...) {
    log(LogLevel::kError,
        "sessions: collect: " + exceptionText(std::current_exception()));
  }
  collectAfter(more ? Clock::duration(kCollectPause)
                    : Clock::duration(settings_.collectInterval));
}

SessionTime HttpSessions::now() const {
  using std::chrono::system_clock;
  if (settings_.clock) return settings_.clock();
  return std::chrono::floor<std::chrono::seconds>(system_clock::now());
}

std::error_code HttpSessions::noted(std::string_view what,
                                    std::error_code error) {
  const SessionTime time = now();
  if (error && time >= nextNote_) {
    nextNote_ = time + kNoteInterval;
    log(LogLevel::kError,
        "sessions: " + std::string(what) + ": " + error.message());
  }
  return error;
}

HttpSession HttpSessions::open(const HttpRequest& request) {
  std::vector<std::string> offered;
  for (const HttpHeader& header : request.headers()) {
    if (!isCookieField(header.name)) continue;
    for (const auto& [name, value] : parseCookies(header.value)) {
      if (offered.size() == kMaxOffered) break;
      if (name == settings_.cookieName && detail::isSessionId(value)) {
        offered.emplace_back(value);
      }
    }
  }
  return {*this, std::move(offered)};
}

}  // namespace brigade
