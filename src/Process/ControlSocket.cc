#include "brigade/Process/ControlSocket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <list>
#include <system_error>
#include <utility>
#include <vector>

#include "brigade/Events/Archive.h"
#include "brigade/Events/FileDescriptor.h"

namespace brigade {
namespace {

constexpr std::size_t kMaxRequest = 64 * 1024;
constexpr std::size_t kMaxClients = 64;
// For the request, and then for every bit of the answer to be taken.
constexpr std::chrono::seconds kPatience{5};
constexpr std::size_t kMaxAnswer = 64 * 1024 * 1024;
constexpr std::chrono::milliseconds kAcceptPause{100};

[[noreturn]] void failed(int error, const std::string& what,
                         const std::string& path) {
  throw std::system_error(error, std::generic_category(), what + " " + path);
}

sockaddr_un addressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    failed(ENAMETOOLONG, "cannot use the control socket", path);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

FileDescriptor makeSocket(int flags) {
  return FileDescriptor(
      ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
}

// The file of a socket that nobody listens on any more.
bool isStale(const sockaddr_un& address) {
  struct stat info {};
  if (::lstat(address.sun_path, &info) != 0 || !S_ISSOCK(info.st_mode)) {
    return false;
  }
  const FileDescriptor probe = makeSocket(SOCK_NONBLOCK);
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address),
                   sizeof address) != 0 &&
         errno == ECONNREFUSED;
}

FileDescriptor listenAt(const std::string& path) {
  const sockaddr_un address = addressOf(path);
  FileDescriptor fd = makeSocket(SOCK_NONBLOCK);
  if (!fd) failed(errno, "cannot make the control socket", path);
  // The pid file's lock keeps a second master away; not one whose pid file has
  // another name, but gives the same path here.
  if (isStale(address)) ::unlink(path.c_str());
  // The file gets the socket's mode: 0600 from its first moment.
  ::fchmod(fd.get(), 0600);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
             sizeof address) != 0 ||
      ::listen(fd.get(), 16) != 0) {
    failed(errno, "cannot listen on the control socket", path);
  }
  return fd;
}

ino_t inodeOf(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

bool isTrusted(int fd) {
  ucred peer{};
  socklen_t length = sizeof peer;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
         (peer.uid == 0 || peer.uid == ::geteuid());
}

}  // namespace

// One caller: reads its request, then writes what the replies say. Owned by
// the socket's list until its end, and by the replies.
class ControlSocket::Reply::Client final : public Watcher {
 public:
  Client(EventInterface& loop, std::uint64_t id, FileDescriptor fd,
         const Handler& handler, std::function<void(Client*)> onGone)
      : loop_(loop),
        id_(id),
        fd_(std::move(fd)),
        handler_(handler),
        onGone_(std::move(onGone)) {
    loop_.add(fd_.get(), Interest::kRead, *this);
    waiting_ = true;
    patience_ = loop_.add(kPatience, Repeat::kOnce, [this] { end(); });
  }
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool gone() const { return !fd_; }

  void line(std::string_view text) {
    if (!fd_) return;
    if (out_.size() - sent_ + text.size() >= kMaxAnswer) {
      end();  // a client that does not read
      return;
    }
    // What is gone already makes room, not with every line.
    if (sent_ > out_.size() / 2) out_.erase(0, std::exchange(sent_, 0));
    out_ += text;
    out_ += '\n';
    flush();
  }

  // The last reply is gone: nothing more will be said.
  void finish() {
    finished_ = true;
    if (out_.empty()) end();
  }

  std::uint64_t id() const { return id_; }

  // A client of another image: as one that has come just now.
  void carry(Archive& archive) {
    std::string left = out_.substr(sent_);
    archive(request_, left, asked_, inputEnded_, finished_);
    if (!archive.isReading()) return;
    out_ = std::move(left);
    if (asked_ && out_.empty()) waitNoLonger();
    watch();
  }
  int fd() const { return fd_.get(); }

  // The first reply to a request.
  Reply reply() {
    Reply reply;
    // The last copy of the reply finishes the client, which lives in the list.
    reply.client_ = std::shared_ptr<Client>(
        this, [keep = self.lock()](Client* client) { client->finish(); });
    return reply;
  }

  // In a child, or at the end: no word to anybody.
  void close() {
    if (!fd_) return;
    loop_.del(patience_);
    loop_.del(fd_.get());
    fd_.reset();
  }
  void closeDescriptor() { fd_.reset(); }

 private:
  void onReady(Ready ready) override {
    if (ready.write) flush();
    if (ready.read && fd_) receive();
  }

  void receive() {
    char bytes[4096];
    const ssize_t n = ::recv(fd_.get(), bytes, sizeof bytes, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n == 0 && asked_ && !hungUp()) {
      // Half closed (shutdown(2)): it still listens.
      inputEnded_ = true;
      watch();
      return;
    }
    if (n <= 0) {
      end();
      return;
    }
    if (asked_) return;  // one request a connection
    request_.append(bytes, static_cast<std::size_t>(n));
    const auto end = request_.find('\n');
    if (end != std::string::npos) {
      ask(request_.substr(0, end));
    } else if (request_.size() > kMaxRequest) {
      this->end();
    }
  }

  void ask(const std::string& request);

  // Closed altogether: POLLHUP comes when both directions are shut.
  bool hungUp() const {
    pollfd look{fd_.get(), 0, 0};
    return ::poll(&look, 1, 0) == 1 && (look.revents & POLLHUP) != 0;
  }

  void flush() {
    while (sent_ < out_.size()) {
      const ssize_t n = ::send(fd_.get(), out_.data() + sent_,
                               out_.size() - sent_, MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) {
        watch();
        return;
      }
      if (n < 0) {
        end();
        return;
      }
      sent_ += static_cast<std::size_t>(n);
      waitNoLonger();
    }
    out_.clear();
    sent_ = 0;
    if (finished_) {
      end();
    } else {
      watch();
    }
  }

  // Of a client that half closed only the taking is watched.
  void watch() {
    const bool writes = !out_.empty();
    if (writes && !waiting_) {
      waiting_ = true;
      patience_ = loop_.add(kPatience, Repeat::kOnce, [this] { end(); });
    }
    if (inputEnded_ && !writes) {
      loop_.del(fd_.get());
      return;
    }
    loop_.add(fd_.get(),
              inputEnded_ ? Interest::kWrite
              : writes    ? Interest::kReadWrite
                          : Interest::kRead,
              *this);
  }

  void waitNoLonger() {
    if (std::exchange(waiting_, false)) loop_.del(patience_);
  }

  void end() {
    if (!fd_) return;
    close();
    // The list lets go of us later: a caller further up may be our own.
    loop_.defer([gone = onGone_, client = self.lock()] { gone(client.get()); });
  }

  EventInterface& loop_;
  std::uint64_t id_;
  FileDescriptor fd_;
  const Handler& handler_;
  std::function<void(Client*)> onGone_;
  TimerId patience_{};
  std::string request_;
  std::string out_;
  std::size_t sent_ = 0;  // of out_
  bool waiting_ = false;  // for the client, and patience_ runs
  bool asked_ = false;
  bool inputEnded_ = false;
  bool finished_ = false;

 public:
  std::weak_ptr<Client> self;
};

void ControlSocket::Reply::Client::ask(const std::string& request) {
  asked_ = true;
  waitNoLonger();
  handler_(request, reply());
}

void ControlSocket::Reply::line(std::string_view text) const {
  client_->line(text);
}

bool ControlSocket::Reply::gone() const { return client_->gone(); }

std::uint64_t ControlSocket::Reply::id() const { return client_->id(); }

class ControlSocket::Impl final : public Watcher {
 public:
  Impl(EventInterface& loop, std::string path, Handler handler)
      : loop_(loop),
        path_(std::move(path)),
        handler_(std::move(handler)),
        fd_(listenAt(path_)),
        inode_(inodeOf(path_)) {
    loop_.add(fd_.get(), Interest::kRead, *this);
  }

  Impl(EventInterface& loop, Archive& archive, Handler handler)
      : loop_(loop), handler_(std::move(handler)) {
    archive(path_, fd_, inode_, nextId_);
    loop_.add(fd_.get(), Interest::kRead, *this);
    std::uint32_t clients = 0;
    archive(clients);
    for (std::uint32_t i = 0; i < clients; ++i) {
      std::uint64_t id = 0;
      archive(id);
      archive(add(id, archive.readDescriptor()));
    }
  }

  void carry(Archive& archive) {
    archive(path_, fd_, inode_, nextId_);
    std::vector<std::shared_ptr<Client>> there;
    for (const auto& client : clients_) {
      if (!client->gone()) there.push_back(client);
    }
    auto clients = static_cast<std::uint32_t>(there.size());
    archive(clients);
    for (const auto& client : there) {
      std::uint64_t id = client->id();
      archive(id);
      archive.write(client->fd());
      archive(*client);
    }
  }

  Reply replyTo(std::uint64_t id) {
    const auto found =
        std::find_if(clients_.begin(), clients_.end(),
                     [&](const auto& client) { return client->id() == id; });
    if (found == clients_.end()) {
      throw BadArchive("a client of the control socket is missing");
    }
    return (*found)->reply();
  }

  ~Impl() {
    if (!fd_) return;
    loop_.del(retry_);
    loop_.del(fd_.get());
    if (inodeOf(path_) == inode_) ::unlink(path_.c_str());
    for (const auto& client : clients_) client->close();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void closeInChild() {
    fd_.reset();
    for (const auto& client : clients_) client->closeDescriptor();
  }

 private:
  using Client = Reply::Client;

  void onReady(Ready) override {
    FileDescriptor socket(
        ::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) {
      if (errno == EMFILE || errno == ENFILE) pause();
      return;
    }
    if (!isTrusted(socket.get()) || clients_.size() >= kMaxClients) return;
    add(nextId_++, std::move(socket));
  }

  Client& add(std::uint64_t id, FileDescriptor socket) {
    auto client =
        std::make_shared<Client>(loop_, id, std::move(socket), handler_,
                                 [this](Client* gone) { forget(gone); });
    client->self = client;
    clients_.push_back(std::move(client));
    return *clients_.back();
  }

  // Level-triggered: without a pause it would spin.
  void pause() {
    loop_.del(fd_.get());
    retry_ = loop_.add(kAcceptPause, Repeat::kOnce, [this] {
      loop_.add(fd_.get(), Interest::kRead, *this);
    });
  }

  void forget(Client* gone) {
    clients_.remove_if([gone](const auto& c) { return c.get() == gone; });
  }

  EventInterface& loop_;
  std::string path_;
  Handler handler_;
  FileDescriptor fd_;
  ino_t inode_;  // of the file, which may have been replaced
  std::uint64_t nextId_ = 1;
  TimerId retry_{};
  std::list<std::shared_ptr<Client>> clients_;
};

ControlSocket::ControlSocket(EventInterface& loop, std::string path,
                             Handler handler)
    : impl_(std::make_unique<Impl>(loop, std::move(path), std::move(handler))) {
}

ControlSocket::ControlSocket(EventInterface& loop, Archive& archive,
                             Handler handler)
    : impl_(std::make_unique<Impl>(loop, archive, std::move(handler))) {}

ControlSocket::~ControlSocket() = default;

void ControlSocket::carry(Archive& archive) { impl_->carry(archive); }

ControlSocket::Reply ControlSocket::replyTo(std::uint64_t id) {
  return impl_->replyTo(id);
}

void ControlSocket::closeInChild() { impl_->closeInChild(); }

void askControlSocket(const std::string& path, std::string_view request,
                      const std::function<void(std::string_view)>& onLine,
                      std::chrono::milliseconds patience) {
  const sockaddr_un address = addressOf(path);
  const FileDescriptor fd = makeSocket(0);
  if (!fd) failed(errno, "cannot make a socket for", path);
  // A master that hangs does not accept either, and then connect(2) waits.
  const auto wait =
      std::chrono::duration_cast<std::chrono::microseconds>(patience);
  const timeval patienceOfSends{wait.count() / 1'000'000,
                                wait.count() % 1'000'000};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patienceOfSends,
               sizeof patienceOfSends);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                sizeof address) != 0) {
    failed(errno == EAGAIN ? ETIMEDOUT : errno, "cannot reach the master at",
           path);
  }
  const std::string line = std::string(request) + "\n";
  if (::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) < 0) {
    failed(errno, "cannot ask the master at", path);
  }
  std::string received;
  for (;;) {
    pollfd waiting{fd.get(), POLLIN, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(patience.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) failed(ETIMEDOUT, "no answer from the master at", path);
    char bytes[64 * 1024];
    const ssize_t n = ::recv(fd.get(), bytes, sizeof bytes, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) failed(errno, "cannot hear the master at", path);
    if (n == 0) return;
    received.append(bytes, static_cast<std::size_t>(n));
    std::size_t begin = 0;
    for (std::size_t end;
         (end = received.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      onLine(std::string_view(received).substr(begin, end - begin));
    }
    received.erase(0, begin);
  }
}

}  // namespace brigade
