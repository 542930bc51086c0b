#include "stages/push.h"

#include "base/count.h"
#include "delivery/delivery_ledger.h"
#include "delivery/spool_delivery.h"
#include "logql/log_query.h"
#include "record/timestamp.h"
#include "show/progress.h"
#include "stages/push_metrics.h"
#include "stages/pusher_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

namespace weir::stages {
namespace {

using base::Code;
using pipeline::Batch;
using pipeline::Counters;
using pipeline::Flow;
using pipeline::Flushed;
using pipeline::Monotonic;
using pipeline::Outlet;
using pipeline::Record;
using pipeline::Result;

constexpr base::Duration kLookEvery = base::kSecond;

constexpr base::Duration kCheckpointWait = 30 * base::kSecond;  // for another process that holds the checkpoint file

constexpr const char* kKeepMore = "a larger --max-size of buffer keeps more; --on-full block loses none";

std::string lost_text(std::uint64_t evicted) {
  return fmt::format("{} lost", base::count_of(evicted, "record was evicted from the spool to make room and is",
                                               "records were evicted from the spool to make room and are"));
}

// Also names what the thread that drives push waits for.
class Ledger final : public delivery::DeliveryLedger {
 public:
  Ledger(std::string url, const pipeline::Context& context)
      : DeliveryLedger(std::move(url), *context.clock, *context.diagnostics, context.stop), driver_(context.driver) {}
  // `hear` is called several times a second while the input waits.
  void on_wait(std::function<void()> hear) { hear_ = std::move(hear); }
  void input_waits() override {
    if (hear_) hear_();
    DeliveryLedger::input_waits();
  }

 private:
  void waits_for_disk(bool begins) override {
    if (begins) {
      wait_.emplace(driver_, metrics::On::disk, metrics::kLongRead);
    } else {
      wait_.reset();
    }
  }

  metrics::Driver* const driver_;
  std::function<void()> hear_;
  std::optional<metrics::Wait> wait_;
};

class Push : public pipeline::Stage {
 public:
  Push(const PushSpec& spec, std::optional<logql::LogQuery> match, const pipeline::Context& context, const PushInput& input)
      : spec_(spec),
        match_(std::move(match)),
        context_(context),
        input_(input),
        url_(spec.http.base.display()),
        ledger_(url_, context),
        metrics_(context) {
    if (context.driver == nullptr) return;
    ledger_.on_wait([this] { waits_for_loki(); });
    context.driver->on_ask([this] { look(context_.clock->monotonic()); });
  }

  // The transport's thread uses everything else.
  ~Push() override { client_.reset(); }

  [[nodiscard]] std::string_view name() const override { return "push"; }

  Result<Flow> consume(Batch& batch, Outlet&) override {
    const Unwait after(*this);
    auto taken = take(batch);
    if (taken && pusher_) {
      if (auto due = work(true); !due) taken = std::move(due).error();
    }
    publish();
    if (!taken) return with_losses(std::move(taken).error());
    return Flow::more;
  }

  Result<Monotonic> nudge(Monotonic, Outlet&) override {
    if (!pusher_) return base::kNever;
    const Unwait after(*this);
    auto due = work(false);
    publish();
    if (!due) return with_losses(std::move(due).error());
    return due;
  }

  [[nodiscard]] base::Duration batch_wait() const override { return spec_.wait.value_or(kBatchWait); }

  Result<Flushed> flush(Outlet&, Monotonic deadline) override {
    if (!pusher_) return Flushed::safe;
    const Unwait after(*this);
    auto drained = drain(deadline);
    publish();
    if (!drained) return std::move(drained).error();
    if (auto stored = ledger_.commit(); !stored) return std::move(stored).error();
    return *drained ? Flushed::safe : Flushed::timed_out;
  }

  Result<void> finish(Outlet&, Monotonic deadline) override {
    const Unwait after(*this);
    auto finished = close(deadline);
    publish();
    return finished;
  }

  [[nodiscard]] bool keeps_positions() const override { return ledger_.tracks(); }
  [[nodiscard]] Counters counters() const override { return metrics_.counters(); }
  [[nodiscard]] std::string summary() const override { return metrics_.summary(pusher_ != nullptr, finished_ - started_); }

 private:
  Result<void> take(Batch& batch) {
    for (Record& record : batch.records) {
      auto taken = record.is_marker() ? take_marker(record) : take(record, batch);
      if (!taken) return taken;
    }
    return {};
  }

  void publish() {
    if (spool_) {
      metrics_.spool = {.left = spool_->left(),
                        .lost = spool_->lost(),
                        .gone = spool_->gone(),
                        .evicted_left = spool_->evicted_left(),
                        .evicted_pending = spool_->evicted_pending()};
    }
    if (pusher_) {
      metrics_.publish(pusher_->stats());
    } else {
      metrics_.publish();
    }
    if (context_.driver == nullptr) return;
    if (const Monotonic now = context_.clock->monotonic(); now >= std::min(look_at_, trouble_due_)) look(now);
  }

  // Looks at how delivery goes, for who watches the chain.
  void look(Monotonic now) {
    look_at_ = base::after(now, kLookEvery);
    const loki::PusherWaits waits = pusher_ ? pusher_->waits() : loki::PusherWaits();
    metrics_.note(waits, ledger_.storing(), now, context_.clock->wall());
    // While it fails, to raise the trouble in time.
    trouble_due_ =
        waits.failing_since == base::kNever ? base::kNever : base::after(waits.failing_since, PushMetrics::kTroubleAfter);
    if (trouble_due_ <= now) trouble_due_ = base::kNever;
  }

  // Called several times a second while Loki keeps records from being taken, or at the end from being delivered.
  void waits_for_loki() {
    if (!waits_) waits_.emplace(context_.driver, metrics::On::loki);
    publish();
    // The books of all stages of this thread balance now, too.
    context_.driver->answer(context_.clock->monotonic());
  }
  // The wait is over when the stage returns.
  struct Unwait {
    explicit Unwait(Push& push_) : push(push_) {}
    ~Unwait() { push.waits_.reset(); }
    Unwait(const Unwait&) = delete;
    Unwait& operator=(const Unwait&) = delete;
    Push& push;
  };

  Result<void> close(Monotonic deadline) {
    if (!pusher_) return ledger_.commit();
    auto drained = drain(deadline);
    finished_ = context_.clock->monotonic();
    client_.reset();
    report(finished_);
    progress_.end();
    auto stored = commit();
    if (spool_ && (!drained || !*drained)) {
      if (auto counted = spool_->count_evicted(); !counted) context_.diagnostics->say(counted.error().message);
    }
    if (!drained) return std::move(drained).error();
    if (!stored) return std::move(stored).error();
    if (auto closed = ledger_.close(); !closed) return closed;
    if (*drained) return {};
    const std::string undelivered = pusher_->undelivered();
    if (ledger_.tracks()) return stopped_early(undelivered);
    auto error = base::fail(Code::interrupted, "cannot push the rest to {}: stopped; not delivered: {}", url_, undelivered);
    if (ledger_.listens()) return std::move(error).with_hint("they are still in the rejected store");
    return error;
  }

  Result<void> commit() {
    const metrics::Wait storing(context_.driver, metrics::On::disk, metrics::kLongRead);
    return ledger_.commit();
  }

  // The end of a tracked stream before Loki has acknowledged everything.
  Result<void> stopped_early(const std::string& undelivered) {
    const std::uint64_t pending = pusher_->stats().pending;
    const std::uint64_t evicted_pending = spool_ ? spool_->evicted_pending() : 0;
    if (pending > 0) {
      const std::string_view those = evicted_pending == 0 ? "them" : "the rest";
      std::string rest;
      if (spool_) {
        // There are more in the spool, which push has not seen.
        rest = pending > evicted_pending ? fmt::format(
                                               ", which push had in hand; the spool keeps {} and all that were to follow, and "
                                               "the next start sends them",
                                               those)
                                         : ", which push had in hand";
      } else if (pending > evicted_pending) {
        rest = fmt::format(": the next start sends {} again", those);
      }
      context_.diagnostics->say(fmt::format("stopped before Loki had acknowledged {}{}", undelivered, rest));
    }
    if (spool_ && spool_->evicted() > 0) {
      // An end with losses, also when a signal asked for it.
      return base::fail(Code::rejected, "cannot deliver all: {}", lost_text(spool_->evicted())).with_hint(kKeepMore);
    }
    return {};
  }

  // The same end, with losses when there are any.
  base::Error with_losses(base::Error error) {
    if (error.code != Code::interrupted || !spool_ || !ledger_.tracks()) return error;
    if (auto counted = spool_->count_evicted(); !counted) return error;
    if (spool_->evicted() == 0) return error;
    return base::fail(Code::rejected, "{}; {}", error.message, lost_text(spool_->evicted())).with_hint(kKeepMore);
  }

  // What is due besides taking records; when to come again. `more_follows`: the input goes on at once.
  Result<Monotonic> work(bool more_follows) {
    if (spool_) {
      const metrics::Wait waits(context_.driver, metrics::On::loki, metrics::kLongRead);
      if (auto read = spool_->read_left(send_again_); !read) return std::move(read).error();
    }
    const Monotonic now = context_.clock->monotonic();
    auto due = pusher_->tick(now, more_follows);
    if (!due) return due;
    {
      const metrics::Wait storing(context_.driver, metrics::On::disk, metrics::kLongRead);
      due = std::min({*due, ledger_.commit_pending(now), trouble_due_});
    }
    show_progress();
    return spool_ ? std::min(*due, spool_->due(now)) : *due;
  }

  // Sends everything, also what was left in the spool. False: the deadline or a stop came first.
  Result<bool> drain(Monotonic deadline) {
    while (spool_ && !spool_->nothing_left()) {
      if (context_.stop != nullptr && context_.stop->stopped()) break;
      const std::uint64_t before = spool_->left();
      if (auto worked = work(false); !worked) return std::move(worked).error();
      const Monotonic now = context_.clock->monotonic();
      if (now >= deadline) return false;
      auto drained = pusher_->drain(std::min(deadline, base::after(now, delivery::SpoolDelivery::kReadEvery)));
      if (!drained) return drained;
      if (*drained && spool_->left() == before && !spool_->nothing_left()) spool_->pause();
    }
    auto drained = pusher_->drain(deadline);
    if (drained && spool_ && !spool_->nothing_left()) return false;
    return drained;
  }

  Result<void> take_marker(const Record& record) {
    using Type = record::Marker::Type;
    const record::Marker& marker = *record.marker;
    if (marker.type == Type::rejected) return begin_rejected(marker);
    if (marker.type == Type::begin) {
      if (auto begun = begin(marker); !begun) return begun;
    }
    if (auto tracked = ledger_.track_marker(record); !tracked) return tracked;
    if (marker.type != Type::block || !spool_) return {};
    const metrics::Wait waits(context_.driver, metrics::On::loki, metrics::kLongRead);
    return spool_->block_ended(record.source.block, send_again_);
  }

  // The records that follow come out of a rejected store, and leave it when they are delivered.
  Result<void> begin_rejected(const record::Marker& marker) {
    if (pusher_ && !ledger_.listens()) {
      context_.diagnostics->say(
          fmt::format("the records from the rejected store of '{}' are pushed, but they also stay in that store, because other "
                      "records came before them (push them alone, so that they leave it when they are delivered)",
                      marker.checkpoint));
      return {};
    }
    if (pusher_ && ledger_.redelivers_another(marker.spool)) {
      // The fate of records of another store must be known before this one takes its place.
      auto drained = drain(base::kNever);
      if (!drained) return std::move(drained).error();
      if (!*drained) return base::fail(Code::interrupted, "stopped before the records of '{}' were pushed", marker.checkpoint);
      if (auto stored = ledger_.commit(); !stored) return stored;
    }
    return ledger_.deliver_again(std::string(marker.checkpoint), marker.spool);
  }

  // The stream names who keeps its positions.
  Result<void> begin(const record::Marker& marker) {
    if (pusher_) {
      // A second stream on the same input: the fate of the first one's records must be known before its positions are closed.
      auto drained = drain(base::kNever);
      if (!drained) return std::move(drained).error();
    }
    if (marker.spool != 0) {
      if (!spec_.checkpoint.empty())
        return base::fail(Code::usage, "cannot use --checkpoint behind a buffer: the buffer's spool keeps the positions")
            .with_hint("leave --checkpoint out");
      if (!ledger_.tracks()) {
        if (auto begun = begin_spool(marker); !begun) return begun;
      }
    } else if (spec_.checkpoint.empty() && !marker.checkpoint.empty()) {
      context_.diagnostics->say(
          fmt::format("nothing keeps the positions of this stream: use --checkpoint {}, or a buffer in front", marker.checkpoint));
    }
    return start();
  }

  Result<void> begin_spool(const record::Marker& marker) {
    spool::ConsumerOptions options;
    options.path = marker.checkpoint;
    options.name = spec_.consumer;
    options.spool = marker.spool;
    options.match = spec_.match;
    const metrics::Wait opening(context_.driver, metrics::On::lock);
    auto acknowledged = ledger_.consume_spool(options);
    if (!acknowledged) return std::move(acknowledged).error();
    auto spool = delivery::SpoolDelivery::open({options.path, options.name, std::move(*acknowledged), input_.direct}, ledger_,
                                               *context_.clock, *context_.diagnostics, context_.stop);
    if (!spool) return std::move(spool).error();
    spool_ = std::move(*spool);
    return {};
  }

  Result<void> start() {
    if (pusher_) return {};
    if (!spec_.checkpoint.empty() && !ledger_.tracks()) {
      const metrics::Wait opening(context_.driver, metrics::On::lock);
      if (auto opened = ledger_.keep_positions(spec_.checkpoint, kCheckpointWait, spec_.file_done); !opened) return opened;
    }
    auto config = pusher_config(spec_, {.url = url_,
                                        .tracked = ledger_.tracks(),
                                        .listens = ledger_.listens(),
                                        .in_spool = spool_ != nullptr,
                                        .follows = input_.follows,
                                        .doubt_clock = spool_ && spool_->doubts_clock()});
    if (progress_.on()) config.while_waiting = [this] { show_progress(); };
    if (spool_) config.in_spool = [spool = spool_.get()] { return spool->records_waiting(); };
    pusher_ = std::make_unique<loki::Pusher>(std::move(config), *context_.clock, *context_.diagnostics, context_.stop, &ledger_);
    if (spool_) {
      if (auto attached = spool_->attach(*pusher_); !attached) return attached;
    }
    http::AsyncClient::Options options;
    options.max_connections = spec_.parallel;
    options.timer = [this](Monotonic now) {
      const Monotonic retry = pusher_->timer(now);
      return std::min({retry, ledger_.commit_due(now), report(now)});
    };
    auto client = http::AsyncClient::create(spec_.http, *context_.clock, std::move(options));
    if (!client) {
      spool_.reset();
      pusher_.reset();
      return std::move(client).error();
    }
    client_ = std::move(*client);
    pusher_->attach(*client_);
    started_ = finished_ = context_.clock->monotonic();
    return {};
  }

  // How it goes, for `weir spool status`. On the transport's thread, or without it. Returns when to come again.
  Monotonic report(Monotonic now) {
    spool::StatusFile* const status = ledger_.status();
    if (status == nullptr) return base::kNever;
    const loki::PusherHealth health = pusher_->health();
    if (health.success != 0) status->succeeded(health.success);
    if (health.error_at != 0) status->failed(health.error, health.error_at);
    status->blocked(health.blocked, health.blocked_since);
    return status->due(now);
  }

  [[nodiscard]] bool matches(Record& record, Batch& batch) {
    if (!match_ || match_->matches(record, batch)) return true;
    ++metrics_.not_matched;
    return false;
  }

  Result<void> take(Record& record, Batch& batch) {
    if (!pusher_) {
      if (auto started = start(); !started) return started;
    }
    auto token = ledger_.track(record);
    if (!token) return std::move(token).error();
    const pipeline::Tally before = metrics_.in;
    metrics_.in.add(record);
    if (!*token) {
      ++metrics_.sent_before;
      return {};
    }
    if (record.sample) {
      ++metrics_.samples;
      context_.diagnostics->warn("sample", "a record with `value` is a sample of a metric query and cannot be pushed");
      ledger_.settle(**token);
      return {};
    }
    if (record.held) {
      ++metrics_.held;
      if (!spool_ && ++metrics_.held_nowhere == 1)
        context_.diagnostics->say("held records are not pushed, and nothing keeps them: put `weir buffer SPOOL` in front of push");
      ledger_.settle(**token);
      return {};
    }
    const bool in_spool = spool_ && spool_->attached() && record.source.kind == record::Source::Kind::block;
    if (in_spool && spool_->leave_behind_others(record, batch)) return {};
    if (!matches(record, batch)) {
      ledger_.settle(**token);
      return {};
    }
    auto added = pusher_->add(record, **token, in_spool && spool_->is_backlog(record));
    ++offered_;
    if (!added) {
      // A record that came after the pusher's end is not in the books.
      if (pusher_->stats().taken < offered_) metrics_.in = before;
      return std::move(added).error();
    }
    if (*added == 0) return {};
    --offered_;
    if (!in_spool) return base::fail(Code::bug, "a record was left that cannot be read again");
    spool_->leave(*added, record, **token, batch);
    return {};
  }

  // A record that was left in the spool has been read again.
  Result<void> send_again(Record& record, Batch& batch, loki::PushToken token) {
    if (!matches(record, batch)) {
      ledger_.settle(token);
      return {};
    }
    ++offered_;
    return pusher_->add_again(record, token);
  }

  void show_progress() {
    if (!progress_.due()) return;
    const loki::PusherStats stats = pusher_->stats();
    std::string also = fmt::format("{} in flight", base::grouped(stats.pending));
    if (stats.rejected > 0) also += fmt::format(", {} rejected", base::grouped(stats.rejected));
    const std::uint64_t open = stats.pending + (spool_ ? spool_->left() : 0);
    const std::uint64_t all = input_.all != nullptr ? *input_.all : 0;
    progress_.show({.records = stats.records,
                    .bytes = stats.bytes,
                    .done = metrics_.in.records - std::min(metrics_.in.records, open),
                    .all = all,
                    .also = std::move(also)});
  }

  const PushSpec spec_;
  std::optional<logql::LogQuery> match_;
  const pipeline::Context context_;
  const PushInput input_;
  const std::string url_;
  Ledger ledger_;
  std::unique_ptr<delivery::SpoolDelivery> spool_;  // behind a spool; the pusher asks it for messages
  std::unique_ptr<loki::Pusher> pusher_;            // from the first record or `begin` marker on
  std::unique_ptr<http::AsyncClient> client_;
  const delivery::LeftRecords::Take send_again_ = [this](Record& record, Batch& batch, loki::PushToken token) {
    return send_again(record, batch, token);
  };
  PushMetrics metrics_;
  std::uint64_t offered_ = 0;  // records that the pusher was given and did not leave
  Monotonic started_ = 0, finished_ = 0;
  // A source in front of it, on the same terminal, knows how much there is to come: it is the first to show that.
  static constexpr base::Duration kLetSourceShow = base::kSecond;
  show::Progress progress_{"pushed", *context_.diagnostics, *context_.clock,
                           show::Progress::kFirst + (input_.direct ? 0 : kLetSourceShow)};

  // For who watches the chain.
  Monotonic look_at_ = 0, trouble_due_ = base::kNever;
  std::optional<metrics::Wait> waits_;
};

Result<std::optional<logql::LogQuery>> compile_match(const std::string& text) {
  if (text.empty()) return std::optional<logql::LogQuery>();
  auto query = logql::LogQuery::compile(text, {.selector_optional = true});
  if (!query) return std::move(query).error().within("cannot use --match");
  return std::optional<logql::LogQuery>(std::move(*query));
}

}  // namespace

Result<void> check(const PushSpec& spec) {
  if (spec.parallel < 1 || spec.parallel > 64)
    return base::fail(Code::usage, "cannot use --parallel {}: it must be 1 to 64", spec.parallel);
  if (spec.batch_bytes < 4096 || spec.batch_bytes > (4 << 20))
    return base::fail(Code::usage, "cannot use --batch-size {}: it must be 4 KiB to 4 MiB, because Loki takes no larger request",
                      record::print_size(spec.batch_bytes));
  if (spec.batch_records < 1) return base::fail(Code::usage, "cannot use --batch-records 0: it must be at least 1");
  if (auto match = compile_match(spec.match); !match) return std::move(match).error();
  return {};
}

Result<std::unique_ptr<pipeline::Stage>> make_push(const PushSpec& spec, const pipeline::Context& context, const PushInput& input) {
  if (auto ok = check(spec); !ok) return std::move(ok).error();
  auto match = compile_match(spec.match);
  if (!match) return std::move(match).error();
  return std::unique_ptr<pipeline::Stage>(std::make_unique<Push>(spec, std::move(*match), context, input));
}

}  // namespace weir::stages
