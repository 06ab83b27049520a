// examples/chat as its page uses it, and as people who mean no good do.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/integration/ChatFixture.h"
#include "tests/support/WebClient.h"

namespace brigade::test {
namespace {

class ChatTest : public ChatFixture {};

// ---- Talking

TEST_F(ChatTest, TwoInOneRoomHearEachOther) {
  Visitor ada = visit("Ada");
  Visitor bob = visit();
  const json welcome = bob.join("Bob");
  EXPECT_EQ(welcome.at("room"), "lobby");
  EXPECT_EQ(welcome.at("name"), "Bob");
  EXPECT_EQ(welcome.at("here"), json::array({"Ada", "Bob"}));
  EXPECT_EQ(welcome.at("lines"), json::array());
  EXPECT_EQ(ada.message(), event("joined", "Bob"));

  ada.say("<b>hello</b> \"all\" \u00e9", "a1");
  const json heard = bob.message();
  EXPECT_EQ(lineOf(heard), "Ada: <b>hello</b> \"all\" \u00e9");
  EXPECT_EQ(heard.at("id"), "a1");
  EXPECT_GT(heard.at("time"), 1'700'000'000'000);
  EXPECT_EQ(ada.message(), heard);
  bob.say("hello Ada");
  EXPECT_EQ(lineOf(ada.message()), "Bob: hello Ada");
}

TEST_F(ChatTest, WhoComesGetsTheLastFiftyLines) {
  Visitor ada = visit("Ada");
  for (int i = 1; i <= 51; ++i) {
    ada.say("line " + std::to_string(i), std::to_string(i));
    EXPECT_EQ(lineOf(ada.message()), "Ada: line " + std::to_string(i));
  }
  Visitor bob = visit();
  const json lines = bob.join("Bob").at("lines");
  ASSERT_EQ(lines.size(), 50u);
  EXPECT_EQ(lineOf(lines.front()), "Ada: line 2");
  EXPECT_EQ(lineOf(lines.back()), "Ada: line 51");
}

TEST_F(ChatTest, ARoomKeepsItsHistoryWhenAllHaveLeft) {
  Visitor ada = visit("Ada");
  ada.say("for later");
  ada.message();
  ada.send(kClose, closePayload(1000));
  EXPECT_EQ(ada.hear(), "close 1000");
  EXPECT_EQ(ada.hear(), "end");
  // Once she counts as gone, her name is free.
  json welcome;
  ASSERT_TRUE(eventually([&] {
    Visitor second = visit();
    welcome = second.join("Ada");
    return welcome.at("type") == "welcome";
  }));
  EXPECT_EQ(welcome.at("here"), json::array({"Ada"}));
  ASSERT_EQ(welcome.at("lines").size(), 1u);
  EXPECT_EQ(lineOf(welcome.at("lines").front()), "Ada: for later");
}

TEST_F(ChatTest, WhoLeavesIsToldToTheOthers) {
  Visitor ada = visit("Ada");
  Visitor bob = visit("Bob");
  EXPECT_EQ(ada.message(), event("joined", "Bob"));
  bob.send(kClose, closePayload(1000));
  EXPECT_EQ(ada.message(), event("left", "Bob"));
  Visitor cy = visit("Cy");
  EXPECT_EQ(ada.message(), event("joined", "Cy"));
  cy.close();  // without a close frame
  EXPECT_EQ(ada.message(), event("left", "Cy"));
  Visitor again = visit();
  EXPECT_EQ(again.join("Bob").at("here"), json::array({"Ada", "Bob"}));
}

TEST_F(ChatTest, NamesAreUniqueInARoomAndFreeInAnother) {
  Visitor ada = visit("Ada");
  Visitor second = visit();
  EXPECT_EQ(errorOf(second.join("Ada")), "error name");
  EXPECT_EQ(second.join("Ada", "elsewhere").at("here"), json::array({"Ada"}));
}

TEST_F(ChatTest, RoomsHearNothingOfEachOther) {
  Visitor ada = visit("Ada", "one");
  Visitor bob = visit("Bob", "two");
  bob.say("in two");
  EXPECT_EQ(lineOf(bob.message()), "Bob: in two");
  bob.close();
  Visitor cy = visit("Cy", "one");
  EXPECT_EQ(ada.message(), event("joined", "Cy"));
  cy.say("in one");
  EXPECT_EQ(lineOf(ada.message()), "Cy: in one");
}

// ---- Coming back

TEST_F(ChatTest, ALineThatIsSentAgainIsHeardOnce) {
  Visitor ada = visit("Ada");
  Visitor bob = visit("Bob");
  EXPECT_EQ(ada.message(), event("joined", "Bob"));
  ada.say("once", "a1");
  const json first = ada.message();
  ada.say("once", "a1");
  EXPECT_EQ(ada.message(), first) << "for who sent it to know";
  bob.say("next", "a1");  // another's, though it has the same id
  EXPECT_EQ(lineOf(ada.message()), "Bob: next");
  EXPECT_EQ(lineOf(bob.message()), "Ada: once");
  EXPECT_EQ(lineOf(bob.message()), "Bob: next");
}

TEST_F(ChatTest, APageThatLostItsConnectionGetsItsNameBack) {
  Visitor bob = visit("Bob");
  Visitor ada = visit();
  ada.join("Ada", "lobby", "secret");
  EXPECT_EQ(bob.message(), event("joined", "Ada"));
  Visitor thief = visit();
  EXPECT_EQ(errorOf(thief.join("Ada", "lobby", "guess")), "error name");
  EXPECT_EQ(errorOf(thief.join("Bob", "lobby", "")), "error name");

  Visitor back = visit();
  EXPECT_EQ(back.join("Ada", "lobby", "secret").at("here"),
            json::array({"Ada", "Bob"}));
  EXPECT_EQ(ada.hear(), "close 4001 continued elsewhere");
  ada.send(kClose, closePayload(4001));
  EXPECT_EQ(ada.hear(), "end");
  back.say("here again");
  EXPECT_EQ(lineOf(bob.message()), "Ada: here again")
      << "she neither left nor joined";
}

TEST_F(ChatTest, WhoReadsTooSlowlyIsSentAwayInsteadOfMissingLines) {
  Visitor ada = visit("Ada");
  Visitor slow = visit("Bob");
  EXPECT_EQ(ada.message(), event("joined", "Bob"));
  // 12 MB: more than the server's side of the connection holds.
  const std::string text(2000, '"');
  for (int i = 0; i < 3000; ++i) {
    ada.say(text, std::to_string(i));
    ASSERT_EQ(ada.message().value("id", ""), std::to_string(i));
  }
  int next = 0;
  std::string heard = slow.hear();
  for (; heard.starts_with("text "); heard = slow.hear()) {
    ASSERT_EQ(json::parse(heard.substr(5)).at("id"), std::to_string(next++));
  }
  EXPECT_EQ(heard, "close 1008 it reads too slowly");
  EXPECT_LT(next, 3000);
}

// ---- Input

std::string repeat(const std::string& text, std::size_t times) {
  std::string all;
  while (times-- > 0) all += text;
  return all;
}

TEST_F(ChatTest, NamesAndRoomsAreOfOneToThirtyTwoCharactersThatAreSeen) {
  const std::string longest = repeat("\U0001F600", 32);
  const std::vector<std::pair<std::string, bool>> cases = {
      {"a", true},
      {std::string(32, 'a'), true},
      {longest, true},
      {"Zo\u00eb van \u6771", true},
      {"<script>", true},
      {"", false},
      {std::string(33, 'a'), false},
      {longest + "a", false},
      {std::string(5000, 'a'), false},
      {" ada", false},
      {"ada ", false},
      {"a\tb", false},
      {std::string("a\0b", 3), false},
      {"a\x7f", false},
      {"ada\u200b", false},  // a space of no width
      {"ada\u202e", false},  // right to left from here
      {"a\u00a0b", false},   // a space that does not break
      {"\u3164", false},     // a letter that is drawn as nothing
      {"\ufeff"
       "ada",
       false},
      {"a\U000E0041", false},  // a tag
  };
  for (const auto& [text, good] : cases) {
    Visitor byName = visit();
    const json name = byName.join(text, "names");
    EXPECT_EQ(name.at("type"), good ? "welcome" : "error") << json(text);
    if (!good) {
      EXPECT_EQ(errorOf(name), "error name");
    }
    Visitor byRoom = visit();
    const json room = byRoom.join("Ada", text);
    EXPECT_EQ(room.at("type"), good ? "welcome" : "error") << json(text);
    if (!good) {
      EXPECT_EQ(errorOf(room), "error room");
    }
  }
}

TEST_F(ChatTest, ALineIsOfOneToTwoThousandBytesWithoutControlCharacters) {
  const std::vector<std::pair<std::string, bool>> cases = {
      {"a", true},
      {std::string(2000, 'a'), true},
      {std::string(2000, '"'), true},
      {"\u200d\u202e", true},  // needed in scripts and emoji; the page isolates
      {std::string(2001, 'a'), false},
      {"", false},
      {"   ", false},
      {"two\nlines", false},
      {"\u0085", false},
      {std::string(2000, '\0'), false},
  };
  Visitor ada = visit("Ada");
  int id = 0;
  for (const auto& [text, good] : cases) {
    const std::string own = std::to_string(++id);
    ada.say(text, own);
    const json answer = ada.message();
    EXPECT_EQ(answer.at("id"), own);
    if (good) {
      EXPECT_EQ(lineOf(answer), "Ada: " + text);
    } else {
      EXPECT_EQ(errorOf(answer), "error text") << json(text);
    }
  }
}

TEST_F(ChatTest, AMessageOfAnUnknownTypeIsAnError) {
  Visitor ada = visit("Ada");
  EXPECT_EQ(errorOf(ada.ask({{"type", "dance"}})), "error type");
  ada.say("still here");
  EXPECT_EQ(lineOf(ada.message()), "Ada: still here");
}

TEST_F(ChatTest, WhatIsNoMessageOfItsEndsTheConnection) {
  struct Case {
    std::string bytes;
    std::string answer;
    unsigned first = kText;
  };
  const std::string id = R"("id":"1")";
  const std::vector<Case> cases = {
      {"", "close 1007"},
      {"hello", "close 1007"},
      {R"({"type":"join")", "close 1007"},
      {R"({"type":"\ud800"})", "close 1007"},
      {"{\"type\":\"\xff\"}", "close 1007"},
      {std::string(10'000, '['), "close 1007"},
      {"[]", "close 1008"},
      {"null", "close 1008"},
      {"\"join\"", "close 1008"},
      {"{}", "close 1008"},
      {R"({"type":1})", "close 1008"},
      {R"({"type":"join","name":"Ada"})", "close 1008"},
      {R"({"type":"join","name":["Ada"],"room":"a"})", "close 1008"},
      {json({{"type", "join"},
             {"name", "Ada"},
             {"room", "a"},
             {"key", std::string(65, 'k')}})
           .dump(),
       "close 1008"},
      {R"({"type":"say","id":"1","text":"before joining"})", "close 1008"},
      {std::string(20'000, ' '), "close 1009"},
      {"{}", "close 1003", kBinary},
  };
  for (const Case& test : cases) {
    Visitor visitor = visit();
    visitor.send(test.first, test.bytes);
    EXPECT_TRUE(visitor.hear().starts_with(test.answer)) << test.bytes;
  }
}

TEST_F(ChatTest, WhoIsInARoomMayNotSayJustAnything) {
  const std::vector<std::string> cases = {
      R"({"type":"join","name":"Bob","room":"other"})",
      R"({"type":"say","text":"without an id"})",
      R"({"type":"say","id":"","text":"without an id"})",
      R"({"type":"say","id":1,"text":"a number"})",
      R"({"type":"say","id":"1"})",
      R"({"type":"say","id":"1","text":{}})",
      json({{"type", "say"}, {"id", std::string(65, 'i')}, {"text", "a"}})
          .dump(),
  };
  Visitor bob = visit("Bob");
  for (const std::string& text : cases) {
    Visitor ada = visit("Ada");
    EXPECT_EQ(bob.message(), event("joined", "Ada"));
    ada.send(kText, text);
    EXPECT_TRUE(ada.hear().starts_with("close 1008")) << text;
    ada.close();
    EXPECT_EQ(bob.message(), event("left", "Ada"));
  }
}

TEST_F(ChatTest, WhatIsSentBehindAJoinWaitsForItsAnswer) {
  const auto joinAsAda = [](Visitor& visitor) {
    visitor.send(
        kText,
        json({{"type", "join"}, {"name", "Ada"}, {"room", "lobby"}}).dump());
    visitor.say("at once");
  };
  Visitor ada = visit();
  joinAsAda(ada);
  EXPECT_EQ(ada.message().at("type"), "welcome");
  EXPECT_EQ(lineOf(ada.message()), "Ada: at once");
  Visitor thief = visit();
  joinAsAda(thief);
  EXPECT_EQ(errorOf(thief.message()), "error name");
  EXPECT_TRUE(thief.hear().starts_with("close 1008"));
}

// ---- The page

TEST_F(ChatTest, ThePageComesWithItsHeaders) {
  const HttpAnswer page = WebClient(chat_.port()).get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.field("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(page.field("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(page.field("Referrer-Policy"), "no-referrer");
  EXPECT_EQ(page.field("Cache-Control"), "no-cache");
  const std::string policy = page.field("Content-Security-Policy").value_or("");
  EXPECT_TRUE(policy.starts_with("default-src 'none'; connect-src 'self';"));
  EXPECT_EQ(policy.find("unsafe"), std::string::npos);
  EXPECT_TRUE(page.body.starts_with("<!DOCTYPE html>"));
  EXPECT_TRUE(page.body.ends_with("</html>\n"));
  EXPECT_EQ(page.body.find("innerHTML"), std::string::npos);
}

TEST_F(ChatTest, ThePolicyNamesTheStyleAndTheScriptOfThePage) {
  const Outcome outcome =
      runCommand({"/usr/bin/python3", "-c", R"(
import base64, hashlib, re, sys, urllib.request
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
page = direct.open(sys.argv[1], timeout=20)
policy, text = page.headers["Content-Security-Policy"], page.read()
for element in "style", "script":
    content = re.search(f"<{element}>(.*)</{element}>".encode(), text, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    print(f"{element}-src 'sha256-{digest}';" in policy)
)",
                  "http://127.0.0.1:" + std::to_string(chat_.port())});
  EXPECT_EQ(outcome.out, "True\nTrue\n") << outcome.err;
}

TEST_F(ChatTest, OtherPathsAreNotFound) {
  for (const char* path : {"/chat.html", "/socket", "/../", "/favicon.ico"}) {
    EXPECT_EQ(WebClient(chat_.port()).get(path).status, 404) << path;
  }
  Wire wire = Wire(chat_.port());
  const auto answer = openWebSocket(wire, "/");
  EXPECT_TRUE(answer && answer->status == 404);
}

TEST_F(ChatTest, OnlyItsOwnPageMayConnect) {
  const std::vector<std::pair<std::string, int>> cases = {
      {"http://a", 101},          {"https://a", 101},  {"http://b", 403},
      {"http://a:8080", 403},     {"http://a.b", 403}, {"null", 403},
      {"http://b/http://a", 403},
  };
  for (const auto& [origin, status] : cases) {
    Wire wire = Wire(chat_.port());
    const auto answer =
        openWebSocket(wire, "/socket", "Origin: " + origin + "\r\n");
    EXPECT_TRUE(answer && answer->status == status) << origin;
  }
}

}  // namespace
}  // namespace brigade::test
