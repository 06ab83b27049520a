// A Worker without an address: processes that do something on their own. Each
// writes a line into the log every interval, and a second Worker shows that a
// program may hold several.
//   ./background start

#include <brigade/brigade.h>

#include <chrono>
#include <string>

using namespace std::chrono_literals;

class Ticker : public brigade::Worker {
 public:
  Ticker() {
    name = "ticker";
    count = 2;
  }

  void onWorkerStart() override {
    addTimer(500ms, brigade::Repeat::kEvery, [this] {
      brigade::log(brigade::LogLevel::kInfo,
                   "tick " + std::to_string(++ticks_));
    });
  }
  void onWorkerStop() override {
    brigade::log(brigade::LogLevel::kInfo,
                 "stopping after " + std::to_string(ticks_) + " ticks");
  }

 private:
  unsigned ticks_ = 0;
};

class Cleaner : public brigade::Worker {
 public:
  Cleaner() { name = "cleaner"; }

  void onWorkerStart() override {
    brigade::log(brigade::LogLevel::kInfo, "cleaning in a minute");
    addTimer(1min, brigade::Repeat::kEvery, [] {
      brigade::log(brigade::LogLevel::kInfo, "nothing to clean");
    });
  }
};

int main(int argc, char** argv) {
  Ticker ticker;
  Cleaner cleaner;
  return brigade::run(argc, argv, {&ticker, &cleaner});
}
