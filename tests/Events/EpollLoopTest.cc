#include "brigade/Events/EpollLoop.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mman.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <thread>

#include "tests/Events/support/EventLoopFixture.h"

namespace brigade::test {
namespace {

TEST(EpollLoopTest, ARegularFileIsRefusedAndNamed) {
  EpollLoop loop;
  const FileDescriptor file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  On watcher([](Ready) {});
  try {
    loop.add(file.get(), Interest::kRead, watcher);
    FAIL();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), EPERM);
    EXPECT_NE(std::string(error.what())
                  .find("descriptor " + std::to_string(file.get())),
              std::string::npos);
  }
  loop.loop();  // Nothing was registered: returns.
}

TEST(EpollLoopTest, AChangeOfInterestKeepsWhatThisTurnHasSeen) {
  EpollLoop loop;
  const SocketPair one;
  const SocketPair two;
  On* watchers[2] = {};
  const auto widen = [&](const SocketPair& other, int index) {
    loop.add(other.near.get(), Interest::kReadWrite, *watchers[index]);
    loop.stop();
  };
  On first([&](Ready) { widen(two, 1); });
  On second([&](Ready) { widen(one, 0); });
  watchers[0] = &first;
  watchers[1] = &second;
  loop.add(one.near.get(), Interest::kRead, first);
  loop.add(two.near.get(), Interest::kRead, second);
  one.feed();
  two.feed();
  loop.loop();
  EXPECT_EQ(first.calls, 1);
  EXPECT_EQ(second.calls, 1);
}

TEST(EpollLoopTest, MoreReadyDescriptorsThanOneTurnTakesAreAllCalled) {
  EpollLoop loop;
  std::vector<SocketPair> pairs(700);
  std::size_t left = pairs.size();
  std::vector<std::unique_ptr<On>> watchers;
  for (const SocketPair& pair : pairs) {
    watchers.push_back(std::make_unique<On>([&](Ready) {
      pair.drain();
      if (--left == 0) loop.stop();
    }));
    loop.add(pair.near.get(), Interest::kRead, *watchers.back());
    pair.feed();
  }
  loop.loop();
  EXPECT_EQ(left, 0U);
}

// Processes that share a listener, each with a loop of its own. They note a
// wake-up in shared memory and leave the connection in the queue.
class ExclusiveAccept {
 public:
  static constexpr std::size_t kProcesses = 4;

  ExclusiveAccept() : shared_(*new (map()) Shared) {
    for (std::size_t i = 0; i < kProcesses; ++i) {
      children_[i] = ::fork();
      if (children_[i] == 0) runChild(i);
      orders_[i].near.reset();
    }
  }
  ExclusiveAccept(const ExclusiveAccept&) = delete;
  ExclusiveAccept& operator=(const ExclusiveAccept&) = delete;
  ~ExclusiveAccept() { ::munmap(&shared_, sizeof(Shared)); }

  bool allAsleep() const {
    for (std::size_t i = 0; i < kProcesses; ++i) {
      if (!shared_.pulses[i].sleeping || state(children_[i]) != 'S') {
        return false;
      }
    }
    return true;
  }
  void connect() {
    const FileDescriptor client(::socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address_),
                        sizeof(address_)),
              0);
  }
  int wakeUps() const { return shared_.wakeUps; }
  // Ends every child after a turn of its own: whatever woke it has been told.
  void finish() {
    for (std::size_t i = 0; i < kProcesses; ++i) {
      orders_[i].far.reset();
      EXPECT_TRUE(succeeds(children_[i]));
    }
  }

 private:
  struct Shared {
    std::array<Pulse, kProcesses> pulses;
    std::atomic<int> wakeUps{0};
  };

  static void* map() {
    return ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  }
  // The process state of proc(5), behind the name in parentheses.
  static char state(pid_t process) {
    std::ifstream stat("/proc/" + std::to_string(process) + "/stat");
    std::string text;
    std::getline(stat, text);
    const auto end = text.rfind(')');
    return end == std::string::npos ? '?' : text[end + 2];
  }

  FileDescriptor listen() {
    FileDescriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    socklen_t size = sizeof(address_);
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const address = reinterpret_cast<sockaddr*>(&address_);
    EXPECT_EQ(::bind(listener.get(), address, size), 0);
    EXPECT_EQ(::listen(listener.get(), 16), 0);
    EXPECT_EQ(::getsockname(listener.get(), address, &size), 0);
    return listener;
  }

  [[noreturn]] void runChild(std::size_t index) {
    EpollLoop loop;
    for (SocketPair& orders : orders_) orders.far.reset();
    loop.setPulse(shared_.pulses[index]);
    On accept([&](Ready) {
      ++shared_.wakeUps;
      loop.del(listener_.get());
    });
    On order([&](Ready) { loop.stop(); });
    loop.add(listener_.get(), Interest::kAccept, accept);
    loop.add(orders_[index].near.get(), Interest::kRead, order);
    loop.loop();
    ::_exit(0);
  }

  Shared& shared_;
  sockaddr_in address_{};
  FileDescriptor listener_ = listen();
  std::array<SocketPair, kProcesses> orders_;
  std::array<pid_t, kProcesses> children_{};
};

bool waitFor(const std::function<bool()>& condition) {
  const auto deadline = Clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST(EpollLoopTest, AConnectionWakesOneOfTheProcessesThatShareAListener) {
  ExclusiveAccept processes;
  ASSERT_TRUE(waitFor([&] { return processes.allAsleep(); }));
  processes.connect();
  EXPECT_TRUE(waitFor([&] { return processes.wakeUps() > 0; }));
  processes.finish();
  EXPECT_EQ(processes.wakeUps(), 1);
}

}  // namespace
}  // namespace brigade::test
