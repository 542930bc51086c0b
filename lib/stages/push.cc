#include "stages/push.h"

#include "base/count.h"
#include "delivery/left_records.h"
#include "delivery/push_ledger.h"
#include "logql/log_query.h"
#include "loki/push_reply.h"
#include "pipeline/chain.h"
#include "record/timestamp.h"
#include "spool/reader.h"
#include "stages/spool_gauge.h"

#include <fmt/format.h>

#include <poll.h>

#include <algorithm>
#include <map>
#include <random>
#include <utility>

namespace weir::stages {
namespace {

using base::Code;
using metrics::Account;
using pipeline::Batch;
using pipeline::Counters;
using pipeline::Flow;
using pipeline::Flushed;
using pipeline::Monotonic;
using pipeline::Outlet;
using pipeline::Record;
using pipeline::Result;

constexpr auto kRecordsIn = metrics::counter("weir_push_input_records_total", "records", "Records that push got.", Account::in);
constexpr auto kBytesIn =
    metrics::counter("weir_push_input_bytes_total", "bytes", "Bytes of the lines that push got.", Account::in);
constexpr auto kDelivered =
    metrics::counter("weir_push_delivered_records_total", "records", "Records that Loki took.", Account::out);
constexpr auto kDeliveredBytes = metrics::counter("weir_push_delivered_bytes_total", "bytes",
                                                  "Bytes of the lines and the metadata that Loki took.", Account::out);
constexpr auto kDropped = metrics::counter("weir_push_dropped_records_total", "records",
                                           "Records that push did not send, by reason.", Account::dropped, "reason");
constexpr auto kRejected =
    metrics::counter("weir_push_rejected_records_total", "records",
                     "Records that Loki, or a check by its limits, refused for good, by reason.", Account::rejected, "reason");
constexpr auto kPending = metrics::gauge("weir_push_pending_records", "records",
                                         "Records that wait for a request or for its answer.", Account::in_flight);
constexpr auto kLeft = metrics::gauge("weir_push_left_records", "records",
                                      "Records that wait in the spool, since Loki limits their streams.", Account::in_flight);
constexpr auto kLost = metrics::counter("weir_push_lost_records_total", "records",
                                        "Records that went from the spool before they were delivered.", Account::lost);
constexpr auto kRequests = metrics::counter("weir_push_sent_requests_total", "requests", "Push requests that were sent to Loki.");
constexpr auto kRetries = metrics::counter("weir_push_repeated_requests_total", "requests", "Push requests that were sent again.");
constexpr auto kSentBytes =
    metrics::counter("weir_push_sent_bytes_total", "bytes", "Bytes of the compressed requests that Loki took.");
constexpr auto kRepaired =
    metrics::counter("weir_push_repaired_records_total", "records", "Records whose line held bytes that are not UTF-8.");
constexpr auto kRenamed = metrics::counter("weir_push_renamed_records_total", "records",
                                           "Records with metadata that has a name which Loki does not take.");

// Reasons of our own.
constexpr std::string_view kSample = "sample";  // rejected: it is no log line
constexpr std::string_view kSentBefore = "sent_before";
constexpr std::string_view kHeld = "held";
constexpr std::string_view kNotMatched = "not_matched";
constexpr std::string_view kGone = "gone";  // left in the spool, and evicted or unreadable when its turn came

constexpr std::uint64_t kDrainRate = 1 << 20;
constexpr base::Duration kBatchWait = base::kSecond;
// Of one stream in one request where it is sent again after a kill. Loki drops a repeat that it finds in the open block of its
// chunk, which it closes at 256 KiB, so that of a request of S bytes S/512 KiB are kept twice, and all of one of 256 KiB. Old data
// has twice as much.
constexpr std::size_t kTrackedBytes = 32 << 10;
constexpr base::Duration kSpoolJitter = 30 * base::kSecond;
constexpr base::Duration kFilesJitter =
    4 * base::kSecond;  // they are deleted by their kubelet. About a request's turn, so that not all agents begin at once
constexpr base::Duration kFeedEvery = 50 * base::kMillisecond;  // while records are left in the spool
constexpr base::Duration kReadWait = base::kSecond / 2;         // for a spool that is busy, where only a message is at stake
constexpr base::Duration kGaugeEvery = 5 * base::kSecond;       // while a backlog is delivered

constexpr const char* kKeepMore = "a larger --max-size of buffer keeps more; --on-full block loses none";

// What of push depends on where its records come from.
struct Feed {
  bool direct = false;  // nothing stands between the spool and here
  bool follows = true;  // it goes on with what comes
};

// How much a consumer has in front of it in a spool, for messages. Opens the spool when it is asked first, so an outage costs
// nothing before.
class Backlog {
 public:
  Backlog(std::string spool, std::string consumer) : spool_(std::move(spool)), consumer_(std::move(consumer)) {}

  // Records, roughly: what was acknowledged behind the first that was not is counted. Nullopt when the spool cannot be read.
  std::optional<std::uint64_t> count() {
    if (!reader_) {
      auto opened = spool::Reader::open(spool_, kReadWait);
      if (!opened) return std::nullopt;
      reader_ = std::move(*opened);
    }
    const auto acknowledged = reader_->acknowledged(consumer_);
    if (!acknowledged || !*acknowledged) return std::nullopt;
    const spool::BlockPlace before = (*acknowledged)->before();
    const auto blocks = reader_->list({.time = {}, .after = before.block == 0 ? 0 : before.block - 1});
    if (!blocks) return std::nullopt;
    std::uint64_t count = 0;
    for (const spool::BlockInfo& block : *blocks) {
      const std::uint64_t done = block.id == before.block ? before.ordinal : 0;
      count += block.records - std::min<std::uint64_t>(block.records, std::max<std::uint64_t>(done, block.held));
    }
    return count;
  }

 private:
  const std::string spool_, consumer_;
  std::unique_ptr<spool::Reader> reader_;
};

std::string lost_text(std::uint64_t evicted) {
  return fmt::format("{} lost", base::count_of(evicted, "record was evicted from the spool to make room and is",
                                               "records were evicted from the spool to make room and are"));
}

class Push : public pipeline::Stage {
 public:
  Push(const PushSpec& spec, std::optional<logql::LogQuery> match, const pipeline::Context& context, const Feed& feed)
      : spec_(spec),
        match_(std::move(match)),
        context_(context),
        feed_(feed),
        url_(spec.http.base.display()),
        ledger_(url_, *context.clock, *context.diagnostics),
        block_(context.metrics) {}

  // The transport's thread uses everything else.
  ~Push() override { client_.reset(); }

  [[nodiscard]] std::string_view name() const override { return "push"; }

  Result<Flow> consume(Batch& batch, Outlet&) override {
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
    auto due = work(false);
    publish();
    if (!due) return with_losses(std::move(due).error());
    return due;
  }

  [[nodiscard]] base::Duration batch_wait() const override { return spec_.wait.value_or(kBatchWait); }

  Result<Flushed> flush(Outlet&, Monotonic deadline) override {
    if (!pusher_) return Flushed::safe;
    auto drained = drain(deadline);
    publish();
    if (!drained) return std::move(drained).error();
    if (auto stored = ledger_.commit(); !stored) return std::move(stored).error();
    return *drained ? Flushed::safe : Flushed::timed_out;
  }

  Result<void> finish(Outlet&, Monotonic deadline) override {
    auto finished = close(deadline);
    publish();
    return finished;
  }

  [[nodiscard]] Counters counters() const override { return pipeline::counters_of(block_); }

  [[nodiscard]] std::string summary() const override {
    const Counters counted = counters();
    if (!pusher_)
      return counted.records_in == 0 ? "nothing to push: no records came (--check asks whether the target takes some)"
                                     : std::string();
    const double seconds = static_cast<double>(std::max<Monotonic>(1, finished_ - started_)) / static_cast<double>(base::kSecond);
    std::string text = fmt::format("pushed {} ({}) in {}, {:.1f} s", base::count_of(counted.records_out, "record"),
                                   record::print_size(counted.bytes_out), base::count_of(requests_.value(), "request"), seconds);
    if (retries_.value() > 0) text += fmt::format(", {} sent again", base::grouped(retries_.value()));
    if (counted.rejected > 0) {
      text += fmt::format("; {} rejected", base::grouped(counted.rejected));
      const char* separator = " (";
      for (const auto& [reason, count] : counted.rejected_by_reason) {
        if (reason == kSample) continue;
        text += fmt::format("{}{} {}", separator, base::grouped(count), reason);
        separator = ", ";
      }
      if (const auto samples = counted.rejected_by_reason.find(kSample); samples != counted.rejected_by_reason.end())
        text += fmt::format("{}{}", separator, base::count_of(samples->second, kSample));
      text += ")";
    }
    for (const auto& [reason, count] : counted.dropped) {
      if (reason == kGone) continue;  // "evicted before delivery" speaks of them
      std::string words = reason;
      std::ranges::replace(words, '_', ' ');
      text += fmt::format("; {} {}", base::grouped(count), words);
    }
    if (renamed_.value() > 0)
      text += fmt::format("; {} had metadata with a name that Loki does not take (sent as weir_unnamed_…)",
                          base::grouped(renamed_.value()));
    const std::uint64_t left = left_records_.value() - std::min(left_records_.value(), evicted_left_);
    if (left > 0) text += fmt::format("; {} in the spool", base::count_of(left, "waits", "wait"));
    const std::uint64_t evicted = evicted_pending_ + evicted_left_;
    if (evicted > 0) text += fmt::format("; {} evicted before delivery", base::grouped(evicted));
    return text;
  }

 private:
  Result<void> take(Batch& batch) {
    for (Record& record : batch.records) {
      auto taken = record.is_marker() ? take_marker(record) : take(record, batch);
      if (!taken) return taken;
    }
    return {};
  }

  // What happened since the last time goes to the cells.
  void publish() {
    records_in_.reach(in_.records);
    bytes_in_.reach(in_.bytes);
    const std::uint64_t gone = left_ ? left_->gone() : 0;
    for (const auto& [reason, count] : {std::pair(kSentBefore, sent_before_), std::pair(kHeld, held_),
                                        std::pair(kNotMatched, not_matched_), std::pair(kGone, gone)}) {
      if (count > 0) dropped_.at(reason).reach(count);
    }
    if (samples_ > 0) rejected_.at(kSample).reach(samples_);
    lost_.reach((left_ ? left_->lost() : 0) + evicted_pending_ + evicted_left_);
    left_records_.set(left_ ? left_->count() : 0);
    if (!pusher_) return;
    const loki::PusherStats stats = pusher_->stats();
    delivered_.reach(stats.records);
    delivered_bytes_.reach(stats.bytes);
    pending_.set(stats.pending);
    requests_.reach(stats.requests);
    retries_.reach(stats.retries);
    sent_bytes_.reach(stats.sent_bytes);
    repaired_.reach(stats.repaired);
    renamed_.reach(stats.renamed);
    for (const auto& [reason, count] : stats.rejected_by_reason) {
      std::uint64_t& published = published_rejected_[reason];
      rejected_.at(reason).add(count - std::exchange(published, count));
    }
  }

  Result<void> close(Monotonic deadline) {
    if (!pusher_) return ledger_.commit();
    auto drained = drain(deadline);
    finished_ = context_.clock->monotonic();
    client_.reset();
    if (spec_.progress) context_.diagnostics->progress({});
    auto stored = ledger_.commit();
    if (!drained || !*drained) {
      if (auto counted = count_evicted(); !counted) context_.diagnostics->say(counted.error().message);
    }
    if (!drained) return std::move(drained).error();
    if (!stored) return std::move(stored).error();
    if (auto closed = ledger_.close(); !closed) return closed;
    if (*drained) return {};
    const std::string left = pusher_->undelivered();
    if (ledger_.tracks()) {
      const std::uint64_t pending = pusher_->stats().pending;
      if (pending > 0) {
        const std::string again = pending > evicted_pending_
                                      ? fmt::format(": the next start sends {} again", evicted_pending_ == 0 ? "them" : "the rest")
                                      : "";
        context_.diagnostics->say(fmt::format("stopped before Loki had acknowledged {}{}", left, again));
      }
      if (const std::uint64_t evicted = evicted_pending_ + evicted_left_; evicted > 0) {
        // An end with losses, also when a signal asked for it.
        return base::fail(Code::rejected, "cannot deliver all: {}", lost_text(evicted)).with_hint(kKeepMore);
      }
      return {};
    }
    auto error = base::fail(Code::interrupted, "cannot push the rest to {}: stopped; not delivered: {}", url_, left);
    if (ledger_.listens()) return std::move(error).with_hint("they are still in the rejected store");
    return error;
  }

  // What is due besides taking records; when to come again.
  // `more_follows`: the input goes on at once.
  Result<Monotonic> work(bool more_follows) {
    if (left_) {
      if (auto read = read_left(); !read) return std::move(read).error();
    }
    const Monotonic now = context_.clock->monotonic();
    auto due = pusher_->tick(now, more_follows);
    if (!due) return due;
    due = std::min(*due, ledger_.attend(now));
    show_progress();
    if (!left_) return due;
    if (!left_->empty()) due = std::min(*due, base::after(now, kFeedEvery));
    if (gauge_due_ != base::kNever) due = std::min(*due, std::max(now, gauge_due_));
    return due;
  }

  // Sends everything, also what was left in the spool.
  Result<bool> drain(Monotonic deadline) {
    while (left_ && !left_->empty()) {
      if (context_.stop != nullptr && context_.stop->stopped()) break;
      const std::uint64_t before = left_->count();
      if (auto worked = work(false); !worked) return std::move(worked).error();
      const Monotonic now = context_.clock->monotonic();
      if (now >= deadline) return false;
      auto drained = pusher_->drain(std::min(deadline, base::after(now, kFeedEvery)));
      if (!drained) return drained;
      if (*drained && left_->count() == before && !left_->empty()) pause();
    }
    auto drained = pusher_->drain(deadline);
    if (drained && left_ && !left_->empty()) return false;
    return drained;
  }

  // Which of the records that came here and were not delivered the writer of the spool has evicted: nobody sends them again.
  Result<void> count_evicted() {
    evicted_pending_ = evicted_left_ = 0;
    if (reader_ == nullptr || !pusher_) return {};
    std::map<std::uint64_t, std::uint64_t> pending;  // records by block
    pusher_->each_pending([&](loki::PushToken token) { ++pending[ledger_.block_of(token)]; });
    pending.erase(0);
    if (!pending.empty()) {
      auto blocks = reader_->list({.time = {}, .after = pending.begin()->first - 1});
      if (!blocks) return std::move(blocks).error();
      for (const spool::BlockInfo& block : *blocks) pending.erase(block.id);
    }
    for (const auto& [block, records] : pending) evicted_pending_ += records;
    if (!left_) return {};
    auto evicted = left_->evicted();
    if (!evicted) return std::move(evicted).error();
    evicted_left_ = *evicted;
    return {};
  }

  // The same end, with losses when there are any.
  base::Error with_losses(base::Error error) {
    if (error.code != Code::interrupted || !ledger_.tracks()) return error;
    if (auto counted = count_evicted(); !counted) return error;
    const std::uint64_t evicted = evicted_pending_ + evicted_left_;
    if (evicted == 0) return error;
    return base::fail(Code::rejected, "{}; {}", error.message, lost_text(evicted)).with_hint(kKeepMore);
  }

  void pause() {
    struct pollfd stopped = {context_.stop != nullptr ? context_.stop->fd() : -1, POLLIN, 0};
    ::poll(&stopped, 1, static_cast<int>(kFeedEvery / base::kMillisecond));
  }

  // ---- what is left in the spool
  // --------------------------------------------------------------------------------------------------

  Result<void> read_left() {
    if (auto gauged = gauge(); !gauged) return gauged;
    const auto take = [this](Record& record, Batch& batch, loki::PushToken token) -> Result<void> {
      if (!matches(record, batch)) {
        ledger_.settle(token);
        return {};
      }
      ++offered_;
      return pusher_->add_again(record, token);
    };
    while (true) {
      auto more = left_->feed(take);
      if (!more) return std::move(more).error();
      const bool wait = left_->full() || left_->altered();
      if (left_->altered() && !altered_said_) {
        altered_said_ = true;
        pusher_->leave_no_more();
        context_.diagnostics->say(
            "records are changed or dropped between the spool and here, so that none can be left there: a stream that Loki limits "
            "holds up the others");
      }
      if (left_->altered() && left_->read_out()) return left_->take_back(take);
      if (!wait) return {};
      // What comes next has its place behind what was left.
      if (context_.stop != nullptr && context_.stop->stopped()) {
        return base::fail(Code::interrupted, "stopped while streams that Loki limits held up the input");
      }
      auto due = pusher_->tick(context_.clock->monotonic());
      if (!due) return std::move(due).error();
      static_cast<void>(ledger_.attend(context_.clock->monotonic()));
      if (!*more) pause();
    }
  }

  // Keeps the pusher told of what comes in while it delivers a backlog, and of what is one.
  Result<void> gauge() {
    const Monotonic now = context_.clock->monotonic();
    const bool recovered = pusher_->recovered();
    if (!recovered && now < gauge_due_) return {};
    if (!recovered && !pusher_->catching_up()) {
      gauge_due_ = base::kNever;
      return {};
    }
    if (auto looked = gauge_->update(); !looked) return looked;
    pusher_->set_inflow(gauge_->inflow());
    if (recovered) {
      backlog_end_ = gauge_->newest();
      pusher_->backlog_known();
    }
    gauge_due_ = base::after(now, kGaugeEvery);
    return {};
  }

  Result<void> look_behind(const std::string& spool) {
    auto reader = spool::Reader::open(spool);
    if (!reader) return std::move(reader).error();
    reader_ = std::move(*reader);
    gauge_.emplace(*reader_, *context_.clock);
    return gauge_->update();
  }

  // Whether the spool holds something for us from before this start.
  Result<void> begin_backlog() {
    left_.emplace(*reader_, ledger_, *pusher_, *context_.clock, *context_.diagnostics, ledger_.at_start(), feed_.direct);
    auto old = gauge_->has_old(ledger_.at_start().before());
    if (!old) return std::move(old).error();
    if (!*old) return {};
    pusher_->set_inflow(gauge_->inflow());
    pusher_->begin_backlog();
    backlog_end_ = gauge_->newest_old();
    gauge_due_ = 0;
    return {};
  }

  Result<void> take_marker(const Record& record) {
    using Type = record::Marker::Type;
    const record::Marker& marker = *record.marker;
    if (marker.type == Type::rejected) return begin_rejected(marker);
    if (marker.type == Type::begin) {
      if (auto begun = begin(marker); !begun) return begun;
    }
    if (auto seen = ledger_.see_marker(record); !seen) return seen;
    if (marker.type != Type::block || !left_) return {};
    if (record.source.block >= backlog_end_) pusher_->backlog_passed();
    if (auto ended = left_->block_ended(record.source.block); !ended) return ended;
    return left_->altered() || left_->full() ? read_left() : Result<void>();
  }

  // What follows comes out of a rejected store, and leaves it when it is delivered.
  Result<void> begin_rejected(const record::Marker& marker) {
    if (!pusher_ || ledger_.listens()) return ledger_.deliver_again(std::string(marker.checkpoint), marker.spool, context_.stop);
    context_.diagnostics->say(
        fmt::format("other records came before those out of the rejected store of '{}', which therefore keeps them: pushed alone, "
                    "they leave it when they are delivered",
                    marker.checkpoint));
    return {};
  }

  // The stream says who keeps its positions.
  Result<void> begin(const record::Marker& marker) {
    if (pusher_) {
      // A second stream on the same input: what the first one sent must be known before its positions are closed.
      auto drained = drain(base::kNever);
      if (!drained) return std::move(drained).error();
    }
    if (marker.spool != 0) {
      if (!spec_.checkpoint.empty())
        return base::fail(Code::usage, "--checkpoint has no place behind a buffer, whose spool keeps the positions")
            .with_hint("leave --checkpoint out");
      if (!ledger_.tracks()) {
        spool::ConsumerOptions options;
        options.path = marker.checkpoint;
        options.name = spec_.consumer;
        options.spool = marker.spool;
        options.match = spec_.match;
        if (auto opened = ledger_.consume_spool(options, context_.stop); !opened) return opened;
        if (auto looked = look_behind(options.path); !looked) return looked;
        backlog_.emplace(options.path, options.name);
      }
    } else if (spec_.checkpoint.empty() && !marker.checkpoint.empty()) {
      context_.diagnostics->say(
          fmt::format("nothing keeps the positions of this stream: use --checkpoint {}, or a buffer in front", marker.checkpoint));
    }
    return start();
  }

  Result<void> start() {
    if (pusher_) return {};
    if (!spec_.checkpoint.empty() && !ledger_.tracks()) {
      if (auto opened = ledger_.keep_positions(spec_.checkpoint, 30 * base::kSecond, context_.stop); !opened) return opened;
    }
    const bool tracked = ledger_.tracks();
    const bool behind_spool = reader_ != nullptr;
    loki::PusherConfig config;
    config.url = url_;
    config.tenant = spec_.tenant;
    config.limits = spec_.limits;
    config.request_bytes = spec_.batch_bytes;
    config.stream_bytes = std::min(config.stream_bytes, spec_.batch_bytes);
    if (ledger_.listens()) config.calm_bytes = kTrackedBytes;
    config.request_records = spec_.batch_records;
    config.wait = spec_.wait.value_or(behind_spool ? 0 : kBatchWait);
    config.parallel = spec_.parallel;
    config.memory = spec_.memory;
    config.retry.usual = spec_.backoff;
    config.retry.unreachable.base = std::min(config.retry.unreachable.base, spec_.backoff.base);
    config.retry.unreachable.ceiling = std::min(config.retry.unreachable.ceiling, spec_.backoff.ceiling);
    if (tracked) config.catch_up.rate = static_cast<double>(spec_.drain_rate.value_or(feed_.follows ? kDrainRate : 0));
    config.catch_up.jitter = spec_.start_jitter.value_or(behind_spool ? kSpoolJitter : kFilesJitter);
    config.can_leave = behind_spool;
    config.give_up = spec_.give_up.value_or(tracked ? 0 : 5 * base::kMinute);
    config.one_shot = !tracked;
    config.tracked = ledger_.listens();
    config.doubt_clock = gauge_ && gauge_->doubts_clock();
    config.metadata = spec_.metadata;
    config.seed = std::random_device()();
    if (backlog_) config.in_spool = [this] { return backlog_->count(); };
    pusher_ = std::make_unique<loki::Pusher>(std::move(config), *context_.clock, *context_.diagnostics, context_.stop, &ledger_);
    if (behind_spool) {
      if (auto begun = begin_backlog(); !begun) return begun;
    }
    http::AsyncClient::Options options;
    options.max_connections = spec_.parallel;
    options.timer = [this](Monotonic now) {
      const Monotonic retry = pusher_->timer(now);
      return std::min(retry, ledger_.commit_due(now));
    };
    auto client = http::AsyncClient::create(spec_.http, *context_.clock, std::move(options));
    if (!client) {
      left_.reset();
      pusher_.reset();
      return std::move(client).error();
    }
    client_ = std::move(*client);
    pusher_->attach(*client_);
    started_ = finished_ = context_.clock->monotonic();
    return {};
  }

  [[nodiscard]] bool matches(Record& record, Batch& batch) {
    if (!match_ || match_->matches(record, batch)) return true;
    ++not_matched_;
    return false;
  }

  Result<void> take(Record& record, Batch& batch) {
    if (!pusher_) {
      if (auto started = start(); !started) return started;
    }
    auto token = ledger_.see(record);
    if (!token) return std::move(token).error();
    const pipeline::Tally before = in_;
    in_.add(record);
    if (!*token) {
      ++sent_before_;
      return {};
    }
    if (record.sample) {
      ++samples_;
      context_.diagnostics->warn("sample", "a record with `value` is a sample of a metric query and cannot be pushed");
      ledger_.settle(**token);
      return {};
    }
    if (record.held) {
      if (++held_ == 1)
        context_.diagnostics->say("held records are not pushed, and nothing keeps them: put `weir buffer SPOOL` in front of push");
      ledger_.settle(**token);
      return {};
    }
    const bool in_spool = left_ && record.source.kind == record::Source::Kind::block;
    if (in_spool && !left_->empty()) {
      if (const loki::StreamNumber number = left_->find(record); number != 0) {
        left_->note(number, record, batch);
        return {};
      }
    }
    if (!matches(record, batch)) {
      ledger_.settle(**token);
      return {};
    }
    // Where a record came from and why Loki refused it once is no business of Loki's.
    auto added = pusher_->add(record, **token, in_spool && record.source.block <= backlog_end_);
    ++offered_;
    if (!added) {
      // One that came after the end of all is not in the books.
      if (pusher_->stats().taken < offered_) in_ = before;
      return std::move(added).error();
    }
    if (*added == 0) return {};
    --offered_;
    if (!in_spool) return base::fail(Code::bug, "a record was left that cannot be read again");
    ledger_.leave(record, **token);
    left_->note(*added, record, batch);
    return {};
  }

  void show_progress() {
    if (!spec_.progress) return;
    const Monotonic now = context_.clock->monotonic();
    if (now - shown_ < base::kSecond) return;
    const loki::PusherStats stats = pusher_->stats();
    const double seconds = static_cast<double>(std::max<Monotonic>(1, now - started_)) / static_cast<double>(base::kSecond);
    context_.diagnostics->progress(fmt::format(
        "pushed {} ({}, {}/s), {} on the way{}", base::count_of(stats.records, "record"), record::print_size(stats.bytes),
        record::print_size(static_cast<std::uint64_t>(static_cast<double>(stats.bytes) / seconds)), stats.pending,
        stats.rejected > 0 ? fmt::format(", {} rejected", stats.rejected) : ""));
    shown_ = now;
  }

  const PushSpec spec_;
  std::optional<logql::LogQuery> match_;
  const pipeline::Context context_;
  const Feed feed_;
  const std::string url_;
  delivery::DeliveryLedger ledger_;
  std::unique_ptr<loki::Pusher> pusher_;
  std::unique_ptr<spool::Reader> reader_;  // behind a spool, as is all that reads by it
  std::optional<SpoolGauge> gauge_;
  std::optional<delivery::LeftRecords> left_;
  std::optional<Backlog> backlog_;  // asked by the pusher
  std::uint64_t backlog_end_ = 0;   // block
  Monotonic gauge_due_ = base::kNever;
  bool altered_said_ = false;
  std::uint64_t evicted_pending_ = 0, evicted_left_ = 0;  // records, known at the end
  std::unique_ptr<http::AsyncClient> client_;
  pipeline::Tally in_;
  std::uint64_t sent_before_ = 0, held_ = 0, not_matched_ = 0, samples_ = 0;
  std::uint64_t offered_ = 0;  // to the pusher, and not left
  std::map<std::string, std::uint64_t, std::less<>> published_rejected_;
  metrics::Block block_;
  metrics::Counter records_in_ = block_.counter(kRecordsIn), bytes_in_ = block_.counter(kBytesIn);
  metrics::Counter delivered_ = block_.counter(kDelivered), delivered_bytes_ = block_.counter(kDeliveredBytes);
  metrics::Family dropped_ = block_.family(kDropped), rejected_ = block_.family(kRejected);
  metrics::Gauge pending_ = block_.gauge(kPending), left_records_ = block_.gauge(kLeft);
  metrics::Counter lost_ = block_.counter(kLost);
  metrics::Counter requests_ = block_.counter(kRequests), retries_ = block_.counter(kRetries),
                   sent_bytes_ = block_.counter(kSentBytes);
  metrics::Counter repaired_ = block_.counter(kRepaired), renamed_ = block_.counter(kRenamed);
  Monotonic started_ = 0, finished_ = 0, shown_ = 0;
};

// Drives the spool's source into the push stage it owns.
class PushFromSpool : public pipeline::Source {
 public:
  PushFromSpool(std::unique_ptr<pipeline::Source> source, std::unique_ptr<pipeline::Stage> push, const pipeline::Context& context)
      : source_(std::move(source)), context_(context) {
    stages_.push_back(std::move(push));
  }
  Result<void> run(Outlet&, base::Stop& stop) override {
    auto outlet = pipeline::make_outlet(stages_);
    auto ran = source_->run(*outlet, stop);
    const Monotonic deadline = stop.stopped() ? base::after(context_.clock->monotonic(), 10 * base::kSecond) : base::kNever;
    auto finished = stages_.front()->finish(*outlet, deadline);
    if (!ran) return ran;
    return finished;
  }
  [[nodiscard]] Counters counters() const override {
    Counters counters = stages_.front()->counters();
    counters.lost += source_->counters().lost;
    return counters;
  }
  [[nodiscard]] std::string_view name() const override { return "push"; }
  [[nodiscard]] std::string summary() const override { return stages_.front()->summary(); }

 private:
  std::unique_ptr<pipeline::Source> source_;
  std::vector<std::unique_ptr<pipeline::Stage>> stages_;
  const pipeline::Context context_;
};

Result<std::optional<logql::LogQuery>> compile_match(const std::string& text) {
  if (text.empty()) return std::optional<logql::LogQuery>();
  auto query = logql::LogQuery::compile(text, {.selector_optional = true});
  if (!query) return std::move(query).error().within("cannot use --match");
  return std::optional<logql::LogQuery>(std::move(*query));
}

Result<std::unique_ptr<pipeline::Stage>> make(const PushSpec& spec, const pipeline::Context& context, const Feed& feed) {
  if (auto ok = check(spec); !ok) return std::move(ok).error();
  auto match = compile_match(spec.match);
  if (!match) return std::move(match).error();
  return std::unique_ptr<pipeline::Stage>(std::make_unique<Push>(spec, std::move(*match), context, feed));
}

}  // namespace

Result<void> check(const PushSpec& spec) {
  if (spec.parallel < 1 || spec.parallel > 64) return base::fail(Code::usage, "cannot use --parallel {}: 1 to 64", spec.parallel);
  if (spec.batch_bytes < 4096 || spec.batch_bytes > (4 << 20))
    return base::fail(Code::usage, "cannot use --batch-size {}: 4 KiB to 4 MiB, since Loki takes no more in one message",
                      record::print_size(spec.batch_bytes));
  if (spec.batch_records < 1) return base::fail(Code::usage, "cannot use --batch-records 0");
  if (auto match = compile_match(spec.match); !match) return std::move(match).error();
  return {};
}

Result<std::unique_ptr<pipeline::Stage>> make_push(const PushSpec& spec, const pipeline::Context& context) {
  return make(spec, context, {});
}

Result<std::unique_ptr<pipeline::Source>> make_push_from_spool(const PushSpec& spec, SpoolSourceSpec spool,
                                                               const pipeline::Context& context) {
  if (!spec.checkpoint.empty())
    return base::fail(Code::usage, "--checkpoint and --spool exclude each other: the spool keeps the positions");
  auto push = make(spec, context, {.direct = true, .follows = spool.follow});
  if (!push) return std::move(push).error();
  spool.consumer = spec.consumer;
  auto source = make_spool_source(spool, context);
  if (!source) return std::move(source).error();
  return std::unique_ptr<pipeline::Source>(std::make_unique<PushFromSpool>(std::move(*source), std::move(*push), context));
}

}  // namespace weir::stages
