#include "logql/metric_query.h"

#include "logql/aggregation_node.h"
#include "logql/binary_node.h"
#include "logql/certain_series.h"
#include "logql/label_replace_node.h"
#include "logql/metric_node.h"
#include "logql/parser.h"
#include "logql/printer.h"
#include "logql/refusal.h"
#include "logql/series_labels.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <unordered_map>
#include <utility>

namespace weir::logql {
namespace {

constexpr std::string_view kNoEvaluator = "unexpected expr type (*syntax.LiteralExpr) for Evaluator type (*logql.DefaultEvaluator)";

using base::Code;
using base::fail;
using base::Result;
using record::LabelSet;

class RangeNode : public MetricNode {
 public:
  explicit RangeNode(RangeVector& range) : range_(range) {}
  Result<void> at(std::size_t point, MetricVector& out) override {
    range_.at(point, out);
    // Sums go by this order, and so do equal values.
    std::sort(out.begin(), out.end(),
              [](const VectorSample& a, const VectorSample& b) { return labels_before(*a.labels, *b.labels); });
    return {};
  }

 private:
  RangeVector& range_;
};

class ConstantNode : public MetricNode {
 public:
  explicit ConstantNode(double value) : value_(value) {}
  Result<void> at(std::size_t, MetricVector& out) override {
    out.push_back({LabelSet::empty(), value_});
    return {};
  }

 private:
  double value_;
};

bool sorts(const Expr& expr) {
  struct Visitor {
    bool operator()(const VectorAggregation& one) const {
      return one.function == "sort" || one.function == "sort_desc" || sorts(one.inner.front());
    }
    bool operator()(const BinaryOperation& one) const { return sorts(one.legs.front()) || sorts(one.legs.back()); }
    bool operator()(const LabelReplace& one) const { return sorts(one.inner.front()); }
    bool operator()(const RangeAggregation&) const { return false; }
    bool operator()(const LogExpr&) const { return false; }
    bool operator()(const Literal&) const { return false; }
    bool operator()(const VectorLiteral&) const { return false; }
    bool operator()(const Variants&) const { return false; }
  };
  return std::visit(Visitor{}, expr.node);
}

class Evaluation : public MetricQuery {
 public:
  Evaluation(const MetricTimes& times, bool instant, const MetricLimits& limits, const ParserOptions& syntax)
      : times_(times), instant_(instant), limits_(limits), syntax_(syntax) {}

  Result<void> build(const Expr& expr, std::string_view text) {
    whole_text_ = text;
    text_ = text;
    if (const auto* literal = std::get_if<Literal>(&expr.node)) {
      scalar_ = instant_;
      root_ = std::make_unique<ConstantNode>(literal->value);
    } else {
      auto root = node(expr, std::nullopt);
      if (!root) return std::move(root).error();
      root_ = std::move(*root);
    }
    sorted_by_value_ = sorts(expr);
    if (limits_.series > 0) certain_ = CertainSeries::of(expr);
    text_ = {};
    for (const auto& range : ranges_) {
      latest_offset_ = std::min(latest_offset_, range->offset());
      reads_.from = std::min(reads_.from, range->reads().from);
      reads_.to = std::max(reads_.to, range->reads().to);
    }
    if (ranges_.empty()) reads_ = {0, 0};
    return {};
  }

  [[nodiscard]] base::TimeRange reads() const override { return reads_; }
  [[nodiscard]] bool selects(const LabelSet& labels) const override {
    return std::any_of(ranges_.begin(), ranges_.end(), [&](const auto& range) { return range->selects(labels); });
  }
  [[nodiscard]] LogExpr common_filter() const override {
    LogExpr filter;
    if (ranges_.size() != 1) return filter;
    const LogExpr& log = ranges_.front()->query().expr();
    filter.matchers = log.matchers;
    // Up to what may change the line.
    for (const StageExpr& stage : log.stages) {
      if (std::holds_alternative<LineFilterExpr>(stage.node)) {
        filter.stages.push_back(stage);
      } else if (std::holds_alternative<LineFormatExpr>(stage.node) || std::holds_alternative<UnpackExpr>(stage.node) ||
                 std::holds_alternative<DecolorizeExpr>(stage.node)) {
        break;
      }
    }
    return filter;
  }
  [[nodiscard]] std::span<const Needles> needles() const override {
    if (ranges_.size() != 1) return {};
    return ranges_.front()->query().needles();
  }
  [[nodiscard]] bool reads_line() const override {
    return std::any_of(ranges_.begin(), ranges_.end(), [](const auto& range) { return range->reads_line(); });
  }

  Result<void> add(record::Record& record, record::Batch& batch) override {
    if (auto ok = close_before(record.timestamp); !ok) return ok;
    for (const auto& range : ranges_) {
      const std::size_t open = range->open_series();
      if (auto ok = range->add(record, batch); !ok) return ok;
      if (auto ok = check_series(*range, open); !ok) return ok;
    }
    return {};
  }

  [[nodiscard]] Result<std::unique_ptr<MetricQuery>> again() const override {
    return compile(whole_text_, times_, instant_, limits_, syntax_);
  }
  [[nodiscard]] std::size_t ranges() const override { return ranges_.size(); }
  [[nodiscard]] RangeVector& range(std::size_t index) override { return *ranges_[index]; }
  Result<void> add(std::size_t index, const RangeVector::Sample& sample) override {
    if (auto ok = close_before(sample.time); !ok) return ok;
    const std::size_t open = ranges_[index]->open_series();
    if (auto ok = ranges_[index]->add(sample); !ok) return ok;
    return check_series(*ranges_[index], open);
  }

  Result<MetricAnswer> finish() override {
    while (next_ < times_.points()) {
      if (auto ok = close_point(); !ok) return std::move(ok).error();
    }
    answer_.kind = scalar_ ? MetricAnswer::Kind::scalar : instant_ ? MetricAnswer::Kind::vector : MetricAnswer::Kind::matrix;
    if (!instant_ || !sorted_by_value_) {
      std::stable_sort(answer_.series.begin(), answer_.series.end(),
                       [](const auto& a, const auto& b) { return labels_before(*a.labels, *b.labels); });
    }
    return std::move(answer_);
  }

 private:
  // A point is complete when the records behind it come.
  Result<void> close_before(base::Timestamp time) {
    while (next_ < times_.points() && time > times_.point(next_) - latest_offset_) {
      if (auto ok = close_point(); !ok) return ok;
    }
    return {};
  }

  [[nodiscard]] base::Error too_many_series() const {
    return fail(Code::config,
                "maximum number of series ({}) reached for a single query; consider reducing query cardinality by adding more "
                "specific stream selectors, reducing the time range, or aggregating results with functions like sum(), count() "
                "or topk()",
                limits_.series);
  }

  // After a sample was added to a range that had so many open series before.
  Result<void> check_series(const RangeVector& range, std::size_t open_before) {
    if (certain_ == nullptr || range.open_series() == open_before || range.latest_series() == nullptr) return {};
    if (certain_->add(record::LabelSetRef::share(range.latest_series())) > limits_.series) return too_many_series();
    return {};
  }

  Result<void> close_point() {
    vector_.clear();
    if (auto ok = root_->at(next_, vector_); !ok) return ok;
    const base::Timestamp time = times_.point(next_) / base::kMillisecond * base::kMillisecond;
    ++next_;
    for (VectorSample& sample : vector_) {
      // One point has each series once, in its own order.
      const auto [found, fresh] =
          instant_ ? std::pair(places_.end(), true) : places_.try_emplace(sample.labels.get(), answer_.series.size());
      if (fresh) {
        if (limits_.series > 0 && answer_.series.size() >= limits_.series) return too_many_series();
        answer_.series.push_back({std::move(sample.labels), {{time, sample.value}}});
      } else {
        answer_.series[found->second].points.push_back({time, sample.value});
      }
    }
    return {};
  }

  Result<MetricNodePtr> node(const Expr& expr, const std::optional<Grouping>& outer) {
    return std::visit([&](const auto& one) { return make(one, outer); }, expr.node);
  }

  Result<MetricNodePtr> make(const RangeAggregation& expr, const std::optional<Grouping>& outer) {
    auto range = RangeVector::compile(expr, outer, times_, limits_.memory, text_);
    if (!range) return std::move(range).error();
    ranges_.push_back(std::move(*range));
    return MetricNodePtr(std::make_unique<RangeNode>(*ranges_.back()));
  }

  Result<MetricNodePtr> make(const VectorAggregation& expr, const std::optional<Grouping>&) {
    if (expr.function == "approx_topk") {
      return fail(Code::config, "cannot evaluate approx_topk: weir counts exactly").with_hint("use topk");
    }
    if (const Expr& inner = expr.inner.front(); std::holds_alternative<Literal>(inner.node)) {
      // Loki divides these among shards, as queries of their own, and a number is none.
      const bool divided = expr.function == "sum" || expr.function == "count" || expr.function == "avg";
      return no_vector(divided ? fmt::format("parse error : {}", kNoMatcher) : std::string(kNoEvaluator));
    }
    std::optional<Grouping> given;
    if (const auto* range = std::get_if<RangeAggregation>(&expr.inner.front().node); range != nullptr && !range->grouping) {
      const auto& name = range->function;
      const bool additive = name == "bytes_over_time" || name == "bytes_rate" || name == "sum_over_time" || name == "rate" ||
                            name == "count_over_time";
      if (expr.function == "sum" && additive) given = expr.grouping.value_or(Grouping());
    }
    auto inner = node(expr.inner.front(), given);
    if (!inner) return inner;
    return aggregate(expr, std::move(*inner));
  }

  Result<MetricNodePtr> make(const BinaryOperation& expr, const std::optional<Grouping>&) {
    const auto* left_number = std::get_if<Literal>(&expr.legs.front().node);
    const auto* right_number = std::get_if<Literal>(&expr.legs.back().node);
    if (left_number != nullptr || right_number != nullptr) {
      auto inner = node(left_number != nullptr ? expr.legs.back() : expr.legs.front(), std::nullopt);
      if (!inner) return inner;
      const double value = left_number != nullptr ? left_number->value : right_number->value;
      return combine_with_number(expr.op, expr.returns_bool, value, left_number != nullptr, std::move(*inner));
    }
    auto left = node(expr.legs.front(), std::nullopt);
    if (!left) return left;
    auto right = node(expr.legs.back(), std::nullopt);
    if (!right) return right;
    return combine_vectors(expr, std::move(*left), std::move(*right));
  }

  // A number that stands neither alone nor beside an operator, as in topk(1, 5).
  Result<MetricNodePtr> make(const Literal&, const std::optional<Grouping>&) { return no_vector(std::string(kNoEvaluator)); }
  static base::Error no_vector(const std::string& why) {
    return fail(Code::config, "{}", why).with_hint("functions take vectors; a number becomes one with vector(5)");
  }
  Result<MetricNodePtr> make(const VectorLiteral& expr, const std::optional<Grouping>&) {
    return MetricNodePtr(std::make_unique<ConstantNode>(expr.value));
  }

  Result<MetricNodePtr> make(const LabelReplace& expr, const std::optional<Grouping>&) {
    auto inner = node(expr.inner.front(), std::nullopt);
    if (!inner) return inner;
    return replace_label(expr, std::move(*inner));
  }

  Result<MetricNodePtr> make(const LogExpr&, const std::optional<Grouping>&) {
    return fail(Code::bug, "a log query stands where a metric query is needed");
  }
  Result<MetricNodePtr> make(const Variants&, const std::optional<Grouping>&) {
    return fail(Code::config, "cannot evaluate variants: they are an experiment of Loki")
        .with_hint("ask one query for each variant");
  }

  MetricTimes times_;
  bool instant_;
  MetricLimits limits_;
  ParserOptions syntax_;
  std::string whole_text_;
  std::string_view text_;  // while it is built
  std::vector<std::unique_ptr<RangeVector>> ranges_;
  MetricNodePtr root_;
  bool scalar_ = false, sorted_by_value_ = false;
  base::TimeRange reads_ = {base::TimeRange::kForever, base::TimeRange::kBeginning};
  base::Duration latest_offset_ = std::numeric_limits<base::Duration>::max() / 4;
  std::size_t next_ = 0;  // the point that is closed next
  MetricVector vector_;
  MetricAnswer answer_;
  std::unordered_map<const LabelSet*, std::size_t> places_;
  std::unique_ptr<CertainSeries> certain_;  // null: nothing is
};

}  // namespace

Result<std::unique_ptr<MetricQuery>> MetricQuery::compile(std::string_view text, const MetricTimes& times, bool instant,
                                                          const MetricLimits& limits, const ParserOptions& syntax) {
  auto parsed = parse(text, syntax);
  if (!parsed) return std::move(parsed).error();
  if (parsed->is_log()) {
    return fail(Code::config, "cannot evaluate {} as a metric query: it is a log query", print(*parsed))
        .with_hint("count its lines: count_over_time({…} [5m])");
  }
  auto query = std::make_unique<Evaluation>(times, instant, limits, syntax);
  if (auto ok = query->build(*parsed, text); !ok) return std::move(ok).error();
  return std::unique_ptr<MetricQuery>(std::move(query));
}

}  // namespace weir::logql
