#pragma once

// A table of connections over socket pairs, with a handler that writes down
// what it is told and does what the test gave it.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "brigade/Connection/ConnectionTable.h"
#include "brigade/Protocol/ProtocolRegistry.h"
#include "tests/support/RunUntil.h"

namespace brigade::test {

class RecordingHandler : public ConnectionHandler {
 public:
  using Callback = std::function<void(TcpConnection&)>;

  void onConnect(TcpConnection& c) override { note("connect", connect, c); }
  void onMessage(TcpConnection& c, const Message& m) override {
    messages.emplace_back(m.data());
    if (message) message(c, m);
  }
  void onClose(TcpConnection& c) override { note("close", close, c); }
  void onError(TcpConnection& c, ErrorCode code,
               std::string_view reason) override {
    lastCode = code;
    lastReason = reason;
    note("error", error, c);
  }
  void onBufferFull(TcpConnection& c) override { note("full", full, c); }
  void onBufferDrain(TcpConnection& c) override { note("drain", drain, c); }
  bool onIdle(TcpConnection& c) override {
    events.emplace_back("idle");
    return idle && idle(c);
  }
  void onEnd(TcpConnection& c) override {
    note("end", end, c);
    if (!end) ConnectionHandler::onEnd(c);
  }

  void onEndAhead(TcpConnection& c) override { note("end ahead", {}, c); }

  std::size_t count(std::string_view event) const {
    return static_cast<std::size_t>(
        std::count(events.begin(), events.end(), event));
  }

  std::vector<std::string> events;
  std::vector<std::string> messages;
  std::size_t thrown = 0;
  ErrorCode lastCode{};
  std::string lastReason;
  Callback connect, close, error, full, drain, end;
  std::function<void(TcpConnection&, const Message&)> message;
  std::function<bool(TcpConnection&)> idle;

 protected:
  void onThrown(TcpConnection&, const std::exception_ptr& exception) override {
    if (exception) ++thrown;
  }

 private:
  void note(const char* event, const Callback& callback, TcpConnection& c) {
    events.emplace_back(event);
    if (callback) callback(c);
  }
};

class ConnectionFixture : public ::testing::Test {
 protected:
  // Before the first accept().
  void useProtocol(std::string scheme) { scheme_ = std::move(scheme); }
  void useProtocol(std::string scheme, ProtocolFactory factory) {
    registry_.add(scheme, std::move(factory));
    scheme_ = std::move(scheme);
  }
  void useTransport(detail::Transport& transport) { transport_ = &transport; }
  ConnectionLimits limits;

  ConnectionTable& table() {
    if (!table_) {
      table_ = std::make_unique<ConnectionTable>(*loop, handler,
                                                 registry_.find(scheme_),
                                                 limits, counters, transport_);
    }
    return *table_;
  }

  // A new connection; its client end is `client`, blocking.
  TcpConnection& accept(FileDescriptor& client) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    client.reset(ends[1]);
    return table().adopt(FileDescriptor(ends[0]), Endpoint());
  }

  static void say(const FileDescriptor& client, std::string_view bytes) {
    ASSERT_EQ(::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }

  // What has arrived at the client; non-blocking.
  static std::string hear(const FileDescriptor& client) {
    std::string all;
    char buffer[65536];
    ssize_t n;
    while ((n = ::recv(client.get(), buffer, sizeof buffer, MSG_DONTWAIT)) >
           0) {
      all.append(buffer, static_cast<std::size_t>(n));
    }
    return all;
  }

  // True when the peer of `client` has ended its writing side and everything
  // before that was read.
  static bool atEnd(const FileDescriptor& client) {
    char byte;
    return ::recv(client.get(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
  }

  // Turns the loop until the client has heard `bytes` in all.
  std::string hearBytes(const FileDescriptor& client, std::size_t bytes) {
    std::string all;
    EXPECT_TRUE(until([&] {
      all += hear(client);
      return all.size() >= bytes;
    })) << "heard "
        << all.size() << " of " << bytes;
    return all;
  }

  bool until(const std::function<bool()>& condition) {
    return runUntil(*loop, condition);
  }

  std::unique_ptr<EventInterface> loop = makeEventLoop("epoll");
  RecordingHandler handler;
  ConnectionCounters counters;

 private:
  ProtocolRegistry registry_;
  std::string scheme_ = "text";
  detail::Transport* transport_ = nullptr;
  std::unique_ptr<ConnectionTable> table_;
};

}  // namespace brigade::test
