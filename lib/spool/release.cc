#include "spool/release.h"

#include "base/count.h"
#include "spool/bell.h"
#include "spool/tables/meta.h"
#include "spool/writer.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace weir::spool {
namespace {

using base::Code;
using base::Result;

constexpr base::Duration kBusy = 30 * base::kSecond;
constexpr std::size_t kStoreAt = 256 << 10;  // bytes of rows that go into one transaction

bool is_id_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.' || c == ':';
}

}  // namespace

std::string release_lock_path(const std::string& spool) { return spool + "-lock.release"; }

Result<void> check_release_id(std::string_view id) {
  if (!id.empty() && id.size() <= 64 && std::ranges::all_of(id, is_id_character)) return {};
  return base::fail(Code::usage, "cannot use '{}' as the id of a release: it must have 1 to 64 letters, digits or - _ . :", id);
}

Result<void> abandon_release(sqlite::Database& database, std::string_view id) {
  auto row = read_release(database, id);
  if (!row) return std::move(row).error();
  if (!*row) return {};
  // One that was cancelled before is that again, with what it has copied.
  if ((*row)->matched == 0) return delete_release(database, id);
  if (auto deleted = delete_release_requests(database, id); !deleted) return std::move(deleted).error();
  return set_release_state(database, id, ReleaseState::cancelled);
}

ReleaseRequest::ReleaseRequest(LockFile lock, SpoolFile file, std::string spool, ReleaseRow row)
    : lock_(std::move(lock)), file_(std::move(file)), spool_(std::move(spool)), row_(std::move(row)) {}

ReleaseRequest::ReleaseRequest(ReleaseRequest&& other) noexcept
    : lock_(std::move(other.lock_)),
      file_(std::move(other.file_)),
      spool_(std::move(other.spool_)),
      row_(std::move(other.row_)),
      waiting_(std::move(other.waiting_)),
      waiting_bytes_(other.waiting_bytes_),
      open_(std::exchange(other.open_, false)) {}

Result<std::optional<ReleaseRequest>> ReleaseRequest::begin(const std::string& wanted, const ReleaseOrder& order,
                                                            base::Duration wait, const base::Clock& clock, const base::Stop* stop) {
  if (auto good = check_release_id(order.id); !good) return std::move(good).error();
  const std::string spool = real_path(wanted);
  auto file = open_for_consumer(spool, kBusy);
  if (!file) return std::move(file).error();
  auto lock = LockFile::take(release_lock_path(spool), fmt::format("a release of spool '{}'", spool), wait, clock, stop);
  if (!lock) return std::move(lock).error();
  auto transaction = sqlite::Transaction::begin(file->database, sqlite::Transaction::Kind::write);
  if (!transaction) return std::move(transaction).error();
  auto known = read_release(file->database, order.id);
  if (!known) return std::move(known).error();
  if (*known && (*known)->state == ReleaseState::selecting) {
    // Of a process that died: we hold its lock.
    if (auto gone = abandon_release(file->database, order.id); !gone) return std::move(gone).error();
    known = read_release(file->database, order.id);
    if (!known) return std::move(known).error();
  }
  if (*known && (*known)->state == ReleaseState::open) return std::optional<ReleaseRequest>();
  ReleaseRow row = *known ? std::move(**known)
                          : ReleaseRow{.id = order.id, .created = clock.wall(), .from = order.range.from, .to = order.range.to};
  row.query = order.query;
  row.state = ReleaseState::selecting;
  if (auto put = put_release(file->database, row); !put) return std::move(put).error();
  if (auto done = transaction->commit(); !done) return std::move(done).error();
  return std::optional(ReleaseRequest(std::move(*lock), std::move(*file), spool, std::move(row)));
}

ReleaseRequest::~ReleaseRequest() {
  if (!open_) return;
  // Where this does not succeed the writer does it.
  auto transaction = sqlite::Transaction::begin(file_.database, sqlite::Transaction::Kind::write);
  if (!transaction || !abandon_release(file_.database, row_.id)) return;
  static_cast<void>(transaction->commit());
}

Result<void> ReleaseRequest::add(std::uint64_t block, OrdinalSet ordinals) {
  if (ordinals.empty()) return {};
  const std::uint64_t records = ordinals.count();
  row_.matched += records;
  waiting_bytes_ += sizeof(ReleaseRequestRow) + ordinals.stretches().size() * sizeof(OrdinalSet::Stretch);
  waiting_.push_back({row_.id, block, records, std::move(ordinals)});
  return waiting_bytes_ < kStoreAt ? Result<void>() : store();
}

Result<void> ReleaseRequest::store() {
  if (waiting_.empty()) return {};
  auto transaction = sqlite::Transaction::begin(file_.database, sqlite::Transaction::Kind::write);
  if (!transaction) return std::move(transaction).error();
  for (const ReleaseRequestRow& one : waiting_) {
    if (auto added = add_release_request(file_.database, one); !added) return added;
  }
  if (auto done = transaction->commit(); !done) return done;
  waiting_.clear();
  waiting_bytes_ = 0;
  return {};
}

Result<ReleaseRow> ReleaseRequest::finish() {
  if (auto stored = store(); !stored) return std::move(stored).error();
  auto transaction = sqlite::Transaction::begin(file_.database, sqlite::Transaction::Kind::write);
  if (!transaction) return std::move(transaction).error();
  row_.state = ReleaseState::open;
  if (auto put = put_release(file_.database, row_); !put) return std::move(put).error();
  auto row = read_release(file_.database, row_.id);
  if (!row) return std::move(row).error();
  if (auto done = transaction->commit(); !done) return std::move(done).error();
  open_ = false;
  // Without the bell the writer sees it some seconds later.
  static_cast<void>(ring(spool_));
  return *row ? std::move(**row) : row_;
}

Result<std::uint64_t> cancel_release(const std::string& wanted, std::string_view id) {
  const std::string spool = real_path(wanted);
  auto file = open_for_consumer(spool, kBusy);
  if (!file) return std::move(file).error();
  auto transaction = sqlite::Transaction::begin(file->database, sqlite::Transaction::Kind::write);
  if (!transaction) return std::move(transaction).error();
  auto row = read_release(file->database, id);
  if (!row) return std::move(row).error();
  if (!*row) {
    auto all = read_releases(file->database);
    if (!all) return std::move(all).error();
    std::string ids;
    for (const ReleaseRow& one : *all) ids += fmt::format("{}'{}'", ids.empty() ? "" : ", ", one.id);
    return base::fail(Code::usage, "cannot cancel release '{}' of spool '{}': it has no release with this id", id, spool)
        .with_hint(ids.empty() ? "the spool has no releases" : "its releases: " + ids);
  }
  if ((*row)->state == ReleaseState::selecting && is_locked(release_lock_path(spool))) {
    return base::fail(Code::busy, "cannot cancel release '{}' of spool '{}': a process still selects its records", id, spool)
        .with_hint("end that process, or try again later");
  }
  auto left = delete_release_requests(file->database, id);
  if (!left) return left;
  if ((*row)->state == ReleaseState::open) {
    // All of it is copied already: it stays known.
    if (*left == 0) return left;
    if (auto counted = count_released(file->database, id, 0, *left); !counted) return std::move(counted).error();
  }
  if (auto set = set_release_state(file->database, id, ReleaseState::cancelled); !set) return std::move(set).error();
  if (auto done = transaction->commit(); !done) return std::move(done).error();
  return left;
}

Result<Releaser> release_here(const std::string& wanted, const base::Clock& clock, const base::Stop* stop,
                              base::Diagnostics& diagnostics) {
  const std::string spool = real_path(wanted);
  if (is_locked(writer_lock_path(spool))) return Releaser::writer;
  WriterOptions options;
  options.path = spool;
  options.wait = 0;
  {
    auto file = open_for_consumer(spool, kBusy);
    if (!file) return std::move(file).error();
    auto rejected_max = read_meta(file->database, Meta::rejected_max);
    if (!rejected_max) return std::move(rejected_max).error();
    options.rejected_max = *rejected_max > 0 ? static_cast<std::uint64_t>(*rejected_max) : options.max_size / 10;
  }
  // Nothing goes for its age or for room.
  options.limits_last = false;
  options.max_size = std::numeric_limits<std::uint64_t>::max() / 2;
  options.retain = options.hold = std::numeric_limits<base::Duration>::max() / 2;
  auto writer = Writer::open(options, clock, stop);
  if (!writer && writer.error().code == Code::busy) return Releaser::writer;
  if (!writer) return std::move(writer).error();
  BlockBuilder builder;
  while (stop == nullptr || !stop->stopped()) {
    auto copied = (*writer)->release_next(builder);
    for (const std::string& sentence : (*writer)->take_report().sentences) diagnostics.say(sentence);
    if (!copied && copied.error().code == Code::full) {
      diagnostics.say(copied.error().message);
      return Releaser::next_writer;
    }
    if (!copied) return std::move(copied).error();
    if (!*copied) {
      if (auto closed = (*writer)->close(); !closed) return std::move(closed).error();
      return Releaser::here;
    }
    builder.take(builder.take());
  }
  return Releaser::next_writer;
}

}  // namespace weir::spool
