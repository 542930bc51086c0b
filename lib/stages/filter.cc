#include "stages/filter.h"

#include "logql/log_query.h"
#include "logql/printer.h"
#include "logql/selector_advice.h"
#include "record/dropped_positions.h"

namespace weir::stages {
namespace {

using logql::LogQuery;
using pipeline::Batch;
using pipeline::Flow;
using pipeline::Outlet;
using pipeline::Record;

class Filter : public pipeline::Stage {
 public:
  Filter(std::vector<LogQuery> pass, std::vector<LogQuery> drop) : pass_(std::move(pass)), drop_(std::move(drop)) {}

  [[nodiscard]] std::string_view name() const override { return "filter"; }

  // Of expressions whose selector took nothing of what came, most likely a name is wrong. To drop what did not come is usual, by a label that
  // nothing has it is not.
  [[nodiscard]] std::string summary() const override {
    std::string text;
    const auto selector = [](const LogQuery& query) { return logql::print_selector(query.expr().matchers); };
    const auto explain = [&](std::string_view option, const LogQuery& query, const std::string& why) {
      if (!why.empty()) text += fmt::format("{}{}{} matched nothing: {}", text.empty() ? "" : "; ", option, selector(query), why);
    };
    for (const LogQuery& query : pass_) {
      if (!query.selected_any()) explain("", query, logql::explain_selector(selector(query), query.label_sets_seen()));
    }
    for (const LogQuery& query : drop_) {
      if (!query.selected_any()) explain("--drop ", query, logql::explain_labels(selector(query), query.label_sets_seen()));
    }
    return base::escape_control(text);
  }

  [[nodiscard]] pipeline::Counters counters() const override {
    pipeline::Counters all = counters_;
    if (not_matched_ > 0) all.dropped["not matched"] = not_matched_;
    if (matched_drop_ > 0) all.dropped["dropped by expression"] = matched_drop_;
    return all;
  }

  base::Result<Flow> consume(Batch& batch, Outlet& out) override {
    auto& records = batch.records;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < records.size(); ++i) {
      Record& record = records[i];
      if (record.is_marker()) {
        if (record.marker->type != record::Marker::Type::position) kept = dropped_.emit(batch, kept);
        if (kept != i) records[kept] = record;
        ++kept;
        continue;
      }
      const std::size_t bytes = record.line.data.size();
      ++counters_.records_in;
      counters_.bytes_in += bytes;
      if (passes(record, batch)) {
        ++counters_.records_out;
        counters_.bytes_out += bytes;
        dropped_.kept(record.source);
        if (kept != i) records[kept] = record;
        ++kept;
      } else {
        dropped_.dropped(record.source);
      }
    }
    records.resize(dropped_.emit(batch, kept));
    if (batch.empty()) return Flow::more;
    return out.emit(batch);
  }

 private:
  bool passes(Record& record, Batch& batch) {
    for (LogQuery& query : pass_) {
      if (query.matches(record, batch)) continue;
      if (is_gap(record)) return true;
      ++not_matched_;
      return false;
    }
    for (LogQuery& query : drop_) {
      if (!query.matches(record, batch) || (query.errored() && !query.asks_for_error())) continue;
      if (is_gap(record)) return true;
      ++matched_drop_;
      return false;
    }
    return true;
  }

  static bool is_gap(const Record& record) { return !record::find(record.metadata, "weir_gap_bytes").empty(); }

  std::vector<LogQuery> pass_, drop_;
  record::DroppedPositions dropped_;
  pipeline::Counters counters_;
  std::uint64_t not_matched_ = 0, matched_drop_ = 0;
};

base::Result<std::vector<LogQuery>> compile(const std::vector<std::string>& texts) {
  std::vector<LogQuery> queries;
  for (const std::string& text : texts) {
    auto query = LogQuery::compile(text, {.selector_optional = true});
    if (!query) return std::move(query).error();
    queries.push_back(std::move(*query));
  }
  return queries;
}

}  // namespace

base::Result<std::unique_ptr<pipeline::Stage>> make_filter(const FilterSpec& spec, const pipeline::Context&) {
  auto pass = compile(spec.pass);
  if (!pass) return std::move(pass).error();
  auto drop = compile(spec.drop);
  if (!drop) return std::move(drop).error();
  return std::unique_ptr<pipeline::Stage>(std::make_unique<Filter>(std::move(*pass), std::move(*drop)));
}

}  // namespace weir::stages
