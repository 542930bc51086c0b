#include "show/top_table.h"

#include "base/count.h"
#include "base/visible.h"
#include "record/json.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

namespace weir::show {
namespace {

using record::json_string;

double per_second(std::uint64_t count, base::Duration over) {
  return static_cast<double>(count) * static_cast<double>(base::kSecond) /
         static_cast<double>(std::max<base::Duration>(over, base::kMillisecond));
}

// "1,234", and "0.4" of what is rare.
std::string rate(std::uint64_t count, base::Duration over) {
  const double number = per_second(count, over);
  return number < 9.95 ? fmt::format("{:.1f}", number) : base::grouped(static_cast<std::uint64_t>(number + 0.5));
}

std::string byte_rate(std::uint64_t bytes, base::Duration over) {
  return record::print_size(static_cast<std::uint64_t>(per_second(bytes, over) + 0.5));
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "-";
  return fmt::format("{:.0f}%", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string shown(std::string_view name) {
  std::string text;
  base::append_visible(text, name);
  return text;
}

// At most so many characters.
std::string cut(std::string line, std::size_t columns) {
  if (columns == 0) return line;
  std::size_t seen = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(line[i]) & 0xc0U) != 0x80;
    if (begins && seen++ == columns) {
      line.resize(i);
      return line;
    }
  }
  return line;
}

void add_rows(std::string& out, const TopReport& report, const std::vector<TopRow>& rows, std::size_t most, std::string_view what,
              std::size_t columns) {
  const auto line = [&](std::string_view records, std::string_view bytes, std::string_view share, std::string_view dropped,
                        std::string_view name) {
    std::string text = fmt::format("{:>11} {:>11} {:>6} ", records, bytes, share);
    if (report.judged) text += fmt::format("{:>8} ", dropped);
    out += cut(text + std::string(name), columns) + '\n';
  };
  line("RECORDS/s", "BYTES/s", "SHARE", "DROPPED", what);
  for (std::size_t i = 0; i < std::min(most, rows.size()); ++i) {
    const TopCount& count = rows[i].count;
    line(rate(count.records, report.over), byte_rate(count.bytes, report.over), percent(count.bytes, report.all.bytes),
         percent(count.dropped_bytes, count.bytes), shown(rows[i].name));
  }
  if (rows.size() > most) out += fmt::format("{:>31}… and {} more\n", "", rows.size() - most);
}

std::string count_json(const TopReport& report, const TopCount& count) {
  std::string out = fmt::format(R"("records":{},"bytes":{},"records_per_second":{:.3f},"bytes_per_second":{:.3f})", count.records,
                                count.bytes, per_second(count.records, report.over), per_second(count.bytes, report.over));
  if (report.judged) {
    out += fmt::format(R"(,"dropped_records":{},"dropped_bytes":{},"held_records":{})", count.dropped_records, count.dropped_bytes,
                       count.held_records);
  }
  return out;
}

std::string text_or_null(std::string_view text) { return text.empty() ? "null" : json_string(text); }

}  // namespace

void TopCount::add(const TopCount& more) {
  records += more.records;
  bytes += more.bytes;
  dropped_records += more.dropped_records;
  dropped_bytes += more.dropped_bytes;
  held_records += more.held_records;
}

void TopReport::finish(TopOrder order) {
  all = {};
  std::map<std::string, TopCount> by_namespace;
  for (const TopRow& log : logs) {
    all.add(log.count);
    by_namespace[log.namespace_name].add(log.count);
  }
  namespaces.clear();
  for (const auto& [name, count] : by_namespace) {
    namespaces.push_back({.name = name.empty() ? "(no namespace)" : name, .namespace_name = name, .pod = {}, .container = {}});
    namespaces.back().count = count;
  }
  const auto more = [order](const TopRow& a, const TopRow& b) {
    const auto key = [order](const TopCount& count) {
      return order == TopOrder::bytes ? std::pair(count.bytes, count.records) : std::pair(count.records, count.bytes);
    };
    return key(a.count) != key(b.count) ? key(a.count) > key(b.count) : a.name < b.name;
  };
  std::ranges::sort(logs, more);
  std::ranges::sort(namespaces, more);
}

TopLayout layout_for(std::size_t lines, std::size_t columns, std::size_t most_logs) {
  // The summary, two blank lines, two headings, two lines for what is left out, and the last line stays free.
  constexpr std::size_t kOther = 8;
  const std::size_t rows = lines > kOther ? lines - kOther : 1;
  TopLayout layout{.columns = columns};
  layout.namespaces = std::clamp<std::size_t>(rows / 4, 1, 5);
  layout.logs = std::min(most_logs, std::max<std::size_t>(rows - std::min(rows, layout.namespaces), 1));
  return layout;
}

std::string top_text(const TopReport& report, const TopLayout& layout) {
  std::string head = fmt::format("{}: {} a second, {} a second, over {:.1f} s", base::count_of(report.logs.size(), "log"),
                                 rate(report.all.records, report.over) + " records", byte_rate(report.all.bytes, report.over),
                                 static_cast<double>(report.over) / static_cast<double>(base::kSecond));
  if (report.judged) head += fmt::format("; rules drop {} of the bytes", percent(report.all.dropped_bytes, report.all.bytes));
  std::string out = cut(head, layout.columns) + '\n';
  if (report.logs.empty()) return out;
  if (report.namespaces.size() > 1 || !report.namespaces.front().namespace_name.empty()) {
    out += '\n';
    add_rows(out, report, report.namespaces, layout.namespaces, "NAMESPACE", layout.columns);
  }
  out += '\n';
  add_rows(out, report, report.logs, layout.logs, "LOG", layout.columns);
  return out;
}

std::string top_json(const TopReport& report) {
  std::string out =
      fmt::format(R"({{"time":{},"interval_seconds":{:.3f},{},"namespaces":[)", json_string(record::to_rfc3339(report.time)),
                  static_cast<double>(report.over) / static_cast<double>(base::kSecond), count_json(report, report.all));
  const char* separator = "";
  for (const TopRow& row : report.namespaces) {
    out += fmt::format(R"({}{{"namespace":{},{}}})", std::exchange(separator, ","), text_or_null(row.namespace_name),
                       count_json(report, row.count));
  }
  out += R"(],"logs":[)";
  separator = "";
  for (const TopRow& row : report.logs) {
    out += fmt::format(R"({}{{"log":{},"namespace":{},"pod":{},"container":{},"filename":{},{}}})", std::exchange(separator, ","),
                       json_string(row.name), text_or_null(row.namespace_name), text_or_null(row.pod), text_or_null(row.container),
                       text_or_null(row.filename), count_json(report, row.count));
  }
  return out + "]}\n";
}

}  // namespace weir::show
