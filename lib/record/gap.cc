#include "record/gap.h"

#include "base/count.h"
#include "record/timestamp.h"

#include <algorithm>
#include <charconv>

namespace weir::record {

GapReport gap_report(const Record& record) {
  GapReport report;
  const auto label = [&](std::string_view name) {
    return record.labels != nullptr ? record.labels->get(name) : std::string_view();
  };
  for (const std::string_view name : {"namespace", "pod", "container"}) {
    const std::string_view value = label(name);
    if (value.empty()) continue;
    if (!report.log.empty()) report.log += '/';
    report.log += value;
  }
  if (report.log.empty()) report.log = label("filename");
  if (report.log.empty()) report.log = find(record.metadata, "filename");
  const std::string_view lost = find(record.metadata, kGapBytes);
  std::uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(lost.data(), lost.data() + lost.size(), bytes);
  if (error == std::errc() && end == lost.data() + lost.size()) report.bytes = bytes;
  return report;
}

void LostData::add(std::string_view log, std::optional<std::uint64_t> lost) {
  ++parts;
  bytes += lost.value_or(0);
  if (!lost) ++parts_unknown;
  log = log.substr(0, kLongestName);
  auto found = logs.find(log);
  if (found == logs.end() && logs.size() < kMostLogs) found = logs.emplace(log, 0).first;
  if (found != logs.end()) found->second += lost.value_or(0);
}

std::string LostData::text() const {
  constexpr std::size_t kNamed = 3;
  std::string text = logs.size() >= kMostLogs ? "at least " : "";
  text += base::count_of(std::max<std::size_t>(logs.size(), 1), "log") + " lost data: ";
  std::size_t named = 0;
  for (const auto& [log, lost] : logs) {
    if (log.empty() || named == kNamed) continue;
    ++named;
    text += log + ", ";
  }
  if (named > 0 && named < logs.size()) text += "…, ";
  if (parts == parts_unknown) return text + "of unknown size";
  return text + (parts_unknown > 0 ? "at least " : "") + print_size(bytes);
}

}  // namespace weir::record
