#include "show/series.h"

#include "gotext/quantity.h"
#include "show/identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

namespace weir::show {

Extent extent_of(const Series& series) {
  Extent extent;
  for (const Point& point : series.points) {
    if (!std::isfinite(point.value)) continue;
    extent.least = extent.numbers == 0 ? point.value : std::min(extent.least, point.value);
    extent.most = extent.numbers == 0 ? point.value : std::max(extent.most, point.value);
    extent.sum += point.value;
    extent.last = point.value;
    ++extent.numbers;
  }
  return extent;
}

bool SeriesSet::add(const record::Record& sample) {
  if (points_ == kMostPoints) return false;
  std::string_view value = sample.extra == nullptr ? std::string_view() : sample.extra->value;
  if (value.size() >= 2) value = value.substr(1, value.size() - 2);
  const auto [at, is_new] = places_.try_emplace(sample.labels, all_.size());
  if (is_new) all_.push_back({record::LabelSetRef::share(sample.labels), {}, {}});
  Series& series = all_[at->second];
  if (series.points.empty()) {
    series.text = value;
  } else {
    std::string().swap(series.text);
  }
  const double number = gotext::parse_float(value).value_or(std::numeric_limits<double>::quiet_NaN());
  series.points.push_back({sample.timestamp, number});
  first_ = points_ == 0 ? sample.timestamp : std::min(first_, sample.timestamp);
  last_ = points_ == 0 ? sample.timestamp : std::max(last_, sample.timestamp);
  ++points_;
  return true;
}

base::Duration SeriesSet::step() const {
  base::Duration step = 0;
  for (const Series& series : all_) {
    for (std::size_t i = 1; i < series.points.size(); ++i) {
      const base::Duration apart = std::abs(series.points[i].time - series.points[i - 1].time);
      if (apart > 0 && (step == 0 || apart < step)) step = apart;
    }
  }
  return step;
}

std::vector<std::string> SeriesSet::differing() const {
  std::set<std::string> names;
  for (const Series& series : all_) {
    for (const auto& label : series.labels->labels()) {
      if (all_[0].labels->get(label.name) != label.value) names.emplace(label.name);
    }
  }
  if (!all_.empty()) {
    for (const auto& label : all_[0].labels->labels()) {
      for (const Series& series : all_) {
        if (series.labels->get(label.name) != label.value) names.emplace(label.name);
      }
    }
  }
  return {names.begin(), names.end()};
}

std::string SeriesSet::shared() const {
  if (all_.size() < 2) return {};
  const std::vector<std::string> others = differing();
  std::vector<record::Label> same;
  for (const auto& label : all_[0].labels->labels()) {
    if (!std::ranges::binary_search(others, label.name)) same.push_back(label);
  }
  return selector_of(*record::LabelSet::intern(same));
}

std::string short_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  const double size = std::fabs(value);
  constexpr std::array<std::pair<double, char>, 4> kUnits = {{{1e12, 'T'}, {1e9, 'G'}, {1e6, 'M'}, {1e4, 'k'}}};
  if (size >= 1e15 || (size > 0 && size < 1e-4)) return fmt::format("{:.3g}", value);
  for (const auto& [from, unit] : kUnits) {
    if (size < from * 0.99995) continue;
    const double by = unit == 'k' ? 1e3 : from;
    return fmt::format("{:.4g}{}", value / by, unit);
  }
  return fmt::format("{:.4g}", value);
}

}  // namespace weir::show
