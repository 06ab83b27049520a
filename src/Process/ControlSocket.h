#pragma once

// ControlSocket: a Unix stream socket (0600) beside the pid file on which the
// master answers its command line. A client sends one request line; the master
// answers lines, as many as it likes and as late as it likes, and closes. Only
// root and the master's own user are heard (SO_PEERCRED, unix(7)).

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "brigade/Events/EventInterface.h"

namespace brigade {

class Archive;

class ControlSocket {
 public:
  // The answer to one request. Copies share it; the last copy that goes closes
  // the connection once everything is sent. A client that went away costs
  // nothing: lines to it vanish.
  class Reply {
   public:
    void line(std::string_view text) const;  // appends "\n"
    bool gone() const;                       // the client hung up
    // Of the client, among those of its socket: see ControlSocket::replyTo().
    std::uint64_t id() const;

   private:
    friend class ControlSocket;
    class Client;
    std::shared_ptr<Client> client_;
  };
  using Handler = std::function<void(std::string_view request, Reply reply)>;

  // Limits: a request line of 64 KiB, 64 clients at once, 5 s to send the
  // request and for each part of an answer to be taken, 64 MiB of answer that
  // wait. Replaces a stale socket file. Throws std::system_error naming the
  // path, EADDRINUSE where something else lies or a live socket listens.
  ControlSocket(EventInterface& loop, std::string path, Handler handler);
  ~ControlSocket();  // removes the file, unless closed in a child

  // What another image of this process had, over execve(2): the socket, and
  // clients that wait. Throws BadArchive.
  ControlSocket(EventInterface& loop, Archive& archive, Handler handler);
  void carry(Archive& archive);
  // To a client that was carried: the first copy. Whoever waits for nothing of
  // the kind is gone with the last reply, as ever.
  Reply replyTo(std::uint64_t id);

  void closeInChild();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// The other end, for the command line: blocking, in a process without a loop.
// Calls `onLine` for every line; returns when the master closed. Throws
// std::system_error naming the path: cannot connect, or no line within
// `patience` (ETIMEDOUT).
void askControlSocket(const std::string& path, std::string_view request,
                      const std::function<void(std::string_view)>& onLine,
                      std::chrono::milliseconds patience);

}  // namespace brigade
