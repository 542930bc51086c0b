#include "stages/pod_wait.h"

#include <algorithm>
#include <utility>

namespace weir::stages {

void PodWait::put(Log& log, const record::Record& record) {
  const std::size_t before = store_.bytes();
  store_.add_copy(record);
  const std::size_t bytes = store_.bytes() - before + sizeof(record::Record);
  log.entries.push_back({store_.records.size() - 1, bytes});
  bytes_ += bytes;
  records_ += record.is_marker() ? 0 : 1;
}

void PodWait::add(const record::Record& record) { put(*by_log_.at(record.source.log), record); }

void PodWait::add(const record::Record& record, std::string_view pod_key, Waiting waiting) {
  const bool tracked = record.source.kind == record::Source::Kind::file;
  if (tracked) {
    if (const auto known = by_log_.find(record.source.log); known != by_log_.end()) return put(*known->second, record);
  } else if (const auto known = by_pod_.find(pod_key); known != by_pod_.end()) {
    return put(*known->second, record);
  }
  const auto log = logs_.insert(logs_.end(), {std::move(waiting), std::string(pod_key), record.source.log, tracked, {}});
  if (tracked)
    by_log_.emplace(record.source.log, log);
  else
    by_pod_.emplace(log->pod_key, log);
  put(*log, record);
}

void PodWait::move_out(Logs::iterator log, record::Batch& out) {
  for (const Entry& entry : log->entries) {
    const record::Record& record = store_.records[entry.at];
    records_ -= record.is_marker() ? 0 : 1;
    bytes_ -= entry.bytes;
    out.add_copy(record);
  }
  if (log->tracked)
    by_log_.erase(log->log);
  else
    by_pod_.erase(log->pod_key);
  logs_.erase(log);
  tidy();
}

void PodWait::tidy() {
  constexpr std::size_t kWorthIt = 256 << 10;
  if (logs_.empty()) {
    store_ = record::Batch();  // gives its memory back: waiting is rare
    return;
  }
  const std::size_t used = store_.bytes() + store_.records.size() * sizeof(record::Record);
  if (used < bytes_ * 2 + kWorthIt) return;
  record::Batch fresh;
  for (Log& log : logs_) {
    for (Entry& entry : log.entries) {
      fresh.add_copy(store_.records[entry.at]);
      entry.at = fresh.records.size() - 1;
    }
  }
  store_ = std::move(fresh);
}

base::Monotonic PodWait::due() const {
  base::Monotonic due = base::kNever;
  for (const Log& log : logs_) due = std::min(due, log.about.until);
  return due;
}

}  // namespace weir::stages
