#include "spool/writer.h"

#include "base/count.h"
#include "spool/salvage.h"
#include "spool/writer_state.h"

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
  std::uint64_t whole = options.max_size;
  struct statvfs system = {};
  if (::statvfs(state->folder.c_str(), &system) == 0) whole = std::min<std::uint64_t>(whole, system.f_blocks * system.f_frsize);
  state->max_log = std::clamp<std::uint64_t>(whole / 8, 1 << 20, kMaxLog);
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
    state->news = std::move(*saved);
    opened = state->open();
  }
  if (!opened) return std::move(opened).error();
  auto whole_log = state->look_for_log();
  if (!whole_log) return state->seen(std::move(whole_log).error());
  if (*whole_log) {
    if (auto settled = state->settle_recent(stop); !settled) return state->seen(std::move(settled).error());
  }
  // On a full disk the next commit says it.
  if (auto told = state->begin_file(); !told && told.error().code != base::Code::full) return state->seen(std::move(told).error());
  state->note_log();
  state->recent = RecentFile(writer_recent_path(options.path), state->file.id);
  // Where there is no room for it now, it is made before the first records are stored.
  static_cast<void>(state->reserve.make(1));
  return std::unique_ptr<Writer>(new Writer(std::move(state)));
}

std::uint64_t Writer::spool() const { return state_->file.id; }

News Writer::take_news() { return std::exchange(state_->news, {}); }

base::Result<Keeper> Writer::load_keeper() {
  Keeper keeper(state_->options.path);
  if (auto loaded = load_positions(state_->file.database, keeper); !loaded) return std::move(loaded).error();
  return keeper;
}

base::Result<Appended> Writer::append(BlockBuilder& builder, Keeper* keeper, RejectedStore* rejections, Effort effort) {
  const bool refusals = rejections != nullptr && !rejections->empty();
  if (builder.empty() && !(keeper != nullptr && keeper->moved()) && !refusals) return Appended{};
  return state_->append({.builder = builder, .keeper = keeper, .rejections = rejections, .effort = effort});
}

base::Result<Appended> Writer::append_handed(BlockBuilder& builder, std::span<const Handed> handed, Effort effort) {
  if (handed.empty()) return Appended{};
  return state_->append({.builder = builder, .handed = handed, .effort = effort});
}

base::Result<Appended> Writer::State::append(const Work& work) {
  // Where each block costs an older one, a smaller one is worth the work.
  work.builder.pack(packed, tight ? Effort::thorough : work.effort);
  const std::uint64_t need = work.builder.empty() ? 0 : pages_of(packed.body.size() + packed.streams.size()) + 2;
  bool grow = reserve.make(log_bytes(need));
  if (!grow) {
    // A log that is used from its start again needs a smaller one.
    static_cast<void>(copy_log());
    grow = reserve.make(log_bytes(need));
  }
  auto stored = store(work, need, grow);
  if (!stored && stored.error().code == base::Code::full && !refused) {
    // The disk is full. With the log copied it is used from its start again, and what may go makes room within the file.
    auto copied = copy_log();
    if (!copied && copied.error().code != base::Code::full) return seen(std::move(copied).error());
    stored = store(work, need, false);
  }
  if (stored) return stored;
  if (stored.error().code == base::Code::full && !refused) return no_room(Bound::disk);
  return seen(std::move(stored).error());
}

base::Result<Appended> Writer::State::store(const Work& work, std::uint64_t need, bool grow) {
  refused = false;
  const bool moved = work.keeper != nullptr && work.keeper->moved();
  const bool refusals = work.rejections != nullptr && !work.rejections->empty();
  const bool records = !work.builder.empty();
  if (!grow && need > 0 && !fits_into_log(need)) return no_room(Bound::disk);
  const Handed last = work.handed.empty() ? Handed{next_block, moved ? work.keeper->delta() : std::string()} : work.handed.back();
  look_at_clock();
  const base::Timestamp now = clock->wall();
  auto transaction = sqlite::Transaction::begin(file.database, sqlite::Transaction::Kind::write);
  if (!transaction) return std::move(transaction).error();
  // Positions always find room: they are what lets the rest go.
  auto made = plan(need == 0 ? 0 : need + pages_of(last.positions.size()), now, grow);
  if (!made) return std::move(made).error();
  const std::uint64_t id = last.block;
  const bool row = records || !last.positions.empty();
  const bool snapshot = (work.keeper != nullptr || !work.handed.empty()) && ((row && rows_behind >= kSnapshotEvery) || made->newest > through_block);
  const std::uint64_t through = row || !work.handed.empty() ? id : stored_last;
  // The keeper of a stream that is passed on first runs ahead of what is safe: there the file knows, before anything is evicted from it.
  Keeper safe(options.path);
  if (snapshot && work.keeper == nullptr) {
    if (auto loaded = load_positions(file.database, safe); !loaded) return std::move(loaded).error();
    for (const Handed& handed : work.handed) {
      if (auto loaded = safe.load(handed.positions); !loaded) return std::move(loaded).error();
    }
  }
  if (auto done = carry_out(*made); !done) return std::move(done).error();

  Appended appended = made->counts;
  for (const Handed& handed : work.handed.first(work.handed.empty() ? 0 : work.handed.size() - 1)) {
    if (handed.positions.empty()) continue;
    if (auto done = insert(handed, now); !done) return std::move(done).error();
  }
  if (row) {
    if (auto done = records ? insert(id, last.positions, now) : insert(last, now); !done) return std::move(done).error();
    appended.block = id;
  }
  if (snapshot) {
    if (auto done = write_snapshot(work.keeper != nullptr ? *work.keeper : safe, through); !done) return std::move(done).error();
  }
  if (refusals) {
    auto evicted = work.rejections->write(file.database, rejected_max());
    if (!evicted) return std::move(evicted).error();
    appended.evicted_rejected += *evicted;
  }
  if (auto done = transaction->commit(); !done) return std::move(done).error();

  if (work.keeper != nullptr) work.keeper->committed();
  if (refusals) work.rejections->clear();
  forget(*made);
  if (row) next_block = std::max(next_block, id + 1);
  if (row) newest_row = std::max(newest_row, id);
  rows_behind += work.handed.empty() && row ? 1 : work.handed.size();
  stored_last = std::max(stored_last, through);
  if (snapshot) snapshot_written(through);
  if (records) blocks.push_back({id, now, packed.info.body_bytes, packed.info.records, packed.info.held});
  if (row || snapshot) note_log();
  // What is stored is stored; trouble with copying the log shows again at the next commit.
  static_cast<void>(maybe_checkpoint());
  return appended;
}

base::Result<std::uint64_t> Writer::hand_out() {
  State& state = *state_;
  if (state.handed_next == state.handed_end) {
    const std::uint64_t last = state.next_block - 1 + kHandedAtOnce;
    const auto reserve = [&] { return raise_meta(state.file.database, Meta::reserved_block, last); };
    auto reserved = reserve();
    if (!reserved && reserved.error().code == base::Code::full && Reserve::release(state.options.path)) {
      static_cast<void>(state.copy_log());
      reserved = reserve();
    }
    if (!reserved) return state.seen(std::move(reserved).error());
    state.handed_next = state.next_block;
    state.handed_end = state.next_block = last + 1;
  }
  return state.handed_next++;
}

base::Result<std::optional<std::uint64_t>> Writer::gone() {
  if (inode_of(state_->options.path) == state_->inode) return std::optional<std::uint64_t>();
  auto records = state_->undelivered();
  if (!records) return std::move(records).error();
  return std::optional<std::uint64_t>(*records);
}

base::Result<std::uint64_t> Writer::State::undelivered() {
  auto acknowledged = recently_acknowledged(file.database, options.path, file.id);
  if (!acknowledged) return std::move(acknowledged).error();
  std::uint64_t records = 0;
  for (const Known& block : blocks) {
    const bool all = !acknowledged->empty() && std::ranges::all_of(*acknowledged, [&](const RecentPlaces& one) {
      return one.places.contains({block.id, 0}, {block.id, block.records});
    });
    if (!all) records += block.records - std::min(block.records, block.held);
  }
  return records;
}

base::Result<bool> Writer::State::look_for_log() {
  auto missing = find_missing(file.database, file.note);
  if (!missing) return std::move(missing).error();
  if (!*missing) return true;
  struct stat status = {};
  if (::stat(options.path.c_str(), &status) == 0 && status.st_nlink > 1) {
    return base::fail(base::Code::usage,
                      "cannot use spool '{}': {}; the file has other names, and its write-ahead log may stand beside one of them", options.path,
                      tell(options.path, **missing))
        .with_hint(fmt::format("use the name that it was written by, or remove the others: `find / -samefile '{}'` finds them",
                               options.path));
  }
  news.sentences.push_back(
      fmt::format("spool '{}' is not whole: {}. What it lacks is read again from log files that are still there", options.path,
                  tell(options.path, **missing)));
  next_block = std::max(next_block, file.note->row + 1);
  return false;
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
        .with_hint(all ? "what it held was delivered; the next start reads the log files without positions and may send records again"
                       : "the next start reads the log files that are still there without positions, and may send records again");
  }
  auto done = state.file.database.checkpoint(true);
  if (!done && done.error().code == base::Code::full && Reserve::release(state.options.path)) done = state.file.database.checkpoint(true);
  // On a full disk the log stays beside the file and is copied later: nothing of it is lost.
  if (!done && done.error().code != base::Code::full) return state.seen(std::move(done).error());
  // Without a consumer nobody commits into the file while no writer is there.
  const auto names = consumer_names(state.file.database);
  if (names && names->empty()) static_cast<void>(Reserve::release(state.options.path));
  return {};
}

}  // namespace weir::spool
