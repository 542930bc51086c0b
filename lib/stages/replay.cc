#include "stages/replay.h"

#include "base/count.h"
#include "delivery/spool_stream.h"
#include "logql/log_query.h"
#include "record/jsonl_reader.h"
#include "record/timestamp.h"
#include "scan/spool_scan.h"
#include "show/progress.h"
#include "spool/reader.h"
#include "spool/rejected_store.h"
#include "stages/unmatched.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <vector>

namespace weir::stages {
namespace {

using base::Result;
using metrics::Account;
using pipeline::Flow;

constexpr auto kRecordsIn = metrics::counter("weir_replay_read_records_total", "records",
                                             "Records of the spool that were selected for replay.", Account::in);
constexpr auto kBytesIn =
    metrics::counter("weir_replay_read_bytes_total", "bytes", "Bytes of the lines that were selected for replay.", Account::in);
constexpr auto kRecordsOut =
    metrics::counter("weir_replay_output_records_total", "records", "Records that replay passed on.", Account::out);
constexpr auto kBytesOut =
    metrics::counter("weir_replay_output_bytes_total", "bytes", "Bytes of the lines that replay passed on.", Account::out);
constexpr auto kWaiting =
    metrics::gauge("weir_replay_waiting_records", "records", "Records that wait for their time (--speed).", Account::in_flight);
constexpr auto kUnreadable =
    metrics::counter("weir_replay_unreadable_blocks_total", "blocks", "Blocks of the spool that could not be read.", Account::lost);

constexpr std::size_t kRejectedAtOnce = 256;

class Replay : public pipeline::Source {
 public:
  Replay(const ReplaySpec& spec, const pipeline::Context& context, std::unique_ptr<scan::SpoolScan> scan, logql::LogQuery query)
      : spec_(spec), context_(context), scan_(std::move(scan)), query_(std::move(query)), block_(context.metrics, context.driver) {}

  Result<void> run(pipeline::Outlet& out, base::Stop& stop) override {
    auto result = replay(out, stop);
    progress_.end();
    unreadable_.add(scan_->unreadable_blocks());
    if (result && records_out_.value() == 0 && !stop.stopped()) why_ = explain_nothing();
    return result;
  }

 private:
  // The wanted states come first: labels and times do not explain them.
  [[nodiscard]] std::string explain_nothing() const {
    std::string states;
    const bool all = spec_.delivered && spec_.undelivered;
    for (const auto& [wanted, name] :
         {std::pair(spec_.delivered && !all, "delivered"), std::pair(spec_.undelivered && !all, "undelivered"),
          std::pair(spec_.held && !all, "held"), std::pair(spec_.rejected, "rejected")}) {
      if (wanted) states += (states.empty() ? "" : " or ") + std::string(name);
    }
    if (spec_.rejected) return fmt::format("no record is {}", states);
    if (scan_->unreadable_blocks() > 0) return "nothing in what could be read of the spool";
    std::string why = explain_nothing_in_spools({&spec_.spool, 1}, spec_.query, spec_.range, context_.clock->wall());
    return why.empty() && !states.empty() ? fmt::format("no record is {}", states) : why;
  }

  Result<void> replay(pipeline::Outlet& out, base::Stop& stop) {
    out_ = &out;
    stop_ = &stop;
    if (spec_.rejected) {
      auto announced = announce_rejected(out);
      if (!announced) return std::move(announced).error();
      if (!*announced) return {};
    }
    const bool plain = !spec_.delivered && !spec_.undelivered && !spec_.held && !spec_.rejected;
    const bool delivered = plain || spec_.delivered, undelivered = plain || spec_.undelivered;
    if (delivered || undelivered || spec_.held) {
      scan_->keep_as_stored();
      if (spec_.gaps) scan_->keep_gaps();
      scan_->take_blocks([this, delivered, undelivered](const spool::BlockInfo& block) {
        return (spec_.held && block.held > 0) || ((delivered || undelivered) && block.held < block.records);
      });
      scan_->take_states([this, delivered, undelivered](spool::State state) {
        if (state == spool::State::undelivered) return undelivered;
        if (state == spool::State::held) return spec_.held;
        return state == spool::State::delivered && delivered;
      });
      scan_->watch([this](const scan::SpoolScan::Work& work) {
        work_ = work;
        show_progress();
        ended_ = ended_ || stop_->stopped();
        return !ended_;
      });
      auto done = scan_->run([this](record::Batch& batch) { return give(batch); });
      if (!done) return done;
    }
    if (spec_.rejected && !ended_) return give_rejected();
    return {};
  }

 public:
  [[nodiscard]] pipeline::Counters counters() const override { return pipeline::counters_of(block_); }
  [[nodiscard]] std::string_view name() const override { return "replay"; }
  [[nodiscard]] std::string summary() const override {
    if (records_out_.value() > 0)
      return fmt::format("replayed {}, {}", base::count_of(records_out_.value(), "record"), record::print_size(bytes_out_.value()));
    return why_.empty() ? "nothing is replayed: no record matches" : "nothing is replayed: " + why_;
  }

 private:
  // Emits the marker that names the rejected store. It comes first, because push has to know the store from the start. False: end.
  Result<bool> announce_rejected(pipeline::Outlet& out) {
    auto reader = spool::Reader::open(spec_.spool);
    if (!reader) return std::move(reader).error();
    auto any = (*reader)->rejected(0, 1, [](const spool::Reader::RejectedEntry&) {});
    if (!any) return std::move(any).error();
    if (*any == 0) {
      auto ranges = (*reader)->rejected_ranges(0);
      if (!ranges) return std::move(ranges).error();
      if (ranges->empty()) return true;
    }
    record::Batch batch;
    delivery::append_rejected(batch, std::filesystem::absolute(spec_.spool).lexically_normal().string(), (*reader)->spool());
    auto flow = out.emit(batch);
    if (!flow) return std::move(flow).error();
    return *flow != Flow::done;
  }

  // False: end.
  Result<bool> give(record::Batch& batch) {
    pipeline::Tally tally;
    for (record::Record& record : batch.records) {
      record.held = false;
      if (record.source.kind != record::Source::Kind::rejected) record.source = {};
      record.touch();
      tally.add(record);
    }
    records_in_.add(tally.records);
    bytes_in_.add(tally.bytes);
    waiting_.set(waiting_.value() + tally.records);
    if (spec_.speed <= 0) return emit(batch);

    // Emits the records that are due in one batch, then waits until the next is due.
    std::vector<record::Record> all;
    all.swap(batch.records);
    for (std::size_t next = 0; next < all.size();) {
      const base::Monotonic now = context_.clock->monotonic();
      if (!started_) {
        started_ = true;
        start_ = now;
        first_ = all[next].timestamp;
      }
      const std::size_t from = next;
      while (next < all.size() && due(all[next].timestamp) <= now) ++next;
      if (next > from) {
        batch.records.assign(all.begin() + static_cast<std::ptrdiff_t>(from), all.begin() + static_cast<std::ptrdiff_t>(next));
        auto more = emit(batch);
        if (!more || !*more) return more;
      }
      if (next < all.size()) {
        auto more = wait_until(due(all[next].timestamp));
        if (!more || !*more) return more;
      }
    }
    return true;
  }

  void show_progress() {
    if (!progress_.due()) return;
    progress_.show({.records = records_out_.value(), .bytes = bytes_out_.value(), .done = work_.done, .all = work_.all});
  }

  [[nodiscard]] base::Monotonic due(base::Timestamp time) const {
    const double later = static_cast<double>(time - first_) / spec_.speed;
    return base::after(start_, later < 9e18 ? static_cast<base::Duration>(later) : base::kNever);
  }

  Result<bool> wait_until(base::Monotonic deadline) {
    const base::Clock& clock = *context_.clock;
    for (base::Monotonic now = clock.monotonic(); now < deadline; now = clock.monotonic()) {
      auto next = out_->nudge(now);
      if (!next) return std::move(next).error();
      std::array<pollfd, 2> inputs = {{{stop_->fd(), POLLIN, 0}, {out_->wake_fd(), POLLIN, 0}}};
      {
        const metrics::Wait waits(context_.driver, metrics::On::pace);
        ::poll(inputs.data(), inputs.size(), base::poll_timeout(now, std::min({*next, deadline, progress_.next()})));
      }
      show_progress();
      if (stop_->stopped()) return !(ended_ = true);
    }
    return true;
  }

  Result<bool> emit(record::Batch& batch) {
    if (spec_.retime) {
      char text[40];
      for (record::Record& record : batch.records) {
        const std::size_t size = record::print_rfc3339(record.timestamp, text);
        set_metadata(batch, record, "weir_original_timestamp", {text, size});
        // Each record gets a time of its own, so that the order stays and Loki takes none for a repeat.
        latest_ = std::max(latest_ + 1, context_.clock->wall());
        record.timestamp = latest_;
      }
    }
    const pipeline::Tally tally = pipeline::tally_of(batch);
    records_out_.add(tally.records);
    bytes_out_.add(tally.bytes);
    waiting_.set(waiting_.value() - tally.records);
    auto flow = out_->emit(batch);
    if (!flow) return std::move(flow).error();
    show_progress();
    ended_ = *flow == Flow::done || stop_->stopped();
    return !ended_;
  }

  Result<void> give_rejected() {
    auto reader = spool::Reader::open(spec_.spool);
    if (!reader) return std::move(reader).error();
    record::JsonlReader json(*context_.clock);
    record::Batch batch;
    std::uint64_t after = 0;
    while (true) {
      batch.records.clear();
      batch.clear();
      auto last = (*reader)->rejected(after, kRejectedAtOnce, [&](const spool::Reader::RejectedEntry& entry) {
        const std::size_t before = batch.records.size();
        static_cast<void>(json.parse(batch.copy(entry.record), batch));
        if (batch.records.size() > before)
          batch.records.back().source = record::Source::in_rejected((*reader)->spool(), entry.number);
      });
      if (!last) return std::move(last).error();
      if (*last == 0) return give_rejected_in_place(**reader, batch);
      after = *last;
      auto more = give_wanted(batch);
      if (!more) return std::move(more).error();
      if (!*more) return {};
    }
  }

  Result<bool> give_wanted(record::Batch& batch) {
    std::erase_if(batch.records, [&](record::Record& record) {
      return !spec_.range.contains(record.timestamp) || !query_.selects(*record.labels) || !query_.matches(record, batch);
    });
    return give(batch);
  }

  // Emits the rejected records that stay in their blocks, block by block.
  Result<void> give_rejected_in_place(spool::Reader& reader, record::Batch& batch) {
    std::uint64_t after = 0;
    while (true) {
      auto ranges = reader.rejected_ranges(after);
      if (!ranges) return std::move(ranges).error();
      if (ranges->empty()) return {};
      after = ranges->front().block;
      batch.records.clear();
      batch.clear();
      auto loaded = reader.load(after, {}, batch);
      if (!loaded && loaded.error().code == base::Code::corrupt) {
        context_.diagnostics->say(loaded.error().message);
        unreadable_.add(1);
        continue;
      }
      if (!loaded) return std::move(loaded).error();
      std::erase_if(batch.records, [&](record::Record& record) { return !name_range(reader, *ranges, batch, record); });
      auto more = give_wanted(batch);
      if (!more) return std::move(more).error();
      if (!*more) return {};
    }
  }

  // Sets the record's `rejected` object from its range. False: the record is in no range.
  static bool name_range(spool::Reader& reader, const std::vector<spool::Reader::RejectedRange>& ranges, record::Batch& batch,
                         record::Record& record) {
    const std::uint32_t ordinal = record.source.ordinal;
    const auto range = std::ranges::find_if(ranges, [&](const auto& one) { return one.ordinals.contains(ordinal); });
    if (range == ranges.end()) return false;
    auto* extra = batch.make<record::Extra>();
    if (record.extra != nullptr) *extra = *record.extra;
    extra->rejected =
        batch.copy(delivery::rejected_object({range->status, range->reason, range->url, range->tenant, {}}, range->time));
    record.extra = extra;
    record.source = record::Source::in_rejected(reader.spool(), spool::number_of_place({range->block, ordinal}));
    return true;
  }

  ReplaySpec spec_;
  pipeline::Context context_;
  std::unique_ptr<scan::SpoolScan> scan_;
  logql::LogQuery query_;
  pipeline::Outlet* out_ = nullptr;
  base::Stop* stop_ = nullptr;
  show::Progress progress_{"replayed", *context_.diagnostics, *context_.clock};
  scan::SpoolScan::Work work_;
  bool ended_ = false;
  bool started_ = false;
  base::Monotonic start_ = 0;
  base::Timestamp first_ = 0, latest_ = 0;
  metrics::Block block_;
  metrics::Counter records_in_ = block_.counter(kRecordsIn), bytes_in_ = block_.counter(kBytesIn);
  metrics::Counter records_out_ = block_.counter(kRecordsOut), bytes_out_ = block_.counter(kBytesOut);
  metrics::Gauge waiting_ = block_.gauge(kWaiting);
  metrics::Counter unreadable_ = block_.counter(kUnreadable);
  std::string why_;  // why nothing was found
};

}  // namespace

Result<std::unique_ptr<pipeline::Source>> make_replay(const ReplaySpec& spec, const pipeline::Context& context) {
  auto query = logql::LogQuery::compile(spec.query, {.selector_optional = true});
  if (!query) return std::move(query).error();
  auto scan = scan::SpoolScan::open(spec.spool, spec.query, spec.range, *context.diagnostics);
  if (!scan) return std::move(scan).error();
  return std::unique_ptr<pipeline::Source>(std::make_unique<Replay>(spec, context, std::move(*scan), std::move(*query)));
}

}  // namespace weir::stages
