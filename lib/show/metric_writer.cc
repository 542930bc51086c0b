#include "show/metric_writer.h"

#include "gotext/quantity.h"
#include "show/chart.h"
#include "show/columns.h"
#include "show/identity.h"
#include "show/line_writer.h"
#include "show/local_time.h"
#include "show/table.h"

#include <set>
#include <utility>
#include <vector>

namespace weir::show {
namespace {

std::vector<std::string> all_names(const SeriesSet& set) {
  std::set<std::string> names;
  for (const Series& series : set.all()) {
    for (const auto& label : series.labels->labels()) names.emplace(label.name);
  }
  return {names.begin(), names.end()};
}

}  // namespace

void MetricWriter::add(std::string& out, record::Batch&, record::Record& record) {
  if (!overflowed_ && set_.add(record)) return;
  if (!overflowed_) overflow(out);
  std::string_view value = record.extra == nullptr ? std::string_view() : record.extra->value;
  if (value.size() >= 2) value = value.substr(1, value.size() - 2);
  append_line(out, record.timestamp, value, *record.labels);
}

void MetricWriter::append_line(std::string& out, base::Timestamp time, std::string_view value,
                               const record::LabelSet& labels) const {
  LocalTime local;
  local.set(time);
  std::string text;
  local.append_full(text);
  LineWriter line(out, options_.canvas);
  line.put(text, Style::dim);
  line.put(" ");
  line.put(value);
  if (const std::string selector = selector_of(labels); !selector.empty()) line.put(" " + selector);
  line.end();
}

void MetricWriter::overflow(std::string& out) {
  overflowed_ = true;
  for (const Series& series : set_.all()) {
    for (const Point& point : series.points) {
      append_line(out, point.time, gotext::print_float_f(point.value), *series.labels);
    }
  }
  set_ = SeriesSet();
}

std::string MetricWriter::head() const {
  std::string out;
  LocalTime last;
  last.set(set_.last());
  std::string text = full_text(set_.last());
  if (!set_.is_instant()) {
    const Ends ends = ends_of(set_.first(), set_.last());
    text = full_text(set_.first()) + (options_.canvas.unicode ? " – " : " - ") + ends.last;
  }
  (text += ' ') += last.zone();
  LineWriter line(out, options_.canvas);
  line.put(text, Style::bold);
  const std::string shared = set_.all().size() == 1 ? selector_of(*set_.all()[0].labels) : set_.shared();
  if (!shared.empty()) {
    line.put("  ");
    line.set_indent(line.column());
    line.put(shared, Style::dim);
  }
  line.end();
  return out;
}

std::string MetricWriter::instant() const {
  const std::vector<std::string> names = options_.screen ? set_.differing() : all_names(set_);
  std::vector<Table::Column> columns = {{"VALUE", true, Style::bold}};
  for (const std::string& name : names) columns.push_back({visible(name)});
  Table table(columns);
  for (const Series& series : set_.all()) {
    // What is written out is what came, unless it has many digits.
    constexpr std::size_t kFew = 10;
    const double value = series.points.back().value;
    const bool exact = !options_.screen || series.text.size() <= kFew;
    std::vector<std::string> cells = {exact && !series.text.empty() ? visible(series.text) : short_number(value)};
    for (const std::string& name : names) cells.push_back(visible(series.labels->get(name)));
    table.add(std::move(cells));
  }
  return table.text(options_.canvas);
}

std::string MetricWriter::summary() const {
  const std::vector<std::string> names = all_names(set_);
  std::vector<Table::Column> columns = {{"POINTS", true}, {"LAST", true}, {"MEAN", true}, {"MIN", true}, {"MAX", true}};
  for (const std::string& name : names) columns.push_back({visible(name)});
  Table table(columns);
  for (const Series& series : set_.all()) {
    const Extent extent = extent_of(series);
    std::vector<std::string> cells = {std::to_string(series.points.size())};
    for (const double value : {extent.last, extent.mean(), extent.least, extent.most}) {
      cells.push_back(extent.numbers == 0 ? "-" : gotext::print_float_g(value));
    }
    for (const std::string& name : names) cells.push_back(visible(series.labels->get(name)));
    table.add(std::move(cells));
  }
  return table.text(options_.canvas);
}

void MetricWriter::release(std::string& out) {
  if (set_.points() == 0) return;
  if (options_.screen) out += head();
  if (set_.is_instant()) {
    out += instant();
  } else {
    out += options_.screen ? chart_text(set_, options_.canvas, options_.rows) : summary();
  }
  set_ = SeriesSet();
}

}  // namespace weir::show
