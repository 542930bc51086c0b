#include "stages/loki_answer.h"

#include "logql/advice.h"
#include "logql/log_query.h"
#include "logql/metric_query.h"
#include "logql/parser.h"
#include "loki/query_pager.h"
#include "record/json.h"
#include "stages/answer_source.h"
#include "stages/query_metrics.h"
#include "stages/unmatched.h"

#include <algorithm>
#include <deque>

namespace weir::stages {

using base::Code;
using base::fail;
using base::Result;
using base::Timestamp;
using pipeline::Context;
using pipeline::Flow;
using pipeline::Outlet;
using record::Batch;
using record::Record;

namespace {

constexpr std::uint64_t kFirstPage = 1000;   // entries of the first request; their size is not known yet
constexpr std::size_t kKeptBytes = 8 << 20;  // of the newest records that are kept while older ones are read
constexpr std::size_t kOneBatch = 4 << 20;   // bytes of records that are shown as one batch, with one header for all

class LokiAnswer : public AnswerSource {
 public:
  LokiAnswer(QuerySpec spec, const Context& context) : AnswerSource(std::move(spec), context) {}

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
  using AnswerSource::show_progress;
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
    std::string why;
    if (spec_.what != QuerySpec::What::labels || spec_.label.empty()) {
      why = explain_nothing_in_loki(**client, spec_.logql, reads(), context_.clock->wall());
    } else if (auto names = (*client)->labels(window(), {}); names) {
      why = explain_no_values(spec_.label, std::move(*names));
    }
    if (!why.empty()) return why;
    if (is_metric()) return "no sample in this time";
    return spec_.when_empty.empty() ? nothing_in(window()) : std::string();
  }

  [[nodiscard]] bool is_metric() const {
    if (spec_.what != QuerySpec::What::records) return false;
    const auto parsed = logql::parse(spec_.logql);
    return parsed && !parsed->is_log();
  }

  // The time of the records that the answer depends on: a metric query reads as far back as its ranges reach.
  [[nodiscard]] base::TimeRange reads() const {
    if (!is_metric()) return window();
    const base::Timestamp from = spec_.instant ? spec_.range.to : spec_.range.from;
    const auto query = logql::MetricQuery::compile(spec_.logql, {from, spec_.range.to, base::kMinute}, spec_.instant, {});
    return query ? (*query)->reads() : window();
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
      default:
        break;
    }
    if (spec_.instant) {
      Batch batch;
      auto got = client_->instant(spec_.logql, spec_.range.to, batch);
      if (!got) {
        add_hint(got.error());
        return got;
      }
      // Loki's frontend gives a scalar another time than was asked for.
      for (Record& record : batch.records) record.timestamp = spec_.range.to / base::kMillisecond * base::kMillisecond;
      return batch.records.empty() ? Result<void>() : from_batch(out, batch);
    }
    auto result = spec_.limit > 0 && !spec_.forward ? newest(out) : from_the_oldest(out, window(), 0);
    if (!result && result.error().code == base::Code::config) add_hint(result.error());
    if (result && shown() == 0) report_suspect_query();
    if (result) say_incomplete(incomplete_.value());
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
      for (std::string& name : *names) name = record::json_string(name);
    }
    return emit_lines(out, *names);
  }

  // Reads page by page and leaves out the first `skip` records.
  Result<void> from_the_oldest(Outlet& out, const base::TimeRange& window, std::uint64_t skip) {
    loki::QueryPager pager(*client_, spec_.logql, window, loki::Direction::forward, pages({}));
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
                           pages({.first_page = static_cast<std::uint32_t>(std::min(spec_.limit, kFirstPage) + 2)}));
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

  [[nodiscard]] loki::QueryPager::Options pages(loki::QueryPager::Options options) const {
    if (spec_.page > 0) options.max_page = spec_.page;
    return options;
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
  metrics::Counter incomplete_ = block_.counter(kQueryIncomplete);
  base::Duration whole_ = 0;  // the time that is searched
  std::uint64_t covered_ = 0;
  pipeline::Tally seen_;
};

}  // namespace

// Loki decides about syntax that weir's parser does not know.
Result<void> check_for_loki(const QuerySpec& spec) {
  if (spec.what != QuerySpec::What::records) return {};
  constexpr logql::ParserOptions options = {.selector_optional = true};
  const auto parsed = logql::parse_expr(spec.logql, options);
  const auto* error = std::get_if<logql::ParseError>(&parsed);
  if (error != nullptr && !logql::advise(spec.logql, *error, options).text.empty()) {
    return base::Error(logql::parse(spec.logql, options).error());
  }
  const auto begin = spec.logql.find_first_not_of(" \t\r\n");
  const auto strict = logql::parse_expr(spec.logql, {});
  const auto* missing = std::get_if<logql::ParseError>(&strict);
  if (error == nullptr && missing != nullptr && missing->line > 0 && std::get<logql::Expr>(parsed).is_log() == false) {
    return fail(Code::config, "cannot query Loki: a range of the query has no stream selector")
        .with_hint(std::string(loki::kNeedsSelector));
  }
  if (error != nullptr || begin == std::string::npos || (spec.logql[begin] != '|' && spec.logql[begin] != '!')) return {};
  return fail(Code::config, "cannot query Loki: the query begins with a filter").with_hint(std::string(loki::kNeedsSelector));
}

Result<std::unique_ptr<pipeline::Source>> make_loki_answer(const QuerySpec& spec, const Context& context) {
  if (auto good = check_for_loki(spec); !good) return std::move(good).error();
  auto answer = std::make_unique<LokiAnswer>(spec, context);
  if (auto opened = answer->open(); !opened) return std::move(opened).error();
  return std::unique_ptr<pipeline::Source>(std::move(answer));
}

}  // namespace weir::stages
