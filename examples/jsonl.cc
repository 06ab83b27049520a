// A protocol of the program's own: one JSON document a line (JsonLines.h).
// Adds up the numbers of the arrays it is sent:
//   ./jsonl start
//   echo '[1, 2, 3.5]' | nc -N 127.0.0.1 5680

#include <brigade/brigade.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "JsonLines.h"

class Adder : public brigade::Worker {
 public:
  Adder() : Worker("jsonl://0.0.0.0:5680") {
    name = "adder";
    registerProtocol("jsonl", [] { return std::make_unique<JsonLines>(); });
  }

  void onMessage(brigade::TcpConnection& connection,
                 const brigade::Message& message) override {
    const auto& document = message.as<nlohmann::json>();
    if (!document.is_array()) {
      reply(connection, {{"error", "send an array of numbers"}});
      return;
    }
    double sum = 0;
    for (const nlohmann::json& item : document) {
      if (!item.is_number()) {
        reply(connection, {{"error", "not a number"}, {"item", item}});
        return;
      }
      sum += item.get<double>();
    }
    reply(connection, {{"sum", sum}, {"count", document.size()}});
  }

 private:
  static void reply(brigade::TcpConnection& connection,
                    const nlohmann::json& document) {
    connection.send(brigade::Message::of(document));
  }
};

int main(int argc, char** argv) {
  Adder adder;
  return brigade::run(argc, argv, {&adder});
}
