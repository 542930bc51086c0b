#include "stages/context_answer.h"

#include "logql/log_query.h"
#include "logql/parser.h"
#include "logql/printer.h"
#include "loki/query_pager.h"
#include "scan/spool_scan.h"
#include "stages/answer_source.h"
#include "stages/context_lines.h"
#include "stages/query_metrics.h"
#include "stages/unmatched.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>

namespace weir::stages {

using base::Code;
using base::fail;
using base::Result;
using base::Timestamp;
using logql::LogQuery;
using pipeline::Context;
using pipeline::Flow;
using pipeline::Outlet;
using record::Batch;
using record::Label;
using record::LabelSet;
using record::LabelSetRef;
using record::Record;

namespace {

constexpr std::size_t kMatchesAtOnce = 5000;  // of a Loki, whose surroundings are asked for together

class SpoolContext : public AnswerSource {
 public:
  SpoolContext(QuerySpec query, const ContextSpec& around, LogQuery matcher, const Context& context)
      : AnswerSource(std::move(query), context), around_(around), matcher_(std::move(matcher)) {}

  Result<void> run(Outlet& out, base::Stop& stop) override {
    auto result = groups(out, stop);
    progress_.end();
    unreadable_.add(damage_.unreadable());
    if (result && stop.stopped()) return fail(Code::interrupted, "interrupted while reading {}", spools_in_words(spec_.spools));
    finished_ = result.ok();
    if (finished_ && shown() == 0) explain_nothing(spec_.spools, spec_.range, damage_.unreadable());
    return result;
  }

 private:
  Result<void> groups(Outlet& out, base::Stop& stop) {
    Begin first = {.time = spec_.range.from};
    if (spec_.limit > 0 && !spec_.forward) {
      auto begin = first_of_the_newest(stop);
      if (!begin) return std::move(begin).error();
      if (!*begin) return {};
      first = **begin;
    }
    const std::string selector = matcher_.expr().matchers.empty() ? "" : logql::print_selector(matcher_.expr().matchers);
    auto scan = open_scan(spec_, selector, spec_.range, damage_);
    if (!scan) return std::move(scan).error();
    watch(**scan, stop);
    (*scan)->keep_as_stored();
    ContextLines lines(around_.before, around_.after, [&](Batch& batch) -> Result<bool> {
      const auto flow = emit(out, batch);
      if (!flow) return flow.error();
      return *flow == Flow::more;
    });
    bool wanted = true;
    auto result = (*scan)->run([&](Batch& batch) -> Result<bool> {
      for (Record& record : batch.records) {
        const bool enough = spec_.forward && spec_.limit > 0 && lines.matches() >= spec_.limit;
        if (enough && lines.open() == 0) return false;
        bool matches = !enough && record.timestamp >= first.time && matcher_.matches(record, batch);
        if (matches && record.timestamp == first.time && first.skip > 0) {
          --first.skip;
          matches = false;
        }
        const auto more = lines.add(batch, record, matches);
        if (!more) return more.error();
        wanted = *more;
        if (!wanted) return false;
      }
      return !stop.stopped();
    });
    if (!result || !wanted) return result;
    const auto rest = lines.finish();
    return rest ? Result<void>() : Result<void>(rest.error());
  }

  // Where the newest `limit` matches begin: at the first record of this time that matches, behind `skip` others.
  struct Begin {
    Timestamp time = 0;
    std::uint64_t skip = 0;
  };

  // nullopt: nothing matches.
  Result<std::optional<Begin>> first_of_the_newest(base::Stop& stop) {
    auto scan = open_scan(spec_, spec_.logql, spec_.range, damage_);
    if (!scan) return std::move(scan).error();
    watch(**scan, stop);
    auto older = (*scan)->keep_newest(spec_.limit);
    if (!older) return std::move(older).error();
    more_ = *older;
    std::optional<Begin> first;
    std::uint64_t taken = 0;  // of those at the first time
    if (auto result = count_first(**scan, first, taken); !result) return std::move(result).error();
    if (!first || !more_) return first;
    auto all = open_scan(spec_, spec_.logql, {first->time, first->time + 1}, damage_);
    if (!all) return std::move(all).error();
    watch(**all, stop);
    if (auto result = count_first(**all, first, first->skip); !result) return std::move(result).error();
    first->skip -= std::min(first->skip, taken);
    return first;
  }

  // Counts the records at the first time that the scan gives.
  static Result<void> count_first(scan::SpoolScan& scan, std::optional<Begin>& first, std::uint64_t& count) {
    return scan.run([&](Batch& batch) -> Result<bool> {
      for (const Record& record : batch.records) {
        if (!first) first = Begin{.time = record.timestamp};
        if (record.timestamp != first->time) return false;
        ++count;
      }
      return true;
    });
  }

  void watch(scan::SpoolScan& scan, base::Stop& stop) {
    scan.watch([&](const scan::SpoolScan::Work& work) {
      show_progress(work.done, work.all, work.done, shown());
      return !stop.stopped();
    });
  }

  const ContextSpec around_;
  LogQuery matcher_;
  scan::Damage damage_{*context_.diagnostics};  // of all scans
  metrics::Counter unreadable_ = block_.counter(kQueryUnreadableBlocks);
};

class LokiContext : public AnswerSource {
 public:
  LokiContext(QuerySpec query, const ContextSpec& around, LogQuery matcher, const Context& context)
      : AnswerSource(std::move(query), context), around_(around), matcher_(std::move(matcher)) {}

  // Makes its client and the source of the matches, once, before run().
  Result<void> open() {
    auto config = spec_.loki;
    config.http.cancelled = [this] { return context_.stop != nullptr && context_.stop->stopped(); };
    auto client = loki::QueryClient::create(std::move(config), *context_.clock, *context_.diagnostics, context_.stop);
    if (!client) return std::move(client).error();
    client_ = std::move(*client);
    auto uncounted = context_;
    uncounted.metrics = nullptr;
    uncounted.driver = nullptr;
    auto matches = make_query(spec_, uncounted);
    if (!matches) return std::move(matches).error();
    matches_ = std::move(*matches);
    return {};
  }

  Result<void> run(Outlet& out, base::Stop& stop) override {
    Gather gather(*this, out);
    ContextLines lines(around_.before, around_.after, [&](Batch& batch) -> Result<bool> {
      const auto flow = emit(out, batch);
      if (!flow) return flow.error();
      return *flow == Flow::more;
    });
    lines_ = &lines;
    auto result = matches_->run(gather, stop);
    if (!result) return result;
    summary_ = matches_->summary();
    if (ended_) return {};
    if (spec_.limit > 0 && !spec_.forward && gathered_ >= spec_.limit) {
      if (auto skipped = skip_older(); !skipped) return skipped;
    }
    const auto more = surround();
    if (!more) return more.error();
    say_incomplete(incomplete_);
    finished_ = true;
    return {};
  }

  // What the limit left out, or why nothing was found.
  [[nodiscard]] std::string summary() const override { return summary_; }
  [[nodiscard]] pipeline::Counters counters() const override {
    pipeline::Counters counters = AnswerSource::counters();
    counters.lost += matches_->counters().lost + incomplete_;
    return counters;
  }

 private:
  // Takes the matches.
  class Gather : public Outlet {
   public:
    Gather(LokiContext& owner, Outlet& out) : owner_(owner), out_(out) {}
    Result<Flow> emit(Batch& batch) override {
      for (const Record& record : batch.records) {
        ++owner_.found_[owner_.log_of(*record.labels)][record.timestamp].count;
        ++owner_.gathered_;
      }
      // With a limit, what matches beyond it is context: all matches are to be known before any of it is read.
      if (owner_.gathered_ < kMatchesAtOnce || owner_.spec_.limit > 0) return Flow::more;
      const auto more = owner_.surround();
      if (!more) return more.error();
      owner_.ended_ = !*more;
      return *more ? Flow::more : Flow::done;
    }
    Result<base::Monotonic> nudge(base::Monotonic now) override { return out_.nudge(now); }
    Result<pipeline::Flushed> flush(base::Monotonic deadline) override { return out_.flush(deadline); }

   private:
    LokiContext& owner_;
    Outlet& out_;
  };

  // The selector of the log. Stdout and stderr belong together.
  [[nodiscard]] static std::string log_of(const LabelSet& labels) {
    std::vector<logql::MatcherExpr> matchers;
    for (const Label& label : labels.labels()) {
      if (label.name != "stream") matchers.push_back({std::string(label.name), logql::MatchOp::equal, std::string(label.value)});
    }
    return logql::print_selector(matchers);
  }

  // Matches of the answer at one time of a log, in front of which are `skip` that the limit left out.
  struct Matches {
    std::uint64_t count = 0, skip = 0;
  };

  // The limit may have cut between records of one time: counts those in front of the cut.
  Result<void> skip_older() {
    Timestamp first = base::TimeRange::kForever;
    for (const auto& [log, times] : found_) first = std::min(first, times.begin()->first);
    loki::QueryPager pager(*client_, spec_.logql, {first, first + 1}, loki::Direction::forward);
    std::map<std::string, std::uint64_t> all;
    for (;;) {
      Batch batch;
      const auto more = next_of(pager, batch);
      if (!more) return more.error();
      if (!*more) break;
      for (const Record& record : batch.records) ++all[log_of(*record.labels)];
    }
    for (auto& [log, times] : found_) {
      if (const auto here = times.find(first); here != times.end())
        here->second.skip = all[log] - std::min(all[log], here->second.count);
    }
    return {};
  }

  bool is_match(const std::string& log, Record& record, Batch& batch) {
    if (!matcher_.matches(record, batch)) return false;
    if (spec_.limit == 0) return true;
    auto& times = found_[log];
    const auto here = times.find(record.timestamp);
    if (here == times.end()) return false;
    Matches& those = here->second;
    const bool skipped = those.skip > 0;
    std::uint64_t& left = skipped ? those.skip : those.count;
    if (left == 0) return false;
    --left;
    return !skipped;
  }

  // Asks for what is around the matches that were gathered, and emits it in the order of time. False: no more are wanted.
  Result<bool> surround() {
    for (const auto& [log, times] : found_) {
      for (const auto& [time, unused] : times) {
        if (const auto read = read_to_.find(log); read != read_to_.end() && time < read->second) continue;
        const auto more = around(log, time);
        if (!more || !*more) return more;
      }
    }
    found_.clear();
    gathered_ = 0;
    return lines_->finish();
  }

  // Reads the log from before the match until its group is complete.
  Result<bool> around(const std::string& log, Timestamp match) {
    Timestamp& read_to = read_to_.try_emplace(log, spec_.range.from).first->second;
    auto begin = begin_of(log, {read_to, match}, match);
    if (!begin) return std::move(begin).error();
    if (const auto labels = known_.find(log); labels != known_.end() && *begin > read_to) lines_->skip(*labels->second);
    loki::QueryPager pager(
        *client_, log, {*begin, spec_.range.to}, loki::Direction::forward,
        {.first_page = static_cast<std::uint32_t>(std::min<std::size_t>(around_.before + around_.after + 20, 1000))});
    read_to = std::max(read_to, *begin);
    auto more = read_on(pager, log, match, read_to);
    incomplete_ += pager.incomplete();
    return more;
  }

  Result<bool> read_on(loki::QueryPager& pager, const std::string& log, Timestamp match, Timestamp& read_to) {
    for (;;) {
      Batch batch;
      const auto more = next_of(pager, batch);
      if (!more) return more.error();
      if (!*more) break;
      for (Record& record : batch.records) {
        if (!known_.contains(log)) known_[log] = LabelSetRef::share(record.labels);
        const auto wanted = lines_->add(batch, record, is_match(log, record, batch));
        if (!wanted || !*wanted) return wanted;
      }
      if (batch.records.empty() || pager.within_timestamp()) continue;
      read_to = batch.records.back().timestamp + 1;
      if (read_to > match && !lines_->is_open(*known_[log])) return true;
    }
    read_to = spec_.range.to;
    return true;
  }

  // Where the records begin that may belong in front of the match. One more page than needed does no harm.
  Result<Timestamp> begin_of(const std::string& log, const base::TimeRange& window, Timestamp match) {
    if (around_.before == 0 || window.from >= window.to) return match;
    loki::QueryPager pager(*client_, log, window, loki::Direction::backward,
                           {.first_page = static_cast<std::uint32_t>(std::min<std::size_t>(around_.before + 2, 1000))});
    std::size_t count = 0;
    for (;;) {
      Batch batch;
      const auto more = next_of(pager, batch);
      if (!more) return more.error();
      if (!*more) return window.from;
      count += batch.records.size();
      if (count >= around_.before && !pager.within_timestamp()) return batch.records.front().timestamp;
    }
  }

  Result<bool> next_of(loki::QueryPager& pager, Batch& batch) const {
    const metrics::Wait waits(context_.driver, metrics::On::loki);
    return pager.next(batch);
  }

  const ContextSpec around_;
  LogQuery matcher_;
  std::unique_ptr<loki::QueryClient> client_;
  std::unique_ptr<pipeline::Source> matches_;
  ContextLines* lines_ = nullptr;                              // of run()
  std::map<std::string, std::map<Timestamp, Matches>> found_;  // by the selector of their log
  std::size_t gathered_ = 0;
  std::map<std::string, Timestamp> read_to_;  // of each log
  std::map<std::string, LabelSetRef> known_;  // some labels of each log
  std::uint64_t incomplete_ = 0;              // times of which Loki does not give all entries
  std::string summary_;
  bool ended_ = false;
};

bool changes_labels(const logql::LogExpr& expr) {
  return std::any_of(expr.stages.begin(), expr.stages.end(), [](const logql::StageExpr& stage) {
    return std::holds_alternative<logql::LabelFormatExpr>(stage.node) ||
           std::holds_alternative<logql::LabelSelectionExpr>(stage.node);
  });
}

template <typename Answer>
Result<std::unique_ptr<pipeline::Source>> made(std::unique_ptr<Answer> answer) {
  return std::unique_ptr<pipeline::Source>(std::move(answer));
}

}  // namespace

Result<std::unique_ptr<pipeline::Source>> make_context(const QuerySpec& query, const ContextSpec& around, const Context& context) {
  auto matcher = LogQuery::compile(query.logql, {.selector_optional = true});
  if (!matcher) return std::move(matcher).error();
  if (!query.spools.empty()) return made(std::make_unique<SpoolContext>(query, around, std::move(*matcher), context));
  if (changes_labels(matcher->expr())) {
    return fail(Code::usage, "cannot show the context of a query with label_format, drop or keep")
        .with_hint("leave these stages out: with context, records are shown as they are stored");
  }
  auto answer = std::make_unique<LokiContext>(query, around, std::move(*matcher), context);
  if (auto opened = answer->open(); !opened) return std::move(opened).error();
  return made(std::move(answer));
}

}  // namespace weir::stages
