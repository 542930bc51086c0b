#include "show/row_writer.h"

#include "show/columns.h"
#include "show/members.h"

#include <algorithm>

namespace weir::show {
namespace {

constexpr std::size_t kFirstRecords = 1000;
constexpr std::size_t kFirstBytes = 1 << 20;

}  // namespace

void Fields::set(std::string_view name, std::string_view value) {
  for (Pair& pair : pairs_) {
    if (pair.first == name) {
      pair.second = value;
      return;
    }
  }
  pairs_.emplace_back(name, value);
}

const std::vector<Fields::Pair>& Fields::of(const record::Record& record) {
  pairs_.clear();
  texts_.clear();
  for (const auto& label : record.labels->labels()) pairs_.emplace_back(label.name, label.value);
  for (const auto& label : record.metadata) set(label.name, label.value);
  if (record.extra == nullptr || record.extra->parsed.empty()) return pairs_;
  // Views into `texts_` must not move: it gets room for all first.
  std::vector<std::pair<std::string, std::string>> members;
  for_each_member(record.extra->parsed, [&](std::string_view name, std::string_view value) { members.emplace_back(name, value); });
  texts_.reserve(members.size() * 2);
  for (auto& [name, value] : members) {
    const std::string& kept_name = texts_.emplace_back(std::move(name));
    const std::string& kept_value = texts_.emplace_back(std::move(value));
    set(kept_name, kept_value);
  }
  return pairs_;
}

void RowWriter::add(std::string& out, record::Batch& batch, record::Record& record) {
  if (fixed_) return row(out, batch, record, fields_.of(record));
  for (const auto& [name, value] : fields_.of(record)) {
    Seen& seen = seen_[std::string(name)];
    if (seen.records++ == 0) seen.value = value;
    seen.differs = seen.differs || seen.value != value;
    seen.widest = std::max(seen.widest, columns_of(visible(value)));
  }
  held_.add_copy(record);
  if (held_.records.size() >= kFirstRecords || held_.bytes() >= kFirstBytes) release(out);
}

void RowWriter::release(std::string& out) {
  if (fixed_ || held_.records.empty()) return;
  fixed_ = true;
  begin_rows(out, seen_, held_.records.size(), held_.records.front());
  for (record::Record& record : held_.records) row(out, held_, record, fields_.of(record));
  held_ = record::Batch();
  seen_.clear();
}

}  // namespace weir::show
