#include "stages/buffer.h"

#include "base/count.h"
#include "record/timestamp.h"
#include "spool/reader.h"
#include "stages/buffer_drain.h"
#include "stages/buffer_metrics.h"
#include "stages/buffer_release.h"
#include "stages/buffer_spill.h"
#include "stages/buffer_store.h"
#include "stages/hold_relief.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>
#include <optional>
#include <utility>

namespace weir::stages {
namespace {

using pipeline::Flow;
using pipeline::Flushed;

constexpr base::Duration kMeasureEvery = 10 * base::kSecond;  // where nobody asks
constexpr std::uint64_t kMuch = 256 << 10;                    // bytes of lines
constexpr std::uint64_t kMostRecords = 100'000;               // in a block: of short lines, each takes more than its line
constexpr base::Duration kRush = 500 * base::kMillisecond;    // held records that fill a block so soon come out of a backlog

class Buffer : public pipeline::Stage {
 public:
  Buffer(const BufferSpec& spec, const pipeline::Context& context, std::unique_ptr<spool::Writer> writer, spool::Keeper keeper)
      : spec_(spec),
        context_(context),
        keeper_(std::move(keeper)),
        metrics_(context),
        store_(spec.spool.path, std::move(writer), builder_, metrics_, context),
        releases_(spec.spool.path, spec.release_jitter, spec.release_rate, context) {
    if (context.driver == nullptr) {
      if (spec_.while_waiting) store_.meanwhile(spec_.while_waiting);
      return;
    }
    context.driver->on_ask([this] { measure(context_.clock->monotonic()); });
    // Whoever watches the chain gets an answer while it waits for room: the books of all stages balance then as well.
    store_.meanwhile([this] {
      if (spec_.while_waiting) spec_.while_waiting();
      publish();
      context_.driver->answer(context_.clock->monotonic());
    });
  }

  // Reads where the drain starts.
  base::Result<void> prepare() {
    store_.note({});
    path_ = std::filesystem::absolute(spec_.spool.path).lexically_normal().string();
    auto reader = spool::Reader::open(spec_.spool.path, spec_.spool.wait);
    if (!reader) return std::move(reader).error();
    auto blocks = (*reader)->list({});
    if (!blocks) return std::move(blocks).error();
    if (spec_.spill) {
      auto second = spool::Reader::open(spec_.spool.path, spec_.spool.wait);
      if (!second) return std::move(second).error();
      spill_.emplace(spec_.spill_limits, spec_.group_bytes, spec_.consumer, std::move(*second), store_, metrics_, context_);
    }
    has_held_ = std::ranges::any_of(*blocks, [](const spool::BlockInfo& block) { return block.held > 0; });
    newest_ = blocks->empty() ? 0 : blocks->back().id;
    auto places = (*reader)->acknowledged(spec_.consumer);
    if (!places) return std::move(places).error();
    if (*places) acknowledged_ = std::move(**places);
    if (spec_.only_new) acknowledged_ = spool::PlaceSet({newest_ + 1, 0});
    if (!blocks->empty()) {
      // Records that were evicted will not come.
      const spool::BlockPlace oldest{blocks->front().id, 0};
      if (acknowledged_.before() < oldest) acknowledged_.add_before(oldest);
    }
    store_.plain_writer().keep_from(acknowledged_.before().block);
    return {};
  }

  base::Result<void> attach(base::Wake& wake) override {
    releases_.attach(wake);
    if (has_held_) releases_.listen();
    return {};
  }

  base::Result<Flow> consume(record::Batch& batch, pipeline::Outlet& out) override {
    if (auto trouble = start(out)) return *std::move(trouble);
    if (drain_ && drain_->done()) return Flow::done;
    auto flow = take(batch);
    publish();
    return flow;
  }

  base::Result<base::Monotonic> nudge(base::Monotonic now, pipeline::Outlet& out) override {
    if (auto trouble = start(out)) return *std::move(trouble);
    auto due = run_due(now);
    publish();
    return due;
  }

  base::Result<Flushed> flush(pipeline::Outlet& out, base::Monotonic deadline) override {
    if (auto trouble = start(out)) return *std::move(trouble);
    auto stored = commit_all();
    publish();
    if (!stored) return std::move(stored).error();
    // SQLite goes on writing to a file that has lost its name. Nobody will find what is in there.
    auto gone = store_.plain_writer().gone();
    if (!gone) return std::move(gone).error();
    if (*gone) {
      return base::fail(base::Code::io, "cannot store records in spool '{}': it was deleted, moved or replaced while it was in use",
                        spec_.spool.path)
          .with_hint("start again: the next start makes the spool anew");
    }
    if (!drain_) return Flushed::safe;
    return drain_->flush(deadline);
  }

  base::Result<void> finish(pipeline::Outlet& out, base::Monotonic deadline) override {
    auto finished = close(out, deadline);
    publish();
    return finished;
  }

  // Also when spilling: a block is passed on at once, and becomes a request.
  [[nodiscard]] base::Duration batch_wait() const override { return spec_.group_age; }

  [[nodiscard]] bool drives_below() const override { return !spec_.store_only; }
  [[nodiscard]] std::string_view name() const override { return "buffer"; }

  [[nodiscard]] bool keeps_positions() const override { return true; }
  [[nodiscard]] pipeline::Counters counters() const override {
    if (!drain_) return pipeline::counters_of(metrics_.block());
    const std::array<const metrics::Block*, 2> both = {&metrics_.block(), &drain_->metrics()};
    return pipeline::counters_of(both);
  }

  [[nodiscard]] std::string summary() const override {
    std::string text = metrics_.summary(spill_.has_value(), spec_.spool.path);
    if (const std::uint64_t records = drain_ ? drain_->unreadable() : 0; records > 0)
      text += fmt::format("; {} lost", base::count_of(records, "record of a damaged block is", "records of damaged blocks are"));
    return text;
  }

 private:
  base::Result<Flow> take(record::Batch& batch) {
    sheds_ = relief_.sheds(context_.clock->monotonic());
    if (!batch.records.empty()) may_tell_alone_ = true;
    for (record::Record& record : batch.records) {
      if (auto taken = take(record); !taken) return std::move(taken).error();
      if (builder_.line_bytes() >= spec_.group_bytes || builder_.records() >= kMostRecords ||
          (holds() && held_builder_->line_bytes() >= spec_.held_bytes)) {
        if (auto stored = commit(spool::Effort::fast); !stored) return std::move(stored).error();
      }
    }
    const base::Monotonic now = context_.clock->monotonic();
    note_opened(now);
    if (pending() && now >= group_due()) {
      if (auto stored = commit(); !stored) return std::move(stored).error();
    }
    return Flow::more;
  }

  // Does what is due. Returns when to call it again.
  base::Result<base::Monotonic> run_due(base::Monotonic now) {
    note_opened(now);
    if ((pending() && now >= group_due()) || now >= gaps_due()) {
      if (auto stored = commit(); !stored) return std::move(stored).error();
    }
    if (now >= maintain_at_) maintain(now);
    if (spill_ && now >= spill_->due()) {
      if (auto read = spill_->read_acknowledgements(now); !read) return std::move(read).error();
    }
    auto release_at = release(now);
    if (!release_at) return release_at;
    const base::Monotonic due = std::min({*release_at, maintain_at_, store_.report(now), gaps_due()});
    return std::min(std::min(due, spill_ ? spill_->due() : base::kNever), pending() ? group_due() : base::kNever);
  }

  // What is due of releases; when to come again.
  base::Result<base::Monotonic> release(base::Monotonic now) {
    if (releases_.must_select(now)) {
      if (auto stored = commit(); !stored) return std::move(stored).error();
      releases_.select(now);
    }
    if (releases_.waits() && now >= releases_.pace.due()) {
      const metrics::Wait reading(context_.driver, metrics::On::disk, metrics::kLongRead);
      auto wait = store_.plain_writer().releases_wait();
      if (!wait) return std::move(wait).error();
      if (!*wait) {
        releases_.nothing_waits();
        releasing_.reset();
      } else if (drain_ && !drain_->caught_up()) {
        releases_.pace.others_first(now);
      } else if (auto copied = copy_released(now); !copied) {
        return std::move(copied).error();
      }
    }
    return releases_.due(now);
  }

  // One held block.
  base::Result<void> copy_released(base::Monotonic from) {
    if (!releasing_) releasing_.emplace();
    std::optional<metrics::Wait> writing(std::in_place, context_.driver, metrics::On::disk, metrics::kLongRead);
    auto copied = store_.writer().release_next(*releasing_);
    writing.reset();
    const base::Monotonic now = context_.clock->monotonic();
    if (!copied && (copied.error().code == base::Code::full || copied.error().code == base::Code::busy)) {
      context_.diagnostics->warn("release-full", fmt::format("{}; the release goes on later", copied.error().message));
      releases_.pace.no_room(now);
      return {};
    }
    if (!copied) return std::move(copied).error();
    if (!*copied) return {};
    const spool::Released& done = **copied;
    store_.note(done.appended);
    releases_.pace.copied(done.line_bytes, now - from, now);
    if (done.records == 0) return {};
    const pipeline::Tally copies{done.records, done.line_bytes};
    metrics_.released(copies.records);
    metrics_.stored(copies);
    if (drain_) {
      static_cast<void>(drain_->stored(done.appended.block, releasing_->take()));
    } else {
      metrics_.kept(copies);
      releasing_->take(releasing_->take());
    }
    return {};
  }

  base::Result<void> close(pipeline::Outlet& out, base::Monotonic deadline) {
    auto trouble = start(out);
    releases_.end();
    auto stored = store_all(deadline);
    // What that evicted is told once more. What this evicts in turn is in the counters only, so that it ends.
    if (stored && store_.evicted().due() != base::kNever) stored = store_all(deadline);
    base::Result<void> drained;
    if (drain_) drained = drain_->finish(deadline);
    const auto gone = store_.plain_writer().gone();
    const bool is_gone = gone && *gone;
    if (is_gone) metrics_.lost(**gone);
    measure_at_ = base::kNever;
    const metrics::Wait writing(context_.driver, metrics::On::disk, metrics::kLongRead);
    auto closed = store_.plain_writer().close();
    if (is_gone) return closed;  // it caused all other errors
    if (trouble) return *std::move(trouble);
    if (!stored) return stored;
    if (!drained) return drained;
    return closed;
  }

  base::Result<void> store_all(base::Monotonic deadline) {
    auto stored = commit_all();
    if (!spill_) return stored;
    auto emptied = spill_->empty(deadline);
    return stored ? std::move(emptied) : std::move(stored);
  }

  // Copies what the batch has changed into the counters.
  void publish() {
    store_.note_missed();
    metrics_.publish(keeper_.repeats(), builder_.records() + (holds() ? held_builder_->records() : 0));
    if (context_.driver == nullptr) return;
    if (const base::Monotonic now = context_.clock->monotonic(); now >= measure_at_) measure(now);
  }

  // Looks at what the spool holds.
  void measure(base::Monotonic now) {
    if (measure_at_ == base::kNever) return;  // the spool is closed
    measure_at_ = base::after(now, kMeasureEvery);
    const metrics::Wait reading(context_.driver, metrics::On::disk, metrics::kLongRead);
    if (auto stock = store_.plain_writer().stock()) {
      metrics_.note(*stock, spec_.spool.path, now, context_.clock->wall());
    } else {
      context_.diagnostics->warn("spool-stock", fmt::format("{}; its metrics are older", stock.error().message));
    }
  }

  // The outlet is known from the first call on. An error of the drain is final.
  std::optional<base::Error> start(pipeline::Outlet& out) {
    if (spec_.store_only) return std::nullopt;
    if (!drain_) {
      DrainSpec spec{path_, store_.plain_writer().spool(), acknowledged_, newest_, spec_.memory};
      auto drain = BufferDrain::start(std::move(spec), out, context_);
      if (!drain) return std::move(drain).error();
      drain_ = *std::move(drain);
      store_.forwards_to(*drain_);
    }
    return drain_->error();
  }

  [[nodiscard]] bool holds() const { return held_builder_ && !held_builder_->empty(); }
  [[nodiscard]] bool pending() const { return !builder_.empty() || holds() || keeper_.moved(); }

  base::Result<void> take(record::Record& record) {
    auto verdict = keeper_.track(record);
    if (!verdict) return std::move(verdict).error();
    if (record.is_marker()) {
      using Type = record::Marker::Type;
      if (record.marker->type == Type::position || record.marker->type == Type::done) keeper_.advance(record.source);
      if (record.marker->type == Type::release) releases_.asked(*record.marker, context_.clock->monotonic());
      if (record.marker->type == Type::release_ended) releases_.ended(*record.marker);
      return {};
    }
    if (record.sample) {
      return base::fail(base::Code::usage, "cannot store a sample of a metric query: a spool holds log records")
          .with_hint("query logs instead");
    }
    metrics_.in.add(record);
    if (record.invalid) ++metrics_.invalid;
    if (*verdict == spool::Verdict::repeat) return {};
    if (record::is_gap(record)) store_.note_gap(record);
    if (!record.held) {
      builder_.add(record);
    } else if (sheds_) {
      ++metrics_.shed;
      store_.plain_writer().note_shed(1);
    } else {
      if (!held_builder_) held_builder_.emplace();
      if (!std::exchange(has_held_, true)) releases_.listen();
      held_builder_->add(record);
    }
    keeper_.advance(record.source);
    return {};
  }

  // Notes since when the open groups have records.
  void note_opened(base::Monotonic now) {
    if (opened_at_ == base::kNever && (!builder_.empty() || (keeper_.moved() && !holds()))) opened_at_ = now;
    if (held_since_ == base::kNever && holds()) held_since_ = now;
  }

  // When the open group is due to be stored.
  [[nodiscard]] base::Monotonic group_due() const {
    base::Monotonic due = base::after(opened_at_, spec_.group_age);
    if (!spill_) due = std::max(due, committed_at_ + spec_.commit_every);
    return std::min(due, base::after(held_since_, spec_.held_age));
  }

  // When gap records need a commit of their own. Each such commit may evict again, so an idle chain makes one and no more.
  [[nodiscard]] base::Monotonic gaps_due() { return may_tell_alone_ ? store_.evicted().due() : base::kNever; }

  // Adds the gap records that are due to the open block.
  void tell_of_evictions() {
    const bool alone = !pending();
    if (context_.clock->monotonic() < (alone ? gaps_due() : store_.evicted().due())) return;
    if (const std::uint64_t records = store_.evicted().tell(builder_); records > 0) {
      metrics_.told(records);
      may_tell_alone_ = !alone;
    }
  }

  // As commit(), also the gap records that are not due yet.
  base::Result<void> commit_all() {
    store_.evicted().hurry();
    may_tell_alone_ = true;
    // Who flushes much flushes often: a server that is pushed to.
    return commit(builder_.line_bytes() >= kMuch ? spool::Effort::fast : spool::Effort::thorough);
  }

  base::Result<void> commit(spool::Effort effort = spool::Effort::thorough) {
    tell_of_evictions();
    // Packing well costs more than the rest of the chain, so the held records of a backlog are packed fast.
    held_effort_ = context_.clock->monotonic() < base::after(held_since_, kRush) ? spool::Effort::fast : spool::Effort::lasting;
    opened_at_ = held_since_ = base::kNever;
    if (!pending()) return {};
    if (spill_) return pass_on();
    base::Monotonic from = 0;
    const auto store = [&] {
      from = context_.clock->monotonic();
      return holds() ? store_.writer().append_with_held(builder_, *held_builder_, &keeper_, effort, held_effort_)
                     : store_.writer().append(builder_, &keeper_, nullptr, effort);
    };
    auto appended = store_.patiently(store);
    if (!appended) return std::move(appended).error();
    committed_at_ = context_.clock->monotonic();
    note_commit(committed_at_ - from);
    store_.note(*appended);
    store_.evicted().stored(appended->block);
    if (holds()) finish_held(appended->held_block != 0);
    if (!builder_.empty()) forward(appended->block);
    return {};
  }

  // A commit has taken so long. On a slow disk held records are not stored for a while.
  void note_commit(base::Duration took) {
    metrics_.committed(took, context_.clock->wall());
    if (!relief_.committed(took, context_.clock->monotonic())) return;
    context_.diagnostics->warn("hold-slow",
                               fmt::format("the disk of spool '{}' is slow, a commit took {}: held records are not stored for {}",
                                           spec_.spool.path, record::print_duration(took / base::kMillisecond * base::kMillisecond),
                                           record::print_duration(HoldRelief::kPause)));
  }

  // The open group of held records is stored, or had no room.
  void finish_held(bool stored) {
    const std::uint64_t records = held_builder_->records();
    if (stored) {
      metrics_.held({records, held_builder_->line_bytes()});
    } else {
      metrics_.not_held(records);
      store_.plain_writer().note_shed(records);
      context_.diagnostics->warn(
          "hold-full", fmt::format("the spool '{}' has no room for held records beside what waits for delivery: {} not stored",
                                   spec_.spool.path, base::count_of(records, "held record is", "held records are")));
    }
    held_builder_->take(held_builder_->take());
  }

  // Forwards the open block without storing it, when the window has room for it.
  base::Result<void> pass_on() {
    const std::uint64_t bytes = builder_.batch().bytes() + builder_.records() * sizeof(record::Record);
    if (auto room = spill_->make_room(bytes); !room) return room;
    const auto hand_out = [&] { return store_.patiently([&] { return store_.plain_writer().hand_out(); }); };
    auto held_number = holds() ? hand_out() : base::Result<std::uint64_t>(0);
    if (!held_number) return std::move(held_number).error();
    auto number = hand_out();
    if (!number) return std::move(number).error();
    delivery::SpilledBlock block{*number, nullptr, bytes, keeper_.delta(), context_.clock->monotonic()};
    // Held records are stored before anybody can acknowledge their group.
    if (holds()) {
      if (auto stored = store_held(*held_number, block.positions.empty() ? 0 : *number); !stored) return stored;
    }
    keeper_.committed();
    store_.evicted().stored(*number);
    if (builder_.empty() && block.positions.empty()) return {};
    if (!builder_.empty()) {
      metrics_.passed(builder_.records());
      block.records = std::make_shared<record::Batch>(builder_.take(spill_->spare()));
    }
    return spill_->pass(std::move(block));
  }

  base::Result<void> store_held(std::uint64_t number, std::uint64_t group) {
    const base::Monotonic from = context_.clock->monotonic();
    std::optional<metrics::Wait> writing(std::in_place, context_.driver, metrics::On::disk, metrics::kLongRead);
    auto appended = store_.writer().append_held(*held_builder_, number, group, held_effort_);
    writing.reset();
    note_commit(context_.clock->monotonic() - from);
    if (appended) {
      store_.note(*appended);
    } else if (appended.error().code != base::Code::full && appended.error().code != base::Code::busy) {
      return std::move(appended).error();
    }
    finish_held(appended && appended->held_block != 0);
    return {};
  }

  void forward(std::uint64_t block) {
    const pipeline::Tally stored{builder_.records(), builder_.line_bytes()};
    metrics_.stored(stored);
    if (!drain_) {
      metrics_.kept(stored);
      builder_.take(builder_.take());
      return;
    }
    builder_.give(drain_->stored(block, builder_.take({})));
  }

  void maintain(base::Monotonic now) {
    const metrics::Wait writing(context_.driver, metrics::On::disk, metrics::kLongRead);
    spool::Appended evicted;
    auto next = store_.writer().maintain(evicted);
    store_.note(evicted);
    if (!next) {
      context_.diagnostics->warn("spool-maintain", next.error().message);
      maintain_at_ = base::after(now, base::kMinute);
      return;
    }
    maintain_at_ = base::after(now, *next - context_.clock->wall());
    releases_.check_again();
  }

  BufferSpec spec_;
  pipeline::Context context_;
  spool::Keeper keeper_;
  spool::BlockBuilder builder_;
  std::optional<spool::BlockBuilder> held_builder_;     // from the first held record on
  spool::Effort held_effort_ = spool::Effort::lasting;  // for the group that is being closed
  HoldRelief relief_;
  bool sheds_ = false;           // held records of this batch
  bool may_tell_alone_ = false;  // something came since gap records had a commit of their own
  std::string path_;
  spool::PlaceSet acknowledged_;
  std::uint64_t newest_ = 0;
  // When the first record of the open block came, or a position that moved without one; and when the first open held record came.
  base::Monotonic opened_at_ = base::kNever, held_since_ = base::kNever;
  base::Monotonic committed_at_ = std::numeric_limits<base::Monotonic>::min() / 2;
  base::Monotonic maintain_at_ = 0;
  base::Monotonic measure_at_ = 0;
  BufferMetrics metrics_;
  BufferStore store_;
  std::optional<BufferSpill> spill_;  // when spilling
  bool has_held_ = false;             // the spool has held records, or had some
  BufferReleases releases_;
  std::optional<spool::BlockBuilder> releasing_;  // while a release goes on
  std::unique_ptr<BufferDrain> drain_;            // last: its thread ends before the rest goes
};

}  // namespace

base::Result<std::unique_ptr<pipeline::Stage>> make_buffer(const BufferSpec& wanted, const pipeline::Context& context) {
  BufferSpec spec = wanted;
  if (!spec.store_only) spec.spool.forwards_to = spec.consumer;
  auto writer = open_writer(spec.spool, context);
  if (!writer) return std::move(writer).error();
  auto keeper = (*writer)->load_keeper();
  if (!keeper) return std::move(keeper).error();
  auto buffer = std::make_unique<Buffer>(spec, context, std::move(*writer), std::move(*keeper));
  if (auto prepared = buffer->prepare(); !prepared) return std::move(prepared).error();
  return std::unique_ptr<pipeline::Stage>(std::move(buffer));
}

}  // namespace weir::stages
