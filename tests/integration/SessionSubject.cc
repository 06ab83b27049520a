// The program that the tests of sessions run. What a request asks for is in its
// path:
//
//   /get/KEY  /set/KEY/VALUE  /big/BYTES  /login/USER  /logout  /count
//   /late/KEY/VALUE (answers after its callback)  /stream/KEY/VALUE
//
// From the environment: SESSION_FOLDER, SESSION_PLACE (master), SERVER_USER,
// and SECOND_NAME, of a second Worker, which is there when this is set.

#include <brigade/brigade.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "tests/support/Environment.h"

namespace {

using brigade::HttpConnection;
using brigade::HttpParameters;
using brigade::HttpRequest;
using brigade::HttpResponse;
using brigade::HttpSession;
using brigade::test::variable;

class SessionSubject : public brigade::HttpWorker {
 public:
  explicit SessionSubject(std::string itsName)
      : HttpWorker("http://127.0.0.1:0") {
    name = std::move(itsName);
    user = variable("SERVER_USER");
    add("/get/:key", [](HttpSession& session, auto& word) {
      return std::string(session.get(word["key"]).value_or("none"));
    });
    add("/set/:key/:value", [](HttpSession& session, auto& word) {
      session.set(word["key"], word["value"]);
      return std::string("set");
    });
    add("/big/:bytes", [](HttpSession& session, auto& word) {
      session.set("big",
                  std::string(std::stoul(std::string(word["bytes"])), 'x'));
      return std::string("set");
    });
    add("/login/:user", [](HttpSession& session, auto& word) {
      session.regenerate();
      session.set("user", word["user"]);
      return std::string("welcome");
    });
    add("/logout", [](HttpSession& session, auto&) {
      return session.destroy() ? std::string("failed") : std::string("bye");
    });
    add("/count", [](HttpSession& session, auto&) {
      const std::string before(session.get("count").value_or("0"));
      session.set("count", std::to_string(std::stoul(before) + 1));
      return std::string(*session.get("count"));
    });
    addLate();
  }

  void onRequest(HttpConnection& http, const HttpRequest& request) override {
    router_.route(http, request);
  }

 private:
  template <typename Do>
  void add(std::string_view pattern, Do work) {
    router_.add("GET", pattern,
                [this, work](HttpConnection& http, const HttpRequest& request,
                             const HttpParameters& word) {
                  HttpSession session = sessions_.open(request);
                  HttpResponse response =
                      HttpResponse::text(work(session, word));
                  session.save(response);
                  response.set("X-Pid", std::to_string(::getpid()));
                  http.send(response);
                });
  }

  void addLate() {
    router_.add("GET", "/late/:key/:value",
                [this](HttpConnection& http, const HttpRequest& request,
                       const HttpParameters& word) {
                  HttpSession session = sessions_.open(request);
                  session.set(word["key"], word["value"]);
                  addTimer(std::chrono::milliseconds(1), brigade::Repeat::kOnce,
                           [this, id = http.id(), session]() mutable {
                             HttpResponse response = HttpResponse::text("late");
                             session.save(response);
                             if (auto* const late = findHttp(id))
                               late->send(response);
                           });
                });
    router_.add("GET", "/stream/:key/:value",
                [this](HttpConnection& http, const HttpRequest& request,
                       const HttpParameters& word) {
                  HttpSession session = sessions_.open(request);
                  session.set(word["key"], word["value"]);
                  HttpResponse head;
                  session.save(head);
                  http.start(head);
                  http.write("in ");
                  http.write("pieces");
                  http.end();
                });
  }

  brigade::HttpRouter router_;
  static brigade::HttpSessionSettings settings() {
    using Place = brigade::HttpSessionSettings::Place;
    if (variable("SESSION_PLACE") == "master") return {.place = Place::kMaster};
    return {.folder = variable("SESSION_FOLDER")};
  }

  brigade::HttpSessions sessions_{*this, settings()};
};

}  // namespace

int main(int argc, char** argv) {
  SessionSubject subject("a/subject");
  SessionSubject second(variable("SECOND_NAME"));
  brigade::RunConfig config;
  // Tests kill a hundred processes in a row.
  config.backoff.longest = std::chrono::milliseconds(50);
  config.backoff.first = std::chrono::milliseconds(10);
  if (second.name.empty()) return brigade::run(argc, argv, {&subject}, config);
  return brigade::run(argc, argv, {&subject, &second}, config);
}
