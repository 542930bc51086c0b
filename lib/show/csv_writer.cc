#include "record/json.h"
#include "show/columns.h"
#include "show/row_writer.h"

#include <array>

namespace weir::show {
namespace {

constexpr std::string_view kTime = "timestamp", kLine = "line", kValue = "value", kOther = "other_labels";

std::string head_of_label(const std::string& name) {
  for (const std::string_view own : {kTime, kLine, kValue, kOther}) {
    if (name == own) return "label_" + name;
  }
  return name;
}

}  // namespace

void append_csv_cell(std::string& out, std::string_view value) {
  if (value.find_first_of("\",\r\n") == std::string_view::npos) {
    out += value;
    return;
  }
  out += '"';
  for (const char c : value) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

void CsvWriter::append_cell(std::string& out, std::string_view value) const {
  if (terminal_) {
    append_csv_cell(out, visible(value));
  } else {
    append_csv_cell(out, value);
  }
}

void CsvWriter::begin_rows(std::string& out, const std::map<std::string, Seen>& labels, std::size_t, const record::Record& first) {
  out += kTime;
  for (const auto& [name, seen] : labels) {
    out += ',';
    append_cell(out, head_of_label(name));
    places_.emplace(name, cells_.size());
    cells_.emplace_back();
  }
  out += ',';
  out += first.sample ? kValue : kLine;
  out += ',';
  out += kOther;
  out += '\n';
}

void CsvWriter::row(std::string& out, record::Batch& batch, record::Record& record, const std::vector<Fields::Pair>& fields) {
  time_.set(record.timestamp);
  time_.append_rfc3339(out);
  std::ranges::fill(cells_, std::string_view());
  std::string others;
  for (const auto& [name, value] : fields) {
    if (const auto place = places_.find(std::string(name)); place != places_.end()) {
      cells_[place->second] = value;
      continue;
    }
    others += others.empty() ? '{' : ',';
    record::append_json_string(others, name);
    others += ':';
    record::append_json_string(others, value);
  }
  if (!others.empty()) others += '}';
  for (const std::string_view cell : cells_) {
    out += ',';
    append_cell(out, cell);
  }
  out += ',';
  if (record.sample) {
    const std::string_view value = record.extra == nullptr ? std::string_view() : record.extra->value;
    append_cell(out, value.size() >= 2 ? value.substr(1, value.size() - 2) : value);
  } else {
    append_cell(out, batch.line(record));
  }
  out += ',';
  append_cell(out, others);
  out += '\n';
}

}  // namespace weir::show
