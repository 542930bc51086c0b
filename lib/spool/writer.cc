#include "spool/writer.h"

#include "base/count.h"
#include "spool/salvage.h"
#include "spool/stored_positions.h"
#include "spool/tables/consumers.h"
#include "spool/tables/meta.h"
#include "spool/writer_state.h"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

namespace weir::spool {

namespace {

// The last level of a folder that is not there, for its owner only.
base::Result<void> make_folder(const std::string& folder) {
  struct stat status = {};
  if (::stat(folder.c_str(), &status) == 0 || errno != ENOENT) return {};
  if (::mkdir(folder.c_str(), 0700) == 0) {
    // Whatever the umask is.
    ::chmod(folder.c_str(), 0700);
    return {};
  }
  const int cause = errno;
  if (cause == EEXIST) return {};
  return base::io_error(cause, fmt::format("make the folder '{}'", folder))
      .with_hint(fmt::format("make it first: mkdir -p '{}'", folder));
}

}  // namespace

Writer::Writer(std::unique_ptr<State> state) : state_(std::move(state)) {}

Writer::~Writer() { static_cast<void>(close()); }

base::Result<std::unique_ptr<Writer>> Writer::open(const WriterOptions& wanted, const base::Clock& clock, const base::Stop* stop) {
  WriterOptions options = wanted;
  options.path = real_path(wanted.path);
  if (auto ok = check_kind(options.path); !ok) return std::move(ok).error();
  auto state = std::make_unique<State>();
  state->options = options;
  state->clock = &clock;
  const std::filesystem::path parent = std::filesystem::path(options.path).parent_path();
  state->folder = parent.empty() ? "." : parent.string();
  if (auto made = make_folder(state->folder); !made) return std::move(made).error();
  const auto disk = disk_space(state->folder);
  state->max_log = most_log(options.max_size, disk ? disk->size : options.max_size);
  state->reserve = Reserve(options.path);
  auto lock = LockFile::take(writer_lock_path(options.path), fmt::format("spool '{}'", options.path), options.wait, clock, stop);
  if (!lock) return std::move(lock).error();
  state->lock = std::move(*lock);
  auto opened = state->open();
  if (!opened && opened.error().code == base::Code::corrupt) {
    const base::Error cause = std::move(opened).error();
    state->close_file();
    auto saved = salvage(options.path, cause, clock);
    if (!saved) return std::move(saved).error();
    state->report = std::move(*saved);
    opened = state->open();
  }
  if (!opened) return std::move(opened).error();
  auto whole_log = state->check_log();
  if (!whole_log) return state->note_damage(std::move(whole_log).error());
  if (*whole_log) {
    if (auto stored = state->store_recent(stop); !stored) return state->note_damage(std::move(stored).error());
  }
  auto held = state->settle_held();
  if (!held && held.error().code == base::Code::full && Reserve::release(options.path)) held = state->settle_held();
  if (!held && held.error().code != base::Code::full) return state->note_damage(std::move(held).error());
  // The next commit reports a full disk.
  if (auto begun = state->begin_file(); !begun && begun.error().code != base::Code::full)
    return state->note_damage(std::move(begun).error());
  state->first_own = state->numbers.next();
  state->opened_at = clock.monotonic();
  state->note_log();
  state->recent = RecentFile(writer_recent_path(options.path), state->file.id);
  // When there is no room for it now, it is made before the first records are stored.
  static_cast<void>(state->reserve.make(1));
  return std::unique_ptr<Writer>(new Writer(std::move(state)));
}

std::uint64_t Writer::spool() const { return state_->file.id; }

Report Writer::take_report() { return std::exchange(state_->report, {}); }

base::Result<Keeper> Writer::load_keeper() {
  Keeper keeper(state_->options.path);
  if (auto loaded = load_positions(state_->file.database, keeper); !loaded) return std::move(loaded).error();
  return keeper;
}

void Writer::keep_from(std::uint64_t block) { state_->next_to_pass = block; }

void Writer::note_gap(std::string_view log, std::optional<std::uint64_t> bytes) {
  state_->losses.add_gap(log, bytes, state_->clock->wall());
}

void Writer::note_shed(std::uint64_t records) { state_->losses.held_shed += records; }

base::Result<Appended> Writer::append(BlockBuilder& builder, Keeper* keeper, RejectedStore* rejections, Effort effort) {
  const bool refusals = rejections != nullptr && !rejections->empty();
  if (builder.empty() && !(keeper != nullptr && keeper->moved()) && !refusals) return Appended{};
  return state_->append({.builder = &builder, .keeper = keeper, .rejections = rejections, .effort = effort});
}

base::Result<Appended> Writer::append_with_held(BlockBuilder& builder, BlockBuilder& held, Keeper* keeper, Effort effort,
                                                Effort held_effort) {
  if (builder.empty() && held.empty() && !(keeper != nullptr && keeper->moved())) return Appended{};
  return state_->append({.builder = &builder, .held = &held, .keeper = keeper, .effort = effort, .held_effort = held_effort});
}

base::Result<Appended> Writer::append_held(BlockBuilder& held, std::uint64_t block, std::uint64_t group, Effort effort) {
  if (held.empty()) return Appended{};
  return state_->append({.held = &held, .ahead = {block, group}, .held_effort = effort});
}

base::Result<Appended> Writer::append_handed(BlockBuilder& builder, std::span<const Handed> handed, Effort effort) {
  if (handed.empty()) return Appended{};
  return state_->append({.builder = &builder, .handed = handed, .effort = effort});
}

base::Result<Appended> Writer::State::append(Work work) {
  // Where each block costs an older one, a smaller one is worth the work.
  if (work.records()) work.builder->pack(packed, tight ? Effort::thorough : work.effort);
  if (work.holds()) work.held->pack(packed_held, tight ? Effort::lasting : work.held_effort);
  const bool has_records = work.records();
  auto stored = store_packed(work);
  if (has_records) out_of_room = !stored && stored.error().code == base::Code::full;
  if (stored || stored.error().code != base::Code::full || !work.holds()) return stored;
  // Held records never keep others from being stored.
  const std::uint64_t shed = work.held->records();
  work.held = nullptr;
  stored = store_packed(work);
  if (stored) stored->shed_held = shed;
  if (has_records) out_of_room = !stored && stored.error().code == base::Code::full;
  return stored;
}

base::Result<Appended> Writer::State::store_packed(const Work& work) {
  const auto pages = [](const PackedBlock& block) { return pages_of(block.body.size() + block.streams.size()) + 2; };
  const Need need{work.records() ? pages(packed) : 0, work.holds() ? pages(packed_held) : 0};
  const std::uint64_t all = need.pages + need.held;
  bool grow = reserve.make(log_with(all));
  if (!grow) {
    // A log that is used from its start again needs a smaller one.
    static_cast<void>(copy_log());
    grow = reserve.make(log_with(all));
  }
  auto stored = store(work, need, grow);
  if (!stored && stored.error().code == base::Code::full && !refused) {
    // The disk is full. With the log copied it is used from its start again, and what may go makes room within the file.
    auto copied = copy_log();
    if (!copied && copied.error().code != base::Code::full) return note_damage(std::move(copied).error());
    stored = store(work, need, false);
  }
  if (stored) return stored;
  if (stored.error().code == base::Code::full && !refused) return no_room(Bound::disk);
  return note_damage(std::move(stored).error());
}

base::Result<Appended> Writer::State::store(const Work& work, const Need& need, bool grow) {
  refused = false;
  const bool moved = work.keeper != nullptr && work.keeper->moved();
  const bool refusals = work.rejections != nullptr && !work.rejections->empty();
  const bool records = work.records();
  const bool ahead = work.ahead.block != 0;
  if (!grow && need.pages + need.held > 0 && !fits_into_log(need.pages + need.held)) return no_room(Bound::disk);
  const std::uint64_t held_id = ahead ? work.ahead.block : numbers.next();
  const bool released = work.release != nullptr;
  const Handed last = !work.handed.empty() ? work.handed.back()
                      : released           ? Handed{work.release->number, ""}
                                           : Handed{held_id + (records && work.holds() ? 1 : 0), moved ? work.keeper->delta() : ""};
  check_clock();
  const base::Timestamp now = clock->wall();
  auto transaction = sqlite::Transaction::begin(file.database, sqlite::Transaction::Kind::write);
  if (!transaction) return std::move(transaction).error();
  // Positions always find room: they are what lets the rest go.
  auto made = plan(need.pages == 0 ? 0 : need.pages + pages_of(last.positions.size()), need.held, now, grow);
  if (!made) return std::move(made).error();
  const bool holds = work.holds() && !made->shed;
  const std::uint64_t id = last.block;
  const bool row = !ahead && (records || !last.positions.empty());
  // Held records alone: their row has the positions.
  const bool own_row = holds && (records || !row);
  const bool positions = work.keeper != nullptr || !work.handed.empty();
  const bool snapshot = (positions || ahead || released) && numbers.snapshot_due(positions && row, newest_of(*made));
  // A released block has no positions, and with --spill blocks before it may not be stored yet.
  const std::uint64_t through = (row && !released) || !work.handed.empty() ? id : numbers.stored_through();
  // With --spill, the keeper is ahead of the positions that are safe. Those are in the file, so they are read before blocks are
  // evicted.
  Keeper safe(options.path);
  if (snapshot && work.keeper == nullptr) {
    if (auto loaded = load_positions(file.database, safe); !loaded) return std::move(loaded).error();
    for (const Handed& handed : work.handed) {
      if (auto loaded = safe.load(handed.positions); !loaded) return std::move(loaded).error();
    }
  }
  auto evicted = carry_out(*made);
  if (!evicted) return std::move(evicted).error();

  Appended appended = *evicted;
  for (const Handed& handed : work.handed.first(work.handed.empty() ? 0 : work.handed.size() - 1)) {
    if (handed.positions.empty()) continue;
    if (auto done = insert(handed, now); !done) return std::move(done).error();
  }
  if (holds) {
    appended.held_block = held_id;
    if (auto done = insert(packed_held, held_id, own_row ? std::string() : last.positions, now); !done)
      return std::move(done).error();
    if (ahead && work.ahead.group != 0) {
      if (auto done = insert_held_group(file.database, work.ahead); !done) return std::move(done).error();
    }
  } else if (work.holds()) {
    appended.shed_held = work.held->records();
  }
  if (row) {
    if (records || !holds) {
      auto done = records ? insert(packed, id, last.positions, now) : insert(last, now);
      if (!done) return std::move(done).error();
    }
    appended.block = id;
  }
  if (last_tied != 0 && !work.handed.empty()) {
    if (auto done = delete_held_groups(file.database, id); !done) return std::move(done).error();
  }
  if (work.release != nullptr) {
    if (auto done = store_release(*work.release, id); !done) return std::move(done).error();
  }
  if (snapshot) {
    if (auto done = write_snapshot(work.keeper != nullptr ? *work.keeper : safe, through); !done) return std::move(done).error();
  }
  if (refusals) {
    auto pushed_out = work.rejections->write(file.database, rejected_max());
    if (!pushed_out) return std::move(pushed_out).error();
    appended.evicted_rejected += *pushed_out;
  }
  if (!losses.empty()) {
    if (auto done = add_losses(file.database, losses); !done) return std::move(done).error();
  }
  if (auto done = transaction->commit(); !done) return std::move(done).error();

  losses = {};
  if (work.keeper != nullptr) work.keeper->committed();
  if (refusals) work.rejections->clear();
  forget(*made);
  if (holds) {
    numbers.stored_row(held_id);
    keep(packed_held.info);
    if (ahead) last_tied = std::max(last_tied, work.ahead.group);
  }
  if (last_tied <= id && !work.handed.empty()) last_tied = 0;
  if (row) numbers.stored_row(id);
  numbers.add_rows((work.handed.empty() && row ? 1 : work.handed.size()) + (own_row ? 1 : 0));
  numbers.stored_all(through);
  if (snapshot) numbers.snapshot_written(through);
  if (records) keep(packed.info);
  if (row || snapshot || holds) note_log();
  // The records are stored. An error in copying the log shows again at the next commit.
  static_cast<void>(maybe_copy_log());
  return appended;
}

// Blocks of held records may be stored ahead of a group with a lower number.
void Writer::State::keep(const BlockInfo& info) {
  auto at = blocks.end();
  while (at != blocks.begin() && std::prev(at)->id > info.id) --at;
  blocks.insert(at, {info.id, info.stored, info.body_bytes, info.records, info.held});
}

base::Result<std::uint64_t> Writer::hand_out() {
  State& state = *state_;
  if (const auto last = state.numbers.to_reserve()) {
    const auto reserve = [&] { return raise_meta(state.file.database, Meta::reserved_block, *last); };
    auto reserved = reserve();
    if (!reserved && reserved.error().code == base::Code::full && Reserve::release(state.options.path)) {
      static_cast<void>(state.copy_log());
      reserved = reserve();
    }
    if (!reserved) return state.note_damage(std::move(reserved).error());
    state.numbers.reserved(*last);
  }
  return state.numbers.hand_out();
}

base::Result<std::optional<std::uint64_t>> Writer::gone() {
  if (inode_of(state_->options.path) == state_->inode) return std::optional<std::uint64_t>();
  auto records = state_->undelivered();
  if (!records) return std::move(records).error();
  return std::optional<std::uint64_t>(*records);
}

base::Result<void> Writer::close() {
  State& state = *state_;
  if (state.closed) return {};
  state.closed = true;
  state.file.database.set_wait(base::kSecond);
  if (auto lost = gone(); !lost || *lost) {
    if (!lost) return std::move(lost).error();
    const bool all = **lost == 0;
    const std::string more = fmt::format(" and up to {}", base::count_of(**lost, "undelivered record"));
    return base::fail(base::Code::io,
                      "cannot keep spool '{}': it was deleted or replaced while it was in use, and is gone with its positions{}",
                      state.options.path, all ? std::string() : more)
        .with_hint(
            all ? "all its records were delivered; the next start reads the log files without positions and may send records again"
                : "the next start reads the log files that still exist without positions, and may send records again");
  }
  // What nobody could count is no reason to keep the rest.
  static_cast<void>(state.store_losses());
  auto done = state.file.database.checkpoint(true);
  if (!done && done.error().code == base::Code::full && Reserve::release(state.options.path))
    done = state.file.database.checkpoint(true);
  // On a full disk the log stays beside the file and is copied later: nothing of it is lost.
  if (!done && done.error().code != base::Code::full) return state.note_damage(std::move(done).error());
  // Without a consumer, no process commits to the file while there is no writer.
  const auto names = consumer_names(state.file.database);
  if (names && names->empty()) static_cast<void>(Reserve::release(state.options.path));
  return {};
}

}  // namespace weir::spool
