#include "stages/merged_answer.h"

#include "logql/log_query.h"
#include "logql/printer.h"
#include "loki/query_pager.h"
#include "record/json.h"
#include "stages/loki_answer.h"
#include "stages/merged_source.h"
#include "stages/stored_as_pushed.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
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

class MergedAnswer : public MergedSource {
 public:
  // `query` is what is shown.
  MergedAnswer(QuerySpec spec, const Context& context, logql::LogQuery query)
      : MergedSource(std::move(spec), context),
        query_(std::move(query)),
        asked_(comparable_part(query_.expr())),
        judges_(asked_ != query_.expr()) {}

  Result<void> run(Outlet& out, base::Stop& stop) override {
    out_ = &out;
    auto result = spec_.what == What::records ? records(stop) : streams();
    finished_ = result.ok();
    if (finished_ && shown() == 0) explain_nothing_in_both(spec_.range);
    return result;
  }

 private:
  Result<void> records(const base::Stop& stop) {
    base::TimeRange window = spec_.range;
    if (spec_.limit > 0 && !spec_.forward) {
      auto begin = newest_of_loki();
      if (!begin) return std::move(begin).error();
      window.from = *begin;
    }
    auto done = read_window(
        window, [this](std::size_t, Record& record, Batch& batch, bool of_loki) { return pass(record, batch, of_loki); }, stop);
    if (!done) return done;
    if (wanted_) {
      if (auto sent = send(); !sent) return sent;
    }
    return send_kept(stop);
  }

  Result<void> read_window(const base::TimeRange& window, const Each& each, const base::Stop& stop) {
    auto asked = logql::LogQuery::compile(asked_, {});
    if (!asked) return std::move(asked).error();
    std::vector<Question> questions;
    questions.push_back({std::move(*asked), judges_ ? logql::print(asked_) : spec_.logql, window});
    return read(std::move(questions), each, stop);
  }

  // The time of the oldest of Loki's newest `limit` entries: nothing before it is among the newest of both. The beginning of the
  // range when there are not so many.
  Result<Timestamp> newest_of_loki() {
    loki::QueryPager pager(client(), spec_.logql, spec_.range, loki::Direction::backward);
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
    return oldest;
  }

  // A record of `batch` that is to be shown, if the whole query passes it.
  Result<bool> pass(Record& record, Batch& batch, bool of_loki) {
    if (of_loki && !judges_) {
      ready_.add_copy(record);
    } else {
      record.extra = nullptr;  // an error that Loki's filters found is found again
      logql::LogQuery::Entry entry;
      if (!query_.run(record, batch, entry)) return true;
      append_shown(record, entry, ready_);
    }
    if (ready_.records.size() >= kAtOnce || ready_.bytes() >= kAtOnceBytes) {
      if (auto sent = send(); !sent) return std::move(sent).error();
    }
    return wanted_;
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

  Result<void> send_kept(const base::Stop& stop) {
    if (spec_.limit == 0 || spec_.forward) return {};
    std::uint64_t skip = kept_records_ - std::min(kept_records_, spec_.limit);
    more_ = dropped_ || skip > 0;
    if (!more_ && kept_records_ == spec_.limit) {
      auto older = is_older_than(kept_.front().records.front().timestamp, stop);
      if (!older) return std::move(older).error();
      more_ = *older;
    }
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

  // Whether there is a record before this time. Those of the time itself are among the kept ones.
  Result<bool> is_older_than(Timestamp oldest, const base::Stop& stop) {
    if (oldest <= spec_.range.from) return false;
    bool found = false;
    const auto look = [&](std::size_t, Record& record, Batch& batch, bool) -> Result<bool> {
      record.extra = nullptr;
      found = query_.matches(record, batch);
      return !found;
    };
    if (auto done = read_window({spec_.range.from, oldest}, look, stop); !done) return std::move(done).error();
    return found;
  }

  Result<void> streams() {
    auto scan = open_scan(spec_.range);
    if (!scan) return std::move(scan).error();
    auto stored = (*scan)->series();
    if (!stored) return std::move(stored).error();
    note_damage();
    StoredAsPushed pushed;
    std::vector<LabelSetRef> sets;
    for (const LabelSetRef& set : *stored) {
      const LabelSetRef& labels = pushed.labels(*set);
      if (query_.selects(*labels)) sets.push_back(labels);
    }
    if (spec_.what == What::series) {
      auto series = client().series(spec_.range, spec_.logql);
      if (!series) return std::move(series).error();
      sets.insert(sets.end(), series->begin(), series->end());
      std::sort(sets.begin(), sets.end(), [](const LabelSetRef& a, const LabelSetRef& b) { return a->json() < b->json(); });
      sets.erase(std::unique(sets.begin(), sets.end()), sets.end());
      return emit_series(*out_, sets);
    }
    auto names = spec_.label.empty() ? client().labels(spec_.range, spec_.logql)
                                     : client().label_values(spec_.label, spec_.range, spec_.logql);
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

  logql::LogQuery query_;
  const logql::LogExpr asked_;
  const bool judges_;  // more is to be done than Loki was asked for
  Outlet* out_ = nullptr;
  Batch ready_;
  bool wanted_ = true;      // further records
  std::deque<Batch> kept_;  // the newest so far
  std::uint64_t kept_records_ = 0;
  bool dropped_ = false;
};

}  // namespace

Result<std::unique_ptr<pipeline::Source>> make_merged_answer(const QuerySpec& spec, const Context& context) {
  if (auto good = check_for_loki(spec); !good) return std::move(good).error();
  auto query = logql::LogQuery::compile(spec.logql, {.selector_optional = true});
  if (!query) return std::move(query).error();
  auto answer = std::make_unique<MergedAnswer>(spec, context, std::move(*query));
  if (auto opened = answer->open(); !opened) return std::move(opened).error();
  return std::unique_ptr<pipeline::Source>(std::move(answer));
}

}  // namespace weir::stages
