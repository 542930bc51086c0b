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
#include <set>

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

constexpr std::size_t kMatchesAtOnce = 5000;      // of a Loki, whose surroundings are asked for together
constexpr std::size_t kSortedBytes = 8UL << 20U;  // of groups that are brought into the order of time

class SpoolContext : public AnswerSource {
 public:
  SpoolContext(QuerySpec query, const ContextSpec& around, LogQuery matcher, const Context& context)
      : AnswerSource(std::move(query), context), around_(around), matcher_(std::move(matcher)) {}

  Result<void> run(Outlet& out, base::Stop& stop) override {
    auto result = groups(out, stop);
    progress_.end();
    if (result && stop.stopped()) return fail(Code::interrupted, "interrupted while reading {}", spec_.spools.front());
    finished_ = result.ok();
    if (finished_ && shown() == 0) why_ = explain_nothing_in_spools(spec_.spools, spec_.logql, spec_.range, context_.clock->wall());
    return result;
  }

 private:
  Result<void> groups(Outlet& out, base::Stop& stop) {
    Timestamp first = spec_.range.from;
    if (spec_.limit > 0 && !spec_.forward) {
      auto begin = first_of_the_newest(stop);
      if (!begin) return std::move(begin).error();
      if (!*begin) return {};
      first = **begin;
    }
    const std::string selector = matcher_.expr().matchers.empty() ? "" : logql::print_selector(matcher_.expr().matchers);
    auto scan = scan::SpoolScan::open(spec_.spools, selector, spec_.range, *context_.diagnostics);
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
        if (enough && lines.waiting() == 0) return wanted = false;
        const bool matches = !enough && record.timestamp >= first && matcher_.matches(record, batch);
        const auto more = lines.add(batch, record, matches);
        if (!more) return more.error();
        wanted = *more;
        if (!wanted) return false;
      }
      return !stop.stopped();
    });
    unreadable_.add((*scan)->unreadable_blocks());
    if (!result || !wanted) return result;
    const auto rest = lines.finish();
    return rest ? Result<void>() : Result<void>(rest.error());
  }

  // When the newest `limit` matches begin; nullopt: nothing matches.
  Result<std::optional<Timestamp>> first_of_the_newest(base::Stop& stop) {
    auto scan = scan::SpoolScan::open(spec_.spools, spec_.logql, spec_.range, *context_.diagnostics);
    if (!scan) return std::move(scan).error();
    watch(**scan, stop);
    auto older = (*scan)->keep_newest(spec_.limit);
    if (!older) return std::move(older).error();
    more_ = *older;
    std::optional<Timestamp> first;
    auto result = (*scan)->run([&](Batch& batch) -> Result<bool> {
      first = batch.records.front().timestamp;
      return false;
    });
    if (!result) return std::move(result).error();
    return first;
  }

  void watch(scan::SpoolScan& scan, base::Stop& stop) {
    scan.watch([&](const scan::SpoolScan::Work& work) {
      show_progress(work.done, work.all, work.done, shown());
      return !stop.stopped();
    });
  }

  const ContextSpec around_;
  LogQuery matcher_;
  metrics::Counter unreadable_ = block_.counter(kQueryUnreadableBlocks);
};

class LokiContext : public AnswerSource {
 public:
  LokiContext(QuerySpec query, const ContextSpec& around, LogQuery matcher, const Context& context)
      : AnswerSource(std::move(query), context), around_(around), matcher_(std::move(matcher)) {}

  // Makes its client and the source of the matches, once, before run().
  Result<void> open() {
    auto client = loki::QueryClient::create(spec_.loki, *context_.clock, *context_.diagnostics, context_.stop);
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
    ContextLines lines(around_.before, around_.after, [&](Batch& batch) { return take(out, batch); });
    lines_ = &lines;
    auto result = matches_->run(gather, stop);
    if (!result) return result;
    summary_ = matches_->summary();
    if (ended_) return {};
    const auto more = surround(out);
    if (!more) return more.error();
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
        owner_.found_[owner_.log_of(*record.labels)].insert(record.timestamp);
        ++owner_.gathered_;
      }
      if (owner_.gathered_ < kMatchesAtOnce) return Flow::more;
      const auto more = owner_.surround(out_);
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

  // Asks for what is around the matches that were gathered, and emits it in the order of time. False: no more are wanted.
  Result<bool> surround(Outlet& out) {
    for (const auto& [log, times] : found_) {
      for (const Timestamp time : times) {
        if (const auto read = read_to_.find(log); read != read_to_.end() && time < read->second) continue;
        const auto more = around(log, time);
        if (!more || !*more) return more;
      }
    }
    found_.clear();
    gathered_ = 0;
    auto more = lines_->finish();
    if (!more || !*more) return more;
    return give(out);
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
        const auto wanted = lines_->add(batch, record, matcher_.matches(record, batch));
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

  Result<bool> take(Outlet& out, Batch& batch) {
    bytes_ += batch.bytes();
    groups_.push_back(std::move(batch));
    batch = Batch();
    return bytes_ > kSortedBytes ? give(out) : Result<bool>(true);
  }

  Result<bool> give(Outlet& out) {
    std::stable_sort(groups_.begin(), groups_.end(),
                     [](const Batch& a, const Batch& b) { return a.records.front().timestamp < b.records.front().timestamp; });
    for (Batch& group : groups_) {
      const auto flow = emit(out, group);
      if (!flow) return flow.error();
      if (*flow == Flow::done) return false;
    }
    groups_.clear();
    bytes_ = 0;
    return true;
  }

  const ContextSpec around_;
  LogQuery matcher_;
  std::unique_ptr<loki::QueryClient> client_;
  std::unique_ptr<pipeline::Source> matches_;
  ContextLines* lines_ = nullptr;                     // of run()
  std::map<std::string, std::set<Timestamp>> found_;  // by the selector of their log
  std::size_t gathered_ = 0;
  std::map<std::string, Timestamp> read_to_;  // of each log
  std::map<std::string, LabelSetRef> known_;  // some labels of each log
  std::vector<Batch> groups_;
  std::size_t bytes_ = 0;
  std::uint64_t incomplete_ = 0;  // times of which Loki does not give all entries
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
