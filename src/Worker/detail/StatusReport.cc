#include "brigade/Worker/detail/StatusReport.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "brigade/Worker/detail/Printable.h"
#include "brigade/Worker/detail/Status.h"

namespace brigade::detail {

namespace {

constexpr std::string_view kNothing = "-";

enum class Align : std::uint8_t { kLeft, kRight };

struct Column {
  std::string_view title;
  Align align;
};

// Columns as wide as their widest cell, two spaces between them.
class Table {
 public:
  using Row = std::vector<std::string>;

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {
    Row titles;
    for (const Column& column : columns_) titles.emplace_back(column.title);
    add(std::move(titles));
  }

  // One cell a column. An empty one shows as "-".
  void add(Row row) {
    for (std::string& cell : row) {
      cell = cell.empty() ? kNothing : printable(cell);
    }
    rows_.push_back(std::move(row));
  }

  std::string text() const {
    const std::vector<std::size_t> widths = measure();
    std::string out;
    for (const Row& row : rows_) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        if (i > 0) out += "  ";
        appendCell(out, row[i], widths[i], columns_[i].align);
      }
      out.erase(out.find_last_not_of(' ') + 1);
      out += '\n';
    }
    return out;
  }

 private:
  std::vector<std::size_t> measure() const {
    std::vector<std::size_t> widths(columns_.size());
    for (const Row& row : rows_) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        widths[i] = std::max(widths[i], displayWidth(row[i]));
      }
    }
    return widths;
  }

  static void appendCell(std::string& out, const std::string& cell,
                         std::size_t width, Align align) {
    const std::string blank(width - displayWidth(cell), ' ');
    out += align == Align::kLeft ? cell + blank : blank + cell;
  }

  std::vector<Column> columns_;
  std::vector<Row> rows_;
};

std::string decimal(const char* format, double value) {
  char text[64];
  const int length = std::snprintf(text, sizeof text, format, value);
  return {text, static_cast<std::size_t>(length)};
}

// Exact up to six digits: sixteen columns leave no room for more.
std::string count(std::uint64_t value) {
  if (value < 1'000'000) return std::to_string(value);
  const auto number = static_cast<double>(value);
  if (value < 1'000'000'000) return decimal("%.1fM", number / 1e6);
  if (value < 1'000'000'000'000) return decimal("%.1fG", number / 1e9);
  return decimal("%.1fT", number / 1e12);
}

std::string bytes(std::uint64_t value) {
  if (value < 1024) return std::to_string(value);
  auto number = static_cast<double>(value);
  for (const char* format : {"%.1fK", "%.1fM", "%.1fG", "%.1fT"}) {
    number /= 1024;
    // 1023.95 would show as 1024.0
    if (number < 1023.95) return decimal(format, number);
  }
  return decimal("%.1fP", number / 1024);
}

std::string rate(double value) {
  if (value <= 0) return "0";
  if (value < 9.95) return decimal("%.1f", value);
  return count(static_cast<std::uint64_t>(std::min(value, 1e18) + 0.5));
}

// The two largest units: "3d 4h", "12m 30s", "45s".
std::string duration(double value) {
  auto seconds = static_cast<std::uint64_t>(std::clamp(value, 0.0, 1e15));
  constexpr std::pair<std::uint64_t, char> kUnits[] = {
      {86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
  std::string text;
  for (const auto& [size, unit] : kUnits) {
    const std::uint64_t number = seconds / size;
    seconds %= size;
    if (!text.empty()) return text + ' ' + std::to_string(number) + unit;
    if (number > 0) text = std::to_string(number) + unit;
  }
  return text.empty() ? "0s" : text;
}

std::string ifAny(std::uint64_t value, std::string text) {
  return value == 0 ? std::string() : std::move(text);
}

std::string stateText(const std::string& state, double backoff) {
  return backoff <= 0 ? state : state + decimal(" %.1fs", backoff);
}

Table::Row rowOf(const WorkerStatus& worker) {
  const auto pid = static_cast<std::uint64_t>(worker.pid);
  return {std::to_string(worker.index),
          worker.name,
          ifAny(pid, std::to_string(worker.pid)),
          stateText(worker.state, worker.backoff),
          ifAny(worker.memory, bytes(worker.memory)),
          worker.address,
          count(worker.connections),
          count(worker.accepted),
          count(worker.messages),
          count(worker.sendFailures),
          count(worker.exceptions),
          count(worker.timers),
          rate(worker.requestsPerSecond),
          ifAny(pid, duration(worker.uptime)),
          count(worker.restarts),
          worker.lastExit};
}

Table::Row totalsRow(const WorkerStatus& sum) {
  Table::Row row = rowOf(sum);
  row[0] = "total";
  return row;
}

Table workersTable(const ProgramStatus& status) {
  Table table({{"index", Align::kLeft},
               {"name", Align::kLeft},
               {"pid", Align::kRight},
               {"state", Align::kLeft},
               {"memory", Align::kRight},
               {"listening", Align::kLeft},
               {"conns", Align::kRight},
               {"accepted", Align::kRight},
               {"messages", Align::kRight},
               {"fails", Align::kRight},
               {"exc", Align::kRight},
               {"timers", Align::kRight},
               {"req/s", Align::kRight},
               {"uptime", Align::kRight},
               {"restarts", Align::kRight},
               {"last exit", Align::kLeft}});
  for (const WorkerStatus& worker : status.workers) table.add(rowOf(worker));
  table.add(totalsRow(totals(status)));
  return table;
}

Table programsTable(const ProgramStatus& status) {
  Table table({{"program", Align::kLeft},
               {"pid", Align::kRight},
               {"state", Align::kLeft},
               {"memory", Align::kRight},
               {"messages", Align::kRight},
               {"bad", Align::kRight},
               {"uptime", Align::kRight},
               {"restarts", Align::kRight},
               {"last exit", Align::kLeft}});
  for (const CommandStatus& program : status.programs) {
    const auto pid = static_cast<std::uint64_t>(program.pid);
    table.add({program.name, ifAny(pid, std::to_string(program.pid)),
               stateText(program.state, program.backoff),
               ifAny(program.memory, bytes(program.memory)),
               count(program.messages), count(program.badMessages),
               ifAny(pid, duration(program.uptime)), count(program.restarts),
               program.lastExit});
  }
  return table;
}

// "2026-11-21 07:34:14 UTC"
std::string readable(std::chrono::system_clock::time_point time) {
  std::string text = toIso8601(time);
  std::replace(text.begin(), text.end(), 'T', ' ');
  text.back() = ' ';
  return text + "UTC";
}

std::string load(const ProgramStatus& status) {
  if (status.load[0] < 0) return std::string(kNothing);  // not known
  return decimal("%.2f", status.load[0]) + decimal(" %.2f", status.load[1]) +
         decimal(" %.2f", status.load[2]);
}

std::string head(const ProgramStatus& status) {
  const WorkerStatus sum = totals(status);
  std::string text = printable(status.name);
  if (!status.version.empty()) text += ' ' + printable(status.version);
  text += " (brigade " + printable(status.brigadeVersion) + "), pid " +
          std::to_string(status.pid) + ", running since " +
          readable(status.started) + " (" + duration(status.uptime) + ")\n";
  if (!status.state.empty()) text += "state " + printable(status.state) + ", ";
  text += "loop " + printable(status.event) + ", load " + load(status) +
          ", run directory " + printable(status.runDirectory) + '\n';
  text += "connections " + count(sum.connections) + ", messages " +
          count(sum.messages) + ", req/s " + rate(sum.requestsPerSecond) +
          ", read " + bytes(sum.bytesRead) + ", written " +
          bytes(sum.bytesWritten) + ", protocol errors " +
          count(sum.protocolErrors) + '\n';
  if (!status.note.empty()) text += "note: " + printable(status.note) + '\n';
  for (const WorkerStatus& worker : status.workers) {
    if (worker.forkFailure.empty()) continue;
    text += "note: " + printable(worker.forkFailure) + '\n';
  }
  return text;
}

}  // namespace

std::string statusTable(std::string_view json) {
  const ProgramStatus status = parseStatus(json);
  std::string text = head(status) + '\n' + workersTable(status).text();
  if (!status.programs.empty()) text += '\n' + programsTable(status).text();
  return text;
}

std::string connectionsTable(const std::vector<std::string>& json) {
  Table table({{"worker", Align::kRight},
               // An id is one of its process.
               {"pid/id", Align::kRight},
               {"name", Align::kLeft},
               {"protocol", Align::kLeft},
               {"remote", Align::kLeft},
               {"local", Align::kLeft},
               {"state", Align::kLeft},
               {"recv-q", Align::kRight},
               {"send-q", Align::kRight},
               {"read", Align::kRight},
               {"written", Align::kRight}});
  for (const std::string& each : json) {
    const ConnectionStatus connection = parseConnection(each);
    table.add(
        {std::to_string(connection.worker),
         std::to_string(connection.pid) + '/' + std::to_string(connection.id),
         connection.name, connection.protocol, connection.remote,
         connection.local, connection.state, bytes(connection.receiveQueue),
         bytes(connection.sendQueue), bytes(connection.bytesRead),
         bytes(connection.bytesWritten)});
  }
  return table.text();
}

}  // namespace brigade::detail
