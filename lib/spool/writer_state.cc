#include "spool/writer_state.h"

#include "record/timestamp.h"
#include "spool/damage.h"
#include "spool/log_note.h"
#include "spool/release.h"
#include "spool/stored_positions.h"
#include "spool/tables/blocks.h"
#include "spool/tables/meta.h"
#include "spool/tables/positions.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

namespace weir::spool {

base::Result<void> Writer::State::open() {
  auto done = open_checked();
  // Our own statements can only be wrong when the schema is.
  if (!done && done.error().code == base::Code::bug) return base::fail(base::Code::corrupt, "{}", done.error().message);
  return done;
}

base::Result<void> Writer::State::open_checked() {
  if (auto whole = check_undamaged(options.path); !whole) return whole;
  auto opened = open_for_writing(options.path, options.sync, options.wait);
  if (!opened) return std::move(opened).error();
  file = std::move(*opened);
  inode = inode_of(options.path);
  const std::string log = fmt::format("PRAGMA journal_size_limit = {}", max_log);
  if (auto set = file.database.execute(log.c_str()); !set) return set;
  const auto vacuum = file.database.integer("PRAGMA auto_vacuum");
  if (!vacuum) return vacuum.error();
  if (*vacuum != 2) return base::fail(base::Code::corrupt, "cannot use '{}': its header is damaged", options.path);
  if (auto done = load_blocks(); !done) return done;
  if (auto done = load_clock(); !done) return done;
  if (auto done = load_numbers(); !done) return done;
  return check_small(file.database, options.path);
}

void Writer::State::close_file() {
  blocks.clear();
  steps = {};
  file = SpoolFile();
}

base::Result<void> Writer::State::load_blocks() {
  bool in_order = true;
  auto done = for_each_block(file.database, {}, [&](const BlockInfo& block) {
    in_order = in_order && (blocks.empty() || block.id > blocks.back().id);
    blocks.push_back({block.id, block.stored, block.body_bytes, block.records, block.held});
  });
  if (!done) return done;
  if (!in_order) return base::fail(base::Code::corrupt, "cannot read the blocks of '{}': they are out of order", options.path);
  return {};
}

// The times of the blocks by today's clock.
base::Result<void> Writer::State::load_clock() {
  auto known = read_clock_steps(file.database);
  if (!known) return std::move(known).error();
  for (const StoredStep& step : *known) steps.load(step.through, step.by);
  for (StoredBlock& block : blocks) block.stored = steps.corrected(block.id, block.stored);
  auto boot = read_meta(file.database, Meta::clock_boot);
  auto offset = read_meta(file.database, Meta::clock_offset);
  if (!boot || !offset) return boot ? std::move(offset).error() : std::move(boot).error();
  const bool same = *boot != 0 && static_cast<std::uint64_t>(*boot) == this_boot();
  const base::Duration step = steps.begin(*clock, blocks.empty() ? 0 : blocks.back().id, blocks.empty() ? 0 : blocks.back().stored,
                                          same ? std::optional(*offset) : std::nullopt);
  for (StoredBlock& block : blocks) block.stored += step;
  return {};
}

base::Result<void> Writer::State::load_numbers() {
  auto next = next_number(file.database, options.path, file.id);
  if (!next) return std::move(next).error();
  auto through = read_through_block(file.database);
  if (!through) return std::move(through).error();
  auto behind = count_rows_after(file.database, *through);
  if (!behind) return std::move(behind).error();
  auto last = newest_block(file.database);
  if (!last) return std::move(last).error();
  numbers.load(*next, *through, *behind, *last);
  return {};
}

void Writer::State::check_clock() {
  const base::Duration step = steps.update(*clock, blocks.empty() ? 0 : blocks.back().id);
  if (step == 0) return;
  for (StoredBlock& block : blocks) block.stored += step;
  report.sentences.push_back(fmt::format(
      "the clock of this machine was set {} by {}: the ages in spool '{}' follow the time that really passed",
      step > 0 ? "forward" : "back", record::print_duration(std::abs(step) / base::kSecond * base::kSecond), options.path));
}

base::Result<void> Writer::State::store_steps() {
  for (const auto& [through, by] : steps.pending()) {
    if (auto done = add_clock_step(file.database, {through, by}); !done) return done;
  }
  return steps.pending().empty() ? base::Result<void>() : store_clock();
}

base::Result<void> Writer::State::store_clock() {
  if (auto done = set_meta(file.database, Meta::clock_boot, static_cast<std::int64_t>(this_boot())); !done) return done;
  return set_meta(file.database, Meta::clock_offset, steps.offset());
}

base::Result<void> Writer::State::begin_file() {
  auto transaction = sqlite::Transaction::begin(file.database, sqlite::Transaction::Kind::write);
  if (!transaction) return std::move(transaction).error();
  if (auto done = set_meta(file.database, Meta::rejected_max, static_cast<std::int64_t>(rejected_max())); !done) return done;
  const std::pair<Meta, std::int64_t> limits[] = {{Meta::max_size, static_cast<std::int64_t>(options.max_size)},
                                                  {Meta::min_free, options.min_free},
                                                  {Meta::drops_oldest, options.on_full == OnFull::drop_oldest ? 1 : 0}};
  for (const auto& [name, value] : limits) {
    if (!options.limits_last) break;
    if (auto done = set_meta(file.database, name, value); !done) return done;
  }
  if (options.max_behind) {
    if (auto done = set_meta(file.database, Meta::max_behind, *options.max_behind); !done) return done;
  }
  auto known = read_meta(file.database, Meta::max_behind);
  if (!known) return std::move(known).error();
  max_behind = *known > 0 ? *known : kMaxBehind;
  if (auto done = store_steps(); !done) return done;
  if (auto done = store_clock(); !done) return done;
  if (auto done = transaction->commit(); !done) return done;
  steps.stored();
  return {};
}

base::Result<void> Writer::State::store_losses() {
  if (losses.empty()) return {};
  auto transaction = sqlite::Transaction::begin(file.database, sqlite::Transaction::Kind::write);
  if (!transaction) return std::move(transaction).error();
  if (auto done = add_losses(file.database, losses); !done) return done;
  if (auto done = transaction->commit(); !done) return done;
  losses = {};
  return {};
}

void Writer::State::note_log() const {
  std::uint64_t records = 0;
  for (const StoredBlock& block : blocks) records += block.records;
  leave_note(file.name.fd(), {numbers.newest_row(), records, clock->wall()});
}

base::Result<bool> Writer::State::check_log() {
  auto missing = find_missing(file.database, file.note);
  if (!missing) return std::move(missing).error();
  if (!*missing) return true;
  struct stat status = {};
  if (::stat(options.path.c_str(), &status) == 0 && status.st_nlink > 1) {
    return base::fail(base::Code::usage,
                      "cannot use spool '{}': {}; the file has other names, and its write-ahead log may stand beside one of them",
                      options.path, describe(options.path, **missing))
        .with_hint(fmt::format("use the name that it was written by, or remove the others: `find / -samefile '{}'` finds them",
                               options.path));
  }
  report.sentences.push_back(
      fmt::format("spool '{}' is not complete: {}. Missing records are read again from log files that still exist", options.path,
                  describe(options.path, **missing)));
  numbers.skip(file.note->row);
  return false;
}

base::Result<void> Writer::State::insert(PackedBlock& from, std::uint64_t id, const std::string& positions, base::Timestamp now) {
  from.info.id = id;
  from.info.stored = now;
  return insert_block(file.database, sealed(from.info, from.streams, positions, from.body));
}

base::Result<void> Writer::State::insert(const Handed& handed, base::Timestamp now) {
  BlockInfo info;
  info.id = handed.block;
  info.stored = now;
  return insert_block(file.database, sealed(info, {}, handed.positions, {}));
}

base::Result<void> Writer::State::write_snapshot(const Keeper& keeper, std::uint64_t through) {
  if (auto done = spool::write_snapshot(file.database, through, keeper.snapshot()); !done) return done;
  // Rows that carried nothing but positions have done their work.
  return delete_position_rows(file.database, through);
}

base::Result<std::uint64_t> Writer::State::undelivered() {
  auto acknowledged = recently_acknowledged(file.database, options.path, file.id);
  if (!acknowledged) return std::move(acknowledged).error();
  std::uint64_t records = 0;
  for (const StoredBlock& block : blocks) {
    const bool all = !acknowledged->empty() && std::ranges::all_of(*acknowledged, [&](const RecentPlaces& one) {
      return one.places.contains({block.id, 0}, {block.id, block.records});
    });
    if (!all) records += block.records - std::min(block.records, block.held);
  }
  return records;
}

base::Error Writer::State::note_damage(base::Error error) {
  if (error.code != base::Code::corrupt) return error;
  mark_damaged(options.path);
  return std::move(error).with_hint("start again: what can be read is saved into a new file then, and the damaged one is kept");
}

}  // namespace weir::spool
