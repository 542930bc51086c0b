#include "stages/buffer.h"

#include "base/count.h"
#include "record/timestamp.h"
#include "spool/reader.h"
#include "stages/buffer_drain.h"
#include "stages/buffer_release.h"
#include "stages/hold_relief.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>
#include <optional>
#include <type_traits>

namespace weir::stages {
namespace {

using metrics::Account;
using pipeline::Flow;
using pipeline::Flushed;

constexpr auto kRecordsIn = metrics::counter("weir_buffer_input_records_total", "records", "Records that buffer got.", Account::in);
constexpr auto kBytesIn =
    metrics::counter("weir_buffer_input_bytes_total", "bytes", "Bytes of the lines that buffer got.", Account::in);
constexpr auto kInvalid = metrics::counter("weir_buffer_invalid_records_total", "records",
                                           "Records made from input that was not a record.", Account::invalid);
constexpr auto kDropped = metrics::counter("weir_buffer_dropped_records_total", "records",
                                           "Records that buffer did not take, by reason.", Account::dropped, "reason");
constexpr auto kHeld = metrics::counter("weir_buffer_held_records_total", "records",
                                        "Records that are held in the spool and not passed on.", Account::held);
constexpr auto kHeldBytes = metrics::counter("weir_buffer_held_bytes_total", "bytes", "Bytes of the lines of these records.");
constexpr auto kGroup =
    metrics::gauge("weir_buffer_open_records", "records", "Records of the blocks that are not full yet.", Account::in_flight);
constexpr auto kStored = metrics::counter("weir_buffer_stored_records_total", "records", "Records that were stored in the spool.");
constexpr auto kStoredBytes =
    metrics::counter("weir_buffer_stored_bytes_total", "bytes", "Bytes of the lines that were stored in the spool.");
constexpr auto kKept = metrics::counter("weir_buffer_kept_records_total", "records",
                                        "Records that were only stored and not passed on (--store).", Account::out);
constexpr auto kKeptBytes =
    metrics::counter("weir_buffer_kept_bytes_total", "bytes", "Bytes of the lines of these records.", Account::out);
constexpr auto kPassed = metrics::counter("weir_buffer_spilled_records_total", "records",
                                          "Records that were passed on before they were stored (--spill).");
constexpr auto kReleased = metrics::counter("weir_buffer_released_records_total", "records",
                                            "Held records that a release made undelivered.", Account::added);
constexpr auto kEvicted =
    metrics::counter("weir_buffer_evicted_records_total", "records", "Undelivered records that were evicted to make room.");
constexpr auto kLost =
    metrics::counter("weir_buffer_lost_records_total", "records", "Records that nobody will deliver any more.", Account::lost);

constexpr base::Duration kFullPoll = 100 * base::kMillisecond;  // at first; each try packs the block again
constexpr base::Duration kFullPollMost = base::kSecond;
constexpr base::Duration kRush = 500 * base::kMillisecond;  // held records that fill a block so soon come out of a backlog
constexpr int kAskAgain = 5;                                // ms between two checks for acknowledgements while the window is full

class Buffer : public pipeline::Stage {
 public:
  Buffer(const BufferSpec& spec, const pipeline::Context& context, std::unique_ptr<spool::Writer> writer, spool::Keeper keeper)
      : spec_(spec),
        context_(context),
        writer_(std::move(writer)),
        keeper_(std::move(keeper)),
        block_(context.metrics),
        releases_(spec.spool.path, spec.release_jitter, spec.release_rate, context) {}

  // Reads where the drain starts.
  base::Result<void> prepare() {
    note({});
    path_ = std::filesystem::absolute(spec_.spool.path).lexically_normal().string();
    auto reader = spool::Reader::open(spec_.spool.path, spec_.spool.wait);
    if (!reader) return std::move(reader).error();
    auto blocks = (*reader)->list({});
    if (!blocks) return std::move(blocks).error();
    if (spec_.spill) {
      auto second = spool::Reader::open(spec_.spool.path, spec_.spool.wait);
      if (!second) return std::move(second).error();
      window_.emplace(spec_.spill_limits, spec_.consumer, std::move(*second));
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
    writer_->keep_from(acknowledged_.before().block);
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
    auto stored = commit();
    publish();
    if (!stored) return std::move(stored).error();
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

  [[nodiscard]] pipeline::Counters counters() const override {
    if (!drain_) return pipeline::counters_of(block_);
    const std::array<const metrics::Block*, 2> both = {&block_, &drain_->metrics()};
    return pipeline::counters_of(both);
  }

  [[nodiscard]] std::string summary() const override {
    // Held records are never passed on, so they are not among those that were.
    const std::uint64_t held = window_ ? held_.value() : 0, held_bytes = window_ ? held_bytes_.value() : 0;
    const std::string stored = base::grouped(stored_.value() - held);
    const std::string bytes = record::print_size(stored_bytes_.value() - held_bytes);
    std::string text =
        window_ ? fmt::format("passed on {}, and stored {} of them, {}", base::count_of(passed_.value(), "record"), stored, bytes)
                : fmt::format("stored {}, {}", base::count_of(stored_.value(), "record"), bytes);
    if (repeats_.value() > 0) text += fmt::format("; {} stored before", base::count_of(repeats_.value(), "was", "were"));
    if (released_.value() > 0) text += fmt::format("; released {}", base::count_of(released_.value(), "held record"));
    if (evicted_.value() > 0)
      text += fmt::format("; {} evicted to make room",
                          base::count_of(evicted_.value(), "undelivered one was", "undelivered ones were"));
    if (evicted_from_ring_ > 0) {
      text += fmt::format("; {} evicted: without a consumer, the spool is a ring of recent records",
                          base::count_of(evicted_from_ring_, "older record was", "older records were"));
    }
    if (const std::uint64_t stay = held_.value() - std::min(held_.value(), released_.value()); stay > 0)
      text += fmt::format("; {} in the spool, `weir replay {} --held` reads them",
                          base::count_of(stay, "held record stays", "held records stay"), spec_.spool.path);
    if (shed_.value() > 0)
      text += fmt::format("; {} not stored", base::count_of(shed_.value(), "held record was", "held records were"));
    return text;
  }

 private:
  base::Result<Flow> take(record::Batch& batch) {
    sheds_ = relief_.sheds(context_.clock->monotonic());
    for (record::Record& record : batch.records) {
      if (auto taken = take(record); !taken) return std::move(taken).error();
      if (builder_.line_bytes() >= spec_.group_bytes || (holds() && held_builder_->line_bytes() >= spec_.held_bytes)) {
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
    if (pending() && now >= group_due()) {
      if (auto stored = commit(); !stored) return std::move(stored).error();
    }
    if (now >= maintain_at_) maintain(now);
    if (window_ && now >= window_->due()) {
      if (auto read = read_acknowledgements(now); !read) return std::move(read).error();
    }
    auto release_at = release(now);
    if (!release_at) return release_at;
    const base::Monotonic due = std::min(*release_at, maintain_at_);
    return std::min(std::min(due, window_ ? window_->due() : base::kNever), pending() ? group_due() : base::kNever);
  }

  // What is due of releases; when to come again.
  base::Result<base::Monotonic> release(base::Monotonic now) {
    if (releases_.must_select(now)) {
      if (auto stored = commit(); !stored) return std::move(stored).error();
      releases_.select(now);
    }
    if (releases_.waits() && now >= releases_.pace.due()) {
      auto wait = writer_->releases_wait();
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
    auto copied = writer().release_next(*releasing_);
    const base::Monotonic now = context_.clock->monotonic();
    if (!copied && (copied.error().code == base::Code::full || copied.error().code == base::Code::busy)) {
      context_.diagnostics->warn("release-full", fmt::format("{}; the release goes on later", copied.error().message));
      releases_.pace.no_room(now);
      return {};
    }
    if (!copied) return std::move(copied).error();
    if (!*copied) return {};
    const spool::Released& done = **copied;
    note(done.appended);
    releases_.pace.copied(done.line_bytes, now - from, now);
    if (done.records == 0) return {};
    released_.add(done.records);
    stored_.add(done.records);
    stored_bytes_.add(done.line_bytes);
    if (drain_) {
      static_cast<void>(drain_->stored(done.appended.block, releasing_->take()));
    } else {
      kept_.add(done.records);
      kept_bytes_.add(done.line_bytes);
      releasing_->take(releasing_->take());
    }
    return {};
  }

  base::Result<void> close(pipeline::Outlet& out, base::Monotonic deadline) {
    auto trouble = start(out);
    releases_.end();
    auto stored = commit();
    if (window_) {
      auto emptied = empty_window(deadline);
      if (stored) stored = std::move(emptied);
    }
    base::Result<void> drained;
    if (drain_) drained = drain_->finish(deadline);
    const auto gone = writer_->gone();
    const bool is_gone = gone && *gone;
    if (is_gone) lost_.add(**gone);
    auto closed = writer_->close();
    if (is_gone) return closed;  // it caused all other errors
    if (trouble) return *std::move(trouble);
    if (!stored) return stored;
    if (!drained) return drained;
    return closed;
  }

  // Copies what the batch has changed into the counters.
  void publish() {
    records_in_.reach(in_.records);
    bytes_in_.reach(in_.bytes);
    repeats_.reach(keeper_.repeats());
    open_.set(builder_.records() + (holds() ? held_builder_->records() : 0));
    count_evicted();
  }

  // The writer counts evicted records that a consumer has not acknowledged. With no consumer, only the drain knows which records
  // were evicted before it passed them on, since some of those wait in its memory. It does not know the records from before the
  // start, which the writer counts.
  void count_evicted() {
    const std::uint64_t missed = drain_ ? drain_->evicted() : 0;
    if (missed > std::max(evicted_by_writer_, missed_)) {
      context_.diagnostics->warn("spool-missed",
                                 fmt::format("the spool '{}' is full: {} lost, {} since the start", spec_.spool.path,
                                             base::count_of(missed - missed_, "record was evicted before it was passed on and is",
                                                            "records were evicted before they were passed on and are"),
                                             base::grouped(missed)));
    }
    missed_ = missed;
    const std::uint64_t evicted = std::max(evicted_by_writer_, missed) + evicted_backlog_;
    lost_.add(evicted - evicted_.value());
    evicted_.reach(evicted);
  }

  // The outlet is known from the first call on. An error of the drain is final.
  std::optional<base::Error> start(pipeline::Outlet& out) {
    if (spec_.store_only) return std::nullopt;
    if (!drain_) {
      DrainSpec spec{path_, writer_->spool(), acknowledged_, newest_, spec_.memory};
      auto drain = BufferDrain::start(std::move(spec), out, context_);
      if (!drain) return std::move(drain).error();
      drain_ = *std::move(drain);
    }
    return drain_->error();
  }

  // The writer, which knows how far the drain has come.
  spool::Writer& writer() {
    if (drain_) writer_->keep_from(drain_->next_to_pass());
    return *writer_;
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
    in_.add(record);
    if (record.invalid) invalid_.add(1);
    if (*verdict == spool::Verdict::repeat) return {};
    if (!record.held) {
      builder_.add(record);
    } else if (sheds_) {
      shed_.add(1);
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
    if (!window_) due = std::max(due, committed_at_ + spec_.commit_every);
    return std::min(due, base::after(held_since_, spec_.held_age));
  }

  base::Result<void> commit(spool::Effort effort = spool::Effort::thorough) {
    // Packing well costs more than the rest of the chain, so the held records of a backlog are packed fast.
    held_effort_ = context_.clock->monotonic() < base::after(held_since_, kRush) ? spool::Effort::fast : spool::Effort::lasting;
    opened_at_ = held_since_ = base::kNever;
    if (!pending()) return {};
    if (window_) return pass_on();
    base::Monotonic from = 0;
    const auto store = [&] {
      from = context_.clock->monotonic();
      return holds() ? writer().append_with_held(builder_, *held_builder_, &keeper_, effort, held_effort_)
                     : writer().append(builder_, &keeper_, nullptr, effort);
    };
    auto appended = patiently(store, [] { return false; });
    if (!appended) return std::move(appended).error();
    committed_at_ = context_.clock->monotonic();
    note_commit(committed_at_ - from);
    note(*appended);
    if (holds()) finish_held(appended->held_block != 0);
    if (!builder_.empty()) forward(appended->block);
    return {};
  }

  // A commit has taken so long. On a slow disk held records are not stored for a while.
  void note_commit(base::Duration took) {
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
      held_.add(records);
      held_bytes_.add(held_builder_->line_bytes());
      stored_.add(records);
      stored_bytes_.add(held_builder_->line_bytes());
    } else {
      shed_.add(records);
      context_.diagnostics->warn(
          "hold-full", fmt::format("the spool '{}' has no room for held records beside what waits for delivery: {} not stored",
                                   spec_.spool.path, base::count_of(records, "held record is", "held records are")));
    }
    held_builder_->take(held_builder_->take());
  }

  [[nodiscard]] base::Error not_taken(const base::Error& error) const {
    return base::fail(error.code, "{}; {} not taken", error.message,
                      base::count_of(builder_.records(), "record was", "records were"))
        .with_hint(error.hint);
  }

  // Calls `store` again until the spool has room, or until `spared` says that the records need not be stored any more.
  template <typename Store, typename Spared>
  auto patiently(const Store& store, const Spared& spared) -> decltype(store()) {
    bool waited = false;
    base::Duration wait = kFullPoll;
    while (true) {
      auto stored = store();
      if (stored) {
        if (waited) context_.diagnostics->say(fmt::format("the spool '{}' takes records again", spec_.spool.path));
        return stored;
      }
      const base::Error& error = stored.error();
      if (error.code != base::Code::full && error.code != base::Code::busy) return stored;
      if (spared()) return typename std::remove_cvref_t<decltype(*stored)>{};
      // Nobody makes room any more, and the chain ends.
      if (error.code == base::Code::full && drain_ && drain_->ended()) {
        if (auto trouble = drain_->error()) return *std::move(trouble);
        return not_taken(error);
      }
      waited = true;
      context_.diagnostics->warn("spool-full",
                                 error.message + "; waiting" + (error.hint.empty() ? "" : fmt::format(" ({})", error.hint)));
      const base::Monotonic now = context_.clock->monotonic();
      if (now >= context_.stop->deadline(now)) {
        return not_taken(error);
      }
      ::poll(nullptr, 0, static_cast<int>(wait / base::kMillisecond));
      wait = std::min(wait * 2, kFullPollMost);
    }
  }

  // -- spilling --

  // Forwards the open block without storing it, when the window has room for it.
  base::Result<void> pass_on() {
    const std::uint64_t bytes = builder_.batch().bytes() + builder_.records() * sizeof(record::Record);
    if (auto room = make_room(bytes); !room) return room;
    const auto hand_out = [&] { return patiently([&] { return writer_->hand_out(); }, [] { return false; }); };
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
    const bool records = !builder_.empty();
    if (!records && block.positions.empty()) return {};
    if (records) {
      passed_.add(builder_.records());
      record::Batch fresh = window_->spare();
      drain_->synchronize();
      block.records = std::make_shared<record::Batch>(builder_.take(std::move(fresh)));
    }
    std::shared_ptr<const record::Batch> shared = block.records;
    window_->add(std::move(block));
    // Without the note, a chain that is killed sends again what was acknowledged since positions were last stored.
    static_cast<void>(writer_->note(window_->unstored()));
    if (records) {
      drain_->pass(*number, std::move(shared));
      return {};
    }
    // Positions without records only wait for the blocks before them.
    return read_acknowledgements(context_.clock->monotonic());
  }

  base::Result<void> store_held(std::uint64_t number, std::uint64_t group) {
    const base::Monotonic from = context_.clock->monotonic();
    auto appended = writer().append_held(*held_builder_, number, group, held_effort_);
    note_commit(context_.clock->monotonic() - from);
    if (appended) {
      note(*appended);
    } else if (appended.error().code != base::Code::full && appended.error().code != base::Code::busy) {
      return std::move(appended).error();
    }
    finish_held(appended && appended->held_block != 0);
    return {};
  }

  base::Result<void> make_room(std::uint64_t bytes) {
    while (true) {
      const base::Monotonic now = context_.clock->monotonic();
      if (auto read = read_acknowledgements(now); !read) return read;
      if (window_->has_room(bytes)) return {};
      if (window_->stuck(now) != nullptr || context_.stop->stopped() || drain_->done()) {
        if (auto stored = store_oldest(); !stored) return stored;
      } else {
        ::poll(nullptr, 0, kAskAgain);
      }
    }
  }

  // Drops blocks that are acknowledged from the window, and stores those that have waited for too long.
  base::Result<void> read_acknowledgements(base::Monotonic now) {
    if (auto read = window_->read_acknowledgements(now); !read) return read;
    while (window_->overdue(now) != nullptr) {
      if (auto stored = store_oldest(); !stored) return stored;
    }
    if (window_->settle_due(now)) return settle();
    return {};
  }

  base::Result<void> store_oldest() {
    const std::uint64_t number = window_->oldest()->number;
    if (const auto& records = window_->oldest()->records; records != nullptr) {
      for (const record::Record& record : records->records) spilled_.add(record);
    }
    const std::vector<spool::Handed> handed = window_->with_oldest();
    const auto effort = spilled_.line_bytes() < spec_.group_bytes ? spool::Effort::thorough : spool::Effort::fast;
    // A block that is acknowledged while the disk is full is not stored.
    const auto acknowledged = [&] {
      return window_->read_acknowledgements(context_.clock->monotonic()) &&
             (window_->empty() || window_->oldest()->number != number);
    };
    auto appended = patiently([&] { return writer().append_handed(spilled_, handed, effort); }, acknowledged);
    if (appended && !window_->empty() && window_->oldest()->number == number) {
      note(*appended);
      stored_.add(spilled_.records());
      stored_bytes_.add(spilled_.line_bytes());
      drain_->stored(number);
      window_->stored_oldest();
    }
    spilled_.take(spilled_.take());
    if (!appended) return std::move(appended).error();
    return {};
  }

  // Stores the positions of acknowledged blocks. On a full disk they wait: all that depends on them is how much is read again after
  // a power cut.
  base::Result<void> settle() {
    auto appended = writer().append_handed(spilled_, window_->settled());
    if (appended) {
      window_->stored_settled();
      return {};
    }
    if (appended.error().code != base::Code::full && appended.error().code != base::Code::busy) return std::move(appended).error();
    context_.diagnostics->warn("spool-settle", appended.error().message + "; positions are stored later");
    window_->settle_later(context_.clock->monotonic());
    return {};
  }

  // At the end, records in flight get a moment to be acknowledged. The rest is stored.
  base::Result<void> empty_window(base::Monotonic deadline) {
    if (drain_ && !drain_->error() && !drain_->done()) {
      const base::Monotonic until = std::min(deadline, base::after(context_.clock->monotonic(), spec_.spill_limits.end_wait));
      static_cast<void>(drain_->flush(until));
      while (!window_->empty() && context_.stop->level() != base::Stop::leave) {
        const base::Monotonic now = context_.clock->monotonic();
        if (auto read = read_acknowledgements(now); !read) return read;
        if (window_->empty() || now >= until) break;
        ::poll(nullptr, 0, kAskAgain);
      }
    }
    while (!window_->empty()) {
      if (auto stored = store_oldest(); !stored) return stored;
    }
    if (!window_->settled().empty()) {
      if (auto settled = settle(); !settled) return settled;
    }
    static_cast<void>(writer_->note(window_->unstored()));
    return {};
  }

  void forward(std::uint64_t block) {
    stored_.add(builder_.records());
    stored_bytes_.add(builder_.line_bytes());
    if (!drain_) {
      kept_.add(builder_.records());
      kept_bytes_.add(builder_.line_bytes());
      builder_.take(builder_.take());
      return;
    }
    builder_.give(drain_->stored(block, builder_.take({})));
  }

  void note(const spool::Appended& appended) {
    const spool::Report report = writer_->take_report();
    for (const std::string& sentence : report.sentences) context_.diagnostics->say(sentence);
    lost_.add(report.lost);
    if (appended.ring) evicted_from_ring_ += appended.evicted_delivered + appended.evicted_held;
    if (appended.evicted_rejected > 0) {
      context_.diagnostics->warn(
          "spool-rejected",
          fmt::format("{} evicted from the spool '{}'",
                      base::count_of(appended.evicted_rejected, "rejected record was", "rejected records were"), spec_.spool.path));
    }
    const std::uint64_t evicted = appended.ring ? appended.evicted_backlog : appended.evicted_undelivered;
    if (evicted == 0) return;
    (appended.ring ? evicted_backlog_ : evicted_by_writer_) += evicted;
    context_.diagnostics->warn("spool-evicted", fmt::format("the spool '{}' is full: {} lost, {} since the start", spec_.spool.path,
                                                            base::count_of(evicted, "undelivered record was evicted and is",
                                                                           "undelivered records were evicted and are"),
                                                            base::grouped(evicted_by_writer_ + evicted_backlog_)));
  }

  void maintain(base::Monotonic now) {
    spool::Appended evicted;
    auto next = writer().maintain(evicted);
    note(evicted);
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
  std::unique_ptr<spool::Writer> writer_;
  spool::Keeper keeper_;
  spool::BlockBuilder builder_;
  std::optional<spool::BlockBuilder> held_builder_;     // from the first held record on
  spool::Effort held_effort_ = spool::Effort::lasting;  // for the group that is being closed
  HoldRelief relief_;
  bool sheds_ = false;  // held records of this batch
  std::string path_;
  spool::PlaceSet acknowledged_;
  std::uint64_t newest_ = 0;
  // When the first record of the open block came, or a position that moved without one; and when the first open held record came.
  base::Monotonic opened_at_ = base::kNever, held_since_ = base::kNever;
  base::Monotonic committed_at_ = std::numeric_limits<base::Monotonic>::min() / 2;
  base::Monotonic maintain_at_ = 0;
  std::optional<delivery::SpillWindow> window_;  // when spilling
  spool::BlockBuilder spilled_;                  // packs blocks of the window that are stored
  pipeline::Tally in_;
  std::uint64_t evicted_by_writer_ = 0, missed_ = 0;
  std::uint64_t evicted_backlog_ = 0;    // undelivered records from before the start, while no consumer was registered
  std::uint64_t evicted_from_ring_ = 0;  // records, while no consumer was registered
  metrics::Block block_;
  metrics::Counter records_in_ = block_.counter(kRecordsIn), bytes_in_ = block_.counter(kBytesIn);
  metrics::Counter invalid_ = block_.counter(kInvalid);
  metrics::Counter repeats_ = block_.family(kDropped).at("repeat"), shed_ = block_.family(kDropped).at("held_shed");
  metrics::Counter held_ = block_.counter(kHeld), held_bytes_ = block_.counter(kHeldBytes);
  metrics::Gauge open_ = block_.gauge(kGroup);
  metrics::Counter stored_ = block_.counter(kStored), stored_bytes_ = block_.counter(kStoredBytes);
  metrics::Counter kept_ = block_.counter(kKept), kept_bytes_ = block_.counter(kKeptBytes);
  metrics::Counter passed_ = block_.counter(kPassed);
  metrics::Counter released_ = block_.counter(kReleased);
  metrics::Counter evicted_ = block_.counter(kEvicted);
  metrics::Counter lost_ = block_.counter(kLost);
  bool has_held_ = false;  // the spool has held records, or had some
  BufferReleases releases_;
  std::optional<spool::BlockBuilder> releasing_;  // while a release goes on
  std::unique_ptr<BufferDrain> drain_;            // last: its thread ends before the rest goes
};

// Waits while the disk is full at the start, as for a disk that becomes full later.
base::Result<std::unique_ptr<spool::Writer>> open_writer(const BufferSpec& spec, const pipeline::Context& context) {
  while (true) {
    auto writer = spool::Writer::open(spec.spool, *context.clock, context.stop);
    if (writer || writer.error().code != base::Code::full || context.stop->stopped()) return writer;
    context.diagnostics->warn("spool-full",
                              fmt::format("{}; waiting (it goes on by itself when there is room)", writer.error().message));
    struct pollfd stop = {context.stop->fd(), POLLIN, 0};
    ::poll(&stop, 1, static_cast<int>(kFullPollMost / base::kMillisecond));
  }
}

}  // namespace

base::Result<std::unique_ptr<pipeline::Stage>> make_buffer(const BufferSpec& wanted, const pipeline::Context& context) {
  BufferSpec spec = wanted;
  if (!spec.store_only) spec.spool.forwards_to = spec.consumer;
  auto writer = open_writer(spec, context);
  if (!writer) return std::move(writer).error();
  auto keeper = (*writer)->load_keeper();
  if (!keeper) return std::move(keeper).error();
  auto buffer = std::make_unique<Buffer>(spec, context, std::move(*writer), std::move(*keeper));
  if (auto prepared = buffer->prepare(); !prepared) return std::move(prepared).error();
  return std::unique_ptr<pipeline::Stage>(std::move(buffer));
}

}  // namespace weir::stages
