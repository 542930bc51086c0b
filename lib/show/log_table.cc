#include "show/columns.h"
#include "show/identity.h"
#include "show/level.h"
#include "show/line_writer.h"
#include "show/row_writer.h"
#include "show/table.h"

#include "names/level.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace weir::show {
namespace {

constexpr std::size_t kClock = 12, kFull = 23;  // columns of a time
// What people look for first; other labels follow by name.
constexpr std::array<std::string_view, 4> kFirst = {"namespace", "pod", "container", "level"};

std::size_t rank_of(std::string_view name) { return static_cast<std::size_t>(std::ranges::find(kFirst, name) - kFirst.begin()); }

}  // namespace

void LogTable::begin_rows(std::string& out, const std::map<std::string, Seen>& labels, std::size_t records, const record::Record&) {
  for (const auto& [name, seen] : labels) {
    if (is_internal(name) && name != "__error__") continue;
    if (!seen.differs && seen.records == records && records > 1) {
      shared_.emplace(name, seen.value);
      continue;
    }
    columns_.push_back({name, std::max(seen.widest, name.size())});
  }
  std::ranges::stable_sort(columns_, {}, [](const Column& column) { return rank_of(column.name); });
  const std::size_t time = screen_ ? kClock : kFull;
  std::string left_out;
  if (canvas_.width > 0) {
    std::vector<std::size_t> widths;
    for (const Column& column : columns_) widths.push_back(column.width);
    // The line gets half of the screen at least.
    Table::fit(widths, std::max(canvas_.width / 2, time + 2) - time - 1);
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      columns_[i].width = widths[i];
      if (widths[i] == 0) (left_out += left_out.empty() ? "" : ", ") += columns_[i].name;
    }
  }
  LineWriter line(heads_, canvas_);
  line.put("TIME", Style::dim);
  std::size_t at = time + 1;
  for (const Column& column : columns_) {
    if (column.width == 0) continue;
    line.pad_to(at);
    line.put(cut_to(visible(column.name), column.width, cut_mark(canvas_)), Style::dim);
    at += column.width + 1;
  }
  line.pad_to(at);
  line.put("LINE", Style::dim);
  line.end();
  if (!left_out.empty()) {
    LineWriter note(heads_, canvas_);
    note.put("without room here: " + left_out, Style::dim);
    note.end();
  }
  if (!screen_) out += heads_;
}

void LogTable::append_day(std::string& out) {
  if (!screen_ || day_ == time_.day()) return;
  const bool is_first = day_.empty();
  day_ = time_.day();
  LineWriter line(out, canvas_);
  line.put(fmt::format("{} {}", day_, time_.zone()), Style::bold);
  if (is_first && !shared_.empty()) {
    line.put("  ");
    line.set_indent(line.column());
    std::string text;
    for (const auto& [name, value] : shared_) {
      ((text += text.empty() ? "{" : ", ") += name) += '=';
      append_quoted_value(text, value);
    }
    line.put(text + "}", Style::dim);
  }
  line.end();
  if (is_first) out += heads_;
}

void LogTable::row(std::string& out, record::Batch& batch, record::Record& record, const std::vector<Fields::Pair>& fields) {
  time_.set(record.timestamp);
  append_day(out);
  LineWriter line(out, canvas_);
  std::string time;
  if (screen_) {
    time_.append_clock(time);
  } else {
    time_.append_full(time);
  }
  line.put(time, Style::dim);
  std::size_t at = line.column() + 1;
  for (const Column& column : columns_) {
    if (column.width == 0) continue;
    const auto field = std::ranges::find(fields, std::string_view(column.name), &Fields::Pair::first);
    const std::string cell = field == fields.end() ? std::string() : visible(field->second);
    if (!cell.empty()) {
      line.pad_to(at);
      line.put(canvas_.width > 0 ? cut_middle(cell, column.width, cut_mark(canvas_)) : cell);
    }
    at += column.width + 1;
    if (line.column() >= at) line.put(" ");
  }
  line.pad_to(at);
  line.set_indent(at);
  const Level level = level_named(names::level_of_labels(record.labels->labels()));
  const Style style = canvas_.color ? style_of(level_of(batch, record, level)) : Style::plain;
  if (terminal_) {
    line.put_lines(batch.line(record), at, style);
  } else {
    line.put(batch.line(record), style);
  }
  for (const auto& [name, value] : fields) {
    const bool has_column = std::ranges::any_of(columns_, [&name = name](const Column& column) { return column.name == name; });
    if (has_column || is_internal(name)) continue;
    const auto shared = shared_.find(std::string(name));
    if (shared != shared_.end() && shared->second == value) continue;
    std::string text = " ";
    (text += name) += '=';
    append_value(text, value);
    line.put(text, Style::dim);
  }
  line.end();
}

}  // namespace weir::show
