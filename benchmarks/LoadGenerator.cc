// The client of the benchmarks: keeps a server busy with echoes, checks every
// byte of them, and says what they cost the server. `--help` tells the rest.
#include <getopt.h>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "Exchange.h"
#include "Load.h"
#include "Meter.h"
#include "Payload.h"
#include "Target.h"

namespace brigade::bench {
namespace {

constexpr const char* kHelp = R"(usage: bench_load [OPTION ...] HOST PORT

  --protocol NAME       raw (as it is by itself), text: each message is a line,
                        websocket or websocket-binary, or http: GET / and
                        whatever the server says to that first
  --connections N       (64)
  --size BYTES          of a message, a line with its end (32)
  --depth N             messages that a connection sends at once; it sends the
                        next ones when all of them have come back (1)
  --reconnect           close after each answer, and connect anew
  --seconds S           how long to measure (1)
  --messages N          measure that many messages instead
  --warm-up S           how long to do the same before measuring (0.1)
  --server-pid PID      whose CPU time to measure

Connects, exchanges the first messages and prints {"connections": N}. Then it
measures once for every line of standard input, and prints one JSON object each
time: messages, and the seconds of the clock, of the server's CPU (server, and
the kernel's estimate of its user and system part) and of the client's. Between
that, and until standard input ends, the connections are idle.
)";

// As short as a program would write it.
constexpr std::string_view kGet =
    "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";

struct Options {
  std::optional<Protocol> echoed = Protocol::kRaw;  // none: HTTP
  std::size_t connections = 64;
  std::size_t size = 32;
  std::size_t depth = 1;
  Then then = Then::kSendAgain;
  double seconds = 1;
  std::uint64_t messages = 0;  // 0: as many as fit into the seconds
  double warmUp = 0.1;
  pid_t serverPid = 0;
  std::string host;
  std::uint16_t port = 0;
};

template <typename Number>
Number parseNumber(std::string_view word, Number least) {
  Number number{};
  const char* const end = word.data() + word.size();
  const auto result = std::from_chars(word.data(), end, number);
  if (result.ec != std::errc() || result.ptr != end || number < least) {
    throw std::invalid_argument("not such a number: " + std::string(word));
  }
  return number;
}

std::optional<Protocol> parseProtocol(std::string_view word) {
  if (word == "raw") return Protocol::kRaw;
  if (word == "text") return Protocol::kText;
  if (word == "websocket") return Protocol::kWebSocket;
  if (word == "websocket-binary") return Protocol::kWebSocketBinary;
  if (word == "http") return std::nullopt;
  throw std::invalid_argument("no such protocol: " + std::string(word));
}

void apply(int option, const char* value, Options& options) {
  switch (option) {
    case 'p':
      options.echoed = parseProtocol(value);
      break;
    case 'c':
      options.connections = parseNumber<std::size_t>(value, 1);
      break;
    case 's':
      options.size = parseNumber<std::size_t>(value, 2);
      break;
    case 'd':
      options.depth = parseNumber<std::size_t>(value, 1);
      break;
    case 'r':
      options.then = Then::kReconnect;
      break;
    case 't':
      options.seconds = parseNumber<double>(value, 0);
      break;
    case 'm':
      options.messages = parseNumber<std::uint64_t>(value, 1);
      break;
    case 'w':
      options.warmUp = parseNumber<double>(value, 0);
      break;
    case 'P':
      options.serverPid = parseNumber<pid_t>(value, 1);
      break;
    case 'h':
      std::fputs(kHelp, stdout);
      std::exit(0);
    default:
      throw std::invalid_argument("try --help");
  }
}

Options parse(int argc, char** argv) {
  static const option kOptions[] = {
      {"protocol", required_argument, nullptr, 'p'},
      {"connections", required_argument, nullptr, 'c'},
      {"size", required_argument, nullptr, 's'},
      {"depth", required_argument, nullptr, 'd'},
      {"reconnect", no_argument, nullptr, 'r'},
      {"seconds", required_argument, nullptr, 't'},
      {"messages", required_argument, nullptr, 'm'},
      {"warm-up", required_argument, nullptr, 'w'},
      {"server-pid", required_argument, nullptr, 'P'},
      {"help", no_argument, nullptr, 'h'},
      {nullptr, 0, nullptr, 0}};
  Options options;
  int found = 0;
  while ((found = getopt_long(argc, argv, "", kOptions, nullptr)) != -1) {
    apply(found, optarg, options);
  }
  if (argc - optind != 2) throw std::invalid_argument("try --help");
  options.host = argv[optind];
  options.port = parseNumber<std::uint16_t>(argv[optind + 1], 1);
  return options;
}

// Turns until the time is over, or until so many more batches came back.
void runFor(Load& load, double seconds, std::uint64_t batches) {
  using Seconds = std::chrono::duration<double>;
  const auto end = std::chrono::steady_clock::now() + Seconds(seconds);
  const std::uint64_t enough = load.batches() + batches;
  while (batches > 0 ? load.batches() < enough
                     : std::chrono::steady_clock::now() < end) {
    load.turn();
  }
}

void print(const Usage& usage, std::uint64_t messages) {
  std::printf(
      "{\"messages\": %llu, \"wall\": %.6f, \"server\": %.6f, "
      "\"user\": %.2f, \"system\": %.2f, \"client\": %.6f}\n",
      static_cast<unsigned long long>(messages), usage.wall, usage.server,
      usage.user, usage.system, usage.client);
  std::fflush(stdout);
}

void measure(Load& load, const Meter& meter, const Options& options) {
  load.go();
  runFor(load, options.warmUp, 0);
  const std::uint64_t batches = load.batches();
  const Usage before = meter.read();
  runFor(load, options.seconds,
         (options.messages + options.depth - 1) / options.depth);
  const Usage usage = meter.read() - before;
  const std::uint64_t messages = (load.batches() - batches) * options.depth;
  load.finish();
  print(usage, messages);
}

Payload makePayload(const Options& options, const Target& target) {
  if (options.echoed) {
    return Payload(*options.echoed, options.size, options.depth);
  }
  const FileDescriptor socket = target.connect(0);
  return Payload(kGet, exchange(socket.get(), kGet, 200), options.depth);
}

void run(int argc, char** argv) {
  const Options options = parse(argc, argv);
  const Meter meter(options.serverPid);
  const Target target(options.host, options.port);
  Payload payload = makePayload(options, target);
  Load load(target, payload, options.then);
  load.open(options.connections);
  std::printf("{\"connections\": %zu}\n", options.connections);
  std::fflush(stdout);
  std::string line;
  while (std::getline(std::cin, line)) measure(load, meter, options);
}

}  // namespace
}  // namespace brigade::bench

int main(int argc, char** argv) {
  try {
    brigade::bench::run(argc, argv);
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "bench_load: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_load: %s\n", error.what());
    return 1;
  }
}
