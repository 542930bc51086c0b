#include "spool/rejected_store.h"

#include "record/jsonl_reader.h"
#include "record/jsonl_writer.h"
#include "spool/lock_file.h"
#include "spool/reserve.h"
#include "spool/spool_file.h"

namespace weir::spool {

void RejectedStore::add(base::Timestamp time, std::string_view consumer, BlockPlace place, const Rejection& rejection) {
  waiting_.push_back({time, std::string(consumer), place, rejection.status, std::string(rejection.reason), std::string(rejection.url),
                      std::string(rejection.tenant), std::string(rejection.record)});
}

base::Result<void> RejectedStore::write(sqlite::Database& database) {
  if (waiting_.empty()) return {};
  auto insert = database.prepare(
      "INSERT INTO rejected (time, consumer, block, ordinal, status, reason, url, tenant, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (!insert) return std::move(insert).error();
  for (const Waiting& one : waiting_) {
    insert->bind(1, one.time).bind_text(2, one.consumer).bind(3, static_cast<std::int64_t>(one.place.block)).bind(4, one.place.ordinal);
    insert->bind(5, one.status).bind_text(6, one.reason).bind_text(7, one.url).bind_text(8, one.tenant).bind_text(9, one.record);
    if (auto done = insert->run(); !done) return done;
  }
  return {};
}

struct RejectedRedelivery::State {
  std::string path;
  const base::Clock* clock = nullptr;
  LockFile lock;
  SpoolFile file;

  struct Refused {
    std::uint64_t row;
    base::Timestamp time;
    int status;
    std::string reason, url, tenant, object;
  };
  std::vector<std::uint64_t> gone;
  std::vector<Refused> refused;

  base::Result<void> store() {
    auto transaction = sqlite::Transaction::begin(file.database, sqlite::Transaction::Kind::write);
    if (!transaction) return std::move(transaction).error();
    auto remove = file.database.prepare("DELETE FROM rejected WHERE id = ?");
    if (!remove) return std::move(remove).error();
    for (const std::uint64_t row : gone) {
      remove->bind(1, static_cast<std::int64_t>(row));
      if (auto done = remove->run(); !done) return done;
    }
    auto find = file.database.prepare("SELECT record FROM rejected WHERE id = ?");
    if (!find) return std::move(find).error();
    auto update = file.database.prepare("UPDATE rejected SET time = ?, status = ?, reason = ?, url = ?, tenant = ?, record = ? WHERE id = ?");
    if (!update) return std::move(update).error();
    for (const Refused& one : refused) {
      find->bind(1, static_cast<std::int64_t>(one.row));
      auto found = find->step();
      if (!found) return std::move(found).error();
      if (!*found) continue;
      const std::string record = with_reason(std::string(find->text(0)), one.object);
      find->reset();
      update->bind(1, one.time).bind(2, one.status).bind_text(3, one.reason).bind_text(4, one.url).bind_text(5, one.tenant).bind_text(6, record);
      update->bind(7, static_cast<std::int64_t>(one.row));
      if (auto done = update->run(); !done) return done;
    }
    return transaction->commit();
  }

  [[nodiscard]] std::string with_reason(const std::string& line, std::string_view object) const {
    record::JsonlReader reader(*clock);
    record::Batch batch;
    if (!reader.parse(batch.copy(line), batch) || batch.records.size() != 1) return line;
    record::Record& record = batch.records.front();
    record::Extra extra;
    if (record.extra != nullptr) extra = *record.extra;
    extra.rejected = object;
    record.extra = &extra;
    record.touch();
    std::string out;
    record::append_jsonl(out, record);
    out.pop_back();
    return out;
  }
};

RejectedRedelivery::RejectedRedelivery(std::unique_ptr<State> state) : state_(std::move(state)) {}
RejectedRedelivery::~RejectedRedelivery() = default;

base::Result<std::unique_ptr<RejectedRedelivery>> RejectedRedelivery::open(const std::string& wanted, std::uint64_t spool, base::Duration wait,
                                                                           const base::Clock& clock, const base::Stop* stop) {
  const std::string path = real_path(wanted);
  auto state = std::make_unique<State>();
  state->path = path;
  state->clock = &clock;
  auto file = open_for_consumer(path, wait);
  if (!file) return std::move(file).error();
  if (file->id != spool) {
    return base::fail(base::Code::usage, "cannot take records out of the rejected store of '{}': it is another spool than the one they come from "
                      "({:016x}, not {:016x})", path, file->id, spool);
  }
  auto lock = LockFile::take(rejected_lock_path(path), fmt::format("rejected store of spool '{}'", path), wait, clock, stop);
  if (!lock && lock.error().code == base::Code::busy) return std::move(lock).error().with_hint("let that process come to its end, or end it");
  if (!lock) return std::move(lock).error();
  state->lock = std::move(*lock);
  state->file = std::move(*file);
  return std::unique_ptr<RejectedRedelivery>(new RejectedRedelivery(std::move(state)));
}

void RejectedRedelivery::delivered(std::uint64_t row) { state_->gone.push_back(row); }

void RejectedRedelivery::rejected(std::uint64_t row, const Rejection& rejection, std::string_view rejected) {
  state_->refused.push_back({row, state_->clock->wall(), rejection.status, std::string(rejection.reason), std::string(rejection.url),
                             std::string(rejection.tenant), std::string(rejected)});
}

base::Result<void> RejectedRedelivery::commit() {
  State& state = *state_;
  if (state.gone.empty() && state.refused.empty()) return {};
  auto done = state.store();
  if (!done && done.error().code == base::Code::full && Reserve::release(state.path)) done = state.store();
  if (!done) return done;
  state.gone.clear();
  state.refused.clear();
  return {};
}

}  // namespace weir::spool
