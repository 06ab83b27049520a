// Clients that nobody here wrote, against the examples: curl, wrk, Python's
// websockets and Node's ws. One that is missing fails its test.

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "tests/support/Program.h"
#include "tests/support/TempDirectory.h"

namespace brigade::test {
namespace {

constexpr const char* kInstall = "; see scripts/install-dependencies";

class CurlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::access("/usr/bin/curl", X_OK), 0) << "no curl" << kInstall;
    echo_.start({"--listen", "http://127.0.0.1:0"});
    hello_.start({"--listen", "http://127.0.0.1:0"});
  }

  static std::string url(const Program& program, const std::string& path) {
    return "http://127.0.0.1:" + std::to_string(program.port()) + path;
  }

  // A shell's line, so that curl can be given input.
  static std::string curl(const std::string& words,
                          const std::string& input = {}) {
    const Outcome outcome = runCommand(
        {"/bin/sh", "-c", input + "/usr/bin/curl -sS --max-time 20 " + words});
    EXPECT_EQ(outcome.code, 0) << words << ": " << outcome.err;
    return outcome.out + outcome.err;
  }

  Program echo_{example("echo")};
  Program hello_{example("hello")};
};

TEST_F(CurlTest, Gets) {
  EXPECT_EQ(curl(url(hello_, "/")), "Hello, World!");
  const std::string head = curl("-I " + url(hello_, "/"));
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\n")) << head;
  EXPECT_NE(head.find("Content-Length: 13\r\n"), std::string::npos) << head;
}

TEST_F(CurlTest, KeepsTheConnection) {
  const std::string all = curl("-v " + url(hello_, "/") + " " +
                               url(hello_, "/stream") + " " + url(hello_, "/"));
  EXPECT_NE(all.find("piece 10\n"), std::string::npos);
  std::size_t reused = 0;
  for (std::size_t at = 0;
       (at = all.find("Re-using existing connection", at)) != std::string::npos;
       ++at) {
    ++reused;
  }
  EXPECT_EQ(reused, 2u) << all;
}

TEST_F(CurlTest, SpeaksHttp10) {
  EXPECT_EQ(curl("--http1.0 " + url(hello_, "/")), "Hello, World!");
  EXPECT_NE(curl("--http1.0 " + url(hello_, "/stream")).find("piece 10\n"),
            std::string::npos);
}

TEST_F(CurlTest, Posts) {
  const std::string answer = curl(
      "-i -H 'Content-Type: text/x' -d 'some text' " + url(hello_, "/echo"));
  EXPECT_NE(answer.find("\r\nContent-Type: text/x\r\n"), std::string::npos)
      << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\nsome text")) << answer;
}

TEST_F(CurlTest, UploadsInChunks) {
  EXPECT_EQ(curl("-T - -H 'Expect:' " + url(echo_, "/") + " | wc -c",
                 "head -c 5000000 /dev/zero | "),
            "5000000\n");
}

TEST_F(CurlTest, WaitsFor100Continue) {
  const std::string answer = curl(
      "-v -H 'Expect: 100-continue' --expect100-timeout 15 -d 'the body' " +
      url(echo_, "/"));
  EXPECT_NE(answer.find("< HTTP/1.1 100 Continue"), std::string::npos)
      << answer;
  EXPECT_NE(answer.find("the body"), std::string::npos) << answer;
}

TEST_F(CurlTest, IsToldThatABodyIsTooLong) {
  // Its last word is about what it could not send, or nothing.
  const std::string answer = curl(
      "-v -T - -H 'Expect: 100-continue' " + url(echo_, "/") + " 2>&1 | cat",
      "head -c 11000000 /dev/zero | ");
  EXPECT_NE(answer.find("< HTTP/1.1 413 Content Too Large"), std::string::npos)
      << answer;
}

TEST_F(CurlTest, UploadsMultipart) {
  const std::string answer = curl("-F name=value -F 'file=@/bin/true' " +
                                  url(echo_, "/") + " | wc -c");
  EXPECT_GT(std::stoul(answer), 300u);
}

// Two files in one field, one of them in memory and one not, and one more.
TEST_F(CurlTest, UploadsFilesToHello) {
  const TempDirectory folder;
  std::string files;
  std::string expected;
  const auto file = [&](const std::string& field, const std::string& name,
                        std::size_t size) {
    std::ofstream(folder / name) << std::string(size, name[0]);
    const Outcome sum = runCommand({"/usr/bin/sha256sum", folder / name});
    expected += field + "\t" + name + "\t" + std::to_string(size) + "\t" +
                sum.out.substr(0, 64) + "\n";
    files += " -F '" + field + "=@" + folder / name + "'";
  };
  file("files", "a.txt", 10);
  file("files", "b.bin", 3'000'000);
  file("other", "c", 0);
  EXPECT_EQ(curl("-F name=value" + files + " " + url(hello_, "/upload")),
            expected);
  EXPECT_EQ(curl("-d a=b " + url(hello_, "/upload")),
            "415 Unsupported Media Type: no multipart/form-data\n");
}

class WrkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::access("/usr/bin/wrk", X_OK), 0) << "no wrk" << kInstall;
    echo_.start({"--listen", "http://127.0.0.1:0"});
  }

  // A second with 16 connections: answers came, and all of them were 200.
  void run(const std::vector<std::string>& options = {}) {
    std::vector<std::string> command = {"/usr/bin/wrk", "-d1", "-c16", "-t1"};
    command.insert(command.end(), options.begin(), options.end());
    command.push_back("http://127.0.0.1:" + std::to_string(echo_.port()) + "/");
    const Outcome outcome = runCommand(command);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_NE(outcome.out.find(" requests in "), std::string::npos)
        << outcome.out;
    for (const char* wrong : {" 0 requests in ", "Socket errors", "Non-2xx"}) {
      EXPECT_EQ(outcome.out.find(wrong), std::string::npos) << outcome.out;
    }
  }

  Program echo_{example("echo")};
};

TEST_F(WrkTest, IsAnsweredOverAndOver) { run(); }

TEST_F(WrkTest, IsAnsweredWhenItDoesNotWaitForAnswers) {
  const TempDirectory directory;
  const std::string script = directory.name() + "/pipeline.lua";
  std::ofstream(script) << "local requests = {}\n"
                           "init = function(args)\n"
                           "  for i = 1, 16 do\n"
                           "    requests[i] = wrk.format('POST', '/' .. i, {},"
                           " 'body ' .. i)\n"
                           "  end\n"
                           "  requests = table.concat(requests)\n"
                           "end\n"
                           "request = function() return requests end\n";
  run({"-s", script});
}

class PythonWebSocketsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::access("/usr/bin/python3", X_OK), 0)
        << "no python3" << kInstall;
    ASSERT_EQ(runCommand({"/usr/bin/python3", "-c", "import websockets"}).code,
              0)
        << "no python3-websockets" << kInstall;
    echo_.start({"--listen", "websocket://127.0.0.1:0"});
  }

  // Runs the lines inside of "async with websockets.connect(...) as ws".
  void run(const std::string& options, const std::string& lines) {
    const std::string script =
        "import asyncio, websockets\n"
        "async def main():\n"
        "  async with websockets.connect('ws://127.0.0.1:" +
        std::to_string(echo_.port()) + "/', max_size=None" + options +
        ") as ws:\n" + lines + "asyncio.run(asyncio.wait_for(main(), 60))\n";
    const Outcome outcome = runCommand({"/usr/bin/python3", "-c", script});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");
  }

  Program echo_{example("echo")};
};

TEST_F(PythonWebSocketsTest, EchoesTextsAndBytes) {
  run(", compression=None",
      "    for message in ['', 'a', '\\u20ac' * 50000, b'', b'\\0\\xff', "
      "bytes(1000000)]:\n"
      "      await ws.send(message)\n"
      "      assert await ws.recv() == message\n"
      "    assert not ws.extensions\n");
}

TEST_F(PythonWebSocketsTest, EchoesFragmentsAndAnswersPings) {
  run(", compression=None",
      "    await ws.send(['frag', 'men', 'ted'])\n"
      "    assert await ws.recv() == 'fragmented'\n"
      "    await (await ws.ping(b'data'))\n");
}

TEST_F(PythonWebSocketsTest, EchoesCompressedMessages) {
  run("",
      "    assert ws.extensions\n"
      "    for n in (0, 1, 1000, 100000, 5000000):\n"
      "      message = ''.join(chr(97 + i % 26) for i in range(n))\n"
      "      await ws.send(message)\n"
      "      assert await ws.recv() == message\n"
      "    await ws.send([message, message])\n"
      "    assert await ws.recv() == message + message\n");
}

// It compresses with little memory: noise becomes longer than with zlib's
// usual.
TEST_F(PythonWebSocketsTest, EchoesAMessageOf64MiBOfNoise) {
  run(", ping_interval=None",
      "    import os\n"
      "    assert ws.extensions\n"
      "    large = os.urandom(64 << 20)\n"
      "    await ws.send(large)\n"
      "    assert await ws.recv() == large\n");
}

TEST_F(PythonWebSocketsTest, ClosesCleanly) {
  run("",
      "    await ws.close(4321, 'bye')\n"
      "    assert ws.close_code == 4321, ws.close_code\n");
}

TEST_F(PythonWebSocketsTest, SeesAReloadAsGoingAway) {
  run("",
      "    import subprocess\n"
      "    await asyncio.to_thread(subprocess.run, ['" +
          example("echo") + "', 'reload', '--run-dir', '" + echo_.directory() +
          "'], check=True, "
          "capture_output=True)\n"
          "    try:\n"
          "      await ws.recv()\n"
          "      assert False, 'still open'\n"
          "    except websockets.ConnectionClosedOK as closed:\n"
          "      assert closed.rcvd.code == 1001, closed\n");
}

TEST_F(PythonWebSocketsTest, EchoesAMessageOf65537Fragments) {
  // The last of them, which is empty, is the client's own.
  run(", compression=None",
      "    await ws.send(['abcd'] * 65536)\n"
      "    assert await ws.recv() == 'abcd' * 65536\n");
}

class NodeWebSocketsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::access("/usr/bin/node", X_OK), 0) << "no node" << kInstall;
    ASSERT_EQ(::access("/usr/share/nodejs/ws", X_OK), 0)
        << "no node-ws" << kInstall;
    echo_.start({"--listen", "websocket://127.0.0.1:0"});
  }

  // Runs the lines when `ws` is open; they see `next`, which resolves with the
  // next message: a string, or a Buffer for a binary one.
  void run(const std::string& options, const std::string& lines) {
    const std::string script =
        "const WebSocket = require('ws'), assert = require('assert');\n"
        "const ws = new WebSocket('ws://127.0.0.1:" +
        std::to_string(echo_.port()) + "/', {" + options +
        "});\n"
        "const once = (name) => new Promise((resolve) =>\n"
        "  ws.once(name, (...args) => resolve(args)));\n"
        "const next = async () => {\n"
        "  const [data, isBinary] = await once('message');\n"
        "  return isBinary ? data : data.toString();\n"
        "};\n"
        "const late = setTimeout(() => assert.fail('too late'), 40000);\n"
        "(async () => {\n  await once('open');\n" +
        lines +
        "  ws.terminate();\n  clearTimeout(late);\n})().catch((error) => {\n"
        "  console.error(error);\n  process.exit(1);\n});\n";
    const Outcome outcome = runCommand({"/usr/bin/node", "-e", script},
                                       {"NODE_PATH=/usr/share/nodejs"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");
  }

  Program echo_{example("echo")};
};

TEST_F(NodeWebSocketsTest, EchoesTextsAndBytes) {
  run("perMessageDeflate: false",
      "  assert.strictEqual(ws.extensions, '');\n"
      "  for (const text of ['', 'a', '\u20ac'.repeat(50000)]) {\n"
      "    ws.send(text);\n"
      "    assert.strictEqual(await next(), text);\n"
      "  }\n"
      "  for (const size of [0, 1, 125, 126, 65535, 65536, 1000000]) {\n"
      "    ws.send(Buffer.alloc(size, 255));\n"
      "    assert((await next()).equals(Buffer.alloc(size, 255)));\n"
      "  }\n");
}

TEST_F(NodeWebSocketsTest, EchoesFragmentsAndAnswersPings) {
  run("perMessageDeflate: false",
      "  ws.send('frag', {fin: false});\n"
      "  ws.ping('between');\n"
      "  ws.send('men', {fin: false});\n"
      "  ws.send('ted', {fin: true});\n"
      "  const [[pong], text] = await Promise.all([once('pong'), next()]);\n"
      "  assert.strictEqual(pong.toString(), 'between');\n"
      "  assert.strictEqual(text, 'fragmented');\n");
}

TEST_F(NodeWebSocketsTest, EchoesCompressedMessagesWhateverIsAgreedOn) {
  for (const char* offer :
       {"perMessageDeflate: true", "perMessageDeflate: {threshold: 0}",
        "perMessageDeflate: {serverMaxWindowBits: 9}",
        "perMessageDeflate: {clientMaxWindowBits: 9, threshold: 0}",
        "perMessageDeflate: {clientNoContextTakeover: true, "
        "serverNoContextTakeover: true}"}) {
    SCOPED_TRACE(offer);
    run(offer,
        "  assert(ws.extensions.startsWith('permessage-deflate'));\n"
        "  let text = '';\n"
        "  for (const size of [0, 1, 1000, 100000, 1000000]) {\n"
        "    while (text.length < size) text += text.length + ' and ';\n"
        "    ws.send(text);\n"
        "    assert.strictEqual(await next(), text);\n"
        "  }\n"
        "  ws.send(text, {fin: false});\n"
        "  ws.send(text, {fin: true});\n"
        "  assert.strictEqual(await next(), text + text);\n");
  }
}

TEST_F(NodeWebSocketsTest, ClosesWithItsOwnCode) {
  run("",
      "  ws.close(4321, 'bye');\n"
      "  const [code] = await once('close');\n"
      "  assert.strictEqual(code, 4321);\n");
}

// Also one that no compression makes shorter.
TEST_F(NodeWebSocketsTest, EchoesAMessageOf64MiB) {
  for (const char* large : {"Buffer.alloc(64 << 20, 'brigade')",
                            "require('crypto').randomBytes(64 << 20)"}) {
    SCOPED_TRACE(large);
    run("perMessageDeflate: false",
        std::string("  const large = ") + large +
            ";\n"
            "  ws.send(large);\n"
            "  assert((await next()).equals(large));\n");
  }
}

}  // namespace
}  // namespace brigade::test
