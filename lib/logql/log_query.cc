#include "logql/log_query.h"

#include "base/byte_search.h"
#include "gotemplate/template.h"
#include "gotext/regex.h"
#include "gotext/unicode.h"
#include "logql/advice.h"
#include "logql/capture_parser.h"
#include "logql/format_stages.h"
#include "logql/habit_advice.h"
#include "logql/json_parser.h"
#include "logql/label_filter.h"
#include "logql/line_filter.h"
#include "logql/logfmt_parser.h"
#include "logql/lone_filter.h"
#include "logql/matcher.h"
#include "logql/parser.h"
#include "logql/printer.h"
#include "logql/scope.h"
#include "logql/unwrap.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>

namespace weir::logql {
namespace {

// The verdict of a selector by the address of the label set.
class SelectorCache {
 public:
  bool selects(const Selector& selector, const record::LabelSet& labels) {
    if (last_.get() == &labels) return last_verdict_;
    auto found = verdicts_.find(&labels);
    if (found == verdicts_.end()) {
      if (verdicts_.size() >= kLimit || bytes_ >= kMostBytes) {
        verdicts_.clear();
        bytes_ = 0;
      }
      bytes_ += labels.json().size();
      const bool verdict = selector.matches(labels);
      selected_any_ = selected_any_ || verdict;
      found = verdicts_.emplace(&labels, Known{record::LabelSetRef::share(&labels), verdict}).first;
    }
    last_ = found->second.labels;
    last_verdict_ = found->second.verdict;
    return last_verdict_;
  }

  [[nodiscard]] bool selected_any() const { return selected_any_; }
  [[nodiscard]] std::vector<record::LabelSetRef> seen() const {
    std::vector<record::LabelSetRef> sets;
    for (const auto& [set, known] : verdicts_) sets.push_back(known.labels);
    return sets;
  }

 private:
  // Sets are held only so that their addresses stay theirs; a node has some hundreds of streams.
  static constexpr std::size_t kLimit = 1280;
  static constexpr std::size_t kMostBytes = 16 << 20;
  struct Known {
    record::LabelSetRef labels;
    bool verdict = false;
  };
  std::unordered_map<const record::LabelSet*, Known> verdicts_;
  std::size_t bytes_ = 0;  // of the sets
  record::LabelSetRef last_;
  bool last_verdict_ = false;
  bool selected_any_ = false;
};

template <typename Node>
const Node* as(const StageExpr& stage) {
  return std::get_if<Node>(&stage.node);
}

bool changes_line(const StageExpr& stage) {
  return as<LineFormatExpr>(stage) != nullptr || as<UnpackExpr>(stage) != nullptr || as<DecolorizeExpr>(stage) != nullptr;
}

// Loki's order: between two label filters, line_formats or unpacks, line filters go first.
std::vector<const StageExpr*> reorder(const std::vector<StageExpr>& stages) {
  std::vector<const StageExpr*> out;
  std::vector<const StageExpr*> later;
  auto flush = [&] {
    out.insert(out.end(), later.begin(), later.end());
    later.clear();
  };
  for (const StageExpr& stage : stages) {
    if (as<LineFilterExpr>(stage) != nullptr) {
      out.push_back(&stage);
      continue;
    }
    if (as<LabelFilterExpr>(stage) != nullptr || as<LineFormatExpr>(stage) != nullptr || as<UnpackExpr>(stage) != nullptr) {
      flush();
      out.push_back(&stage);
    } else {
      later.push_back(&stage);
    }
  }
  flush();
  return out;
}

bool names_error(const LabelFilterExpr& filter) {
  std::vector<std::string> names;
  collect_names(filter, names);
  return std::find(names.begin(), names.end(), kErrorLabel) != names.end();
}

template <typename T>
base::Result<std::unique_ptr<Stage>> stage_from(base::Result<T> result) {
  if (!result) return std::move(result).error();
  return std::unique_ptr<Stage>(std::make_unique<T>(std::move(*result)));
}

struct StageCompiler {
  using Compiled = base::Result<std::unique_ptr<Stage>>;
  template <typename T, typename... Args>
  static Compiled made(Args&&... args) {
    return std::unique_ptr<Stage>(std::make_unique<T>(std::forward<Args>(args)...));
  }
  Compiled operator()(const LineFilterExpr& expr) const {
    auto filter = LineFilter::compile(expr);
    if (!filter) return std::move(filter).error();
    return std::unique_ptr<Stage>(std::move(*filter));
  }
  Compiled operator()(const LabelFilterExpr& expr) const {
    auto filter = LabelFilter::compile(expr);
    if (!filter) return std::move(filter).error();
    return made<LabelFilterStage>(std::move(*filter));
  }
  Compiled operator()(const JsonExpr& expr) const {
    return expr.extractions.empty() ? made<JsonParser>() : stage_from(JsonExtractor::compile(expr.extractions));
  }
  Compiled operator()(const LogfmtExpr& expr) const {
    return expr.extractions.empty() ? made<LogfmtParser>(expr.strict, expr.keep_empty) : stage_from(LogfmtExtractor::compile(expr));
  }
  Compiled operator()(const RegexpExpr& expr) const {
    auto regex = gotext::Regex::compile(expr.pattern);
    if (!regex) return std::move(regex).error();
    return made<RegexpParser>(std::move(*regex));
  }
  Compiled operator()(const PatternExpr& expr) const {
    auto pattern = Pattern::compile_parser(expr.pattern);
    if (!pattern) return std::move(pattern).error();
    return made<PatternParser>(std::move(*pattern));
  }
  Compiled operator()(const UnpackExpr&) const { return made<Unpack>(); }
  Compiled operator()(const LineFormatExpr& expr) const { return stage_from(LineFormat::compile(expr)); }
  Compiled operator()(const LabelFormatExpr& expr) const { return stage_from(LabelFormat::compile(expr)); }
  Compiled operator()(const DecolorizeExpr&) const { return made<Decolorize>(); }
  Compiled operator()(const LabelSelectionExpr& expr) const { return stage_from(LabelSelection::compile(expr)); }
};

// The error of stage `at`, which cannot be built for the reason `why`, as Loki words it: line filters that follow each other are
// one stage to it, which it builds from its end.
base::Error stage_error(std::span<const StageExpr* const> stages, std::size_t at, base::Error why, std::string_view query) {
  std::size_t first = at, last = at;
  if (as<LineFilterExpr>(*stages[at]) != nullptr) {
    while (first > 0 && as<LineFilterExpr>(*stages[first - 1]) != nullptr) --first;
    while (last + 1 < stages.size() && as<LineFilterExpr>(*stages[last + 1]) != nullptr) ++last;
  }
  std::string text;
  for (std::size_t i = first; i <= last; ++i) {
    text += (i > first ? " " : "") + print(*stages[i]);
    auto stage = i > at ? std::visit(StageCompiler{}, stages[i]->node) : StageCompiler::Compiled(std::unique_ptr<Stage>());
    if (stage) continue;
    why = std::move(stage).error();
    at = i;
  }
  const auto place = query.empty() ? std::nullopt : std::optional(stages[at]->offset);
  ParseError error = semantic_error(query, fmt::format("stage '{}' : {}", text, why.message), place);
  const Advice advice = place ? advise_on_templates(query, error) : Advice();
  if (!advice.text.empty()) error.offset = advice.offset;
  base::Error out = error.to_error(query);
  if (!advice.text.empty()) out.hint += '\n' + advice.text;
  return out;
}

}  // namespace

struct LogQuery::Compiled {
  LogExpr expr;
  Selector selector;
  SelectorCache cache;
  std::vector<std::unique_ptr<LineFilter>> lead;  // on the line as it came, before anything else
  std::vector<std::unique_ptr<Stage>> stages;
  std::optional<LoneFilter> lone;  // the only one of `stages`
  std::vector<EarlyFilter> early;
  std::vector<std::string> early_names;
  Scope::Demand verdict_demand;
  Scope::Demand whole_demand;
  std::vector<Needles> needles;
  bool asks_for_error = false;
  bool reads_line = false;
  bool line_changes = false;
  bool labels_change = false;
  Scope scope;
  bool scope_used = false;  // by the latest record
  std::vector<record::Label> stream_buffer;
  std::vector<record::Label> metadata_buffer;
  std::vector<record::Label> parsed_buffer;

  base::Result<void> add(const StageExpr& stage_expr, bool& line_is_raw);
  void demand(const StageExpr& stage_expr, const Stage& stage);
  bool passes_lead(record::Record& record, record::Batch& batch);
  bool reaches_stages(record::Record& record, record::Batch& batch);
  bool passes_stages(record::Record& record, record::Batch& batch, bool whole);

  // Of the latest records that run() took to the stages.
  std::uint32_t reached = 0, passed = 0;
};

base::Result<void> LogQuery::Compiled::add(const StageExpr& stage_expr, bool& line_is_raw) {
  auto stage = std::visit(StageCompiler{}, stage_expr.node);
  if (!stage) return std::move(stage).error();
  demand(stage_expr, **stage);
  reads_line = reads_line || (as<LabelFilterExpr>(stage_expr) == nullptr && as<LabelSelectionExpr>(stage_expr) == nullptr);
  if (changes_line(stage_expr)) {
    line_changes = true;
    line_is_raw = false;
  }
  if (as<LineFilterExpr>(stage_expr) != nullptr && line_is_raw) {
    // A line filter and what stands before it both have to pass; which is asked first shows nowhere, as long as the line is
    // the same.
    lead.emplace_back(static_cast<LineFilter*>(stage->release()));
    for (Needles& group : lead.back()->needles()) {
      if (std::find(needles.begin(), needles.end(), group) == needles.end()) needles.push_back(std::move(group));
    }
    return {};
  }
  stages.push_back(std::move(*stage));
  return {};
}

// Notes which labels the stage reads, so that parsers need extract no others for a verdict.
void LogQuery::Compiled::demand(const StageExpr& stage_expr, const Stage& stage) {
  std::vector<std::string>& names = verdict_demand.names;
  if (const auto* filter = as<LabelFilterExpr>(stage_expr)) {
    collect_names(*filter, names);
    asks_for_error = asks_for_error || names_error(*filter);
    if (filter->legs.empty()) {
      const std::string& name = filter->matcher.name;
      if (std::find(early_names.begin(), early_names.end(), name) == early_names.end()) {
        early_names.push_back(name);
        early.push_back({{}, &static_cast<const LabelFilterStage&>(stage).filter()});
      }
    }
  } else if (as<LineFormatExpr>(stage_expr) != nullptr) {
    const gotemplate::Template& text = static_cast<const LineFormat&>(stage).text();
    names.insert(names.end(), text.names().begin(), text.names().end());
    verdict_demand.everything = verdict_demand.everything || text.reads_everything();
  } else if (as<LabelFormatExpr>(stage_expr) != nullptr) {
    const auto& format = static_cast<const LabelFormat&>(stage);
    const std::vector<std::string> read = format.names();
    names.insert(names.end(), read.begin(), read.end());
    verdict_demand.everything = verdict_demand.everything || format.reads_everything();
  } else if (const auto* logfmt = as<LogfmtExpr>(stage_expr); logfmt != nullptr && !logfmt->extractions.empty()) {
    // Whether an earlier parser has set a label of a key's name decides whether the key is looked at.
    for (std::string& key : static_cast<const LogfmtExtractor&>(stage).keys()) names.push_back(std::move(key));
  }
  if (as<LineFilterExpr>(stage_expr) == nullptr && as<LabelFilterExpr>(stage_expr) == nullptr &&
      as<LineFormatExpr>(stage_expr) == nullptr && as<DecolorizeExpr>(stage_expr) == nullptr) {
    labels_change = true;
  }
}

bool LogQuery::Compiled::passes_lead(record::Record& record, record::Batch& batch) {
  if (lead.empty()) return true;
  if (!record.line.decoded()) {
    const std::string_view text = record.line.data;
    const bool has_unicode_escapes = base::contains_bytes(text, "\\u");
    bool certain = true;
    for (const auto& filter : lead) {
      const LineFilter::Verdict verdict = filter->escaped(text, has_unicode_escapes);
      if (verdict == LineFilter::Verdict::no) return false;
      certain = certain && verdict == LineFilter::Verdict::yes;
    }
    if (certain) return true;
  }
  const std::string_view line = batch.line(record);
  return std::all_of(lead.begin(), lead.end(), [&](const auto& filter) { return filter->passes(line); });
}

// What is asked before any stage: the selector, and line filters on the line as it came.
bool LogQuery::Compiled::reaches_stages(record::Record& record, record::Batch& batch) {
  scope_used = false;
  if (record.is_marker()) return false;
  if (!selector.everything() && !cache.selects(selector, *record.labels)) return false;
  return passes_lead(record, batch);
}

bool LogQuery::Compiled::passes_stages(record::Record& record, record::Batch& batch, bool whole) {
  scope_used = true;
  scope.begin(record, batch, whole ? whole_demand : verdict_demand, early, whole);
  return std::all_of(stages.begin(), stages.end(), [&](const auto& stage) { return stage->process(scope); });
}

LogQuery::LogQuery(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
LogQuery::LogQuery(LogQuery&&) noexcept = default;
LogQuery& LogQuery::operator=(LogQuery&&) noexcept = default;
LogQuery::~LogQuery() = default;

base::Result<LogQuery> LogQuery::compile(std::string_view text, const ParseOptions& options) {
  ParserOptions parser_options;
  parser_options.selector_optional = options.selector_optional;
  auto parsed = parse(text, parser_options);
  if (!parsed) return std::move(parsed).error();
  auto* log = std::get_if<LogExpr>(&parsed->node);
  if (log == nullptr) {
    base::Error error = base::fail(base::Code::config, "cannot use query {}: it is a metric query, a log query is needed",
                                   clip(print(*parsed), 200));
    if (std::holds_alternative<Literal>(parsed->node))
      error.hint = fmt::format("to search for a text: |= {}", gotext::quote(clip(text, 60)));
    return error;
  }
  return compile(std::move(*log), text);
}

base::Result<LogQuery> LogQuery::compile(LogExpr expr, std::string_view text) {
  auto compiled = std::make_unique<Compiled>();
  compiled->expr = std::move(expr);
  auto selector = Selector::compile(compiled->expr.matchers);
  if (!selector) return std::move(selector).error();
  compiled->selector = std::move(*selector);
  compiled->verdict_demand.everything = false;
  bool line_is_raw = true;
  const std::vector<const StageExpr*> ordered = reorder(compiled->expr.stages);
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    auto added = compiled->add(*ordered[i], line_is_raw);
    if (!added) return stage_error(ordered, i, std::move(added).error(), text);
    if (compiled->stages.size() == 1 && as<LabelFilterExpr>(*ordered[i]) != nullptr) compiled->lone = LoneFilter::of(*ordered[i]);
  }
  if (compiled->stages.size() != 1) compiled->lone.reset();
  for (std::size_t i = 0; i < compiled->early.size(); ++i) compiled->early[i].name = compiled->early_names[i];
  return LogQuery(std::move(compiled));
}

base::Result<LogQuery> LogQuery::compile(const LogRange& range, std::string_view text) {
  auto query = compile(range.log, text);
  if (!query || !range.unwrap) return query;
  Compiled& compiled = *query->compiled_;
  compiled.lone.reset();
  compiled.labels_change = true;
  compiled.stages.push_back(std::make_unique<Unwrap>(*range.unwrap));
  compiled.verdict_demand.names.push_back(range.unwrap->label);
  for (const LabelFilterExpr& filter : range.unwrap->filters) {
    const StageExpr expr{.node = filter};
    auto stage = std::visit(StageCompiler{}, expr.node);
    if (!stage) return stage_error(std::array{&expr}, 0, std::move(stage).error(), {});
    collect_names(filter, compiled.verdict_demand.names);
    compiled.asks_for_error = compiled.asks_for_error || names_error(filter);
    compiled.stages.push_back(std::move(*stage));
  }
  return query;
}

bool LogQuery::selects(const record::LabelSet& labels) const {
  return compiled_->selector.everything() || compiled_->cache.selects(compiled_->selector, labels);
}

bool LogQuery::matches(record::Record& record, record::Batch& batch) {
  if (!compiled_->reaches_stages(record, batch)) return false;
  if (compiled_->stages.empty()) return true;
  if (compiled_->lone) {
    if (const std::optional<bool> passes = compiled_->lone->passes(record)) return *passes;
  }
  return compiled_->passes_stages(record, batch, false);
}

bool LogQuery::selected_any() const { return compiled_->selector.everything() || compiled_->cache.selected_any(); }
std::vector<record::LabelSetRef> LogQuery::label_sets_seen() const { return compiled_->cache.seen(); }

bool LogQuery::run(record::Record& record, record::Batch& batch, Entry& out) {
  Compiled& query = *compiled_;
  if (!query.reaches_stages(record, batch)) return false;
  const bool verdict_first = !query.stages.empty() && query.passed * 2 < query.reached;
  constexpr std::uint32_t kLatest = 1024;
  if (++query.reached == kLatest) {
    query.reached /= 2;
    query.passed /= 2;
  }
  if (verdict_first && !query.passes_stages(record, batch, false)) return false;
  if (!query.passes_stages(record, batch, true)) return false;
  ++query.passed;
  Scope& scope = query.scope;
  out.line = scope.line();
  out.labels = scope.stream_labels(compiled_->stream_buffer);
  out.metadata = scope.metadata_labels(compiled_->metadata_buffer);
  out.parsed = scope.parsed_labels(compiled_->parsed_buffer);
  out.errored = scope.errored();
  out.error = scope.error();
  out.value = scope.value();
  return true;
}

void LogQuery::extract_only(std::vector<std::string> names) {
  Scope::Demand& demand = compiled_->whole_demand;
  demand = compiled_->verdict_demand;
  demand.names.insert(demand.names.end(), std::make_move_iterator(names.begin()), std::make_move_iterator(names.end()));
}

bool LogQuery::extract_until_found(std::vector<std::string> names) {
  extract_only(std::move(names));
  Scope::Demand& demand = compiled_->whole_demand;
  demand.until_found = true;
  std::sort(demand.names.begin(), demand.names.end());
  demand.names.erase(std::unique(demand.names.begin(), demand.names.end()), demand.names.end());
  // A verdict in front of run() would notice other errors.
  compiled_->verdict_demand = demand;
  return std::find(demand.names.begin(), demand.names.end(), kErrorLabel) != demand.names.end();
}

bool LogQuery::asks_for_names() const { return compiled_->verdict_demand.everything || !compiled_->verdict_demand.names.empty(); }

bool LogQuery::rewrites() const { return compiled_->line_changes || compiled_->labels_change; }
bool LogQuery::shows_unchanged(const record::Record& record) const {
  return !rewrites() && (record.metadata.empty() || !Scope::changes_metadata(record));
}

bool LogQuery::errored() const { return compiled_->scope_used && compiled_->scope.errored(); }
std::string_view LogQuery::error() const { return compiled_->scope_used ? compiled_->scope.error() : std::string_view(); }
bool LogQuery::asks_for_error() const { return compiled_->asks_for_error; }
std::span<const Needles> LogQuery::needles() const { return compiled_->needles; }
bool LogQuery::reads_line() const { return compiled_->reads_line; }
const LogExpr& LogQuery::expr() const { return compiled_->expr; }

}  // namespace weir::logql
