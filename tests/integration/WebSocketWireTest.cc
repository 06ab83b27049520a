// Frames over the wire, and what the running server makes of them. A case says
// what is sent behind the handshake and which frames must come back; behind a
// close frame the connection ends, else it is open and answers a ping. Every
// case is sent whole over TCP, and one byte at a time over a Unix socket, each
// byte taken by the server before the next; short ones also cut in two at every
// position. The answers are the same.

#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "tests/support/Program.h"
#include "tests/support/WebSocketFrames.h"
#include "tests/support/WebSocketPeer.h"

namespace brigade::test {
namespace {

using namespace std::string_literals;
using testing::clientFrame;
using testing::closePayload;
using testing::kMaskKey;

using Environment = std::vector<std::string>;

// FIN and opcode.
constexpr unsigned kMore = 0x00;
constexpr unsigned kEnd = 0x80;
constexpr unsigned kText = 0x81;
constexpr unsigned kBinary = 0x82;
constexpr unsigned kClose = 0x88;
constexpr unsigned kPing = 0x89;
constexpr unsigned kPong = 0x8A;

struct FrameCase {
  std::string name;  // begins with the section of RFC 6455
  std::string bytes;
  std::vector<std::string> events;
};

struct FrameGroup {
  std::string name;
  std::vector<FrameCase> cases;
};

void PrintTo(const FrameGroup& group, std::ostream* out) { *out << group.name; }

std::string text(const std::string& payload) {
  return clientFrame(kText, payload);
}

// A frame whose header says whatever `header` is.
std::string raw(const std::string& header, const std::string& payload = {}) {
  return header + std::string(kMaskKey) +
         testing::maskedWith(kMaskKey, payload);
}

std::string closing(unsigned code, const std::string& reason = {}) {
  return clientFrame(kClose, closePayload(code, reason));
}

// ---- The tables

FrameGroup framing() {
  const std::string small(125, 's');
  const std::string medium(126, 'm');
  const std::string large(65536, 'l');
  return {"Framing",
          {
              {"5.6 a text", text("Hello"), {"text Hello"}},
              {"5.6 an empty text", text(""), {"text "}},
              {"5.6 a binary message",
               clientFrame(kBinary, "\0\xFF"s),
               {"binary \0\xFF"s}},
              {"5.6 an empty binary message",
               clientFrame(kBinary, ""),
               {"binary "}},
              {"5.2 125 bytes", text(small), {"text " + small}},
              {"5.2 126 bytes", text(medium), {"text " + medium}},
              {"5.2 65,535 bytes",
               text(large.substr(1)),
               {"text " + large.substr(1)}},
              {"5.2 65,536 bytes", text(large), {"text " + large}},
              {"5.6 three messages at once",
               text("a") + text("b") + text("c"),
               {"text a", "text b", "text c"}},
              {"5.3 a mask of zeros",
               clientFrame(kText, "plain", "\0\0\0\0"s),
               {"text plain"}},
              {"5.3 a mask of ones",
               clientFrame(kText, "ones", "\xFF\xFF\xFF\xFF"),
               {"text ones"}},
              {"5.1 an unmasked text", "\x81\x05Hello", {"close 1002"}},
              {"5.1 an unmasked ping", "\x89\x00"s, {"close 1002"}},
              {"5.1 an unmasked close", "\x88\x00"s, {"close 1002"}},
              {"5.2 RSV1", clientFrame(0xC1, "x"), {"close 1002"}},
              {"5.2 RSV2", clientFrame(0xA1, "x"), {"close 1002"}},
              {"5.2 RSV3", clientFrame(0x91, "x"), {"close 1002"}},
              {"5.2 all of them", clientFrame(0xF2, "x"), {"close 1002"}},
              {"5.2 RSV1 on a ping", clientFrame(0xC9, ""), {"close 1002"}},
              {"5.2 RSV2 on a close", clientFrame(0xA8, ""), {"close 1002"}},
              {"5.2 RSV3 behind a good message",
               text("a") + clientFrame(0x91, "x"),
               {"text a", "close 1002"}},
              {"5.2 opcode 3", clientFrame(0x83, ""), {"close 1002"}},
              {"5.2 opcode 4", clientFrame(0x84, "x"), {"close 1002"}},
              {"5.2 opcode 5", clientFrame(0x85, "x"), {"close 1002"}},
              {"5.2 opcode 6", clientFrame(0x86, "x"), {"close 1002"}},
              {"5.2 opcode 7", clientFrame(0x87, "x"), {"close 1002"}},
              {"5.2 opcode 11", clientFrame(0x8B, ""), {"close 1002"}},
              {"5.2 opcode 15", clientFrame(0x8F, "x"), {"close 1002"}},
              {"5.2 5 in two bytes",
               raw("\x81\xFE\x00\x05"s, "Hello"),
               {"close 1002"}},
              {"5.2 125 in two bytes",
               raw("\x82\xFE\x00\x7D"s, small),
               {"close 1002"}},
              {"5.2 5 in eight bytes",
               raw("\x81\xFF\0\0\0\0\0\0\0\x05"s, "Hello"),
               {"close 1002"}},
              {"5.2 65,535 in eight bytes",
               raw("\x82\xFF\0\0\0\0\0\0\xFF\xFF"s),
               {"close 1002"}},
              {"5.2 the highest bit of a length",
               raw("\x82\xFF\x80\0\0\0\0\0\0\x01"s),
               {"close 1002"}},
          }};
}

FrameGroup fragments() {
  const auto first = [](const std::string& s) { return clientFrame(0x01, s); };
  const auto more = [](const std::string& s) { return clientFrame(kMore, s); };
  const auto last = [](const std::string& s) { return clientFrame(kEnd, s); };
  return {
      "Fragments",
      {
          {"5.4 two", first("Hel") + last("lo"), {"text Hello"}},
          {"5.4 three", first("a") + more("b") + last("c"), {"text abc"}},
          {"5.4 of a binary message",
           clientFrame(0x02, "a") + last("b"),
           {"binary ab"}},
          {"5.4 empty ones", first("") + more("") + last(""), {"text "}},
          {"5.4 an empty one in the middle",
           first("a") + more("") + last("b"),
           {"text ab"}},
          {"5.4 with masks of their own",
           clientFrame(0x01, "a", "abcd") + clientFrame(kEnd, "b", "wxyz"),
           {"text ab"}},
          {"5.4 a ping in between",
           first("a") + clientFrame(kPing, "p") + last("b"),
           {"pong p", "text ab"}},
          {"5.4 a pong in between",
           first("a") + clientFrame(kPong, "p") + last("b"),
           {"text ab"}},
          {"5.4 pings between all of them",
           clientFrame(kPing, "1") + first("a") + clientFrame(kPing, "2") +
               more("b") + clientFrame(kPing, "3") + last("c"),
           {"pong 1", "pong 2", "pong 3", "text abc"}},
          {"5.5.1 a close in between",
           first("a") + closing(1000) + last("b"),
           {"close 1000"}},
          {"5.4 two messages",
           first("a") + last("b") + first("c") + last("d"),
           {"text ab", "text cd"}},
          {"5.4 a continuation of nothing", last("a"), {"close 1002"}},
          {"5.4 a continuation of nothing, with more to come",
           more("a"),
           {"close 1002"}},
          {"5.4 a continuation behind a message",
           text("a") + last("b"),
           {"text a", "close 1002"}},
          {"5.4 a continuation behind the last",
           first("a") + last("b") + last("c"),
           {"text ab", "close 1002"}},
          {"5.4 a text inside of a message",
           first("a") + text("b"),
           {"close 1002"}},
          {"5.4 a binary message inside of a text",
           first("a") + clientFrame(kBinary, "b"),
           {"close 1002"}},
          {"5.4 a second start", first("a") + first("b"), {"close 1002"}},
          {"5.2 RSV1 on a continuation",
           first("a") + clientFrame(0xC0, "b"),
           {"close 1002"}},
          {"5.5 a ping in fragments", clientFrame(0x09, "p"), {"close 1002"}},
          {"5.5 a pong in fragments", clientFrame(0x0A, "p"), {"close 1002"}},
          {"5.5 a close in fragments", clientFrame(0x08, ""), {"close 1002"}},
          {"10.4 as many as maxFragments",
           first("1") + more("2") + more("3") + more("4") + more("5") +
               more("6") + more("7") + last("8"),
           {"text 12345678"}},
          {"10.4 one more than maxFragments",
           first("1") + more("2") + more("3") + more("4") + more("5") +
               more("6") + more("7") + more("8") + last("9"),
           {"close 1009"}},
          {"10.4 as long as maxFrameSize",
           clientFrame(kBinary, std::string(70000, 'x')),
           {"binary " + std::string(70000, 'x')}},
          {"10.4 longer than maxFrameSize: only the header came",
           raw("\x82\xFF\0\0\0\0\0\x01\x11\x71"s),
           {"close 1009"}},
          {"10.4 a frame of 2^62 bytes",
           raw("\x82\xFF\x40\0\0\0\0\0\0\0"s),
           {"close 1009"}},
          {"10.4 as long as maxMessageSize",
           clientFrame(0x02, std::string(60000, 'a')) +
               clientFrame(kEnd, std::string(40000, 'b')),
           {"binary " + std::string(60000, 'a') + std::string(40000, 'b')}},
          {"10.4 longer than maxMessageSize: only the header came",
           clientFrame(0x02, std::string(60000, 'a')) + "\x80\xFE\x9C\x41"s,
           {"close 1009"}},
      }};
}

FrameGroup controls() {
  const std::string most(125, 'p');
  std::vector<FrameCase> cases = {
      {"5.5.2 a ping", clientFrame(kPing, "abc"), {"pong abc"}},
      {"5.5.2 an empty ping", clientFrame(kPing, ""), {"pong "}},
      {"5.5.2 a ping of 125 bytes", clientFrame(kPing, most), {"pong " + most}},
      {"5.5.2 a ping of any bytes",
       clientFrame(kPing, "\0\xFF\xFE"s),
       {"pong \0\xFF\xFE"s}},
      {"5.5 a ping of 126 bytes",
       clientFrame(kPing, most + "p"),
       {"close 1002"}},
      {"5.5 a pong of 126 bytes",
       clientFrame(kPong, most + "p"),
       {"close 1002"}},
      {"5.5 a close of 126 bytes",
       closing(1000, most.substr(1)),
       {"close 1002"}},
      {"5.5.2 ten pings",
       [] {
         std::string all;
         for (char c = '0'; c <= '9'; ++c) all += clientFrame(kPing, {&c, 1});
         return all;
       }(),
       {"pong 0", "pong 1", "pong 2", "pong 3", "pong 4", "pong 5", "pong 6",
        "pong 7", "pong 8", "pong 9"}},
      {"5.5.3 a pong nobody asked for", clientFrame(kPong, "x"), {}},
      {"5.5.1 a close without a code", clientFrame(kClose, ""), {"close"}},
      {"5.5.1 a close of one byte",
       clientFrame(kClose, "\x03"),
       {"close 1002"}},
      {"5.5.1 a close with a reason", closing(1000, "bye"), {"close 1000"}},
      {"5.5.1 a close with a reason of 123 bytes",
       closing(1000, most.substr(2)),
       {"close 1000"}},
      {"5.5.1 a message behind the close",
       closing(1000) + text("late"),
       {"close 1000"}},
      {"5.5.1 a ping behind the close",
       closing(1000) + clientFrame(kPing, "x"),
       {"close 1000"}},
      {"5.5.1 a second close", closing(1000) + closing(1001), {"close 1000"}},
      {"5.5.1 nonsense behind the close",
       closing(1000) + "\xFF\xFF\xFF",
       {"close 1000"}},
      {"5.5.1 a message before the close",
       text("a") + closing(1000),
       {"text a", "close 1000"}},
      {"8.1 a reason that is not UTF-8",
       closing(1000, "a\xFF"),
       {"close 1007"}},
      {"8.1 a reason that ends in half a character",
       closing(1000, "\xC3"),
       {"close 1007"}},
      {"8.1 a surrogate in a reason",
       closing(1000, "\xED\xA0\x80"),
       {"close 1007"}},
      {"7.1.5 the server closes, and the client answers",
       text("close 4000 enough") + closing(4000),
       {"close 4000 enough"}},
      {"7.1.1 what the client said before it saw the close",
       text("close 4001") + text("a") + clientFrame(kPing, "p") + closing(4001),
       {"close 4001"}},
      {"7.4.1 an exception", text("throw") + closing(1011), {"close 1011"}},
  };
  for (const unsigned code :
       {1000u, 1001u, 1002u, 1003u, 1007u, 1008u, 1009u, 1010u, 1011u, 1012u,
        1013u, 1014u, 3000u, 3999u, 4000u, 4999u}) {
    const std::string number = std::to_string(code);
    cases.push_back({"7.4 code " + number, closing(code), {"close " + number}});
  }
  for (const unsigned code : {0u, 1u, 999u, 1004u, 1005u, 1006u, 1015u, 1016u,
                              1100u, 2000u, 2999u, 5000u, 65535u}) {
    cases.push_back({"7.4 no code may be " + std::to_string(code),
                     closing(code),
                     {"close 1002"}});
  }
  return {"Controls", std::move(cases)};
}

FrameGroup utf8() {
  // Only so much of the message as shows that it is wrong.
  const auto begun = [](const std::string& payload, std::size_t size) {
    return clientFrame(kText, payload).substr(0, 6 + size);
  };
  std::vector<FrameCase> cases = {
      {"8.1 every length of a character",
       text("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"),
       {"text a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"}},
      {"8.1 NUL", text("\0"s), {"text \0"s}},
      {"8.1 the last code point",
       text("\xF4\x8F\xBF\xBF"),
       {"text \xF4\x8F\xBF\xBF"}},
      {"8.1 those around the surrogates",
       text("\xED\x9F\xBF\xEE\x80\x80"),
       {"text \xED\x9F\xBF\xEE\x80\x80"}},
      {"8.1 a character over two fragments",
       clientFrame(0x01, "\xE2\x82") + clientFrame(kEnd, "\xAC"),
       {"text \xE2\x82\xAC"}},
      {"8.1 a character over four fragments",
       clientFrame(0x01, "\xF0") + clientFrame(kMore, "\x9F") +
           clientFrame(kMore, "\x98") + clientFrame(kEnd, "\x80"),
       {"text \xF0\x9F\x98\x80"}},
      {"8.1 a character over fragments and a ping",
       clientFrame(0x01, "\xC3") + clientFrame(kPing, "\xFF") +
           clientFrame(kEnd, "\xA9"),
       {"pong \xFF", "text \xC3\xA9"}},
      {"8.1 binary messages are any bytes",
       clientFrame(kBinary, "\xFF\xC0"),
       {"binary \xFF\xC0"}},
      {"8.1 a message ends in half a character",
       text("a\xE2\x82"),
       {"close 1007"}},
      {"8.1 the last fragment ends in half a character",
       clientFrame(0x01, "a") + clientFrame(kEnd, "\xE2"),
       {"close 1007"}},
      {"8.1 the next fragment does not go on with the character",
       clientFrame(0x01, "\xE2\x82") + clientFrame(kMore, "a"),
       {"close 1007"}},
      {"8.1 wrong in the first fragment: the rest is not waited for",
       clientFrame(0x01, "a\xFF"),
       {"close 1007"}},
      {"8.1 wrong in the first bytes of a frame",
       begun("a\xFF" + std::string(50, 'x'), 2),
       {"close 1007"}},
      {"8.1 too large by its second byte",
       begun("\xF4\x90" + std::string(50, 'x'), 2),
       {"close 1007"}},
      {"8.1 a surrogate by its second byte",
       begun("\xED\xA0" + std::string(50, 'x'), 2),
       {"close 1007"}},
      {"8.1 wrong in a text of 64 KiB",
       text(std::string(65000, 'a') + "\xFF"),
       {"close 1007"}},
  };
  const std::pair<const char*, std::string> wrong[] = {
      {"a continuation alone", "\x80"},
      {"a continuation too many", "\xC3\xA9\xA9"},
      {"overlong in two bytes", "\xC0\xAF"},
      {"overlong in two bytes, 0x7F", "\xC1\xBF"},
      {"overlong in three bytes", "\xE0\x9F\xBF"},
      {"overlong in four bytes", "\xF0\x8F\xBF\xBF"},
      {"the first surrogate", "\xED\xA0\x80"},
      {"the last surrogate", "\xED\xBF\xBF"},
      {"a pair of surrogates", "\xED\xA0\xBD\xED\xB8\x80"},
      {"over U+10FFFF", "\xF4\x90\x80\x80"},
      {"five bytes", "\xF8\x88\x80\x80\x80"},
      {"0xFE", "\xFE"},
      {"0xFF", "\xFF"},
      {"Latin-1", "caf\xE9 "}};
  for (const auto& [name, bytes] : wrong) {
    cases.push_back({"8.1 "s + name, text("a" + bytes + "z"), {"close 1007"}});
  }
  return {"Utf8", std::move(cases)};
}

// ---- How it is sent, and what must come back

class WebSocketTest : public ::testing::Test {
 protected:
  void start(Environment environment = {}) { startOn({}, environment); }

  void startOn(const std::string& socket, Environment environment = {}) {
    path_ = socket.empty() ? "" : subject_.directory() + "/" + socket;
    environment.push_back("EVENT_LOG=" + subject_.directory() + "/events.log");
    subject_.start({"--listen", path_.empty() ? "websocket://127.0.0.1:0"
                                              : "websocket+unix://" + path_},
                   environment);
  }

  Wire connect() { return path_.empty() ? Wire(subject_.port()) : Wire(path_); }

  // Open, or the test has failed.
  Wire open(const std::string& path = "/", const std::string& fields = {}) {
    Wire wire = connect();
    const auto answer = openWebSocket(wire, path, fields);
    EXPECT_TRUE(answer && answer->status == 101);
    return wire;
  }

  Program subject_{BRIGADE_HTTP_SUBJECT};
  std::string path_;
};

const Environment kLimits{"MAX_FRAME=70000", "MAX_MESSAGE=100000",
                          "MAX_FRAGMENTS=8"};

class WebSocketWireTest : public WebSocketTest,
                          public ::testing::WithParamInterface<FrameGroup> {
 protected:
  void run(const FrameCase& c, const std::string& how,
           const std::function<void(Wire&)>& send) {
    SCOPED_TRACE("RFC 6455 " + c.name + ", sent " + how);
    Wire wire = open();
    send(wire);
    for (const std::string& event : c.events) {
      ASSERT_EQ(nextEvent(wire), event);
    }
    if (!c.events.empty() && c.events.back().starts_with("close")) {
      EXPECT_TRUE(wire.isClosed()) << "not closed, or more behind the close";
    } else {
      ASSERT_TRUE(wire.send(clientFrame(kPing, "mark")));
      EXPECT_EQ(nextEvent(wire), "pong mark");
    }
  }
};

TEST_P(WebSocketWireTest, IsAnsweredWhenItComesAtOnce) {
  start(kLimits);
  for (const FrameCase& c : GetParam().cases) {
    run(c, "at once", [&](Wire& wire) { wire.send(c.bytes); });
  }
}

TEST_P(WebSocketWireTest, IsAnsweredAlikeWhenItComesByteByByte) {
  startOn("wire.sock", kLimits);
  for (const FrameCase& c : GetParam().cases) {
    // Long ones in steps that meet no boundary, their ends byte by byte.
    const std::size_t fast = c.bytes.size() < 1000 ? 0 : c.bytes.size() - 20;
    const std::string_view bytes = c.bytes;
    run(c, "byte by byte", [&](Wire& wire) {
      if (wire.sendInSteps(bytes.substr(0, fast), 601)) {
        wire.sendInSteps(bytes.substr(fast));
      }
    });
  }
}

TEST_P(WebSocketWireTest, IsAnsweredAlikeWhereverItIsCut) {
  startOn("wire.sock", kLimits);
  for (const FrameCase& c : GetParam().cases) {
    if (c.bytes.size() > 40) continue;
    for (std::size_t cut = 1; cut < c.bytes.size(); ++cut) {
      run(c, "cut at " + std::to_string(cut), [&](Wire& wire) {
        if (wire.sendInSteps(c.bytes.substr(0, cut), cut)) {
          wire.send(c.bytes.substr(cut));
        }
      });
      if (HasFatalFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Rfc6455, WebSocketWireTest,
                         ::testing::Values(framing(), fragments(), controls(),
                                           utf8()),
                         [](const auto& group) { return group.param.name; });

TEST(WebSocketWireTableTest, HasCasesEnough) {
  std::size_t count = 0;
  for (const FrameGroup& group : {framing(), fragments(), controls(), utf8()}) {
    count += group.cases.size();
  }
  EXPECT_GE(count, 80u);
}

}  // namespace
}  // namespace brigade::test
