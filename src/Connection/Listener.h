#pragma once

// Listener: a bound, listening socket. The master makes it before the fork
// and keeps it across every reload, so its accept queue is never lost; workers
// accept from the inherited descriptor (Acceptor). The socket's options hold
// for every connection accepted from it: they are set here, once. SO_REUSEADDR
// is always on: else no server could start while a connection of the one before
// is in TIME_WAIT (tcp(7)).

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "brigade/Connection/Address.h"
#include "brigade/Events/FileDescriptor.h"

namespace brigade {

class Archive;

// "cannot listen on tcp://0.0.0.0:80: Address already in use".
class CannotListen : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What TCP_KEEPIDLE takes, tcp(7).
inline constexpr std::chrono::seconds kMaxKeepAlive{32767};
inline constexpr int kKeepAliveProbes = 4;

struct ListenOptions {
  int backlog = 1024;  // the kernel's net.core.somaxconn bounds it
  // Of TCP. False: small pieces wait for each other (Nagle's algorithm).
  bool noDelay = true;
  // Of TCP: a peer that was silent for so long is asked kKeepAliveProbes times,
  // over as long again, whether it is there. Up to kMaxKeepAlive; zero: never.
  std::chrono::seconds keepAlive{0};
  // Of a Unix socket's file; -1 leaves the owner or group as it is.
  mode_t mode = 0660;
  uid_t owner = static_cast<uid_t>(-1);
  gid_t group = static_cast<gid_t>(-1);
};

// Which socket of a group gets a new connection: any, or always the same for
// one address of a client, whatever its port.
enum class Steering : std::uint8_t { kRandom, kByAddress };

class Listener {
 public:
  // A stale socket file is replaced when nobody listens on it. Throws
  // CannotListen.
  static Listener open(const Address& address, const ListenOptions& options);

  // `count` sockets on one TCP address (SO_REUSEPORT, socket(7)): the kernel
  // spreads connections over them. Refuses an address that another program
  // has, although SO_REUSEPORT alone would let two share it in silence. A Unix
  // socket has one only: the second and later share its descriptor.
  static std::vector<Listener> openGroup(const Address& address,
                                         const ListenOptions& options,
                                         unsigned count);

  // `count` more sockets of the group that `member` is of.
  static std::vector<Listener> joinGroup(const Listener& member,
                                         const ListenOptions& options,
                                         unsigned count);

  // New connections go to the first `count` sockets of the group only, in the
  // order in which they were opened; a socket that was closed leaves its place
  // to the last one. Where nothing can be steered (a Unix socket) nothing
  // happens. Throws CannotListen when the kernel refuses kByAddress.
  static void steerGroup(const Listener& member, unsigned count,
                         Steering steering = Steering::kRandom);

  // A copy of a listener's descriptor that another process has sent.
  Listener(const Listener& like, FileDescriptor fd)
      : address_(like.address_), fd_(std::move(fd)) {}

  // One that another image of this process had, over execve(2); apply() gives
  // it the options of this one. Throws CannotListen.
  explicit Listener(Archive& archive);
  void carry(Archive& archive);
  void apply(const ListenOptions& options);

  Listener(Listener&&) = default;
  Listener& operator=(Listener&&) = default;
  // Does not remove the socket file: a worker's copy must not (removeFile).
  ~Listener() = default;

  // With the port that the kernel picked.
  const Address& address() const { return address_; }
  int fd() const { return fd_.get(); }

  // In the master, at its end, if the file is still this socket's.
  void removeFile();

 private:
  Listener(Address address, FileDescriptor fd);

  Address address_;
  FileDescriptor fd_;
  ino_t inode_ = 0;  // of the socket file
};

}  // namespace brigade
