// Sends every message back, in whatever protocol --listen names:
//   ./echo start --listen tcp://127.0.0.1:7000
//   ./echo start --listen frame+unix:///tmp/echo.sock
// A peer that does not read is not read from until it does: nothing is lost.

#include <brigade/brigade.h>

class Echo : public brigade::Worker {
 public:
  Echo() : Worker("tcp://0.0.0.0:7000") { name = "echo"; }

  void onMessage(brigade::TcpConnection& connection,
                 const brigade::Message& message) override {
    connection.send(message);
  }
  void onBufferFull(brigade::TcpConnection& connection) override {
    connection.pauseRecv();
  }
  void onBufferDrain(brigade::TcpConnection& connection) override {
    connection.resumeRecv();
  }
};

int main(int argc, char** argv) {
  Echo echo;
  return brigade::run(argc, argv, {&echo});
}
