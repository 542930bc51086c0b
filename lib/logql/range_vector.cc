#include "logql/range_vector.h"

#include "gotext/quantity.h"
#include "gotext/unicode.h"
#include "logql/advice.h"
#include "logql/scope.h"
#include "logql/series_labels.h"
#include "logql/unwrap.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace weir::logql {
namespace {

using base::Code;
using base::Result;
using record::Label;
using record::LabelSet;
using record::LabelSetRef;

// The least whole number that is not below a/b.
base::Duration divide_up(base::Duration a, base::Duration b) { return a > 0 ? (a - 1) / b + 1 : -(-a / b); }

bool is_parser(const StageExpr& stage) {
  return std::holds_alternative<JsonExpr>(stage.node) || std::holds_alternative<LogfmtExpr>(stage.node) ||
         std::holds_alternative<PatternExpr>(stage.node) || std::holds_alternative<UnpackExpr>(stage.node);
}

// What reads the line.
bool reads_line(const StageExpr& stage) {
  return is_parser(stage) || std::holds_alternative<RegexpExpr>(stage.node) || std::holds_alternative<LineFilterExpr>(stage.node);
}

// Loki leaves out a line_format whose result nothing looks at, so that its errors go unnoticed.
void remove_idle_line_formats(std::vector<StageExpr>& stages) {
  for (std::size_t i = stages.size(); i-- > 0;) {
    if (!std::holds_alternative<LineFormatExpr>(stages[i].node)) continue;
    const bool read = std::any_of(stages.begin() + static_cast<std::ptrdiff_t>(i), stages.end(), reads_line);
    if (!read) stages.erase(stages.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

// The labels that absent_over_time gives: those that the selector compares with one value, and nothing else.
std::vector<Label> absent_labels(const std::vector<MatcherExpr>& matchers) {
  std::vector<Label> labels;
  std::vector<std::string_view> out;
  for (const MatcherExpr& matcher : matchers) {
    const bool known = std::any_of(labels.begin(), labels.end(), [&](const Label& label) { return label.name == matcher.name; });
    if (matcher.op == MatchOp::equal && !known) {
      labels.push_back({matcher.name, matcher.value});
    } else {
      out.push_back(matcher.name);
    }
  }
  std::erase_if(labels, [&](const Label& label) { return std::find(out.begin(), out.end(), label.name) != out.end(); });
  return labels;
}

std::string print_labels(std::span<const Label> labels) {
  std::string text = "{";
  for (const Label& label : labels) {
    if (text.size() > 1) text += ", ";
    text += label.name;
    text += '=';
    text += gotext::quote(label.value);
  }
  return text + '}';
}

constexpr std::string_view kExtracted = "_extracted";

}  // namespace

MetricTimes MetricTimes::aligned() const {
  if (step <= 0) return *this;
  MetricTimes times = *this;
  times.start -= ((start % step) + step) % step;
  times.end = divide_up(end, step) * step;
  return times;
}

RangeVector::RangeVector(LogQuery query, RangeFunction function, const MetricTimes& times, base::Duration range,
                         base::Duration offset)
    : query_(std::move(query)), function_(function), times_(times), range_(range), offset_(offset) {
  if (times_.step <= 0) times_.step = 1;  // one point
  reads_ = {times.start - range - offset + 1, times.point(times.points() - 1) - offset + 1};
}

Result<std::unique_ptr<RangeVector>> RangeVector::compile(const RangeAggregation& expr, const std::optional<Grouping>& outer,
                                                          const MetricTimes& times, std::size_t memory, std::string_view text) {
  LogRange range = expr.range;
  const bool counts_bytes = expr.function == "bytes_over_time" || expr.function == "bytes_rate";
  const bool absent = expr.function == "absent_over_time";
  if (!counts_bytes) remove_idle_line_formats(range.log.stages);
  std::optional<Grouping> grouping = outer ? outer : expr.grouping;
  bool no_labels = absent;
  if (grouping && !grouping->without && grouping->labels.empty()) no_labels = true;
  if (range.unwrap && (!grouping || grouping->labels.empty() || grouping->without)) {
    if (!grouping) grouping.emplace();
    grouping->without = true;
    grouping->labels.push_back(range.unwrap->label);
  }

  auto query = LogQuery::compile(range, text);
  if (!query) return std::move(query).error();
  // Parsers extract what series, filters and templates need. Loki says what that is by names, in all queries but those whose series
  // keep every label or all but some.
  bool keeps_error = false;
  if (no_labels || (grouping && !grouping->without)) {
    std::vector<std::string> names = grouping && !grouping->without ? grouping->labels : std::vector<std::string>();
    for (std::size_t i = 0, count = names.size(); i < count; ++i) {
      if (names[i].ends_with(kExtracted)) names.push_back(names[i].substr(0, names[i].size() - kExtracted.size()));
    }
    const bool needs_names = query->asks_for_names() || !names.empty();
    keeps_error = query->extract_until_found(std::move(names));
    if (!needs_names) {
      std::erase_if(range.log.stages, is_parser);
      query = LogQuery::compile(range, text);
      if (!query) return std::move(query).error();
    }
  }
  RangeFunction function(expr.function, expr.parameter, range.unwrap.has_value(), range.range);
  auto vector = std::unique_ptr<RangeVector>(new RangeVector(std::move(*query), function, times, range.range, range.offset));
  vector->bytes_ = counts_bytes;
  vector->plain_ = range.log.stages.empty() && !range.unwrap;
  vector->grouping_ = std::move(grouping);
  vector->no_labels_ = no_labels;
  vector->keeps_error_ = keeps_error;
  vector->memory_ = memory;
  if (expr.range.unwrap && expr.range.unwrap->conversion.empty()) vector->unwrapped_ = expr.range.unwrap->label;
  if (absent) vector->absent_labels_ = LabelSet::intern(absent_labels(range.log.matchers));
  return vector;
}

// All labels of the sample, each name once, sorted.
void RangeVector::gather(const LogQuery::Entry& entry) {
  labels_.assign(entry.labels.begin(), entry.labels.end());
  labels_.insert(labels_.end(), entry.metadata.begin(), entry.metadata.end());
  labels_.insert(labels_.end(), entry.parsed.begin(), entry.parsed.end());
  std::sort(labels_.begin(), labels_.end(), [](const Label& a, const Label& b) { return a.name < b.name; });
}

base::Error RangeVector::refused(const LogQuery::Entry& entry) {
  gather(entry);
  base::Error error = base::fail(Code::config, "pipeline error: '{}' for series: '{}'.", entry.error, print_labels(labels_));
  const auto field = std::ranges::find(labels_, unwrapped_, &Label::name);
  if (entry.error == kSampleError && field != labels_.end()) {
    const bool is_duration = gotext::parse_go_duration(field->value).has_value();
    if (is_duration || gotext::parse_bytes(field->value)) {
      return std::move(error).with_hint(fmt::format("{}={} is a {}: unwrap {}({})", unwrapped_, clip(field->value, 40),
                                                    is_duration ? "duration" : "size", is_duration ? "duration" : "bytes",
                                                    unwrapped_));
    }
  }
  return std::move(error).with_hint(R"(to leave such lines out, add | __error__="" behind the parser, or behind unwrap)");
}

// Whether the labels of the sample follow from those of the stream, whatever else the record has.
bool RangeVector::by_stream_alone(const record::Record& record) const {
  if (query_.rewrites()) return false;
  if (record.metadata.empty() || no_labels_) return true;
  if (!grouping_ || grouping_->without) return false;
  return std::none_of(record.metadata.begin(), record.metadata.end(), [&](const Label& label) {
    return std::any_of(grouping_->labels.begin(), grouping_->labels.end(),
                       [&](const std::string& name) { return std::string_view(name).starts_with(label.name); });
  });
}

// The series of a stream, if it is known and nothing else of the record counts; else null.
const LabelSet* RangeVector::known_series(const record::Record& record) {
  if (!by_stream_alone(record)) return nullptr;
  if (latest_stream_.first == record.labels) return latest_stream_.second;
  const auto known = by_stream_.find(record.labels);
  if (known == by_stream_.end()) return nullptr;
  latest_stream_ = {record.labels, known->second.second.get()};
  return latest_stream_.second;
}

const LabelSet* RangeVector::series_of(const record::Record& record, const LogQuery::Entry& entry) {
  if (const LabelSet* known = known_series(record)) return known;
  if (no_labels_ && !entry.errored) {
    labels_.clear();
  } else {
    gather(entry);
    if (grouping_ && !entry.errored) {
      std::erase_if(labels_, [&](const Label& label) { return names_label(grouping_->labels, label.name) == grouping_->without; });
    }
  }
  if (entry.errored) labels_.push_back({"__preserve_error__", "true"});
  made_ = LabelSet::intern(labels_);
  if (by_stream_alone(record)) {
    constexpr std::size_t kMostKnown = 4096;
    if (by_stream_.size() >= kMostKnown) by_stream_.clear();
    by_stream_.emplace(record.labels, std::pair(LabelSetRef::share(record.labels), made_));
    latest_stream_ = {record.labels, made_.get()};
  }
  return made_.get();
}

Result<void> RangeVector::count_memory(std::size_t before, std::size_t after) {
  used_ += after - before;
  if (used_ <= memory_) return {};
  return base::fail(Code::config, "cannot evaluate the query: its series take more than {} MiB of memory", memory_ >> 20)
      .with_hint(
          "aggregate with sum by (…), select fewer streams, drop labels that differ in each line (| drop trace_id), or take a "
          "shorter range");
}

RangeVector::Points RangeVector::points_of(base::Timestamp time) const {
  time += offset_;
  const auto last_point = static_cast<base::Duration>(times_.points() - 1);
  return {std::max<base::Duration>(divide_up(time - times_.start, times_.step), 0),
          std::min(divide_up(time - times_.start + range_, times_.step) - 1, last_point)};
}

base::TimeRange RangeVector::cell_of(base::Timestamp time) const {
  const auto last_point = static_cast<base::Duration>(times_.points() - 1);
  const base::Duration now = time + offset_ - times_.start;
  const base::Duration first = std::clamp<base::Duration>(divide_up(now, times_.step), 0, last_point + 1);
  const base::Duration last = std::clamp<base::Duration>(divide_up(now + range_, times_.step) - 1, -1, last_point);
  const auto behind = [this](base::Duration point) { return times_.start - offset_ + point * times_.step + 1; };
  base::TimeRange cell;
  if (first > 0) cell.from = behind(first - 1);
  if (first <= last_point) cell.to = behind(first);
  if (last >= 0) cell.from = std::max(cell.from, behind(last) - range_);
  if (last < last_point) cell.to = std::min(cell.to, behind(last + 1) - range_);
  return cell;
}

Result<std::optional<RangeVector::Sample>> RangeVector::sample(record::Record& record, record::Batch& batch) {
  std::optional<Sample> sample;
  if (!reads_.contains(record.timestamp)) return sample;
  const Points points = points_of(record.timestamp);
  if (points.first > points.last) return sample;
  LogQuery::Entry entry;
  // A query without stages passes what its selector takes, and shows the stream's labels.
  const LabelSet* const known = plain_ && !record.is_marker() ? known_series(record) : nullptr;
  if (known == nullptr && !query_.run(record, batch, entry)) return sample;
  const bool kept =
      keeps_error_ && (entry.error == kJsonError || entry.error == kLogfmtError);  // Loki keeps those of parsers alone
  if (entry.errored && !kept) return refused(entry);
  const std::size_t size = !bytes_ ? 0 : known != nullptr ? batch.line(record).size() : entry.line.size();
  sample = {record.timestamp, known != nullptr ? known : series_of(record, entry),
            bytes_ ? static_cast<double>(size) : entry.value};
  return sample;
}

Result<void> RangeVector::add(record::Record& record, record::Batch& batch) {
  auto one = sample(record, batch);
  if (!one) return std::move(one).error();
  return *one ? add(**one) : Result<void>();
}

Result<void> RangeVector::add(const Sample& sample) {
  const Points points = points_of(sample.time);
  if (points.first > points.last) return {};
  if (latest_ == nullptr || latest_->labels.get() != sample.series) {
    latest_ = &series_[sample.series];
    if (!latest_->labels) latest_->labels = LabelSetRef::share(sample.series);
  }
  Series& series = *latest_;
  const auto first = static_cast<std::size_t>(points.first), last = static_cast<std::size_t>(points.last);
  if (series.windows.empty()) series.first = first;
  if (last >= series.first + series.windows.size()) {
    const std::size_t before = series.windows.capacity();
    series.windows.resize(last - series.first + 1);
    const std::size_t size = sizeof(RangeFunction::Window);
    const std::size_t fixed = before == 0 ? sizeof(Series) + series.labels->json().size() * 2 + 128 : 0;
    if (auto ok = count_memory(before * size, series.windows.capacity() * size + fixed); !ok) return ok;
  }
  for (std::size_t i = first; i <= last; ++i)
    function_.add(series.windows[i - series.first], {sample.time, sample.value}, sample.samples);
  return function_.needs_samples() ? keep(series, {sample.time, sample.value}) : Result<void>();
}

// Each sample is kept once, however many windows it is in.
Result<void> RangeVector::keep(Series& series, const MetricPoint& point) {
  std::vector<MetricPoint>& samples = series.samples;
  if (samples.size() == samples.capacity() && series.unused > samples.size() / 2) {
    samples.erase(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(series.unused));
    series.unused = 0;
  }
  const std::size_t before = samples.capacity();
  samples.push_back(point);
  return count_memory(before * sizeof(MetricPoint), samples.capacity() * sizeof(MetricPoint));
}

double RangeVector::result(Series& series, std::size_t point) {
  const RangeFunction::Window& window = series.windows[point - series.first];
  if (!function_.needs_samples()) return function_.result(window);
  const auto at = static_cast<std::ptrdiff_t>(point);
  const auto unused = series.samples.begin() + static_cast<std::ptrdiff_t>(series.unused);
  const auto begin = std::partition_point(unused, series.samples.end(),
                                          [&](const MetricPoint& sample) { return points_of(sample.time).last < at; });
  const auto end = std::partition_point(begin, series.samples.end(),
                                        [&](const MetricPoint& sample) { return points_of(sample.time).first <= at; });
  series.unused = static_cast<std::size_t>(begin - series.samples.begin());
  window_.assign(begin, end);
  return function_.result(window, window_);
}

void RangeVector::at(std::size_t point, MetricVector& out) {
  const std::size_t begin = out.size();
  bool erased = false;
  for (auto next = series_.begin(); next != series_.end();) {
    Series& series = next->second;
    if (!series.windows.empty() && series.first <= point) {
      const std::size_t index = point - series.first;
      if (!series.windows[index].empty()) out.push_back({series.labels, result(series, point)});
      series.windows.erase(series.windows.begin(), series.windows.begin() + static_cast<std::ptrdiff_t>(index) + 1);
      series.first = point + 1;
    }
    if (!series.windows.empty()) {
      ++next;
      continue;
    }
    used_ -= std::min(used_, sizeof(Series) + series.labels->json().size() * 2 + 128 +
                                 series.windows.capacity() * sizeof(RangeFunction::Window) +
                                 series.samples.capacity() * sizeof(MetricPoint));
    next = series_.erase(next);
    erased = true;
  }
  if (erased) latest_ = nullptr;
  if (!absent_labels_) return;
  const bool present = out.size() > begin;
  out.resize(begin);
  if (!present) out.push_back({absent_labels_, 1});
}

}  // namespace weir::logql
