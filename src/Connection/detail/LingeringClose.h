#pragma once

// LingeringSockets: sockets that the program has closed after its last answer.
// Closing at once with unread input makes the kernel send a reset, which may
// overtake the answer (RFC 1122, 4.2.2.13); so the writing side is shut and
// the rest read and thrown away until the peer closes too, for 2 s and 1 MiB at
// most.

#include <cstddef>
#include <list>
#include <memory>

#include "brigade/Events/EventInterface.h"
#include "brigade/Events/FileDescriptor.h"
#include "brigade/Events/TimingWheel.h"

namespace brigade::detail {

class LingeringSockets {
 public:
  LingeringSockets(EventInterface& loop, TimingWheel& wheel);
  ~LingeringSockets();

  void add(FileDescriptor socket);
  std::size_t size() const { return sockets_.size(); }

 private:
  class Socket;

  EventInterface& loop_;
  TimingWheel& wheel_;
  std::list<std::unique_ptr<Socket>> sockets_;
};

}  // namespace brigade::detail
