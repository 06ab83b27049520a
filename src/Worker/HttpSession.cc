#include "brigade/Worker/HttpSession.h"

#include <stdexcept>
#include <utility>

#include "brigade/Worker/HttpSessions.h"
#include "brigade/Worker/detail/SessionData.h"
#include "brigade/Worker/detail/SessionId.h"

namespace brigade {
namespace {

bool isNone(std::error_code error) {
  return error == std::errc::no_such_file_or_directory;
}

}  // namespace

void HttpSession::load() {
  if (loaded_) return;
  loaded_ = true;
  for (const std::string& id : offered_) {
    if (take(id)) return;
  }
}

// False: there is no such session.
bool HttpSession::take(std::string_view id) {
  const HttpSessionSettings& settings = sessions_->settings_;
  SessionStore& store = *sessions_->store_;
  const SessionTime now = sessions_->now();
  StoredSession stored;
  const std::error_code error = store.load(id, now, stored);
  if (isNone(error)) return false;
  if (error) {
    unread_ = sessions_->noted("load", error);
    id_ = id;
    return true;
  }
  auto values = detail::decodeSession(stored.data);
  if (!values) return false;
  // Not with each request of a busy client.
  if (stored.expires - now < settings.lifetime - settings.lifetime / 16) {
    const auto late = store.prolong(id, now + settings.lifetime);
    if (!isNone(late)) sessions_->noted("prolong", late);
  }
  id_ = id;
  values_ = std::move(*values);
  bytes_ = stored.data.size();
  return true;
}

std::optional<std::string_view> HttpSession::get(std::string_view key) {
  load();
  const auto found = values_.find(key);
  if (found == values_.end()) return std::nullopt;
  return found->second;
}

const HttpSession::Values& HttpSession::all() {
  load();
  return values_;
}

bool HttpSession::isNew() {
  load();
  return id_.empty() && replaced_.empty();
}

void HttpSession::set(std::string_view key, std::string_view value) {
  load();
  const auto found = values_.find(key);
  const bool present = found != values_.end();
  if (present && found->second == value) return;
  const std::size_t before =
      present ? detail::encodedSize(key, found->second) : 0;
  const std::size_t after = bytes_ - before + detail::encodedSize(key, value);
  const std::size_t limit = sessions_->settings_.maxBytes;
  if (after > limit) {
    throw std::length_error("a session of " + std::to_string(after) +
                            " bytes: maxBytes is " + std::to_string(limit));
  }
  if (present) {
    found->second = std::string(value);
  } else {
    values_.emplace(key, value);
  }
  bytes_ = after;
  changed_ = true;
}

void HttpSession::erase(std::string_view key) {
  load();
  const auto found = values_.find(key);
  if (found == values_.end()) return;
  bytes_ -= detail::encodedSize(found->first, found->second);
  values_.erase(found);
  changed_ = true;
}

void HttpSession::clear() {
  load();
  if (values_.empty()) return;
  values_.clear();
  bytes_ = 0;
  changed_ = true;
}

void HttpSession::regenerate() {
  load();
  if (id_.empty() || unread_) return;
  replaced_ = std::exchange(id_, {});
  changed_ = true;
}

std::error_code HttpSession::destroy() {
  load();
  for (const std::string& id : {replaced_, id_}) {
    if (id.empty()) continue;
    const std::error_code error = sessions_->store_->remove(id);
    if (error) return sessions_->noted("destroy", error);
  }
  cookie_ = offered_.empty() ? Cookie::kAsItIs : Cookie::kDelete;
  id_.clear();
  replaced_.clear();
  values_.clear();
  bytes_ = 0;
  unread_ = {};
  changed_ = false;
  return {};
}

std::error_code HttpSession::save(HttpResponse& response) {
  if (!loaded_) return {};
  if (unread_) return unread_;
  const std::error_code error = changed_ ? write() : std::error_code();
  if (!error) addCookie(response);
  return error;
}

std::error_code HttpSession::write() {
  std::error_code error;
  if (id_.empty()) {
    error = create();
  } else {
    error = sessions_->store_->replace(
        id_, detail::encodeSession(values_),
        sessions_->now() + sessions_->settings_.lifetime);
  }
  // That another request was faster is no trouble of the store's. A new session
  // has nobody to lose it to.
  const bool lost = isNone(error) && !(id_.empty() && replaced_.empty());
  if (!lost) sessions_->noted("save", error);
  changed_ = static_cast<bool>(error);
  return error;
}

std::error_code HttpSession::create() {
  if (values_.empty() && replaced_.empty()) return {};
  SessionStore& store = *sessions_->store_;
  const std::string id = detail::makeSessionId();
  const std::string data = detail::encodeSession(values_);
  const SessionTime expires = sessions_->now() + sessions_->settings_.lifetime;
  const std::error_code error =
      replaced_.empty() ? store.create(id, data, expires)
                        : store.rename(replaced_, id, data, expires);
  if (error) return error;
  id_ = id;
  replaced_.clear();
  cookie_ = Cookie::kSet;
  return {};
}

void HttpSession::addCookie(HttpResponse& response) {
  const HttpSessionSettings& settings = sessions_->settings_;
  const bool keeps = settings.keep == HttpSessionSettings::Keep::kLifetime;
  if (cookie_ == Cookie::kAsItIs && (!keeps || id_.empty())) return;
  const bool deletes = cookie_ == Cookie::kDelete;
  HttpCookie cookie{.name = settings.cookieName,
                    .path = "/",
                    .secure = settings.secure,
                    .httpOnly = true,
                    .sameSite = settings.sameSite};
  if (!deletes) cookie.value = id_;
  if (deletes) {
    cookie.maxAge = 0;
  } else if (keeps) {
    cookie.maxAge = settings.lifetime.count();
  }
  response.cookie(cookie);
  cookie_ = Cookie::kAsItIs;
  // RFC 9111, 3: a field Set-Cookie by itself keeps no cache from giving the
  // answer, and the id in it, to somebody else.
  if (!response.header("Cache-Control")) {
    response.set("Cache-Control", "private");
  }
}

}  // namespace brigade
