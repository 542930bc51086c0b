#include "stages/tail_metrics.h"

#include "record/pod_path.h"
#include "tail/lag.h"

#include <algorithm>

namespace weir::stages {
namespace {

using metrics::Account;

constexpr std::string_view kLabels = "log_namespace,log_pod,log_container";
constexpr std::uint32_t kRows = TailMetrics::kWorst * metrics::Worst::kRowsForEach;

constexpr auto kLogs = metrics::gauge("weir_tail_logs", "logs", "Logs that are followed.");
constexpr auto kUnread = metrics::gauge("weir_tail_unread_bytes", "bytes", "Bytes of all logs that are not read.");
constexpr auto kOldest = metrics::gauge("weir_tail_oldest_unread_seconds", "seconds", "Age of the oldest line that is not read.");
constexpr auto kJournalUnread =
    metrics::gauge("weir_tail_journal_unread_entries", "entries", "Entries of the journal that are not read, at most.");
constexpr auto kJournalLag =
    metrics::gauge("weir_tail_journal_lag_seconds", "seconds", "Age of the oldest entry of the journal that is not read.");
constexpr auto kLogUnread = metrics::gauge(
    "weir_tail_log_unread_bytes", "bytes",
    "Bytes of a log that are not read, of the logs with the most. A log stays for 15 minutes.", Account::none, kLabels, kRows);
constexpr auto kLogLag = metrics::gauge("weir_tail_log_lag_seconds", "seconds",
                                        "Age of a log's oldest line that is not read, of the logs that are furthest behind.",
                                        Account::none, kLabels, kRows);
constexpr auto kLogRate = metrics::gauge("weir_tail_log_rate_bytes", "bytes",
                                         "Bytes a second that a log has grown by since the last look, of the logs that grow most.",
                                         Account::none, kLabels, kRows);

// A file outside a pod layout goes by its path.
std::vector<std::string> labels_of(const tail::LogReader& log) {
  const auto path = record::parse_pod_path(log.key());
  if (!path) return {"", "", log.key()};
  return {std::string(path->namespace_name), std::string(path->pod), std::string(path->container)};
}

}  // namespace

TailMetrics::TailMetrics(metrics::Block& block)
    : logs_(block.gauge(kLogs)),
      unread_(block.gauge(kUnread)),
      oldest_(block.gauge(kOldest)),
      journal_unread_(block.gauge(kJournalUnread)),
      journal_lag_(block.gauge(kJournalLag)),
      log_unread_(block.table(kLogUnread)),
      log_lag_(block.table(kLogLag)),
      log_rate_(block.table(kLogRate)) {}

void TailMetrics::look(const tail::LogSet* logs, const tail::JournalLag& journal, base::Monotonic now, base::Timestamp wall) {
  const base::Duration since = written_at_ == base::kNever ? 0 : now - written_at_;
  const bool rates = written_at_ == base::kNever || since >= kRateOver;
  std::unordered_map<std::uint32_t, std::uint64_t> written;
  std::vector<Seen> all;
  const auto journal_behind = static_cast<std::uint64_t>(journal.behind(wall));
  journal_unread_.set(journal.entries);
  journal_lag_.set(journal_behind);
  std::uint64_t unread = 0, oldest = journal_behind;
  const auto see = [&](const tail::LogReader& log) {
    const tail::Lag lag = tail::lag_of(log);
    Seen& seen = all.emplace_back(Seen{&log, lag.bytes, static_cast<std::uint64_t>(lag.behind(wall))});
    unread += seen.unread;
    oldest = std::max(oldest, seen.behind);
    if (!rates) return;
    const std::uint64_t total = log.read_bytes() + lag.bytes;
    written.emplace(log.number(), total);
    const auto before = written_.find(log.number());
    if (since <= 0 || before == written_.end() || total < before->second) return;
    seen.rate = static_cast<std::uint64_t>(static_cast<double>(total - before->second) * static_cast<double>(base::kSecond) /
                                           static_cast<double>(since));
  };
  if (logs != nullptr) logs->each(see);
  logs_.set(all.size());
  unread_.set(unread);
  oldest_.set(oldest);
  show(log_unread_, worst_unread_, all, &Seen::unread, now);
  show(log_lag_, worst_lag_, all, &Seen::behind, now);
  if (!rates) return;
  if (since > 0) show(log_rate_, worst_rate_, all, &Seen::rate, now);
  written_ = std::move(written);
  written_at_ = now;
}

void TailMetrics::show(metrics::Table& table, metrics::Worst& worst, const std::vector<Seen>& logs, std::uint64_t Seen::*value,
                       base::Monotonic now) const {
  std::vector<metrics::Worst::One> ones;
  ones.reserve(logs.size());
  for (const Seen& seen : logs) ones.push_back({seen.reader->number(), seen.*value});
  std::vector<metrics::Table::Row> rows;
  for (const metrics::Worst::One& one : worst.choose(ones, now)) {
    const auto seen = std::ranges::find(logs, one.id, [](const Seen& log) { return log.reader->number(); });
    std::vector<std::string> labels = labels_of(*seen->reader);
    // Of a container that started again, the log before may still be read.
    const auto same = std::ranges::find(rows, labels, &metrics::Table::Row::label_values);
    if (same == rows.end()) {
      rows.push_back({std::move(labels), one.value});
    } else {
      same->value = &table == &log_lag_ ? std::max(same->value, one.value) : same->value + one.value;
    }
  }
  table.replace(std::move(rows));
}

}  // namespace weir::stages
