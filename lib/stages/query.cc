#include "stages/query.h"

#include "base/count.h"
#include "logql/advice.h"
#include "logql/log_query.h"
#include "logql/parser.h"
#include "logql/printer.h"
#include "loki/query_pager.h"
#include "record/json.h"
#include "record/timestamp.h"
#include "scan/spool_scan.h"
#include "show/progress.h"
#include "stages/metric_answer.h"
#include "stages/query_metrics.h"
#include "stages/unmatched.h"

#include <algorithm>
#include <deque>
#include <set>

namespace weir::stages {

using base::Code;
using base::fail;
using base::Result;
using base::Timestamp;
using metrics::Account;
using pipeline::Context;
using pipeline::Counters;
using pipeline::Flow;
using pipeline::Outlet;
using record::Batch;
using record::Label;
using record::LabelSet;
using record::LabelSetRef;
using record::Record;

namespace {

using record::json_string;

constexpr auto kRecordsIn =
    metrics::counter("weir_query_answer_records_total", "records", "Records of the answer, up to the limit.", Account::in);
constexpr auto kBytesIn =
    metrics::counter("weir_query_answer_bytes_total", "bytes", "Bytes of the lines of the answer.", Account::in);
constexpr auto kRecordsOut =
    metrics::counter("weir_query_output_records_total", "records", "Records that query passed on.", Account::out);
constexpr auto kBytesOut =
    metrics::counter("weir_query_output_bytes_total", "bytes", "Bytes of the lines that query passed on.", Account::out);
constexpr auto kIncomplete = metrics::counter("weir_query_incomplete_timestamps_total", "timestamps",
                                              "Timestamps for which Loki does not give all entries.", Account::lost);

constexpr std::uint64_t kFirstPage = 1000;   // entries of the first request; their size is not known yet
constexpr std::size_t kKeptBytes = 8 << 20;  // of the newest records that are kept while older ones are read
constexpr std::size_t kOneBatch = 4 << 20;   // bytes of records that are shown as one batch, with one header for all

std::string printed(const LabelSet& set) {
  std::string text = "{";
  for (const Label& label : set.labels()) {
    if (text.size() > 1) text += ", ";
    (text += label.name) += "=\"";
    for (const char c : label.value) {
      if (c == '"' || c == '\\') text += '\\';
      if (c == '\n') {
        text += "\\n";
      } else {
        text += c;
      }
    }
    text += '"';
  }
  return text + '}';
}

// What a query of Loki and a query of a spool have in common.
class Query : public pipeline::Source {
 public:
  Query(QuerySpec spec, const Context& context)
      : spec_(std::move(spec)), context_(context), block_(context.metrics, context.driver) {}

  [[nodiscard]] std::string_view name() const override { return "query"; }
  [[nodiscard]] Counters counters() const override { return pipeline::counters_of(block_); }
  [[nodiscard]] std::string summary() const override {
    if (shown() == 0 && finished_) return why_.empty() ? spec_.when_empty : why_;
    if (!more_) return {};
    return fmt::format("only the {} {} shown; there are {} (--limit 0 shows all)", spec_.forward ? "oldest" : "newest",
                       base::count_of(spec_.limit, "record is", "records are"), spec_.forward ? "later ones" : "older ones");
  }

 protected:
  Result<Flow> emit(Outlet& out, Batch& batch) {
    const pipeline::Tally tally = pipeline::tally_of(batch);
    records_in_.add(tally.records);
    bytes_in_.add(tally.bytes);
    records_out_.add(tally.records);
    bytes_out_.add(tally.bytes);
    return out.emit(batch);
  }

  // `done` of `all` is searched; `found`: records so far.
  void show_progress(std::uint64_t done, std::uint64_t all, std::uint64_t bytes, std::uint64_t found) {
    if (!progress_.due()) return;
    progress_.show(
        {.bytes = bytes, .done = done, .all = all, .also = found == 0 ? "" : base::count_of(found, "record") + " found"});
  }

  // Records that were passed on.
  [[nodiscard]] std::uint64_t shown() const { return records_out_.value(); }

  Result<void> emit_lines(Outlet& out, const std::vector<std::string>& lines) {
    Batch batch;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      Record record;
      record.timestamp = context_.clock->wall();
      record.labels = batch.hold(LabelSet::empty());
      record.line = record::Text::bytes(batch.copy(lines[i]));
      batch.records.push_back(record);
      if (batch.records.size() < 1000 && i + 1 < lines.size()) continue;
      const auto flow = emit(out, batch);
      if (!flow) return flow.error();
      if (*flow == Flow::done) return {};
      batch.clear();
    }
    return {};
  }

  Result<void> emit_series(Outlet& out, const std::vector<LabelSetRef>& series) {
    std::vector<std::string> lines;
    for (const LabelSetRef& set : series) lines.push_back(spec_.json ? std::string(set->json()) : printed(*set));
    return emit_lines(out, lines);
  }

  // Emits a batch of forward reading, up to the limit. False: no more records are wanted.
  Result<bool> emit_up_to_limit(Outlet& out, Batch& batch) {
    const bool samples = !batch.records.empty() && batch.records.front().sample;
    if (spec_.limit > 0 && !samples) {
      const std::uint64_t left = spec_.limit - std::min(spec_.limit, shown());
      if (batch.records.size() > left) {
        batch.records.resize(left);
        more_ = true;
      }
    }
    if (!batch.records.empty()) {
      const auto flow = emit(out, batch);
      if (!flow) return flow.error();
      if (*flow == Flow::done) return false;
    }
    return !more_;
  }

  const QuerySpec spec_;
  const Context context_;
  metrics::Block block_;
  metrics::Counter records_in_ = block_.counter(kRecordsIn), bytes_in_ = block_.counter(kBytesIn);
  metrics::Counter records_out_ = block_.counter(kRecordsOut), bytes_out_ = block_.counter(kBytesOut);
  show::Progress progress_{"searched", *context_.diagnostics, *context_.clock};
  bool more_ = false;  // the limit left records out
  bool finished_ = false;
  std::string why_;  // why nothing was found
};

class LokiQuery : public Query {
 public:
  LokiQuery(QuerySpec spec, const Context& context) : Query(std::move(spec), context) {}

  // Makes its client, once, before run().
  Result<void> open() {
    auto config = spec_.loki;
    config.http.cancelled = [this] {
      show_progress();
      return context_.stop != nullptr && context_.stop->stopped();
    };
    auto client = loki::QueryClient::create(std::move(config), *context_.clock, *context_.diagnostics, context_.stop);
    if (!client) return std::move(client).error();
    client_ = std::move(*client);
    return {};
  }

  Result<void> run(Outlet& out, base::Stop&) override {
    auto result = answer(out);
    progress_.end();
    finished_ = result.ok();
    if (finished_ && shown() == 0) why_ = explain_nothing();
    return result;
  }

 private:
  using Query::show_progress;
  [[nodiscard]] base::TimeRange window() const { return spec_.range; }

  // What a page has brought. The newest records are enough when there are `limit` of them, however much of the time is left.
  void note(const loki::QueryPager& pager, const Batch& page) {
    if (!progress_.on()) return;
    const pipeline::Tally tally = pipeline::tally_of(page);
    seen_.records += tally.records;
    seen_.bytes += tally.bytes;
    covered_ = static_cast<std::uint64_t>(std::max<base::Duration>(0, whole_ - pager.left()));
    show_progress();
  }
  void show_progress() {
    std::uint64_t done = covered_;
    if (spec_.limit > 0 && whole_ > 0) {
      const double share = static_cast<double>(std::min(seen_.records, spec_.limit)) / static_cast<double>(spec_.limit);
      done = std::max(done, static_cast<std::uint64_t>(share * static_cast<double>(whole_)));
    }
    show_progress(done, static_cast<std::uint64_t>(whole_), seen_.bytes, seen_.records);
  }

  // An explanation is not worth a long wait: one short attempt for each request.
  [[nodiscard]] std::string explain_nothing() const {
    constexpr base::Duration kPatience = 5 * base::kSecond;
    auto config = spec_.loki;
    config.attempts = 1;
    config.http.timeout = std::min(config.http.timeout, kPatience);
    const auto client = loki::QueryClient::create(std::move(config), *context_.clock, *context_.diagnostics, context_.stop);
    if (!client) return {};
    if (spec_.what != QuerySpec::What::labels || spec_.label.empty())
      return explain_nothing_in_loki(**client, spec_.logql, window());
    auto names = (*client)->labels(window(), {});
    return names ? explain_no_values(spec_.label, std::move(*names)) : std::string();
  }

  Result<void> answer(Outlet& out) {
    switch (spec_.what) {
      case QuerySpec::What::labels:
        return labels(out);
      case QuerySpec::What::series: {
        auto series = client_->series(window(), spec_.logql);
        if (!series) return std::move(series).error();
        return emit_series(out, *series);
      }
      case QuerySpec::What::records:
        break;
    }
    auto result = spec_.limit > 0 && !spec_.forward ? newest(out) : from_the_oldest(out, window(), 0);
    if (!result && result.error().code == base::Code::config) add_hint(result.error());
    if (result && shown() == 0) report_suspect_query();
    if (result && incomplete_.value() > 0) {
      context_.diagnostics->say(
          fmt::format("at {} there are more equal entries than Loki gives in one answer: some of them are missing",
                      base::count_of(incomplete_.value(), "timestamp")));
    }
    return result;
  }

  // Adds where the mistake is and what was probably meant. Loki says only what it refuses; weir's own parser knows the rest.
  void add_hint(base::Error& error) const {
    auto parsed = logql::parse(spec_.logql);
    if (!parsed && error.hint.empty()) error.hint = std::move(parsed).error().hint;
  }

  // For a stage that cannot be built, such as a wrong regular expression, Loki gives no entries and no error while the records are
  // still in its ingesters.
  void report_suspect_query() {
    const auto query = logql::LogQuery::compile(spec_.logql, {});
    if (query || query.error().text.empty()) return;  // it can be parsed, whatever else is wrong
    base::Error error = query.error();
    error.message = "Loki gave no entries; the query may be why: " + error.message;
    context_.diagnostics->report(error);
  }

  Result<void> labels(Outlet& out) {
    auto names =
        spec_.label.empty() ? client_->labels(window(), spec_.logql) : client_->label_values(spec_.label, window(), spec_.logql);
    if (!names) return std::move(names).error();
    if (spec_.json) {
      for (std::string& name : *names) name = json_string(name);
    }
    return emit_lines(out, *names);
  }

  // Reads page by page and leaves out the first `skip` records.
  Result<void> from_the_oldest(Outlet& out, const base::TimeRange& window, std::uint64_t skip) {
    loki::QueryPager pager(*client_, spec_.logql, window, loki::Direction::forward);
    pager.set_step(spec_.step);
    whole_ = pager.left();
    covered_ = 0;
    seen_ = {};
    const bool limited = spec_.limit > 0 && spec_.forward;
    Batch batch;
    for (;;) {
      batch.clear();
      if (limited) pager.expect_at_most(spec_.limit + 1 - shown());
      const auto more = next_of(pager, batch);
      incomplete_.reach(std::max(incomplete_.value(), pager.incomplete()));
      if (!more) return more.error();
      if (!*more) return {};
      note(pager, batch);
      const std::uint64_t left_out = std::min<std::uint64_t>(skip, batch.records.size());
      batch.records.erase(batch.records.begin(), batch.records.begin() + static_cast<std::ptrdiff_t>(left_out));
      skip -= left_out;
      if (limited) {
        const auto wanted = emit_up_to_limit(out, batch);
        if (!wanted) return wanted.error();
        if (!*wanted) return {};
      } else if (!batch.records.empty()) {
        const auto flow = emit(out, batch);
        if (!flow) return flow.error();
        if (*flow == Flow::done) return {};
      }
    }
  }

  // Reads backwards until there are enough records, and emits them. When they take too much memory, it only counts on, and then
  // reads forwards from where the newest records begin.
  Result<void> newest(Outlet& out) {
    loki::QueryPager pager(*client_, spec_.logql, window(), loki::Direction::backward,
                           {.first_page = static_cast<std::uint32_t>(std::min(spec_.limit, kFirstPage) + 2)});
    pager.set_step(spec_.step);
    whole_ = pager.left();
    std::deque<Batch> kept;  // the oldest in front
    std::size_t kept_bytes = 0;
    bool keeping = true;
    std::uint64_t seen = 0;
    Timestamp begin = spec_.range.to;  // of the newest `limit` once there are as many
    std::uint64_t from_begin = 0;      // how many entries begin there or later
    bool enough = false;
    for (;;) {
      Batch batch;
      if (seen <= spec_.limit) pager.expect_at_most(spec_.limit + 1 - seen);
      const auto next = next_of(pager, batch);
      incomplete_.reach(std::max(incomplete_.value(), pager.incomplete()));
      if (!next) return next.error();
      if (!*next) break;
      note(pager, batch);
      if (batch.records.front().sample) return from_batch(out, batch);
      for (auto record = batch.records.rbegin(); record != batch.records.rend() && (!enough || record->timestamp == begin);
           ++record) {
        ++from_begin;
        begin = record->timestamp;
        enough = from_begin >= spec_.limit;
      }
      seen += batch.records.size();
      if (keeping) {
        kept_bytes += batch.bytes();
        kept.push_front(std::move(batch));
        keeping = kept_bytes <= kKeptBytes || kept.size() == 1;
        if (!keeping) kept.clear();
      }
      if (seen > spec_.limit && !pager.within_timestamp()) break;
    }
    more_ = seen > spec_.limit;
    if (!keeping) return from_the_oldest(out, {begin, spec_.range.to}, from_begin - std::min(from_begin, spec_.limit));
    std::uint64_t skip = seen - std::min(seen, spec_.limit);
    if (kept_bytes <= kOneBatch) merge(kept);
    for (Batch& batch : kept) {
      const std::uint64_t left_out = std::min<std::uint64_t>(skip, batch.records.size());
      batch.records.erase(batch.records.begin(), batch.records.begin() + static_cast<std::ptrdiff_t>(left_out));
      skip -= left_out;
      if (batch.records.empty()) continue;
      const auto flow = emit(out, batch);
      if (!flow) return flow.error();
      if (*flow == Flow::done) return {};
    }
    return {};
  }

  static void merge(std::deque<Batch>& batches) {
    while (batches.size() > 1) {
      for (const Record& record : batches[1].records) batches[0].add_copy(record);
      batches.erase(batches.begin() + 1);
    }
  }

  Result<void> from_batch(Outlet& out, Batch& batch) {
    const auto flow = emit(out, batch);
    if (!flow) return flow.error();
    return {};
  }

  Result<bool> next_of(loki::QueryPager& pager, Batch& batch) const {
    const metrics::Wait waits(context_.driver, metrics::On::loki);
    return pager.next(batch);
  }

  std::unique_ptr<loki::QueryClient> client_;
  metrics::Counter incomplete_ = block_.counter(kIncomplete);
  base::Duration whole_ = 0;  // the time that is searched
  std::uint64_t covered_ = 0;
  pipeline::Tally seen_;
};

class SpoolQuery : public Query {
 public:
  SpoolQuery(QuerySpec spec, const Context& context, std::unique_ptr<scan::SpoolScan> scan)
      : Query(std::move(spec), context), scan_(std::move(scan)) {}

  Result<void> run(Outlet& out, base::Stop& stop) override {
    auto result = spec_.what == QuerySpec::What::records ? records(out, stop) : streams(out);
    progress_.end();
    unreadable_.add(scan_->unreadable_blocks());
    finished_ = result.ok();
    if (finished_ && shown() == 0) {
      why_ = explain_nothing_in_spool(spec_.spool, spec_.logql, spec_.range, context_.clock->wall());
      if (why_.empty() && !spec_.label.empty()) why_ = explain_no_values(spec_.label, names_);
    }
    return result;
  }

 private:
  Result<void> records(Outlet& out, const base::Stop& stop) {
    bool interrupted = false;
    scan_->watch([&](const scan::SpoolScan::Work& work) {
      show_progress(work.done, work.all, work.done, shown());
      interrupted = interrupted || stop.stopped();
      return !interrupted;
    });
    if (spec_.limit > 0 && !spec_.forward) {
      const auto older = scan_->keep_newest(spec_.limit);
      if (!older) return older.error();
      more_ = *older;
    }
    if (interrupted) return fail(Code::interrupted, "interrupted while reading {}", spec_.spool);
    auto result = scan_->run([&](Batch& batch) -> Result<bool> {
      interrupted = stop.stopped();
      if (interrupted) return false;
      if (spec_.forward) return emit_up_to_limit(out, batch);
      const auto flow = emit(out, batch);
      if (!flow) return flow.error();
      return *flow == Flow::more;
    });
    if (result && interrupted) return fail(Code::interrupted, "interrupted while reading {}", spec_.spool);
    return result;
  }

  Result<void> streams(Outlet& out) {
    auto series = scan_->series();
    if (!series) return std::move(series).error();
    if (spec_.what == QuerySpec::What::series) return emit_series(out, *series);
    std::set<std::string> names;
    for (const LabelSetRef& set : *series) {
      for (const Label& label : set->labels()) {
        if (!spec_.label.empty()) names_.emplace_back(label.name);
        if (spec_.label.empty()) {
          names.emplace(label.name);
        } else if (label.name == spec_.label) {
          names.emplace(label.value);
        }
      }
    }
    std::vector<std::string> lines(names.begin(), names.end());
    if (spec_.json)
      std::transform(lines.begin(), lines.end(), lines.begin(), [](const std::string& name) { return json_string(name); });
    return emit_lines(out, lines);
  }

  std::unique_ptr<scan::SpoolScan> scan_;
  metrics::Counter unreadable_ = block_.counter(kQueryUnreadableBlocks);
  std::vector<std::string> names_;  // of the labels there are, where the values of one were asked for
};

// Finds mistakes without asking Loki. Loki decides about syntax that weir's parser does not know.
Result<void> check_logql(const QuerySpec& spec) {
  if (spec.what != QuerySpec::What::records) return {};
  constexpr logql::ParserOptions options = {.selector_optional = true};
  const auto parsed = logql::parse_expr(spec.logql, options);
  const auto* error = std::get_if<logql::ParseError>(&parsed);
  if (error != nullptr && !logql::advise(spec.logql, *error, options).text.empty()) {
    return base::Error(logql::parse(spec.logql, options).error());
  }
  const auto begin = spec.logql.find_first_not_of(" \t\r\n");
  if (error != nullptr || begin == std::string::npos || (spec.logql[begin] != '|' && spec.logql[begin] != '!')) return {};
  return fail(Code::config, "cannot query Loki: the query begins with a filter").with_hint(std::string(loki::kNeedsSelector));
}

// A number alone is a mistake more often than a metric query: somebody meant to search for it.
bool is_metric_query(const QuerySpec& spec) {
  if (spec.what != QuerySpec::What::records) return false;
  const auto parsed = logql::parse(spec.logql, {.selector_optional = true});
  if (!parsed || parsed->is_log()) return false;
  return !std::holds_alternative<logql::Literal>(parsed->node) || spec.logql.find_first_not_of(" 0123456789.") != std::string::npos;
}

}  // namespace

Result<std::unique_ptr<pipeline::Source>> make_query(const QuerySpec& spec, const Context& context) {
  if (!spec.spool.empty()) {
    if (is_metric_query(spec)) return make_spool_metric(spec, context);
    auto scan = scan::SpoolScan::open(spec.spool, spec.logql, spec.range, *context.diagnostics);
    if (!scan) return std::move(scan).error();
    return std::unique_ptr<pipeline::Source>(std::make_unique<SpoolQuery>(spec, context, std::move(*scan)));
  }
  if (auto good = check_logql(spec); !good) return std::move(good).error();
  auto query = std::make_unique<LokiQuery>(spec, context);
  if (auto opened = query->open(); !opened) return std::move(opened).error();
  return std::unique_ptr<pipeline::Source>(std::move(query));
}

}  // namespace weir::stages
