#include "logql/aggregation_node.h"

#include "logql/series_labels.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::logql {
namespace {

using base::Result;
using record::Label;
using record::LabelSet;
using record::LabelSetRef;

class AggregationNode : public MetricNode {
 public:
  AggregationNode(const VectorAggregation& expr, MetricNodePtr inner)
      : function_(function_of(expr.function)),
        parameter_(expr.parameter.value_or(0)),
        grouping_(expr.grouping.value_or(Grouping())),
        inner_(std::move(inner)) {}

  Result<void> at(std::size_t point, MetricVector& out) override {
    samples_.clear();
    if (auto ok = inner_->at(point, samples_); !ok) return ok;
    if (orders() || picks()) {
      order(out);
      return {};
    }
    groups_.clear();
    for (const VectorSample& sample : samples_) {
      const LabelSetRef& labels = group_of(sample.labels);
      const auto [found, fresh] = places_.try_emplace(labels.get(), groups_.size());
      if (fresh) {
        groups_.push_back(
            {labels, 1, function_ == Function::deviation || function_ == Function::variance ? 0 : sample.value, sample.value});
      } else {
        add(groups_[found->second], sample.value);
      }
    }
    places_.clear();
    for (const Group& group : groups_) out.push_back({group.labels, result(group)});
    return {};
  }

 private:
  enum class Function : std::uint8_t { sum, average, minimum, maximum, count, deviation, variance, top, bottom, sort, sort_down };
  struct Group {
    LabelSetRef labels;
    std::uint64_t count = 0;
    double value = 0, mean = 0;
  };

  static Function function_of(std::string_view name) {
    if (name == "avg") return Function::average;
    if (name == "min") return Function::minimum;
    if (name == "max") return Function::maximum;
    if (name == "count") return Function::count;
    if (name == "stddev") return Function::deviation;
    if (name == "stdvar") return Function::variance;
    if (name == "topk") return Function::top;
    if (name == "bottomk") return Function::bottom;
    if (name == "sort") return Function::sort;
    if (name == "sort_desc") return Function::sort_down;
    return Function::sum;
  }
  [[nodiscard]] bool orders() const { return function_ == Function::sort || function_ == Function::sort_down; }
  [[nodiscard]] bool picks() const { return function_ == Function::top || function_ == Function::bottom; }

  const LabelSetRef& group_of(const LabelSetRef& labels) {
    if (!grouping_.without && grouping_.labels.empty()) return LabelSet::empty();
    return reduced_.of(labels, [&](const LabelSet& set, std::vector<Label>& out) {
      reduce_labels(set, grouping_.labels, !grouping_.without, out);
      if (grouping_.without) std::erase_if(out, [](const Label& label) { return label.name == "__name__"; });
    });
  }

  void add(Group& group, double value) const {
    ++group.count;
    switch (function_) {
      case Function::average:
        group.mean += (value - group.mean) / static_cast<double>(group.count);
        break;
      case Function::minimum:
        if (group.value > value || std::isnan(group.value)) group.value = value;
        break;
      case Function::maximum:
        if (group.value < value || std::isnan(group.value)) group.value = value;
        break;
      case Function::deviation:
      case Function::variance: {
        const double delta = value - group.mean;
        group.mean += delta / static_cast<double>(group.count);
        group.value += delta * (value - group.mean);
        break;
      }
      default:
        group.value += value;
    }
  }

  [[nodiscard]] double result(const Group& group) const {
    const auto count = static_cast<double>(group.count);
    switch (function_) {
      case Function::average:
        return group.mean;
      case Function::count:
        return count;
      case Function::deviation:
        return std::sqrt(group.value / count);
      case Function::variance:
        return group.value / count;
      default:
        return group.value;
    }
  }

  // topk, bottomk, sort and sort_desc: samples as they are, by value in each group. NaN is the least for topk and sort_desc, the
  // greatest for the others.
  void order(MetricVector& out) {
    const bool down = function_ == Function::top || function_ == Function::sort_down;
    std::vector<std::pair<const LabelSet*, VectorSample>> all;
    all.reserve(samples_.size());
    for (VectorSample& sample : samples_) {
      const LabelSet* group = group_of(sample.labels).get();
      all.emplace_back(group, std::move(sample));
    }
    std::stable_sort(all.begin(), all.end(), [&](const auto& a, const auto& b) {
      if (a.first != b.first) return labels_before(*a.first, *b.first);
      const double x = a.second.value, y = b.second.value;
      if (std::isnan(x) || std::isnan(y)) return !std::isnan(x) && std::isnan(y);
      return down ? x > y : x < y;
    });
    std::int64_t taken = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (i == 0 || all[i].first != all[i - 1].first) taken = 0;
      if (picks() && taken++ >= parameter_) continue;
      out.push_back(std::move(all[i].second));
    }
  }

  Function function_;
  std::int64_t parameter_;
  Grouping grouping_;
  MetricNodePtr inner_;
  LabelMap reduced_;
  MetricVector samples_;
  std::vector<Group> groups_;
  std::unordered_map<const LabelSet*, std::size_t> places_;
};

}  // namespace

MetricNodePtr aggregate(const VectorAggregation& expr, MetricNodePtr inner) {
  return std::make_unique<AggregationNode>(expr, std::move(inner));
}

}  // namespace weir::logql
