// TcpConnection::sendFile(): parts of files among other bytes.

#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <new>
#include <string>

#include "tests/Connection/ConnectionFixture.h"
#include "tests/support/Allocations.h"

namespace brigade::test {
namespace {

class SendFileTest : public ConnectionFixture {
 protected:
  SendFileTest() { file = FileDescriptor(::memfd_create("file", MFD_CLOEXEC)); }
  void fill(const std::string& content) {
    ASSERT_EQ(::pwrite(file.get(), content.data(), content.size(), 0),
              static_cast<ssize_t>(content.size()));
  }
  FileDescriptor copy() const { return FileDescriptor(::dup(file.get())); }

  FileDescriptor client;
  FileDescriptor file;
};

TEST_F(SendFileTest, APartOfAFileStandsBetweenWhatWasSentAroundIt) {
  fill("0123456789");
  accept(client);
  handler.message = [&](TcpConnection& c, const Message&) {
    c.sendRaw("<");
    EXPECT_EQ(c.sendFile(copy(), 2, 5), SendResult::kSent);
    c.sendRaw(">");
  };
  say(client, "x\n");
  EXPECT_EQ(hearBytes(client, 7), "<23456>");
  EXPECT_EQ(table().at(0)->bytesWritten(), 7u);
}

TEST_F(SendFileTest,
       AFileLargerThanTheSocketBufferArrivesWholeAndTakesNoMemory) {
  std::string content(5'000'000, 'x');
  for (std::size_t i = 0; i < content.size(); i += 1000) content[i] = 'y';
  fill(content);
  TcpConnection& connection = accept(client);
  EXPECT_EQ(connection.sendFile(copy(), 0, content.size()),
            SendResult::kQueued);
  connection.sendRaw("end");
  EXPECT_EQ(connection.sendQueueSize(), 3u);
  connection.close();
  EXPECT_EQ(hearBytes(client, content.size() + 3), content + "end");
  EXPECT_TRUE(until([&] { return atEnd(client); }));
}

TEST_F(SendFileTest, AFileThatWaitsFillsTheBufferAndMoreIsTaken) {
  fill(std::string(5'000'000, 'x'));
  TcpConnection& connection = accept(client);
  ASSERT_EQ(connection.sendFile(copy(), 0, 5'000'000), SendResult::kQueued);
  EXPECT_TRUE(connection.bufferFull());
  EXPECT_EQ(connection.sendRaw("between"), SendResult::kQueued);
  EXPECT_EQ(connection.sendFile(copy(), 0, 3), SendResult::kQueued);
  EXPECT_EQ(handler.count("full"), 1u);
  EXPECT_EQ(hearBytes(client, 5'000'010).substr(5'000'000), "betweenxxx");
  ASSERT_TRUE(until([&] { return handler.count("drain") == 1; }));
  EXPECT_FALSE(connection.bufferFull());
}

TEST_F(SendFileTest, APartOfWhatWasBegunIsTakenPastTheMark) {
  fill("0123456789");
  TcpConnection& connection = accept(client);
  const std::string much(5'000'000, 'x');
  ASSERT_EQ(connection.sendRaw(much), SendResult::kQueued);
  EXPECT_EQ(connection.sendFile(copy(), 0, 10), SendResult::kDropped);
  const auto shared = std::make_shared<const FileDescriptor>(copy());
  EXPECT_EQ(connection.sendFileAlways(shared, 2, 5), SendResult::kQueued);
  EXPECT_EQ(connection.sendFileAlways(shared, 0, 1), SendResult::kQueued);
  EXPECT_EQ(hearBytes(client, much.size() + 6), much + "234560");
  connection.close();
  EXPECT_EQ(connection.sendFileAlways(shared, 0, 1), SendResult::kDropped);
}

// Whichever allocation fails: nothing was taken then, and what follows leaves.
TEST_F(SendFileTest, AFileThatMemoryLacksForIsNotTakenAndHoldsNothingUp) {
  fill("0123456789");
  TcpConnection& connection = accept(client);
  std::size_t failed = 0;
  for (bool sent = false; !sent; ++failed) {
    FileDescriptor part = copy();
    failAllocation(failed);
    try {
      connection.sendFile(std::move(part), 0, 10);
      sent = true;
    } catch (const std::bad_alloc&) {
    }
    failNoAllocation();
    EXPECT_EQ(connection.sendRaw("."), SendResult::kSent) << failed;
  }
  EXPECT_GE(failed, 3u);
  std::string expected(failed - 1, '.');
  expected += "0123456789.";
  EXPECT_EQ(hearBytes(client, expected.size()), expected);
}

TEST_F(SendFileTest, AFileThatBecameShorterEndsTheConnection) {
  fill("0123456789");
  TcpConnection& connection = accept(client);
  connection.sendFile(copy(), 0, 20);
  ASSERT_TRUE(until([&] { return handler.count("close") == 1; }));
  EXPECT_EQ(handler.lastCode, ErrorCode::kSendFailed);
  EXPECT_EQ(hear(client), "0123456789");
}

}  // namespace
}  // namespace brigade::test
