#include "serve/log_pages.h"

#include <optional>
#include <utility>

namespace weir::serve {
namespace {

using base::Result;
using base::TimeRange;
using base::Timestamp;
using record::Batch;
using record::Record;

Result<bool> read_newest(Call& call, const LogPage& page, const TakeRecord& take) {
  auto scan = call.scan(page.query, page.range);
  if (!scan) return std::move(scan).error();
  auto older = (*scan)->keep_newest(page.limit);
  if (!older || call.over()) return older;
  auto done = (*scan)->run([&](Batch& batch) -> Result<bool> {
    for (Record& record : batch.records) {
      if (!take(record, batch)) return false;
    }
    return !call.over();
  });
  if (!done) return std::move(done).error();
  return *older;
}

Result<bool> read_oldest(Call& call, const LogPage& page, const TakeRecord& take) {
  auto scan = call.scan(page.query, page.range);
  if (!scan) return std::move(scan).error();
  std::uint64_t taken = 0;
  std::optional<Timestamp> next;
  bool more = false;
  auto done = (*scan)->run([&](Batch& batch) -> Result<bool> {
    for (Record& record : batch.records) {
      if (page.interval > 0 && next && record.timestamp < *next) continue;
      if (taken == page.limit) return more = true, false;
      if (!take(record, batch)) return false;
      ++taken;
      next = record.timestamp + page.interval;
    }
    return !call.over();
  });
  if (!done) return std::move(done).error();
  return more;
}

// From the newest on, some at a time: what lies between two that are shown is skipped without being read, as far as it is not read
// with the ones before.
Result<bool> read_newest_apart(Call& call, const LogPage& page, const TakeRecord& take) {
  constexpr std::uint64_t kAtOnce = 1000;
  TimeRange range = page.range;
  std::uint64_t taken = 0;
  while (!call.over() && range.from < range.to) {
    auto scan = call.scan(page.query, range);
    if (!scan) return std::move(scan).error();
    auto older = (*scan)->keep_newest(kAtOnce);
    if (!older) return older;
    Batch kept;
    auto read = (*scan)->run([&](Batch& batch) -> Result<bool> {
      for (const Record& record : batch.records) kept.add_copy(record);
      return !call.over();
    });
    if (!read) return std::move(read).error();
    // The oldest of these is shown, or is too near to one that is; so the next round is about earlier ones.
    for (std::size_t i = kept.records.size(); i-- > 0;) {
      Record& record = kept.records[i];
      if (record.timestamp >= range.to) continue;
      if (taken == page.limit) return true;
      if (!take(record, kept)) return true;
      ++taken;
      range.to = record.timestamp - page.interval + 1;
    }
    if (!*older) return false;
  }
  return false;
}

}  // namespace

Result<bool> read_page(Call& call, const LogPage& page, const TakeRecord& take) {
  if (page.range.from >= page.range.to) return false;
  if (!page.backward) return read_oldest(call, page, take);
  return page.interval > 0 ? read_newest_apart(call, page, take) : read_newest(call, page, take);
}

}  // namespace weir::serve
