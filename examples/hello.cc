// HTTP in a few lines:
//   ./hello start
//   curl http://127.0.0.1:8080/            Hello, World!
//   curl -d 'some text' http://127.0.0.1:8080/echo
//   curl -F file=@a.jpg -F file=@b.jpg http://127.0.0.1:8080/upload
//   curl http://127.0.0.1:8080/stream      an answer in pieces
//   curl http://127.0.0.1:8080/events      server-sent events
//   curl -b jar -c jar http://127.0.0.1:8080/session   counts visits
//   curl http://127.0.0.1:8080/files/a/b   with HELLO_FILES=FOLDER: its files

#include <brigade/brigade.h>

#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "HelloUpload.h"

class Hello : public brigade::HttpWorker {
 public:
  Hello() : HttpWorker("http://0.0.0.0:8080") { name = "hello"; }

  void onMasterStart() override {
    if (const char* folder = std::getenv("HELLO_FILES")) files_.emplace(folder);
  }

  void onRequest(brigade::HttpConnection& http,
                 const brigade::HttpRequest& request) override {
    const std::string_view path = request.path();
    if (path == "/") {
      http.send("Hello, World!");
    } else if (path == "/echo" && request.method() == "POST") {
      echo(http, request);
    } else if (path == HelloUpload::kPath) {
      http.send(brigade::HttpResponse::text(
          "POST a form with files: multipart/form-data\n", 400));
    } else if (path == "/stream") {
      stream(http);
    } else if (path == "/events") {
      http.startEvents();
      tick(http.id(), 3);
    } else if (path == "/session") {
      visit(http, request);
    } else if (files_ && path.starts_with(kFiles)) {
      files_->answer(http, request, path.substr(kFiles.size()));
    } else {
      http.send(brigade::HttpResponse::text("Not found\n", 404));
    }
  }

  bool streamBody(brigade::HttpConnection& http,
                  const brigade::HttpRequest& request) override {
    if (request.path() != HelloUpload::kPath) return false;
    http.context<HelloUpload>().begin(http, request);
    return true;
  }

  void onBody(brigade::HttpConnection& http, std::string_view piece) override {
    http.context<HelloUpload>().add(http, piece);
  }

  void onBodyEnd(brigade::HttpConnection& http) override {
    http.context<HelloUpload>().end(http);
  }

 private:
  static constexpr std::string_view kFiles = "/files/";

  static void echo(brigade::HttpConnection& http,
                   const brigade::HttpRequest& request) {
    brigade::HttpResponse response;
    response.set(
        "Content-Type",
        request.header("Content-Type").value_or("application/octet-stream"));
    http.send(response.bodyView(request.body()));
  }

  static void stream(brigade::HttpConnection& http) {
    http.start(brigade::HttpResponse().set("Content-Type", "text/plain"));
    for (int i = 1; i <= 10; ++i) {
      http.write("piece " + std::to_string(i) + "\n");
    }
    http.end();
  }

  // How often this client was here, whichever process it comes to.
  void visit(brigade::HttpConnection& http,
             const brigade::HttpRequest& request) {
    brigade::HttpSession session = sessions_.open(request);
    const std::string before(session.get("visits").value_or("0"));
    const std::string visits = std::to_string(std::stoul(before) + 1);
    session.set("visits", visits);
    auto response = brigade::HttpResponse::text("Visits: " + visits + "\n");
    session.save(response);
    http.send(response);
  }

  // An event now and one each second, as long as the client is there.
  void tick(brigade::ConnectionId client, int left) {
    brigade::HttpConnection* const http = findHttp(client);
    if (http == nullptr) return;
    http->sendEvent(std::to_string(left), "countdown");
    if (left == 0) {
      http->end();
      return;
    }
    addTimer(std::chrono::seconds(1), brigade::Repeat::kOnce,
             [this, client, left] { tick(client, left - 1); });
  }

  std::optional<brigade::HttpFiles> files_;
  brigade::HttpSessions sessions_{*this};
};

int main(int argc, char** argv) {
  Hello hello;
  return brigade::run(argc, argv, {&hello});
}
