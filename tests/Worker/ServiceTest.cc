#include "brigade/Worker/detail/Service.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "brigade/Protocol/Text.h"
#include "brigade/Worker/HttpWorker.h"
#include "brigade/Worker/WebSocketWorker.h"
#include "brigade/Worker/detail/Configuration.h"
#include "brigade/Worker/detail/Settings.h"
#include "tests/support/TempDirectory.h"

namespace brigade::detail {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

int optionOf(int fd, int level, int option) {
  int value = -1;
  socklen_t length = sizeof value;
  EXPECT_EQ(::getsockopt(fd, level, option, &value, &length), 0);
  return value;
}

// What a connection has that was accepted from the Worker's socket.
struct Accepted {
  int noDelay;
  int keepAlive;
  int idle;
  int interval;
  int probes;
};

// A Worker's socket, as its settings make it.
class Served {
 public:
  explicit Served(Worker& worker) : service_(worker, "program", "epoll") {
    service_.listen();
  }

  Accepted accept() const {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(service_.listener(0)->address().port);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const FileDescriptor client(
        ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&where),
                        sizeof where),
              0);
    const FileDescriptor server(
        ::accept(service_.listener(0)->fd(), nullptr, nullptr));
    EXPECT_TRUE(server);
    const int fd = server.get();
    return {optionOf(fd, IPPROTO_TCP, TCP_NODELAY),
            optionOf(fd, SOL_SOCKET, SO_KEEPALIVE),
            optionOf(fd, IPPROTO_TCP, TCP_KEEPIDLE),
            optionOf(fd, IPPROTO_TCP, TCP_KEEPINTVL),
            optionOf(fd, IPPROTO_TCP, TCP_KEEPCNT)};
  }
  // What `ss -tln` shows, see ListenerTest.
  int backlog() const {
    tcp_info info{};
    socklen_t length = sizeof info;
    ::getsockopt(service_.listener(0)->fd(), IPPROTO_TCP, TCP_INFO, &info,
                 &length);
    return static_cast<int>(info.tcpi_sacked);
  }

 private:
  Service service_;
};

TEST(Service, P30_ByItselfNothingIsHeldBackAndNobodyAsked) {
  Worker worker("tcp://127.0.0.1:0");
  const Accepted accepted = Served(worker).accept();
  EXPECT_EQ(accepted.noDelay, 1);
  EXPECT_EQ(accepted.keepAlive, 0);
}

TEST(Service, P30_ConnectionsHaveTheOptionsThatTheWorkerHasSet) {
  for (const AcceptMode mode : {AcceptMode::kReusePort, AcceptMode::kShared}) {
    Worker worker("tcp://127.0.0.1:0");
    worker.acceptMode = mode;
    worker.backlog = 9;
    worker.tcpNoDelay = false;
    worker.tcpKeepAlive = seconds(60);
    const Served served(worker);
    EXPECT_EQ(served.backlog(), 9);
    const Accepted accepted = served.accept();
    EXPECT_EQ(accepted.noDelay, 0);
    EXPECT_EQ(accepted.keepAlive, 1);
    EXPECT_EQ(accepted.idle, 60);
    EXPECT_EQ(accepted.interval * accepted.probes, 60);
  }
}

TEST(Service, P30_TheConfigurationFileSetsThemAsWell) {
  Worker worker("tcp://127.0.0.1:0");
  EXPECT_TRUE(set(worker, "backlog", "11"));
  EXPECT_TRUE(set(worker, "tcpNoDelay", "false"));
  EXPECT_TRUE(set(worker, "tcpKeepAlive", "1.5"));
  const Served served(worker);
  EXPECT_EQ(served.backlog(), 11);
  const Accepted accepted = served.accept();
  EXPECT_EQ(accepted.noDelay, 0);
  EXPECT_EQ(accepted.idle, 2) << "whole seconds, not less than was asked for";
  EXPECT_EQ(accepted.interval, 1);
}

TEST(Service, P30_ATimeThatTheKernelDoesNotKnowIsRefused) {
  Worker worker("tcp://127.0.0.1:0");
  worker.name = "mine";
  worker.tcpKeepAlive = seconds(32767);
  EXPECT_EQ(Served(worker).accept().idle, 32767);
  for (const milliseconds bad : {milliseconds(-1), milliseconds(32767001)}) {
    worker.tcpKeepAlive = bad;
    try {
      const Service service(worker, "program", "epoll");
      ADD_FAILURE() << bad.count() << " was taken";
    } catch (const std::invalid_argument& e) {
      EXPECT_STREQ(e.what(),
                   "worker 'mine': tcpKeepAlive is not between 0 and 32767 s");
    }
  }
}

TEST(Service, P30_AChangeOfThemWaitsForTheNextStart) {
  Worker worker("tcp://127.0.0.1:0");
  const Service service(worker, "program", "epoll");
  EXPECT_EQ(service.changedSettings(), "");
  worker.backlog = 1;
  worker.tcpNoDelay = false;
  worker.tcpKeepAlive = seconds(1);
  EXPECT_EQ(service.changedSettings(), "backlog, tcpNoDelay, tcpKeepAlive");
}

// What the exception says that making the Service throws.
std::string refusalOf(Worker& worker) {
  try {
    const Service service(worker, "program", "epoll");
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return "nothing was thrown";
}

TEST(Service, P32_ALoopOfTheProgramsOwnIsMadeByItsFactory) {
  Worker worker;
  int made = 0;
  worker.registerEventLoop("mine", [&made] {
    ++made;
    return makeEventLoop("poll");
  });
  worker.event = "mine";
  const Service service(worker, "program", "epoll");
  EXPECT_EQ(service.makeLoop()->name(), "poll");
  EXPECT_EQ(made, 2) << "one to see whether it can be made";
  worker.event = "epoll";
  EXPECT_EQ(Service(worker, "program", "libev").makeLoop()->name(), "epoll");
}

TEST(Service, AnHttpWorkerTakesNoProtocolThatItCannotAnswer) {
  HttpWorker http("http://127.0.0.1:0");
  WebSocketWorker webSocket("websocket://127.0.0.1:0");
  http.name = "mine";
  webSocket.name = "mine";
  EXPECT_EQ(refusalOf(http), "nothing was thrown");
  EXPECT_EQ(refusalOf(webSocket), "nothing was thrown");
  for (const std::string scheme : {"tcp", "text", "frame", "unix"}) {
    const std::string address =
        scheme + (scheme == "unix" ? ":///run/a.sock" : "://127.0.0.1:0");
    std::string refusal = "worker 'mine': ";
    refusal.append(address).append(": unknown protocol '");
    refusal.append(scheme).append("': have http");
    http.address = address;
    EXPECT_EQ(refusalOf(http), refusal);
    webSocket.address = address;
    EXPECT_EQ(refusalOf(webSocket), refusal + ", websocket");
  }
  http.address = "http+unix:///run/a.sock";
  EXPECT_EQ(refusalOf(http), "nothing was thrown");
  http.address = "text://127.0.0.1:0";
  http.registerProtocol("text", [] { return std::make_shared<Text>(); });
  EXPECT_EQ(refusalOf(http), "nothing was thrown") << "the program's own";
}

TEST(Service, AnHttpWorkerThatAnswersPlainMessagesSaysSo) {
  struct Plain : WebSocketWorker {
    explicit Plain(const std::string& where) : WebSocketWorker(where) {
      registerPlain();
    }
  };
  for (const char* where :
       {"tcp://127.0.0.1:0", "text://127.0.0.1:0", "frame://127.0.0.1:0",
        "unix:///run/a.sock", "http://127.0.0.1:0", "websocket://[::]:0"}) {
    Plain worker(where);
    EXPECT_EQ(refusalOf(worker), "nothing was thrown") << where;
  }
}

TEST(Service, AWorkerOfPlainMessagesTakesNoHttp) {
  Worker worker("http://127.0.0.1:0");
  worker.name = "mine";
  EXPECT_EQ(refusalOf(worker),
            "worker 'mine': http://127.0.0.1:0: unknown protocol 'http': have "
            "frame, tcp, text, unix");
}

// With a configuration file that holds this text.
std::string refusalOf(Worker& worker, const std::string& text) {
  const test::TempDirectory temp;
  const std::string path = temp / "app.toml";
  std::ofstream(path) << text;
  Configuration file(path, {&worker});
  RunConfig config;
  file.apply(config);
  file.apply(Configuration::Fixed{});
  try {
    Service service(worker, "program", config.event, &file);
    service.listen();
  } catch (const std::exception& e) {
    const std::string what = e.what();
    return what.starts_with(path) ? what.substr(path.size()) : what;
  }
  return "nothing was thrown";
}

TEST(Service, WhatIsWrongWithASettingOfTheFileHasItsLine) {
  const std::pair<const char*, const char*> wrong[] = {
      {"[worker]\naddress = 'http://127.0.0.1:0'",
       ":2: worker 'program': http:"},
      {"[worker]\naddress = 'nonsense'", ":2: bad address 'nonsense'"},
      {"[worker]\n\naddress = 'text://192.0.2.1:0'",
       ":3: cannot listen on text:"},
      {"[worker]\nuser = 'no-such'", ":2: user 'no-such': no such user"},
      {"[worker]\ngroup = 'no-such'", ":2: group 'no-such': no such group"},
      {"[worker]\ntcpKeepAlive = 40000", ":2: worker 'program': tcpKeepAlive"},
      {"[worker]\nevent = 'kqueue'", ":2: unknown event loop 'kqueue'"},
      {"event = 'kqueue'", ":1: unknown event loop 'kqueue'"},
  };
  for (const auto& [text, refusal] : wrong) {
    Worker worker("text://127.0.0.1:0");
    const std::string said = refusalOf(worker, text);
    EXPECT_TRUE(said.starts_with(refusal)) << text << ": " << said;
  }
}

TEST(Service, WhatIsWrongWithTheProgramsOwnSettingHasNoLine) {
  Worker worker("text://127.0.0.1:0");
  worker.user = "no-such";
  EXPECT_EQ(refusalOf(worker, "[worker]\nbacklog = 4"),
            "user 'no-such': no such user");
}

TEST(Service, P32_ALoopThatCannotBeMadeIsRefusedBeforeTheStart) {
  Worker worker;
  worker.event = "mine";
  EXPECT_TRUE(refusalOf(worker).starts_with("unknown event loop 'mine': have"));
  worker.registerEventLoop("another", [] { return makeEventLoop("poll"); });
  EXPECT_TRUE(refusalOf(worker).ends_with(", another")) << refusalOf(worker);
  EXPECT_THROW(worker.registerEventLoop("mine", nullptr),
               std::invalid_argument);
  worker.registerEventLoop("mine", [] { return nullptr; });
  EXPECT_EQ(refusalOf(worker), "the factory of event loop 'mine' makes none");
}

}  // namespace
}  // namespace brigade::detail
