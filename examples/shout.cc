// Answers every line in upper case. Try it:
//   ./shout start
//   nc 127.0.0.1 5678

#include <brigade/brigade.h>

#include <algorithm>
#include <cctype>
#include <string>

class Shout : public brigade::Worker {
 public:
  Shout() : Worker("text://0.0.0.0:5678") {
    name = "shout";
    count = 4;
  }

  void onMessage(brigade::TcpConnection& connection,
                 const brigade::Message& line) override {
    std::string answer(line.data());
    std::transform(answer.begin(), answer.end(), answer.begin(),
                   [](unsigned char c) { return std::toupper(c); });
    connection.send(answer);
  }
};

int main(int argc, char** argv) {
  Shout shout;
  return brigade::run(argc, argv, {&shout});
}
