#include "stages/push.h"

#include "logql/log_query.h"
#include "pipeline/chain.h"
#include "record/timestamp.h"
#include "stages/push_ledger.h"

#include <fmt/format.h>

#include <random>

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

std::string count_of(std::uint64_t count, std::string_view noun) {
  // 1234567 -> 1,234,567
  std::string digits = fmt::format("{}", count);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3) digits.insert(static_cast<std::size_t>(at), ",");
  return fmt::format("{} {}{}", digits, noun, count == 1 ? "" : "s");
}

class Push : public pipeline::Stage {
 public:
  Push(const PushSpec& spec, std::optional<logql::LogQuery> match, const pipeline::Context& context)
      : spec_(spec), match_(std::move(match)), context_(context), url_(spec.http.base.display()),
        ledger_(url_, *context.clock, *context.diagnostics) {}

  // The transport's thread uses everything else.
  ~Push() override { client_.reset(); }

  [[nodiscard]] std::string_view name() const override { return "push"; }

  Result<Flow> consume(Batch& batch, Outlet&) override {
    for (Record& record : batch.records) {
      auto taken = record.is_marker() ? take_marker(record) : take(record, batch);
      if (!taken) return std::move(taken).error();
    }
    if (pusher_) {
      auto due = pusher_->tick(context_.clock->monotonic());
      if (!due) return std::move(due).error();
      show_progress();
    }
    return Flow::more;
  }

  Result<Monotonic> nudge(Monotonic now, Outlet&) override {
    if (!pusher_) return base::kNever;
    auto due = pusher_->tick(now);
    show_progress();
    return due;
  }

  Result<Flushed> flush(Outlet&, Monotonic deadline) override {
    if (!pusher_) return Flushed::safe;
    auto drained = pusher_->drain(deadline);
    if (!drained) return std::move(drained).error();
    if (auto stored = ledger_.commit(); !stored) return std::move(stored).error();
    return *drained ? Flushed::safe : Flushed::timed_out;
  }

  Result<void> finish(Outlet&, Monotonic deadline) override {
    if (!pusher_) return ledger_.commit();
    auto drained = pusher_->drain(deadline);
    finished_ = context_.clock->monotonic();
    client_.reset();
    if (spec_.progress) context_.diagnostics->progress({});
    auto stored = ledger_.commit();
    if (!drained) return std::move(drained).error();
    if (!stored) return std::move(stored).error();
    if (*drained) return {};
    const std::string left = pusher_->undelivered();
    if (ledger_.tracks()) {
      context_.diagnostics->say(fmt::format("stopped before Loki had acknowledged {}: the next start sends them again", left));
      return {};
    }
    return base::fail(Code::interrupted, "cannot push the rest to {}: stopped; not delivered: {}", url_, left);
  }

  [[nodiscard]] Counters counters() const override {
    Counters counters = counters_;
    if (!pusher_) return counters;
    const loki::PusherStats stats = pusher_->stats();
    counters.records_out = stats.records;
    counters.bytes_out = stats.bytes;
    counters.rejected += stats.rejected;
    return counters;
  }

  [[nodiscard]] std::string summary() const override {
    if (!pusher_) return counters_.records_in == 0 ? "nothing to push: no records came" : std::string();
    const loki::PusherStats stats = pusher_->stats();
    const double seconds = static_cast<double>(std::max<Monotonic>(1, finished_ - started_)) / static_cast<double>(base::kSecond);
    std::string text = fmt::format("pushed {} ({}) in {}, {:.1f} s", count_of(stats.records, "record"), record::print_size(stats.bytes),
                                   count_of(stats.requests, "request"), seconds);
    if (stats.retries > 0) text += fmt::format(", {} sent again", stats.retries);
    const std::uint64_t rejected = stats.rejected + counters_.rejected;
    if (rejected > 0) {
      text += fmt::format("; {} rejected", rejected);
      const char* separator = " (";
      for (const auto& [reason, count] : stats.rejected_by_reason) {
        text += fmt::format("{}{} {}", separator, count, reason);
        separator = ", ";
      }
      if (counters_.rejected > 0) text += fmt::format("{}{} sample", separator, counters_.rejected);
      text += ")";
    }
    for (const auto& [reason, count] : counters_.dropped) text += fmt::format("; {} {}", count, reason);
    return text;
  }

 private:
  Result<void> take_marker(const Record& record) {
    if (record.marker->type == record::Marker::Type::begin) {
      if (auto begun = begin(*record.marker); !begun) return begun;
    }
    return ledger_.see_marker(record);
  }

  // The stream says who keeps its positions.
  Result<void> begin(const record::Marker& marker) {
    if (pusher_) {
      // A second stream on the same input: what the first one sent must be known before its positions are closed.
      auto drained = pusher_->drain(base::kNever);
      if (!drained) return std::move(drained).error();
    }
    if (marker.spool != 0) {
      if (!spec_.checkpoint.empty())
        return base::fail(Code::usage, "--checkpoint has no place behind a buffer, whose spool keeps the positions").with_hint("leave --checkpoint out");
      if (!ledger_.tracks()) {
        spool::ConsumerOptions options;
        options.path = marker.checkpoint;
        options.name = spec_.consumer;
        options.spool = marker.spool;
        options.match = spec_.match;
        if (auto opened = ledger_.consume_spool(options, context_.stop); !opened) return opened;
        behind_spool_ = true;
      }
    } else if (spec_.checkpoint.empty() && !marker.checkpoint.empty()) {
      context_.diagnostics->say(fmt::format("nothing keeps the positions of this stream: use --checkpoint {}, or a buffer in front", marker.checkpoint));
    }
    return start();
  }

  Result<void> start() {
    if (pusher_) return {};
    if (!spec_.checkpoint.empty() && !ledger_.tracks()) {
      if (auto opened = ledger_.keep_positions(spec_.checkpoint, 30 * base::kSecond, context_.stop); !opened) return opened;
    }
    const bool tracked = ledger_.tracks();
    loki::PusherConfig config;
    config.url = url_;
    config.tenant = spec_.tenant;
    config.limits = spec_.limits;
    config.request_bytes = spec_.batch_bytes;
    config.stream_bytes = std::min(config.stream_bytes, spec_.batch_bytes);
    config.request_records = spec_.batch_records;
    config.wait = spec_.wait.value_or(behind_spool_ ? 0 : base::kSecond);
    config.parallel = spec_.parallel;
    config.give_up = spec_.give_up.value_or(tracked ? 0 : 5 * base::kMinute);
    config.one_shot = !tracked;
    config.tracked = tracked;
    config.metadata = spec_.metadata;
    config.seed = std::random_device()();
    pusher_ = std::make_unique<loki::Pusher>(std::move(config), *context_.clock, *context_.diagnostics, context_.stop, &ledger_);
    http::AsyncClient::Options options;
    options.max_connections = spec_.parallel;
    options.timer = [this](Monotonic now) {
      const Monotonic retry = pusher_->timer(now);
      return std::min(retry, ledger_.commit_due(now));
    };
    auto client = http::AsyncClient::create(spec_.http, *context_.clock, std::move(options));
    if (!client) {
      pusher_.reset();
      return std::move(client).error();
    }
    client_ = std::move(*client);
    pusher_->attach(*client_);
    started_ = finished_ = context_.clock->monotonic();
    return {};
  }

  Result<void> take(Record& record, Batch& batch) {
    if (!pusher_) {
      if (auto started = start(); !started) return started;
    }
    auto token = ledger_.see(record);
    if (!token) return std::move(token).error();
    ++counters_.records_in;
    counters_.bytes_in += record.line.data.size();
    if (!*token) {
      ++counters_.dropped["sent before"];
      return {};
    }
    if (record.sample) {
      ++counters_.rejected;
      context_.diagnostics->warn("sample", "a record with `value` is a sample of a metric query and cannot be pushed");
      ledger_.settle(**token);
      return {};
    }
    if (record.held) {
      if (++counters_.dropped["held"] == 1)
        context_.diagnostics->say("held records are not pushed: `weir replay SPOOL --held` passes them without their mark");
      ledger_.settle(**token);
      return {};
    }
    if (match_ && !match_->matches(record, batch)) {
      ++counters_.dropped["not matched"];
      ledger_.settle(**token);
      return {};
    }
    // Where a record came from and why Loki refused it once is no business of Loki's.
    auto added = pusher_->add(record, **token);
    if (!added) return std::move(added).error();
    return {};
  }

  void show_progress() {
    if (!spec_.progress) return;
    const Monotonic now = context_.clock->monotonic();
    if (now - shown_ < base::kSecond) return;
    const loki::PusherStats stats = pusher_->stats();
    const double seconds = static_cast<double>(std::max<Monotonic>(1, now - started_)) / static_cast<double>(base::kSecond);
    context_.diagnostics->progress(fmt::format("pushed {} ({}, {}/s), {} on the way{}", count_of(stats.records, "record"),
                                               record::print_size(stats.bytes),
                                               record::print_size(static_cast<std::uint64_t>(static_cast<double>(stats.bytes) / seconds)),
                                               stats.pending, stats.rejected > 0 ? fmt::format(", {} rejected", stats.rejected) : ""));
    shown_ = now;
  }

  const PushSpec spec_;
  std::optional<logql::LogQuery> match_;
  const pipeline::Context context_;
  const std::string url_;
  DeliveryLedger ledger_;
  std::unique_ptr<loki::Pusher> pusher_;
  std::unique_ptr<http::AsyncClient> client_;
  Counters counters_;
  bool behind_spool_ = false;
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

}  // namespace

Result<void> check(const PushSpec& spec) {
  if (spec.parallel < 1 || spec.parallel > 64) return base::fail(Code::usage, "cannot use --parallel {}: 1 to 64", spec.parallel);
  if (spec.batch_bytes < 4096 || spec.batch_bytes > (4 << 20))
    return base::fail(Code::usage, "cannot use --batch-size {}: 4 KiB to 4 MiB, since Loki takes no more in one message", record::print_size(spec.batch_bytes));
  if (spec.batch_records < 1) return base::fail(Code::usage, "cannot use --batch-records 0");
  if (auto match = compile_match(spec.match); !match) return std::move(match).error();
  return {};
}

Result<std::unique_ptr<pipeline::Stage>> make_push(const PushSpec& spec, const pipeline::Context& context) {
  if (auto ok = check(spec); !ok) return std::move(ok).error();
  auto match = compile_match(spec.match);
  if (!match) return std::move(match).error();
  return std::unique_ptr<pipeline::Stage>(std::make_unique<Push>(spec, std::move(*match), context));
}

Result<std::unique_ptr<pipeline::Source>> make_push_from_spool(const PushSpec& spec, SpoolSourceSpec spool, const pipeline::Context& context) {
  if (!spec.checkpoint.empty()) return base::fail(Code::usage, "--checkpoint and --spool exclude each other: the spool keeps the positions");
  auto push = make_push(spec, context);
  if (!push) return std::move(push).error();
  spool.consumer = spec.consumer;
  auto source = make_spool_source(spool, context);
  if (!source) return std::move(source).error();
  return std::unique_ptr<pipeline::Source>(std::make_unique<PushFromSpool>(std::move(*source), std::move(*push), context));
}

}  // namespace weir::stages
