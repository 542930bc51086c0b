#include "spool/writer.h"

#include "spool/salvage.h"
#include "spool/writer_state.h"

#include <filesystem>

namespace weir::spool {

Writer::Writer(std::unique_ptr<State> state) : state_(std::move(state)) {}

Writer::~Writer() { static_cast<void>(close()); }

base::Result<std::unique_ptr<Writer>> Writer::open(const WriterOptions& options, const base::Clock& clock, const base::Stop* stop) {
  auto state = std::make_unique<State>();
  state->options = options;
  state->clock = &clock;
  const std::filesystem::path parent = std::filesystem::path(options.path).parent_path();
  state->folder = parent.empty() ? "." : parent.string();
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

base::Result<Appended> Writer::append(BlockBuilder& builder, Keeper* keeper, RejectedStore* rejections) {
  State& state = *state_;
  const bool refusals = rejections != nullptr && !rejections->empty();
  if (builder.empty() && !(keeper != nullptr && keeper->moved()) && !refusals) return Appended{};
  builder.pack(state.packed);
  const std::uint64_t need = builder.empty() ? 0 : State::pages_of(state.packed.body.size() + state.packed.streams.size()) + 2;
  bool grow = state.reserve.make(state.log_bytes(need));
  if (!grow) {
    // A log that is used from its start again needs a smaller one.
    static_cast<void>(state.copy_log());
    grow = state.reserve.make(state.log_bytes(need));
  }
  auto stored = state.store(builder, keeper, rejections, need, grow);
  if (!stored && stored.error().code == base::Code::full && !state.refused) {
    // The disk is full. With the log copied it is used from its start again, and what may go makes room within the file.
    auto copied = state.copy_log();
    if (!copied && copied.error().code != base::Code::full) return state.seen(std::move(copied).error());
    stored = state.store(builder, keeper, rejections, need, false);
  }
  if (stored) return stored;
  if (stored.error().code == base::Code::full && !state.refused) return state.no_room(State::Bound::disk);
  return state.seen(std::move(stored).error());
}

base::Result<Appended> Writer::State::store(BlockBuilder& builder, Keeper* keeper, RejectedStore* rejections, std::uint64_t need, bool grow) {
  refused = false;
  const bool moved = keeper != nullptr && keeper->moved();
  const bool refusals = rejections != nullptr && !rejections->empty();
  if (!grow && need > 0 && !fits_into_log(need)) return no_room(Bound::disk);
  const std::string positions = moved ? keeper->delta() : std::string();
  const base::Timestamp now = clock->wall();
  auto transaction = sqlite::Transaction::begin(file.database, sqlite::Transaction::Kind::write);
  if (!transaction) return std::move(transaction).error();
  // Positions always find room: they are what lets the rest go.
  auto made = plan(need == 0 ? 0 : need + pages_of(positions.size()), now, grow);
  if (!made) return std::move(made).error();
  if (auto done = carry_out(*made); !done) return std::move(done).error();

  Appended appended = made->counts;
  const std::uint64_t id = next_block;
  const bool row = !builder.empty() || moved;
  if (row) {
    if (auto done = insert(id, positions, now); !done) return std::move(done).error();
    appended.block = id;
  }
  const bool snapshot = keeper != nullptr && ((row && id >= through_block + kSnapshotEvery) || made->newest > through_block);
  if (snapshot) {
    if (auto done = write_snapshot(*keeper, row ? id : id - 1); !done) return std::move(done).error();
  }
  if (refusals) {
    if (auto done = rejections->write(file.database); !done) return std::move(done).error();
  }
  if (auto done = transaction->commit(); !done) return std::move(done).error();

  if (keeper != nullptr) keeper->committed();
  if (refusals) rejections->clear();
  forget(*made);
  if (row) next_block = id + 1;
  if (snapshot) through_block = row ? id : id - 1;
  if (!builder.empty()) blocks.push_back({id, now, packed.info.body_bytes, packed.info.records, packed.info.held});
  // What is stored is stored; trouble with copying the log shows again at the next commit.
  static_cast<void>(maybe_checkpoint());
  return appended;
}

base::Result<void> Writer::close() {
  State& state = *state_;
  if (state.closed) return {};
  state.closed = true;
  state.file.database.set_wait(base::kSecond);
  auto done = state.file.database.checkpoint(true);
  if (!done && done.error().code == base::Code::full && Reserve::release(state.options.path)) done = state.file.database.checkpoint(true);
  // On a full disk the log stays beside the file and is copied later: nothing of it is lost.
  if (!done && done.error().code != base::Code::full) return state.seen(std::move(done).error());
  // Without a consumer nobody commits into the file while no writer is there.
  const auto waiting = state.file.database.integer("SELECT count(*) FROM consumers");
  if (waiting && *waiting == 0) static_cast<void>(Reserve::release(state.options.path));
  return {};
}

}  // namespace weir::spool
