#include "spool/writer.h"

#include "spool/block_checksum.h"
#include "spool/lock_file.h"
#include "spool/place.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <deque>
#include <filesystem>

namespace weir::spool {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kMaxLog = 32 << 20;       // of write-ahead log before it is copied into the file
constexpr std::uint64_t kSnapshotEvery = 64;      // blocks
constexpr std::size_t kExpirePerCommit = 16;      // blocks: a commit stays short
constexpr std::uint64_t kVacuumStep = 1024;       // pages
constexpr base::Duration kRejectedKept = 7 * 24 * base::kHour;
constexpr base::Duration kTendEvery = base::kMinute;

// Why a block is still there.
enum class Kept : std::uint8_t { delivered, held, undelivered };

struct Known {
  std::uint64_t id = 0;
  base::Timestamp stored = 0;
  std::uint64_t body_bytes = 0;
  std::uint32_t records = 0, held = 0;
};

}  // namespace

struct Writer::State {
  WriterOptions options;
  const base::Clock* clock = nullptr;
  LockFile lock;
  SpoolFile file;
  std::deque<Known> blocks;  // with records, oldest first
  std::uint64_t next_block = 1;
  std::uint64_t through_block = 0;  // of the positions snapshot
  std::uint64_t max_log = kMaxLog;
  std::string folder;
  PackedBlock packed;
  sqlite::Statement insert_block, insert_body, delete_block, delete_body, delete_released, consumers, page_count, free_pages;
  bool closed = false;

  base::Result<void> prepare() {
    const std::pair<sqlite::Statement*, std::string_view> statements[] = {
        {&insert_block,
         "INSERT INTO blocks (id, stored, min_time, max_time, records, held, line_bytes, body_bytes, checksum, streams, positions) "
         "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
        {&insert_body, "INSERT INTO bodies (block, body) VALUES (?, ?)"},
        {&delete_block, "DELETE FROM blocks WHERE id = ?"},
        {&delete_body, "DELETE FROM bodies WHERE block = ?"},
        {&delete_released, "DELETE FROM released WHERE block = ?"},
        {&consumers, "SELECT min(block) FROM consumers"},
        {&page_count, "PRAGMA page_count"},
        {&free_pages, "PRAGMA freelist_count"},
    };
    for (const auto& [statement, sql] : statements) {
      auto prepared = file.database.prepare(sql);
      if (!prepared) return std::move(prepared).error();
      *statement = std::move(*prepared);
    }
    return {};
  }

  base::Result<void> load() {
    auto rows = file.database.prepare("SELECT id, stored, body_bytes, records, held FROM blocks WHERE records > 0 ORDER BY id");
    if (!rows) return std::move(rows).error();
    while (true) {
      auto row = rows->step();
      if (!row) return std::move(row).error();
      if (!*row) break;
      blocks.push_back({static_cast<std::uint64_t>(rows->integer(0)), rows->integer(1), static_cast<std::uint64_t>(rows->integer(2)),
                        static_cast<std::uint32_t>(rows->integer(3)), static_cast<std::uint32_t>(rows->integer(4))});
    }
    // Above everything that was ever given out: blocks, positions, what somebody acknowledged.
    auto highest = file.database.integer(
        "SELECT max(coalesce((SELECT max(id) FROM blocks), 0), coalesce((SELECT through_block FROM positions), 0), "
        "coalesce((SELECT max(block) - 1 FROM consumers), 0), coalesce((SELECT value FROM meta WHERE name = 'reserved_block'), 0))");
    if (!highest) return std::move(highest).error();
    next_block = static_cast<std::uint64_t>(*highest) + 1;
    auto through = file.database.integer("SELECT through_block FROM positions");
    if (!through) return std::move(through).error();
    through_block = static_cast<std::uint64_t>(*through);
    return {};
  }

  // Blocks below it are acknowledged by everybody.
  base::Result<std::uint64_t> delivered_below() {
    auto row = consumers.step();
    if (!row) return std::move(row).error();
    // With nobody registered the spool is a ring.
    const std::uint64_t below = consumers.is_null(0) ? ~0ULL : static_cast<std::uint64_t>(consumers.integer(0));
    consumers.reset();
    return below;
  }

  base::Result<std::uint64_t> number(sqlite::Statement& statement) {
    auto row = statement.step();
    if (!row) return std::move(row).error();
    const auto value = static_cast<std::uint64_t>(statement.integer(0));
    statement.reset();
    return value;
  }

  [[nodiscard]] Kept kept(const Known& block, std::uint64_t below, base::Timestamp now) const {
    if (block.id >= below) return Kept::undelivered;
    return block.held > 0 && now - block.stored < options.hold ? Kept::held : Kept::delivered;
  }

  // Bytes that pages in use may take.
  [[nodiscard]] std::uint64_t room(std::uint64_t used_pages) const {
    const std::uint64_t limit = options.max_size > max_log ? options.max_size - max_log : options.max_size / 2;
    struct statvfs system = {};
    if (options.min_free > 0 && ::statvfs(folder.c_str(), &system) == 0 && system.f_blocks > 0) {
      const double free = static_cast<double>(system.f_bavail) / static_cast<double>(system.f_blocks);
      if (free * 100 < options.min_free) return std::min(limit, std::max(kFloor, used_pages * kPage));
    }
    return limit;
  }

  base::Result<void> evict(const Known& block) {
    const auto id = static_cast<std::int64_t>(block.id);
    for (sqlite::Statement* statement : {&delete_body, &delete_block, &delete_released}) {
      statement->bind(1, id);
      if (auto done = statement->run(); !done) return done;
    }
    return {};
  }

  struct Plan {
    std::vector<std::size_t> evictions;  // indices into blocks, oldest first
    Appended counts;
    std::uint64_t newest = 0;
  };

  static void plan_one(Plan& plan, const Known& block, std::size_t index, Kept kept) {
    plan.evictions.push_back(index);
    plan.newest = std::max(plan.newest, block.id);
    (kept == Kept::delivered ? plan.counts.evicted_delivered : kept == Kept::held ? plan.counts.evicted_held : plan.counts.evicted_undelivered) +=
        block.records;
  }

  static std::uint64_t pages_of(std::uint64_t body_bytes) { return body_bytes / (kPage - 4) + 1; }

  // What goes, so that `need` more pages fit: first what is over its time, then delivered, then held, then (if allowed) undelivered
  // blocks, the oldest first. The newest block always stays: it keeps the numbers going up. Error full.
  base::Result<Plan> plan(std::uint64_t need, base::Timestamp now) {
    auto below = delivered_below();
    if (!below) return std::move(below).error();
    auto pages = number(page_count);
    if (!pages) return std::move(pages).error();
    auto unused = number(free_pages);
    if (!unused) return std::move(unused).error();

    Plan plan;
    const std::uint64_t used = *pages - *unused;
    const std::uint64_t limit = room(*pages) / kPage;
    std::uint64_t freed = 0;
    std::vector<char> goes(blocks.size(), 0);
    const auto go = [&](std::size_t i, Kept kept) {
      goes[i] = 1;
      freed += pages_of(blocks[i].body_bytes);
      plan_one(plan, blocks[i], i, kept);
    };
    const std::size_t candidates = blocks.empty() ? 0 : blocks.size() - 1;
    for (std::size_t i = 0; i < candidates && plan.evictions.size() < kExpirePerCommit; ++i) {
      if (now - blocks[i].stored < options.retain) break;
      if (kept(blocks[i], *below, now) == Kept::delivered) go(i, Kept::delivered);
    }
    if (options.hold_max > 0) {
      std::uint64_t held_bytes = 0;
      for (std::size_t i = candidates; i-- > 0;) {
        if (goes[i] != 0 || now - blocks[i].stored < options.retain || kept(blocks[i], *below, now) != Kept::held) continue;
        held_bytes += blocks[i].body_bytes;
        if (held_bytes > options.hold_max) go(i, Kept::held);
      }
    }
    for (const Kept kind : {Kept::delivered, Kept::held, Kept::undelivered}) {
      if (used + need <= limit + freed) break;
      if (kind == Kept::undelivered && options.on_full == OnFull::block) break;
      for (std::size_t i = 0; i < candidates && used + need > limit + freed; ++i) {
        if (goes[i] == 0 && kept(blocks[i], *below, now) == kind) go(i, kind);
      }
    }
    // A block that is larger than the limit by itself is taken all the same: refusing it would not make it smaller.
    const bool waits = options.on_full == OnFull::block && !blocks.empty() && blocks.back().id >= *below;
    if (used + need > limit + freed && need > 0 && waits) {
      return base::fail(base::Code::full, "cannot store records in '{}': it has reached its limit, and what it holds is not delivered yet",
                        options.path)
          .with_hint("it goes on when records are delivered; raise --max-size, or let the oldest go with --on-full drop-oldest");
    }
    std::ranges::sort(plan.evictions);
    return plan;
  }

  base::Result<void> carry_out(const Plan& plan) {
    for (const std::size_t i : plan.evictions) {
      if (auto done = evict(blocks[i]); !done) return done;
    }
    if (plan.counts.evicted_undelivered > 0) {
      const std::string count = fmt::format(
          "INSERT INTO meta VALUES ('evicted_undelivered', {0}) ON CONFLICT (name) DO UPDATE SET value = value + {0}", plan.counts.evicted_undelivered);
      return file.database.execute(count.c_str());
    }
    return {};
  }

  void forget(const Plan& plan) {
    std::size_t kept_to = 0;
    std::size_t next = 0;
    if (plan.evictions.empty()) return;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      if (next < plan.evictions.size() && plan.evictions[next] == i) {
        ++next;
      } else {
        blocks[kept_to++] = blocks[i];
      }
    }
    blocks.resize(kept_to);
  }

  base::Result<void> write_snapshot(const Keeper& keeper, std::uint64_t through) {
    auto statement = file.database.prepare(
        "INSERT INTO positions VALUES (1, ?1, ?2) ON CONFLICT (one) DO UPDATE SET through_block = ?1, body = ?2");
    if (!statement) return std::move(statement).error();
    const std::string body = keeper.snapshot();
    statement->bind(1, static_cast<std::int64_t>(through)).bind_blob(2, body);
    if (auto done = statement->run(); !done) return done;
    // Rows that carried nothing but positions have done their work.
    auto clean = file.database.prepare("DELETE FROM blocks WHERE records = 0 AND id <= ?");
    if (!clean) return std::move(clean).error();
    clean->bind(1, static_cast<std::int64_t>(through));
    return clean->run();
  }

  base::Result<void> insert(std::uint64_t id, const std::string& positions, base::Timestamp now) {
    BlockInfo& info = packed.info;
    info.id = id;
    info.stored = now;
    const std::uint64_t checksum = block_checksum(info, packed.streams, positions, packed.body);
    insert_block.bind(1, static_cast<std::int64_t>(id)).bind(2, now).bind(3, info.min_timestamp).bind(4, info.max_timestamp);
    insert_block.bind(5, info.records).bind(6, info.held).bind(7, static_cast<std::int64_t>(info.line_bytes));
    insert_block.bind(8, static_cast<std::int64_t>(info.body_bytes)).bind(9, static_cast<std::int64_t>(checksum));
    insert_block.bind_blob(10, packed.streams).bind_blob(11, positions);
    if (auto done = insert_block.run(); !done) return done;
    if (info.records == 0) return {};
    insert_body.bind(1, static_cast<std::int64_t>(id)).bind_blob(2, packed.body);
    return insert_body.run();
  }

  base::Result<void> maybe_checkpoint() {
    if (static_cast<std::uint64_t>(file.database.log_frames()) * kPage < max_log) return {};
    auto done = file.database.checkpoint(false);
    if (!done) return std::move(done).error();
    return {};
  }
};

Writer::Writer(std::unique_ptr<State> state) : state_(std::move(state)) {}

Writer::~Writer() { static_cast<void>(close()); }

base::Result<std::unique_ptr<Writer>> Writer::open(const WriterOptions& options, const base::Clock& clock, const base::Stop* stop) {
  auto state = std::make_unique<State>();
  state->options = options;
  state->clock = &clock;
  state->max_log = std::clamp<std::uint64_t>(options.max_size / 8, 1 << 20, kMaxLog);
  const std::filesystem::path parent = std::filesystem::path(options.path).parent_path();
  state->folder = parent.empty() ? "." : parent.string();
  auto lock = LockFile::take(writer_lock_path(options.path), fmt::format("spool '{}'", options.path), options.wait, clock, stop);
  if (!lock) return std::move(lock).error();
  state->lock = std::move(*lock);
  auto file = open_for_writing(options.path, options.sync, options.wait);
  if (!file) return std::move(file).error();
  state->file = std::move(*file);
  const std::string kept = fmt::format("PRAGMA journal_size_limit = {}", state->max_log);
  if (auto set = state->file.database.execute(kept.c_str()); !set) return std::move(set).error();
  if (auto prepared = state->prepare(); !prepared) return std::move(prepared).error();
  if (auto loaded = state->load(); !loaded) return std::move(loaded).error();
  return std::unique_ptr<Writer>(new Writer(std::move(state)));
}

std::uint64_t Writer::spool() const { return state_->file.id; }

base::Result<Keeper> Writer::load_keeper() {
  Keeper keeper(state_->options.path);
  if (auto loaded = load_positions(state_->file.database, keeper); !loaded) return std::move(loaded).error();
  return keeper;
}

base::Result<Appended> Writer::append(BlockBuilder& builder, Keeper* keeper, RejectedStore* rejections) {
  State& state = *state_;
  const bool moved = keeper != nullptr && keeper->moved();
  const bool refused = rejections != nullptr && !rejections->empty();
  if (builder.empty() && !moved && !refused) return Appended{};

  builder.pack(state.packed);
  const std::string positions = moved ? keeper->delta() : std::string();
  const base::Timestamp now = state.clock->wall();
  auto transaction = sqlite::Transaction::begin(state.file.database, sqlite::Transaction::Kind::write);
  if (!transaction) return std::move(transaction).error();
  const std::uint64_t bytes = state.packed.body.size() + state.packed.streams.size() + positions.size();
  // Positions always find room: they are what lets the rest go.
  auto plan = state.plan(builder.empty() ? 0 : State::pages_of(bytes) + 2, now);
  if (!plan) return std::move(plan).error();
  if (auto done = state.carry_out(*plan); !done) return std::move(done).error();

  Appended appended = plan->counts;
  const std::uint64_t id = state.next_block;
  const bool row = !builder.empty() || moved;
  if (row) {
    if (auto done = state.insert(id, positions, now); !done) return std::move(done).error();
    appended.block = id;
  }
  const bool snapshot = keeper != nullptr && ((row && id >= state.through_block + kSnapshotEvery) || plan->newest > state.through_block);
  if (snapshot) {
    if (auto done = state.write_snapshot(*keeper, row ? id : id - 1); !done) return std::move(done).error();
  }
  if (refused) {
    if (auto done = rejections->write(state.file.database); !done) return std::move(done).error();
  }
  if (auto done = transaction->commit(); !done) return std::move(done).error();

  if (keeper != nullptr) keeper->committed();
  if (refused) rejections->clear();
  state.forget(*plan);
  if (row) state.next_block = id + 1;
  if (snapshot) state.through_block = row ? id : id - 1;
  if (!builder.empty()) {
    state.blocks.push_back({id, now, state.packed.info.body_bytes, state.packed.info.records, state.packed.info.held});
  }
  // What is stored is stored; trouble with copying the log shows again at the next commit.
  static_cast<void>(state.maybe_checkpoint());
  return appended;
}

base::Result<base::Timestamp> Writer::tend(Appended& evicted) {
  State& state = *state_;
  const base::Timestamp now = state.clock->wall();
  auto plan = state.plan(0, now);
  if (!plan) return std::move(plan).error();
  bool more = false;
  if (!plan->evictions.empty()) {
    auto transaction = sqlite::Transaction::begin(state.file.database, sqlite::Transaction::Kind::write);
    if (!transaction) return std::move(transaction).error();
    if (plan->newest > state.through_block) {
      // The deltas of what goes are kept by the snapshot.
      Keeper keeper(state.options.path);
      if (auto loaded = load_positions(state.file.database, keeper); !loaded) return std::move(loaded).error();
      if (auto done = state.write_snapshot(keeper, state.next_block - 1); !done) return std::move(done).error();
    }
    if (auto done = state.carry_out(*plan); !done) return std::move(done).error();
    auto clean = state.file.database.prepare("DELETE FROM rejected WHERE time < ?");
    if (!clean) return std::move(clean).error();
    clean->bind(1, now - kRejectedKept);
    if (auto done = clean->run(); !done) return std::move(done).error();
    if (auto done = transaction->commit(); !done) return std::move(done).error();
    if (plan->newest > state.through_block) state.through_block = state.next_block - 1;
    state.forget(*plan);
    evicted = plan->counts;
    more = plan->evictions.size() >= kExpirePerCommit;
  }
  auto pages = state.number(state.page_count);
  if (!pages) return std::move(pages).error();
  auto unused = state.number(state.free_pages);
  if (!unused) return std::move(unused).error();
  const bool scarce = state.room(*pages) < state.options.max_size / 2 && *unused > 256;
  if (scarce || (*unused * kPage > state.max_log && *unused * 4 > *pages)) {
    if (auto done = state.file.database.execute(fmt::format("PRAGMA incremental_vacuum({})", kVacuumStep).c_str()); !done) return done.error();
    more = true;
  }
  if (auto done = state.maybe_checkpoint(); !done) return std::move(done).error();
  return now + (more ? base::kSecond : kTendEvery);
}

base::Result<void> Writer::close() {
  if (state_->closed) return {};
  state_->closed = true;
  state_->file.database.set_wait(base::kSecond);
  auto done = state_->file.database.checkpoint(true);
  if (!done) return std::move(done).error();
  return {};
}

}  // namespace weir::spool
