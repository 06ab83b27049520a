#include "brigade/Connection/Listener.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

#include "brigade/Events/Archive.h"

namespace brigade {
namespace {

enum class Sharing { kAlone, kReusePort };

[[noreturn]] void refuse(const Address& address, const std::string& reason) {
  throw CannotListen("cannot listen on " + address.toString() + ": " + reason);
}

[[noreturn]] void refuse(const Address& address, int error) {
  refuse(address, std::generic_category().message(error));
}

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const {
    return reinterpret_cast<const sockaddr*>(&storage);
  }
};

SocketAddress resolve(const Address& address) {
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error =
      ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(),
                    &hints, &found);
  if (error == EAI_SYSTEM) refuse(address, errno);
  if (error != 0) refuse(address, ::gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(
      found, ::freeaddrinfo);
  SocketAddress result;
  std::memcpy(&result.storage, found->ai_addr, found->ai_addrlen);
  result.length = found->ai_addrlen;
  return result;
}

SocketAddress unixAddress(const Address& address) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  if (address.path.size() >= sizeof un.sun_path) {
    refuse(address, "the path is longer than " +
                        std::to_string(sizeof un.sun_path - 1) + " bytes");
  }
  std::memcpy(un.sun_path, address.path.data(), address.path.size());
  SocketAddress result;
  std::memcpy(&result.storage, &un, sizeof un);
  result.length = sizeof un;
  return result;
}

FileDescriptor makeSocket(const Address& address, int family) {
  FileDescriptor fd(
      ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) refuse(address, errno);
  return fd;
}

void set(const Address& address, int fd, int level, int option, int value) {
  if (::setsockopt(fd, level, option, &value, sizeof value) != 0) {
    refuse(address, errno);
  }
}

// One that answers no probe is closed by the kernel, with ETIMEDOUT.
void setKeepAlive(const Address& address, int fd, std::chrono::seconds idle) {
  const bool asks = idle != idle.zero();
  set(address, fd, SOL_SOCKET, SO_KEEPALIVE, asks ? 1 : 0);
  if (!asks) return;
  const auto seconds = static_cast<int>(idle.count());
  set(address, fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
  set(address, fd, IPPROTO_TCP, TCP_KEEPINTVL,
      std::max(1, seconds / kKeepAliveProbes));
  set(address, fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
}

// Those that connections inherit.
void setTcpOptions(const Address& address, int fd,
                   const ListenOptions& options) {
  set(address, fd, IPPROTO_TCP, TCP_NODELAY, options.noDelay ? 1 : 0);
  setKeepAlive(address, fd, options.keepAlive);
}

FileDescriptor bindTcp(const Address& address, const SocketAddress& where,
                       const ListenOptions& options, Sharing sharing) {
  FileDescriptor fd = makeSocket(address, where.storage.ss_family);
  set(address, fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (sharing == Sharing::kReusePort) {
    set(address, fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  }
  if (where.storage.ss_family == AF_INET6) {
    set(address, fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0);
  }
  setTcpOptions(address, fd.get(), options);
  if (::bind(fd.get(), where.get(), where.length) != 0) refuse(address, errno);
  return fd;
}

void listenOn(const Address& address, int fd, int backlog) {
  if (::listen(fd, backlog) != 0) refuse(address, errno);
}

std::uint16_t portOf(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length);
  if (storage.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in&>(storage).sin_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in6&>(storage).sin6_port);
}

// A socket file that nobody listens on refuses the connection (unix(7)). So
// does any other file, which is somebody's.
bool isStale(const SocketAddress& where, const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) {
    return false;
  }
  const FileDescriptor probe(
      ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  return ::connect(probe.get(), where.get(), where.length) != 0 &&
         errno == ECONNREFUSED;
}

bool setAccess(const Address& address, const ListenOptions& options) {
  const char* const path = address.path.c_str();
  return ::chown(path, options.owner, options.group) == 0 &&
         ::chmod(path, options.mode) == 0;
}

FileDescriptor listenUnix(const Address& address,
                          const ListenOptions& options) {
  const SocketAddress where = unixAddress(address);
  FileDescriptor fd = makeSocket(address, AF_UNIX);
  // The file must never be wider open than asked for, not even for a moment:
  // bind(2) gives it the mode of the socket, less the umask.
  ::fchmod(fd.get(), options.mode);
  int bound = ::bind(fd.get(), where.get(), where.length);
  if (bound != 0 && errno == EADDRINUSE && isStale(where, address.path)) {
    ::unlink(address.path.c_str());
    bound = ::bind(fd.get(), where.get(), where.length);
  }
  if (bound != 0) refuse(address, errno);
  // At once: until then another start takes the file for a stale one.
  listenOn(address, fd.get(), options.backlog);
  if (!setAccess(address, options)) {
    const int error = errno;
    ::unlink(address.path.c_str());
    refuse(address, error);
  }
  return fd;
}

ino_t inodeOf(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

// ---- What steers a group: classic BPF that leaves a number in A

std::vector<sock_filter> randomNumber() {
  constexpr auto kRandom = static_cast<__u32>(SKF_AD_OFF + SKF_AD_RANDOM);
  return {{BPF_LD | BPF_W | BPF_ABS, 0, 0, kRandom}};
}

// Of the address in the packet's IP header. Each word of it is added and then
// spread over all bits (Knuth's multiplicative hash), of which the upper half
// counts: addresses that follow each other come to different sockets.
std::vector<sock_filter> hashOfAddress() {
  constexpr __u32 kGolden = 2654435761U;
  constexpr __u8 kWords = 4;  // of an IPv6 address
  const auto at = [](int offset) {
    return static_cast<__u32>(SKF_NET_OFF + offset);
  };
  std::vector<sock_filter> code;
  const auto addWord = [&](int offset) {
    code.push_back({BPF_MISC | BPF_TAX, 0, 0, 0});
    code.push_back({BPF_LD | BPF_W | BPF_ABS, 0, 0, at(offset)});
    code.push_back({BPF_ALU | BPF_ADD | BPF_X, 0, 0, 0});
    code.push_back({BPF_ALU | BPF_MUL | BPF_K, 0, 0, kGolden});
  };
  // The version of IP; then A is 0, and the words are added to it. On a socket
  // for both, clients of IPv4 send IPv4.
  code.push_back({BPF_LD | BPF_B | BPF_ABS, 0, 0, at(0)});
  code.push_back({BPF_ALU | BPF_RSH | BPF_K, 0, 0, 4});
  code.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 6, 4});
  code.push_back({BPF_LD | BPF_IMM, 0, 0, 0});
  addWord(12);
  code.push_back({BPF_JMP | BPF_JA, 0, 0, 1 + kWords * 4});
  code.push_back({BPF_LD | BPF_IMM, 0, 0, 0});
  for (int word = 0; word < kWords; ++word) addWord(8 + word * 4);
  code.push_back({BPF_ALU | BPF_RSH | BPF_K, 0, 0, 16});
  return code;
}

}  // namespace

Listener::Listener(Address address, FileDescriptor fd)
    : address_(std::move(address)), fd_(std::move(fd)) {
  if (address_.family == Address::Family::kUnix) {
    inode_ = inodeOf(address_.path);
  } else {
    address_.port = portOf(fd_.get());
  }
}

Listener Listener::open(const Address& address, const ListenOptions& options) {
  if (address.family == Address::Family::kUnix) {
    return Listener(address, listenUnix(address, options));
  }
  FileDescriptor fd =
      bindTcp(address, resolve(address), options, Sharing::kAlone);
  listenOn(address, fd.get(), options.backlog);
  return Listener(address, std::move(fd));
}

std::vector<Listener> Listener::openGroup(const Address& address,
                                          const ListenOptions& options,
                                          unsigned count) {
  std::vector<Listener> listeners;
  if (address.family == Address::Family::kUnix) {
    listeners.push_back(open(address, options));
    for (Listener& copy : joinGroup(listeners[0], options, count - 1)) {
      listeners.push_back(std::move(copy));
    }
    return listeners;
  }
  const SocketAddress where = resolve(address);
  if (address.port != 0) {
    // Fails when somebody else listens there; it never listens itself.
    const FileDescriptor probe =
        bindTcp(address, where, options, Sharing::kAlone);
  }
  // All are bound before one listens: a port that the kernel picked is ours
  // only for as long as it is bound, and a failure leaves no queue behind.
  Address picked = address;
  while (listeners.size() < count) {
    FileDescriptor fd =
        bindTcp(picked, listeners.empty() ? where : resolve(picked), options,
                Sharing::kReusePort);
    listeners.push_back(Listener(picked, std::move(fd)));
    picked = listeners.back().address();
  }
  for (const Listener& listener : listeners) {
    listenOn(address, listener.fd(), options.backlog);
  }
  return listeners;
}

std::vector<Listener> Listener::joinGroup(const Listener& member,
                                          const ListenOptions& options,
                                          unsigned count) {
  std::vector<Listener> listeners;
  const Address& address = member.address();
  for (unsigned i = 0; i < count; ++i) {
    FileDescriptor fd;
    if (address.family == Address::Family::kUnix) {
      fd.reset(::fcntl(member.fd(), F_DUPFD_CLOEXEC, 0));
      if (!fd) refuse(address, errno);
    } else {
      fd = bindTcp(address, resolve(address), options, Sharing::kReusePort);
      listenOn(address, fd.get(), options.backlog);
    }
    listeners.push_back(Listener(address, std::move(fd)));
  }
  return listeners;
}

// By a program in the kernel (SO_ATTACH_REUSEPORT_CBPF, socket(7)), which
// answers with the number of the socket.
void Listener::steerGroup(const Listener& member, unsigned count,
                          Steering steering) {
  if (member.address().family == Address::Family::kUnix) return;
  std::vector<sock_filter> code =
      steering == Steering::kByAddress ? hashOfAddress() : randomNumber();
  code.push_back({BPF_ALU | BPF_MOD | BPF_K, 0, 0, count});
  code.push_back({BPF_RET | BPF_A, 0, 0, 0});
  const sock_fprog program = {static_cast<unsigned short>(code.size()),
                              code.data()};
  const int result =
      ::setsockopt(member.fd(), SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
                   sizeof program);
  if (result != 0 && steering == Steering::kByAddress) {
    refuse(member.address(), "no distribution by address: " +
                                 std::generic_category().message(errno));
  }
}

Listener::Listener(Archive& archive) { carry(archive); }

void Listener::carry(Archive& archive) {
  archive(address_.protocol, address_.family, address_.host, address_.port,
          address_.path, fd_, inode_);
}

void Listener::apply(const ListenOptions& options) {
  if (address_.family != Address::Family::kUnix) {
    setTcpOptions(address_, fd_.get(), options);
  } else if (inodeOf(address_.path) == inode_ &&
             !setAccess(address_, options)) {
    refuse(address_, errno);
  }
  // Again: only the backlog is another then.
  listenOn(address_, fd_.get(), options.backlog);
}

void Listener::removeFile() {
  if (inode_ != 0 && inodeOf(address_.path) == inode_) {
    ::unlink(address_.path.c_str());
  }
}

}  // namespace brigade
