#include "tail/trouble_report.h"

#include "base/count.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

namespace weir::tail {

void TroubleReport::add(const Unreadable& unreadable) {
  if (unreadable.causes.empty()) return;
  for (const auto& [text, files] : unreadable.causes) {
    unreadable_ += files.count;
    if (files.cause.code == base::Code::forbidden) refused_ += files.count;
  }
  unreported_.add(unreadable);
  if (options_.follow) report_unreadable();
}

void TroubleReport::add(std::string_view path, const Cause& cause) {
  Unreadable one;
  one.add(path, cause);
  add(one);
}

void TroubleReport::add_opened(std::string_view path, const Cause& cause) {
  ++opened_unreadable_;
  add(path, cause);
}

base::Error TroubleReport::nothing_readable() const {
  if (unreadable_ == 1) return base::fail(base::Code::io, "cannot read the log file");
  return base::fail(base::Code::io, "cannot read any of {} log files", base::grouped(unreadable_));
}

void TroubleReport::report_unreadable() {
  for (const auto& [cause, files] : std::exchange(unreported_, {}).causes) {
    std::string text = message_of(files);
    if (const std::string_view hint = hint_of(files); !hint.empty()) text += fmt::format(" ({})", hint);
    diagnostics_.warn(fmt::format("tail.unreadable.{}", cause), base::escape_control(text));
  }
}

void TroubleReport::report(bool last) {
  if (last && !options_.follow) report_unreadable();
  const auto news = [](std::uint64_t& before, std::uint64_t now) { return std::exchange(before, now) != now; };
  if (news(reported_.malformed, stats_.malformed)) {
    diagnostics_.warn(
        "tail.malformed",
        fmt::format("{}: a line is not in the format of its file: it is passed on unchanged, with the time of reading", odd_));
  }
  if (news(reported_.split, stats_.split)) {
    diagnostics_.warn("tail.split",
                      fmt::format("{}: a line is longer than {} (--max-line): it is passed on in pieces, with metadata weir_split",
                                  odd_, record::print_size(options_.max_line)));
  }
  if (news(reported_.too_old_files, stats_.too_old_files)) {
    diagnostics_.warn("tail.too_old",
                      fmt::format("left out {} of {}, older than {} (--max-age; --max-age 0 reads everything)",
                                  record::print_size(stats_.too_old_bytes), base::count_of(stats_.too_old_files, "log file"),
                                  record::print_duration(options_.max_age)));
  }
  if (news(reported_.leading_holes, stats_.leading_holes)) {
    diagnostics_.warn("tail.hole",
                      fmt::format("{}: the file begins with zeros, as when its writer goes on at its old place after a truncation: "
                                  "the zeros are left out",
                                  odd_));
  }
  if (stats_.gaps > reported_.gaps) report_gaps();
  if (news(reported_.truncated, stats_.truncated)) {
    diagnostics_.warn(
        "tail.truncated",
        fmt::format(
            "{}: the file was truncated: reading the old content from a copy, if there is one, and then the file from its start",
            odd_));
  }
}

// Each, unless there are many at once. The keys make room for some in a short time.
void TroubleReport::report_gaps() {
  constexpr std::uint64_t kKeys = 16;
  const std::vector<std::string> lines = std::exchange(stats_.gap_lines, {});
  const std::uint64_t more = stats_.gaps - reported_.gaps - lines.size();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    // The record's line without the name that stands before every message.
    const std::string_view line = std::string_view(lines[i]).substr(std::string_view("weir: ").size());
    const std::string others = i + 1 == lines.size() && more > 0 ? fmt::format("; and {} more", base::grouped(more)) : "";
    diagnostics_.warn(fmt::format("tail.gap.{}", (reported_.gaps + i) % kKeys),
                      fmt::format("{} (a record with metadata weir_gap_bytes says so){}", base::escape_control(line), others));
  }
  reported_.gaps = stats_.gaps;
}

}  // namespace weir::tail
