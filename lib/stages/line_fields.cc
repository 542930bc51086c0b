#include "stages/line_fields.h"

#include "base/suggestion.h"
#include "base/utf8.h"
#include "gotext/regex.h"
#include "gotext/scratch.h"
#include "logql/advice.h"
#include "logql/scope.h"
#include "names/label_name.h"
#include "record/own_name.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <set>
#include <variant>

namespace weir::stages {
namespace {

using base::Code;
using base::Result;
using record::Label;
using record::LabelSet;
using record::Record;

constexpr auto kParseErrors = metrics::counter("weir_enrich_parse_errors_total", "errors",
                                               "Lines that the parser of --parse could not read; they pass unchanged.");
constexpr auto kTimeErrors =
    metrics::counter("weir_enrich_timestamp_errors_total", "errors",
                     "Values of --timestamp-from that are no time, or a time before 2000 or over 10 minutes ahead.");
constexpr auto kLongValues =
    metrics::counter("weir_enrich_long_values_total", "values",
                     "Fields that are too long for a label (2048 bytes) or for metadata (16 KiB), and did not become one.");

constexpr std::size_t kMostLabelValue = 2048;              // bytes: Loki's max_label_value_length
constexpr std::size_t kMostMetadataValue = 16 << 10;       // bytes; Loki takes 64 KiB of all metadata of a record
constexpr base::Duration kMostAhead = 10 * base::kMinute;  // Loki's creation_grace_period

// Label sets that are kept at most, from one batch to the next.
constexpr std::size_t kMostKnown = 4096;
constexpr std::size_t kMostKnownBytes = 16 << 20;

// What stands behind --parse as a query over any record.
std::string query_of(std::string_view parse) { return fmt::format("{}{}", parse.starts_with('|') ? "" : "| ", parse); }

// The fields that a stage can give; nothing when they depend on the line.
struct FieldsOf {
  using Names = std::optional<std::vector<std::string>>;
  static Names of(const std::vector<logql::Extraction>& extractions) {
    if (extractions.empty()) return std::nullopt;
    std::vector<std::string> names;
    for (const logql::Extraction& one : extractions) names.push_back(one.name);
    return names;
  }
  Names operator()(const logql::JsonExpr& expr) const { return of(expr.extractions); }
  Names operator()(const logql::LogfmtExpr& expr) const { return of(expr.extractions); }
  Names operator()(const logql::RegexpExpr& expr) const {
    std::vector<std::string> names;
    if (const auto regex = gotext::Regex::compile(expr.pattern)) names = regex->group_names();
    std::erase(names, "");
    return names;
  }
  Names operator()(const logql::PatternExpr& expr) const {
    const auto pattern = logql::Pattern::compile_parser(expr.pattern);
    return pattern ? pattern->names() : std::vector<std::string>();
  }
  Names operator()(const logql::DecolorizeExpr&) const { return std::vector<std::string>(); }
  template <typename Other>
  Names operator()(const Other&) const {
    return std::nullopt;
  }
};

bool is_parser(const logql::StageExpr& stage) {
  return std::holds_alternative<logql::JsonExpr>(stage.node) || std::holds_alternative<logql::LogfmtExpr>(stage.node) ||
         std::holds_alternative<logql::RegexpExpr>(stage.node) || std::holds_alternative<logql::PatternExpr>(stage.node) ||
         std::holds_alternative<logql::UnpackExpr>(stage.node) || std::holds_alternative<logql::DecolorizeExpr>(stage.node);
}

Result<logql::LogQuery> compile(std::string_view parse) {
  auto query = logql::LogQuery::compile(query_of(parse), {.selector_optional = true});
  if (!query) {
    base::Error error = std::move(query).error();
    error.code = Code::usage;
    error.message = fmt::format("cannot use '{}' for --parse: {}", base::escape_control(logql::clip(parse, 80)), error.message);
    return error;
  }
  const std::vector<logql::StageExpr>& stages = query->expr().stages;
  if (stages.empty() || !std::ranges::all_of(stages, is_parser)) {
    return base::fail(Code::usage, "cannot use '{}' for --parse: it must be a parser of LogQL",
                      base::escape_control(logql::clip(parse, 80)))
        .with_hint(
            "use json, logfmt, pattern `…`, regexp `…` or unpack, with decolorize before it if needed; filters belong to `weir "
            "filter`");
  }
  return query;
}

FieldsOf::Names fields_of(const logql::LogExpr& expr) {
  std::vector<std::string> all;
  for (const logql::StageExpr& stage : expr.stages) {
    FieldsOf::Names names = std::visit(FieldsOf{}, stage.node);
    if (!names) return std::nullopt;
    all.insert(all.end(), std::make_move_iterator(names->begin()), std::make_move_iterator(names->end()));
  }
  return all;
}

Result<void> check_field(std::string_view option, std::string_view name, const FieldsOf::Names& given) {
  if (!names::is_label_name(name)) {
    gotext::Scratch scratch;
    const std::string_view meant = logql::sanitize_name(name, true, scratch);
    return base::fail(Code::usage, "cannot use '{}' for {}: LogQL has no field of such a name", base::escape_control(name), option)
        .with_hint(names::is_label_name(meant) ? fmt::format("it calls the field {}", meant)
                                               : std::string("a name has letters, digits and _, and no digit in front"));
  }
  if (!given || std::ranges::find(*given, name) != given->end()) return {};
  base::Error error = base::fail(Code::usage, "cannot use '{}' for {}: the parser of --parse does not give it", name, option);
  if (given->empty()) {
    return std::move(error).with_hint(
        "it gives no fields; add a parser that does: json, logfmt, pattern `…`, regexp `…` or unpack");
  }
  return std::move(error).with_hint(base::suggestion(name, *given, fmt::format("it gives {}", fmt::join(*given, ", "))));
}

Result<void> check_metadata(const std::vector<LineFieldsSpec::Field>& fields) {
  std::set<std::string_view> seen;
  for (const LineFieldsSpec::Field& field : fields) {
    if (!names::is_metadata_name(field.as)) {
      return base::fail(Code::usage, "cannot use '{}' for --to-metadata: it is no name of metadata", base::escape_control(field.as))
          .with_hint(field.as.empty() ? std::string("write --to-metadata NAME=KEY")
                                      : fmt::format("Loki would call it {}", names::metadata_name(field.as)));
    }
    if (record::is_own_name(field.as)) {
      return base::fail(Code::usage, "cannot use '{}' for --to-metadata: names that begin with {} are weir's own", field.as,
                        record::kOwnPrefix)
          .with_hint("write --to-metadata NAME=KEY with another KEY");
    }
    if (!seen.insert(field.as).second) return base::fail(Code::usage, "metadata \"{}\" is set twice", field.as);
  }
  return {};
}

}  // namespace

Result<void> check(const LineFieldsSpec& spec) {
  if (spec.parse.empty()) {
    if (spec.takes_nothing()) return {};
    const std::string_view option = !spec.to_labels.empty()     ? "--to-label"
                                    : !spec.to_metadata.empty() ? "--to-metadata"
                                                                : "--timestamp-from";
    return base::fail(Code::usage, "{} needs --parse", option)
        .with_hint("for lines of JSON --parse json, for key=value --parse logfmt");
  }
  auto query = compile(spec.parse);
  if (!query) return std::move(query).error();
  if (spec.takes_nothing()) {
    return base::fail(Code::usage, "--parse alone does nothing")
        .with_hint("say what its fields become: --to-label NAME, --to-metadata NAME or --timestamp-from NAME");
  }
  const FieldsOf::Names given = fields_of(query->expr());
  for (const auto& [option, fields] : {std::pair("--to-label", &spec.to_labels), std::pair("--to-metadata", &spec.to_metadata)}) {
    for (const LineFieldsSpec::Field& field : *fields) {
      if (auto ok = check_field(option, field.name, given); !ok) return ok;
    }
  }
  if (auto ok = check_metadata(spec.to_metadata); !ok) return ok;
  if (spec.timestamp_from.empty()) return {};
  if (auto ok = check_field("--timestamp-from", spec.timestamp_from, given); !ok) return ok;
  auto format = TimeFormat::parse(spec.timestamp_format);
  if (format) return {};
  base::Error error = std::move(format).error();
  error.message =
      fmt::format("cannot use '{}' for --timestamp-from: {}", base::escape_control(spec.timestamp_format), error.message);
  return error;
}

LineFields::LineFields(logql::LogQuery parser, TimeFormat time_format, const pipeline::Context& context)
    : parser_(std::move(parser)),
      time_format_(std::move(time_format)),
      no_labels_(LabelSet::empty()),
      block_(context.metrics, context.driver),
      parse_errors_(block_.counter(kParseErrors)),
      time_errors_(block_.counter(kTimeErrors)),
      long_values_(block_.counter(kLongValues)) {
  probe_.labels = no_labels_.get();
}

Result<std::unique_ptr<LineFields>> LineFields::open(const LineFieldsSpec& spec, const pipeline::Context& context) {
  auto parser = compile(spec.parse);
  if (!parser) return std::move(parser).error();
  auto time_format = TimeFormat::parse(spec.timestamp_format);
  if (!time_format) return std::move(time_format).error();
  std::unique_ptr<LineFields> fields(new LineFields(*std::move(parser), *std::move(time_format), context));
  for (const auto& [name, as] : spec.to_labels) fields->labels_.push_back({fields->field(name), as});
  for (const auto& [name, as] : spec.to_metadata) fields->metadata_.push_back({fields->field(name), as});
  if (!spec.timestamp_from.empty()) fields->time_ = fields->field(spec.timestamp_from);
  fields->values_.resize(fields->names_.size());
  fields->parser_.extract_only(fields->names_);
  const logql::StageExpr& last = fields->parser_.expr().stages.back();
  if (const auto* expr = std::get_if<logql::PatternExpr>(&last.node)) {
    auto pattern = logql::Pattern::compile_parser(expr->pattern);
    if (!pattern) return std::move(pattern).error();
    fields->pattern_ = *std::move(pattern);
  }
  return fields;
}

std::size_t LineFields::field(std::string_view name) {
  const auto found = std::ranges::find(names_, name);
  if (found != names_.end()) return static_cast<std::size_t>(found - names_.begin());
  names_.emplace_back(name);
  return names_.size() - 1;
}

void LineFields::begin() {
  if (known_.size() > kMostKnown || known_bytes_ > kMostKnownBytes) {
    known_.clear();
    known_bytes_ = 0;
  }
  ++batch_number_;
  shared_.fill({});
}

void LineFields::count() {
  parse_errors_.add(std::exchange(batch_parse_errors_, 0));
  time_errors_.add(std::exchange(batch_time_errors_, 0));
  long_values_.add(std::exchange(batch_long_values_, 0));
}

void LineFields::apply(record::Batch& batch, Record& record) {
  if (record::is_gap(record) || !parse(batch, record)) return;
  // First the labels: one that is too long becomes metadata.
  wanted_.clear();
  add_labels(batch, record);
  add_metadata(batch, record);
  if (time_ && !values_[*time_].empty()) set_time(record);
}

// Fills values_, which are valid until the next record. False: there are none.
bool LineFields::parse(record::Batch& batch, Record& record) {
  probe_.line = record::Text::bytes(batch.line(record));
  probe_.timestamp = record.timestamp;
  logql::LogQuery::Entry entry;
  if (!parser_.run(probe_, batch, entry)) return false;
  if (entry.errored) {
    ++batch_parse_errors_;
    return false;
  }
  if (pattern_ && !pattern_->fits(entry.line)) return false;
  std::ranges::fill(values_, std::string_view());
  bool any = false;
  for (const Label& label : entry.parsed) {
    const auto found = std::ranges::find(names_, label.name);
    if (found == names_.end() || label.value.empty()) continue;
    values_[static_cast<std::size_t>(found - names_.begin())] = label.value;
    any = true;
  }
  return any;
}

// `value` without bytes that are not UTF-8, which some parsers leave in.
std::string_view LineFields::usable(record::Batch& batch, std::string_view value) {
  if (base::is_utf8(value)) return value;
  gotext::Scratch scratch;
  return batch.copy(logql::clean_value(value, scratch));
}

void LineFields::add_labels(record::Batch& batch, Record& record) {
  if (labels_.empty()) return;
  key_.clear();
  const auto append_raw = [this](const void* bytes, std::size_t size) { key_.append(static_cast<const char*>(bytes), size); };
  append_raw(&record.labels, sizeof record.labels);
  made_.clear();
  for (const Target& target : labels_) {
    std::string_view value = usable(batch, values_[target.field]);
    if (value.size() > kMostLabelValue) {
      ++batch_long_values_;
      if (value.size() <= kMostMetadataValue) wanted_.push_back({target.as, value});
      value = {};
    }
    const auto size = static_cast<std::uint32_t>(value.size());
    append_raw(&size, sizeof size);
    key_ += value;
    if (!value.empty()) made_.push_back({target.as, value});
  }
  if (made_.empty()) return;

  auto found = known_.find(key_);
  if (found == known_.end()) {
    Known known;
    known.before = record::LabelSetRef::share(record.labels);
    const auto before = record.labels->labels();
    made_.insert(made_.begin(), before.begin(), before.end());  // of equal names the last one wins
    known.after = LabelSet::intern(made_);
    known_bytes_ += 2 * key_.size() + known.before->json().size() + known.after->json().size();
    found = known_.emplace(key_, std::move(known)).first;
  }
  Known& known = found->second;
  if (record.labels == known.after.get()) return;
  if (known.held_by != batch_number_) {
    batch.hold(known.after);
    known.held_by = batch_number_;
  }
  record.labels = known.after.get();
  record.touch();
}

void LineFields::add_metadata(record::Batch& batch, Record& record) {
  for (const Target& target : metadata_) {
    const std::string_view value = usable(batch, values_[target.field]);
    if (value.empty()) continue;
    if (value.size() > kMostMetadataValue) {
      ++batch_long_values_;
      continue;
    }
    // Also what a label that is too long is called.
    std::erase_if(wanted_, [&target](const Label& label) { return label.name == target.as; });
    wanted_.push_back({target.as, value});
  }
  const std::span<const Label> before = record.metadata;
  std::erase_if(wanted_, [&record](const Label& label) { return record::find(record.metadata, label.name) == label.value; });
  if (wanted_.empty()) return;

  const Label* const place = before.empty() ? nullptr : before.data();
  std::size_t hash = reinterpret_cast<std::uintptr_t>(place) >> 4;
  for (const Label& label : wanted_) hash = hash * 31 + std::hash<std::string_view>()(label.value);
  Shared& shared = shared_[hash % shared_.size()];
  const bool same = shared.before == place && shared.before_size == before.size() && shared.added == wanted_.size() &&
                    std::ranges::equal(shared.after.last(shared.added), wanted_);
  if (!same) {
    const std::span<Label> after = batch.allocate_labels(before.size() + wanted_.size());
    std::size_t size = 0;
    for (const Label& label : before) {
      if (std::ranges::find(wanted_, label.name, &Label::name) == wanted_.end()) after[size++] = label;
    }
    for (const Label& label : wanted_) after[size++] = {label.name, batch.copy(label.value)};
    shared = {place, before.size(), wanted_.size(), after.first(size)};
  }
  record.metadata = shared.after;
  record.touch();
}

void LineFields::set_time(Record& record) {
  const std::optional<base::Timestamp> time = time_format_.read(values_[*time_], record.timestamp);
  if (!time || *time - kMostAhead > record.timestamp) {
    ++batch_time_errors_;
    return;
  }
  if (*time == record.timestamp) return;
  record.timestamp = *time;
  record.touch();
}

}  // namespace weir::stages
