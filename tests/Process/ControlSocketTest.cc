#include "brigade/Process/ControlSocket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "brigade/Events/FileDescriptor.h"
#include "tests/support/RunUntil.h"
#include "tests/support/TempDirectory.h"

namespace brigade::test {
namespace {

using std::chrono::milliseconds;

class ControlSocketTest : public ::testing::Test {
 protected:
  // A child asks and exits with 0 when the answers are as expected.
  pid_t ask(const std::string& request,
            const std::vector<std::string>& expected) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    std::vector<std::string> lines;
    try {
      askControlSocket(
          path, request,
          [&](std::string_view line) { lines.emplace_back(line); },
          milliseconds(10'000));
    } catch (const std::exception&) {
      ::_exit(2);
    }
    ::_exit(lines == expected ? 0 : 1);
  }
  static int connectTo(const std::string& path) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address),
                        sizeof address),
              0);
    return fd;
  }
  // Turns the loop until the child has ended; its exit code.
  int resultOf(pid_t child) {
    int status = -1;
    bool ended = false;
    EXPECT_TRUE(runUntil(*loop, [&] {
      ended = ended || ::waitpid(child, &status, WNOHANG) == child;
      return ended;
    }));
    return WEXITSTATUS(status);
  }

  std::unique_ptr<EventInterface> loop = makeEventLoop("epoll");
  const TempDirectory directory;
  const std::string path = directory / "a.sock";
};

TEST_F(ControlSocketTest, AnswersComeLineByLineAndEndWithTheLastReply) {
  const ControlSocket socket(
      *loop, path, [](std::string_view request, ControlSocket::Reply reply) {
        reply.line("you said " + std::string(request));
        reply.line("bye");
      });
  EXPECT_EQ(resultOf(ask("hello", {"you said hello", "bye"})), 0);
}

TEST_F(ControlSocketTest, AnAnswerMayComeLate) {
  std::optional<ControlSocket::Reply> kept;
  const ControlSocket socket(*loop, path,
                             [&](std::string_view, ControlSocket::Reply reply) {
                               kept = std::move(reply);
                             });
  const pid_t child = ask("x", {"late"});
  ASSERT_TRUE(runUntil(*loop, [&] { return kept.has_value(); }));
  kept->line("late");
  kept.reset();
  EXPECT_EQ(resultOf(child), 0);
}

TEST_F(ControlSocketTest, TheFileIsForItsOwnerOnlyAndIsRemoved) {
  {
    const ControlSocket socket(
        *loop, path, [](std::string_view, const ControlSocket::Reply&) {});
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(ControlSocketTest, NobodyThereIsAnErrorThatNamesThePath) {
  try {
    askControlSocket(
        path, "x", [](std::string_view) {}, milliseconds(100));
    FAIL();
  } catch (const std::system_error& e) {
    EXPECT_NE(std::string(e.what()).find(path), std::string::npos);
  }
}

TEST_F(ControlSocketTest, APathTooLongIsNamed) {
  const std::string longPath = "/tmp/" + std::string(120, 'x');
  try {
    const ControlSocket socket(
        *loop, longPath, [](std::string_view, const ControlSocket::Reply&) {});
    FAIL();
  } catch (const std::system_error& e) {
    EXPECT_NE(std::string(e.what()).find(longPath), std::string::npos);
  }
}

TEST_F(ControlSocketTest, AHalfClosedClientStillGetsItsAnswer) {
  std::vector<ControlSocket::Reply> late;
  const ControlSocket socket(*loop, path,
                             [&](std::string_view, ControlSocket::Reply reply) {
                               late.push_back(std::move(reply));
                             });
  const FileDescriptor client(connectTo(path));
  ASSERT_EQ(::send(client.get(), "status\n", 7, 0), 7);
  ::shutdown(client.get(), SHUT_WR);
  ASSERT_TRUE(runUntil(*loop, [&] { return late.size() == 1; }));
  turn(*loop);
  late[0].line("all is well");
  late.clear();
  char bytes[64];
  ssize_t n = -1;
  ASSERT_TRUE(runUntil(*loop, [&] {
    n = ::recv(client.get(), bytes, sizeof bytes, MSG_DONTWAIT);
    return n >= 0;
  }));
  EXPECT_EQ(std::string(bytes, static_cast<std::size_t>(n)), "all is well\n");
}

TEST_F(ControlSocketTest, AFileThatIsNotItsOwnStays) {
  auto socket = std::make_unique<ControlSocket>(
      *loop, path, [](std::string_view, const ControlSocket::Reply&) {});
  std::filesystem::remove(path);
  std::ofstream(path) << "another's";
  socket.reset();
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(ControlSocketTest, AMasterThatDoesNotAcceptCostsThePatienceOnly) {
  const FileDescriptor deaf(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(deaf.get(), reinterpret_cast<const sockaddr*>(&address),
                   sizeof address),
            0);
  ASSERT_EQ(::listen(deaf.get(), 0), 0);
  const auto ask = [&] {
    askControlSocket(
        path, "status", [](std::string_view) {}, milliseconds(50));
  };
  // The first waits for its answer, the others for their connection.
  for (int i = 0; i < 3; ++i) {
    try {
      ask();
      FAIL() << "answered";
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code().value(), ETIMEDOUT) << e.what();
      EXPECT_NE(std::string(e.what()).find(path), std::string::npos);
    }
  }
}

// ---- Whose file it is

TEST_F(ControlSocketTest, ALiveSocketIsLeftToItsMaster) {
  const auto nobody = [](std::string_view, const ControlSocket::Reply&) {};
  const ControlSocket first(*loop, path,
                            [](std::string_view, ControlSocket::Reply reply) {
                              reply.line("the first");
                            });
  try {
    const ControlSocket second(*loop, path, nobody);
    FAIL() << "two masters at one path";
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code().value(), EADDRINUSE) << e.what();
  }
  EXPECT_EQ(resultOf(ask("who", {"the first"})), 0);
}

TEST_F(ControlSocketTest, AStaleSocketIsReplaced) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  {
    const FileDescriptor dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address),
                     sizeof address),
              0);
  }
  const ControlSocket socket(
      *loop, path,
      [](std::string_view, ControlSocket::Reply reply) { reply.line("here"); });
  EXPECT_EQ(resultOf(ask("who", {"here"})), 0);
}

TEST_F(ControlSocketTest, AClientThatHungUpIsGoneAndOneThatHalfClosedIsNot) {
  std::vector<ControlSocket::Reply> late;
  const ControlSocket socket(*loop, path,
                             [&](std::string_view, ControlSocket::Reply reply) {
                               late.push_back(std::move(reply));
                             });
  FileDescriptor client(connectTo(path));
  FileDescriptor half(connectTo(path));
  for (const FileDescriptor* each : {&client, &half}) {
    ASSERT_EQ(::send(each->get(), "reload\n", 7, 0), 7);
    const std::size_t before = late.size();
    ASSERT_TRUE(runUntil(*loop, [&] { return late.size() == before + 1; }));
  }
  ::shutdown(half.get(), SHUT_WR);
  client.reset();
  EXPECT_TRUE(runUntil(*loop, [&] { return late[0].gone(); }));
  turn(*loop);
  EXPECT_FALSE(late[1].gone());
}

TEST_F(ControlSocketTest, OnlyWhatWaitsCountsAgainstAClient) {
  // More than the limit in all, and little of it at any time.
  constexpr std::size_t kChunk = 1024 * 1024;
  constexpr std::size_t kChunks = 80;
  std::vector<ControlSocket::Reply> replies;
  const ControlSocket socket(*loop, path,
                             [&](std::string_view, ControlSocket::Reply reply) {
                               replies.push_back(std::move(reply));
                             });
  const FileDescriptor client(connectTo(path));
  ASSERT_EQ(::send(client.get(), "all\n", 4, 0), 4);
  ASSERT_TRUE(runUntil(*loop, [&] { return replies.size() == 1; }));
  const std::string chunk(kChunk - 1, 'x');
  std::string bytes(kChunk, ' ');
  std::size_t heard = 0;
  // One chunk always waits.
  replies[0].line(chunk);
  for (std::size_t said = 1; said < kChunks; ++said) {
    replies[0].line(chunk);
    ASSERT_FALSE(replies[0].gone()) << said;
    const std::size_t wanted = said * kChunk;
    ASSERT_TRUE(runUntil(*loop, [&] {
      const ssize_t n =
          ::recv(client.get(), bytes.data(),
                 std::min(bytes.size(), wanted - heard), MSG_DONTWAIT);
      if (n > 0) heard += static_cast<std::size_t>(n);
      return heard == wanted;
    })) << said;
  }
}

}  // namespace
}  // namespace brigade::test
