#include "stages/merged_answer.h"

#include "logql/log_query.h"
#include "logql/printer.h"
#include "loki/query_pager.h"
#include "names/level.h"
#include "names/service_name.h"
#include "record/json.h"
#include "scan/spool_scan.h"
#include "stages/answer_source.h"
#include "stages/loki_answer.h"
#include "stages/query_metrics.h"
#include "stages/stored_as_pushed.h"
#include "stages/unmatched.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

namespace weir::stages {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Timestamp;
using pipeline::Context;
using pipeline::Flow;
using pipeline::Outlet;
using record::Batch;
using record::Label;
using record::LabelSet;
using record::LabelSetRef;
using record::Record;
using What = QuerySpec::What;

constexpr std::size_t kAtOnce = 1000;              // records of a batch
constexpr std::size_t kAtOnceBytes = 256U << 10U;  // of a batch

bool is_own(const Label& label) { return label.name != names::kDetectedLevel; }

// Two records of one time are the same when these are. Loki finds the level by the line.
std::string identity(const Record& record, std::string_view line, bool with_metadata) {
  std::string key;
  const auto add = [&key](const Label& label) {
    ((key += label.name) += '\0') += label.value;
    key += '\0';
  };
  for (const Label& label : record.labels->labels()) {
    if (label.name != names::kServiceName) add(label);
  }
  key += '\n';
  std::vector<Label> metadata;
  if (with_metadata) std::ranges::copy_if(record.metadata, std::back_inserter(metadata), &is_own);
  std::ranges::sort(metadata, {}, &Label::name);
  for (const Label& label : metadata) add(label);
  key += '\n';
  return key += line;
}

// Appends what a query shows of `record`.
void append_shown(const Record& record, const logql::LogQuery::Entry& entry, Batch& out) {
  Record shown;
  shown.timestamp = record.timestamp;
  shown.held = record.held;
  shown.tenant = out.copy(record.tenant);
  shown.line = record::Text::bytes(out.copy(entry.line));
  shown.labels = out.hold(LabelSet::intern(entry.labels));
  const auto metadata = out.allocate_labels(entry.metadata.size());
  for (std::size_t i = 0; i < metadata.size(); ++i) {
    metadata[i] = {out.copy(entry.metadata[i].name), out.copy(entry.metadata[i].value)};
  }
  std::sort(metadata.begin(), metadata.end(), [](const Label& a, const Label& b) { return a.name < b.name; });
  shown.metadata = metadata;
  if (!entry.parsed.empty()) {
    std::map<std::string_view, std::string_view> parsed;
    for (const Label& label : entry.parsed) parsed.emplace(label.name, label.value);
    std::string text = "{";
    for (const auto& [name, value] : parsed) {
      if (text.size() > 1) text += ',';
      record::append_json_string(text, name);
      text += ':';
      record::append_json_string(text, value);
    }
    auto* extra = out.make<record::Extra>();
    extra->parsed = out.copy(text + '}');
    shown.extra = extra;
  }
  out.records.push_back(shown);
}

Result<std::unique_ptr<scan::SpoolScan>> open_scan(const QuerySpec& spec, const base::TimeRange& range,
                                                   base::Diagnostics& diagnostics) {
  const std::vector<std::string> paths = {spec.with_spool};
  auto scan = scan::SpoolScan::open(paths, std::string(), range, diagnostics);
  if (scan) (*scan)->set_limits(spec.scan);
  return scan;
}

class MergedAnswer : public AnswerSource {
 public:
  // `query` is what is shown; `asked` is what Loki and the spool are asked for and what is compared: the query itself, or its
  // stages before the first one that rewrites records, behind which different records may look alike.
  MergedAnswer(QuerySpec spec, const Context& context, logql::LogQuery query, logql::LogQuery asked, bool rewrites,
               std::unique_ptr<scan::SpoolScan> scan)
      : AnswerSource(std::move(spec), context),
        query_(std::move(query)),
        asked_(std::move(asked)),
        rewrites_(rewrites),
        scan_(std::move(scan)) {}

  Result<void> open() {
    auto config = spec_.loki;
    config.http.cancelled = [this] { return context_.stop != nullptr && context_.stop->stopped(); };
    auto client = loki::QueryClient::create(std::move(config), *context_.clock, *context_.diagnostics, context_.stop);
    if (!client) return std::move(client).error();
    client_ = std::move(*client);
    return {};
  }

  Result<void> run(Outlet& out, base::Stop& stop) override {
    out_ = &out;
    stop_ = &stop;
    auto result = spec_.what == What::records ? records() : streams();
    progress_.end();
    unreadable_.add(scan_->unreadable_blocks());
    if (result && stop.stopped()) return fail(Code::interrupted, "interrupted while reading {}", spec_.with_spool);
    finished_ = result.ok();
    if (finished_ && shown() == 0) {
      const std::vector<std::string> paths = {spec_.with_spool};
      explain_nothing(paths, spec_.range, scan_->unreadable_blocks());
    }
    return result;
  }

 private:
  Result<void> records() {
    base::TimeRange window = spec_.range;
    if (spec_.limit > 0 && !spec_.forward) {
      auto begin = newest_of_loki();
      if (!begin) return std::move(begin).error();
      window.from = *begin;
    }
    if (window.from > spec_.range.from) {
      auto narrower = open_scan(spec_, window, *context_.diagnostics);
      if (!narrower) return std::move(narrower).error();
      scan_ = std::move(*narrower);
    }
    loki::QueryPager::Options pages;
    if (spec_.page > 0) pages.max_page = spec_.page;
    loki::QueryPager pager(*client_, rewrites_ ? logql::print(asked_.expr()) : spec_.logql, window, loki::Direction::forward,
                           pages);
    pager_ = &pager;
    scan_->keep_as_stored();
    scan_->watch([&](const scan::SpoolScan::Work& work) {
      show_progress(work.done, work.all, work.done, shown());
      return !stop_->stopped();
    });
    auto read = scan_->run([&](Batch& batch) -> Result<bool> {
      for (Record& record : batch.records) {
        auto taken = take(record, batch);
        if (!taken || !wanted_) return taken ? Result<bool>(false) : Result<bool>(std::move(taken).error());
      }
      return true;
    });
    if (!read) return read;
    if (wanted_) {
      if (auto done = leave_time(); !done) return done;
    }
    if (wanted_) {
      if (auto done = loki_until(base::TimeRange::kForever); !done) return done;
    }
    if (wanted_) {
      if (auto done = send(); !done) return done;
    }
    return send_kept();
  }

  // The time of the oldest of Loki's newest `limit` entries: nothing before it is among the newest of both. The beginning of the
  // range when there are not so many.
  Result<Timestamp> newest_of_loki() {
    loki::QueryPager pager(*client_, spec_.logql, spec_.range, loki::Direction::backward);
    std::uint64_t seen = 0;
    Timestamp oldest = spec_.range.from;
    while (seen < spec_.limit) {
      Batch page;
      const metrics::Wait waits(context_.driver, metrics::On::loki);
      auto more = pager.next(page);
      if (!more) return std::move(more).error();
      if (!*more) return spec_.range.from;
      seen += page.records.size();
      oldest = page.records.front().timestamp;
    }
    more_ = true;  // or there are exactly as many, which the merge finds out
    return oldest;
  }

  // A record of the spool.
  Result<void> take(Record& record, Batch& batch) {
    if (!record.tenant.empty() && record.tenant != spec_.loki.tenant) return {};
    pushed_.apply(record, batch);
    logql::LogQuery::Entry entry;
    if (!asked_.selects(*record.labels) || !asked_.run(record, batch, entry)) return {};
    if (!at_time_.records.empty() && at_time_.records.front().timestamp != record.timestamp) {
      if (auto left = leave_time(); !left) return left;
    }
    if (rewrites_) {
      at_time_.add_copy(record);
    } else {
      append_shown(record, entry, at_time_);
    }
    return {};
  }

  // Emits Loki's entries up to the time of at_time_, and of at_time_ what is not among them. What was pushed to a Loki that takes
  // no metadata is the same without.
  Result<void> leave_time() {
    if (at_time_.records.empty()) return {};
    const Timestamp time = at_time_.records.front().timestamp;
    if (auto done = loki_until(time); !done || !wanted_) return done;
    std::unordered_map<std::string, std::uint64_t> there;
    for (;;) {
      auto next = peek();
      if (!next) return std::move(next).error();
      if (*next == nullptr || (*next)->timestamp != time) break;
      ++there[identity(**next, page_.line(**next), true)];
      if (auto done = pass(**next, page_); !done || !wanted_) return done;
      ++next_;
    }
    const auto is_there = [&](Record& record, bool with_metadata) {
      const auto found = there.find(identity(record, at_time_.line(record), with_metadata));
      if (found == there.end() || found->second == 0) return false;
      --found->second;
      return true;
    };
    std::vector<Record*> lacking;
    for (Record& record : at_time_.records) {
      if (!is_there(record, true)) lacking.push_back(&record);
    }
    for (Record* record : lacking) {
      if (is_there(*record, false)) continue;
      if (auto done = pass(*record, at_time_); !done || !wanted_) return done;
    }
    at_time_.clear();
    at_time_.records.clear();
    return {};
  }

  // Emits Loki's entries before a time.
  Result<void> loki_until(Timestamp time) {
    for (;;) {
      auto next = peek();
      if (!next) return std::move(next).error();
      if (*next == nullptr || (*next)->timestamp >= time) return {};
      if (auto done = pass(**next, page_); !done || !wanted_) return done;
      ++next_;
    }
  }

  // Loki's next entry, null at the end.
  Result<Record*> peek() {
    while (next_ == page_.records.size()) {
      if (loki_done_) return static_cast<Record*>(nullptr);
      page_.clear();
      page_.records.clear();
      next_ = 0;
      const metrics::Wait waits(context_.driver, metrics::On::loki);
      auto more = pager_->next(page_);
      if (!more) return std::move(more).error();
      loki_done_ = !*more;
    }
    return &page_.records[next_];
  }

  // A record of `batch` that is to be shown, if the stages that rewrite records pass it.
  Result<void> pass(Record& record, Batch& batch) {
    if (rewrites_) {
      record.extra = nullptr;  // what Loki's parsers found is found again
      logql::LogQuery::Entry entry;
      if (!query_.run(record, batch, entry)) return {};
      append_shown(record, entry, ready_);
    } else {
      ready_.add_copy(record);
    }
    return ready_.records.size() < kAtOnce && ready_.bytes() < kAtOnceBytes ? Result<void>() : send();
  }

  // Emits what is ready, or keeps it where only the newest are wanted.
  Result<void> send() {
    if (ready_.records.empty()) return {};
    if (spec_.limit > 0 && !spec_.forward) {
      kept_records_ += ready_.records.size();
      kept_.push_back(std::move(ready_));
      ready_ = Batch();
      while (kept_records_ - kept_.front().records.size() >= spec_.limit) {
        kept_records_ -= kept_.front().records.size();
        kept_.pop_front();
        dropped_ = true;
      }
      return {};
    }
    auto wanted = emit_up_to_limit(*out_, ready_);
    if (!wanted) return std::move(wanted).error();
    wanted_ = *wanted;
    ready_.clear();
    ready_.records.clear();
    return {};
  }

  Result<void> send_kept() {
    if (spec_.limit == 0 || spec_.forward) return {};
    std::uint64_t skip = kept_records_ - std::min(kept_records_, spec_.limit);
    more_ = dropped_ || skip > 0 || (more_ && kept_records_ >= spec_.limit && older_than_kept());
    for (Batch& batch : kept_) {
      const std::uint64_t left_out = std::min<std::uint64_t>(skip, batch.records.size());
      batch.records.erase(batch.records.begin(), batch.records.begin() + static_cast<std::ptrdiff_t>(left_out));
      skip -= left_out;
      if (batch.records.empty()) continue;
      const auto flow = emit(*out_, batch);
      if (!flow) return flow.error();
      if (*flow == Flow::done) return {};
    }
    return {};
  }

  // Whether Loki has an entry before those that are shown.
  bool older_than_kept() {
    const Timestamp oldest = kept_.empty() ? spec_.range.from : kept_.front().records.front().timestamp;
    if (oldest <= spec_.range.from) return false;
    Batch found;
    auto page = client_->page({.query = spec_.logql, .window = {spec_.range.from, oldest}, .limit = 1}, found);
    return page.ok() && !found.records.empty();
  }

  Result<void> streams() {
    auto stored = scan_->series();
    if (!stored) return std::move(stored).error();
    std::vector<LabelSetRef> sets;
    for (const LabelSetRef& set : *stored) {
      const LabelSetRef& pushed = pushed_.labels(*set);
      if (query_.selects(*pushed)) sets.push_back(pushed);
    }
    if (spec_.what == What::series) {
      auto series = client_->series(spec_.range, spec_.logql);
      if (!series) return std::move(series).error();
      sets.insert(sets.end(), series->begin(), series->end());
      std::sort(sets.begin(), sets.end(), [](const LabelSetRef& a, const LabelSetRef& b) { return a->json() < b->json(); });
      sets.erase(std::unique(sets.begin(), sets.end()), sets.end());
      return emit_series(*out_, sets);
    }
    auto names = spec_.label.empty() ? client_->labels(spec_.range, spec_.logql)
                                     : client_->label_values(spec_.label, spec_.range, spec_.logql);
    if (!names) return std::move(names).error();
    std::set<std::string> all(names->begin(), names->end());
    for (const LabelSetRef& set : sets) {
      for (const Label& label : set->labels()) {
        if (spec_.label.empty()) {
          all.emplace(label.name);
        } else if (label.name == spec_.label) {
          all.emplace(label.value);
        }
      }
    }
    std::vector<std::string> lines(all.begin(), all.end());
    if (spec_.json) {
      std::transform(lines.begin(), lines.end(), lines.begin(), [](const std::string& name) { return record::json_string(name); });
    }
    return emit_lines(*out_, lines);
  }

  logql::LogQuery query_, asked_;
  const bool rewrites_;
  std::unique_ptr<scan::SpoolScan> scan_;
  std::unique_ptr<loki::QueryClient> client_;
  metrics::Counter unreadable_ = block_.counter(kQueryUnreadableBlocks);
  StoredAsPushed pushed_;
  Outlet* out_ = nullptr;
  base::Stop* stop_ = nullptr;
  loki::QueryPager* pager_ = nullptr;
  Batch page_;  // of Loki
  std::size_t next_ = 0;
  bool loki_done_ = false;
  Batch at_time_;  // the spool's records of one time, as the query shows them
  Batch ready_;
  bool wanted_ = true;      // further records
  std::deque<Batch> kept_;  // the newest so far
  std::uint64_t kept_records_ = 0;
  bool dropped_ = false;
};

bool rewrites_records(const logql::StageExpr& stage) {
  return std::holds_alternative<logql::LineFormatExpr>(stage.node) || std::holds_alternative<logql::LabelFormatExpr>(stage.node) ||
         std::holds_alternative<logql::DecolorizeExpr>(stage.node) || std::holds_alternative<logql::UnpackExpr>(stage.node) ||
         std::holds_alternative<logql::LabelSelectionExpr>(stage.node);
}

}  // namespace

Result<std::unique_ptr<pipeline::Source>> make_merged_answer(const QuerySpec& spec, const Context& context) {
  if (auto good = check_for_loki(spec); !good) return std::move(good).error();
  auto query = logql::LogQuery::compile(spec.logql, {.selector_optional = true});
  if (!query) return std::move(query).error();
  logql::LogExpr head = query->expr();
  const auto first = std::ranges::find_if(head.stages, &rewrites_records);
  const bool rewrites = first != head.stages.end();
  head.stages.erase(first, head.stages.end());
  auto asked = logql::LogQuery::compile(std::move(head), {});
  if (!asked) return std::move(asked).error();
  auto scan = open_scan(spec, spec.range, *context.diagnostics);
  if (!scan) return std::move(scan).error();
  auto answer = std::make_unique<MergedAnswer>(spec, context, std::move(*query), std::move(*asked), rewrites, std::move(*scan));
  if (auto opened = answer->open(); !opened) return std::move(opened).error();
  return std::unique_ptr<pipeline::Source>(std::move(answer));
}

}  // namespace weir::stages
