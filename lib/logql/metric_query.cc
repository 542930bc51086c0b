#include "logql/metric_query.h"

#include "gotext/regex.h"
#include "logql/parser.h"
#include "logql/printer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace weir::logql {
namespace {

using base::Code;
using base::fail;
using base::Result;
using record::Label;
using record::LabelSet;
using record::LabelSetRef;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

bool by_labels(const LabelSet& a, const LabelSet& b) {
  const auto left = a.labels(), right = b.labels();
  return std::lexicographical_compare(left.begin(), left.end(), right.begin(), right.end(), [](const Label& x, const Label& y) {
    return x.name != y.name ? x.name < y.name : x.value < y.value;
  });
}

bool names_label(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// A label set made of another one; remembered, since the same series come at every point.
class LabelMap {
 public:
  template <typename Make>  // void make(const LabelSet&, std::vector<Label>& out)
  const LabelSetRef& of(const LabelSetRef& labels, Make make) {
    if (known_.size() > kMost) known_.clear();
    auto& known = known_[labels.get()];
    if (!known.second) {
      made_.clear();
      make(*labels, made_);
      known = {labels, LabelSet::intern(made_)};
    }
    return known.second;
  }

 private:
  static constexpr std::size_t kMost = 100'000;
  std::unordered_map<const LabelSet*, std::pair<LabelSetRef, LabelSetRef>> known_;
  std::vector<Label> made_;
};

// Of the labels those that are named, or those that are not.
void reduce(const LabelSet& labels, const std::vector<std::string>& names, bool keep, std::vector<Label>& out) {
  for (const Label& label : labels.labels()) {
    if (names_label(names, label.name) == keep) out.push_back(label);
  }
}

// ---- the tree

// A part of a query that gives a vector at each point. Points are asked for in their order, each once.
class Node {
 public:
  virtual ~Node() = default;
  virtual Result<void> at(std::size_t point, MetricVector& out) = 0;
};
using NodePtr = std::unique_ptr<Node>;

class RangeNode : public Node {
 public:
  explicit RangeNode(RangeVector& range) : range_(range) {}
  Result<void> at(std::size_t point, MetricVector& out) override {
    range_.at(point, out);
    // Sums go by this order, and so do equal values.
    std::sort(out.begin(), out.end(), [](const VectorSample& a, const VectorSample& b) { return by_labels(*a.labels, *b.labels); });
    return {};
  }

 private:
  RangeVector& range_;
};

class ConstantNode : public Node {
 public:
  explicit ConstantNode(double value) : value_(value) {}
  Result<void> at(std::size_t, MetricVector& out) override {
    out.push_back({LabelSet::empty(), value_});
    return {};
  }

 private:
  double value_;
};

class AggregationNode : public Node {
 public:
  AggregationNode(const VectorAggregation& expr, NodePtr inner)
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
      reduce(set, grouping_.labels, !grouping_.without, out);
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
      if (a.first != b.first) return by_labels(*a.first, *b.first);
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
  NodePtr inner_;
  LabelMap reduced_;
  MetricVector samples_;
  std::vector<Group> groups_;
  std::unordered_map<const LabelSet*, std::size_t> places_;
};

// The result of an operator between two numbers; nothing where a comparison does not hold and filters.
std::optional<double> combine(BinaryOp op, double left, double right, bool filters) {
  const auto compared = [&](bool holds) -> std::optional<double> {
    if (holds) return 1;
    return filters ? std::nullopt : std::optional<double>(0);
  };
  switch (op) {
    case BinaryOp::add:
      return left + right;
    case BinaryOp::sub:
      return left - right;
    case BinaryOp::mul:
      return left * right;
    case BinaryOp::div:
      return right == 0 ? kNan : left / right;
    case BinaryOp::mod:
      return right == 0 ? kNan : std::fmod(left, right);
    case BinaryOp::pow:
      return std::pow(left, right);
    case BinaryOp::equal:
      return compared(left == right);
    case BinaryOp::not_equal:
      return compared(left != right);
    case BinaryOp::greater:
      return compared(left > right);
    case BinaryOp::greater_equal:
      return compared(left >= right);
    case BinaryOp::less:
      return compared(left < right);
    case BinaryOp::less_equal:
      return compared(left <= right);
    case BinaryOp::or_:
    case BinaryOp::and_:
    case BinaryOp::unless:
      break;
  }
  return std::nullopt;
}

// An operator between a number and a vector.
class LiteralNode : public Node {
 public:
  LiteralNode(BinaryOp op, bool returns_bool, double literal, bool literal_left, NodePtr inner)
      : op_(op), returns_bool_(returns_bool), literal_(literal), literal_left_(literal_left), inner_(std::move(inner)) {}

  Result<void> at(std::size_t point, MetricVector& out) override {
    const std::size_t begin = out.size();
    if (auto ok = inner_->at(point, out); !ok) return ok;
    const bool filters = is_comparison(op_) && !returns_bool_;
    std::size_t kept = begin;
    for (std::size_t i = begin; i < out.size(); ++i) {
      const double value = out[i].value;
      const auto result = combine(op_, literal_left_ ? literal_ : value, literal_left_ ? value : literal_, filters);
      if (!result) continue;
      if (kept != i) out[kept] = std::move(out[i]);
      out[kept++].value = filters ? value : *result;
    }
    out.resize(kept);
    return {};
  }

 private:
  BinaryOp op_;
  bool returns_bool_;
  double literal_;
  bool literal_left_;
  NodePtr inner_;
};

// An operator between two vectors.
class BinaryNode : public Node {
 public:
  BinaryNode(const BinaryOperation& expr, NodePtr left, NodePtr right)
      : op_(expr.op),
        returns_bool_(expr.returns_bool),
        matching_(expr.matching.value_or(BinaryOperation::Matching())),
        inner_left_(std::move(left)),
        inner_right_(std::move(right)) {}

  Result<void> at(std::size_t point, MetricVector& out) override {
    left_.clear();
    right_.clear();
    if (auto ok = inner_right_->at(point, right_); !ok) return ok;
    if (auto ok = inner_left_->at(point, left_); !ok) return ok;
    if (is_set_operation(op_)) {
      choose(out);
      return {};
    }
    return match(out);
  }

 private:
  using Group = BinaryOperation::Matching::Group;

  // What two samples must have in common to be a pair.
  const LabelSet* signature(const LabelSetRef& labels) {
    if (!matching_.on && matching_.labels.empty()) return labels.get();
    return signatures_
        .of(labels, [&](const LabelSet& set, std::vector<Label>& made) { reduce(set, matching_.labels, matching_.on, made); })
        .get();
  }

  void choose(MetricVector& out) {
    std::unordered_set<const LabelSet*> there;
    const bool either = op_ == BinaryOp::or_;
    for (const VectorSample& sample : either ? left_ : right_) there.insert(signature(sample.labels));
    if (either) {
      out.insert(out.end(), left_.begin(), left_.end());
      for (VectorSample& sample : right_) {
        if (left_.empty() || !there.contains(signature(sample.labels))) out.push_back(std::move(sample));
      }
      return;
    }
    for (VectorSample& sample : left_) {
      if (there.contains(signature(sample.labels)) == (op_ == BinaryOp::and_)) out.push_back(std::move(sample));
    }
  }

  Result<void> match(MetricVector& out) {
    // `many` may have several samples for one of `one`.
    const bool swapped = matching_.group == Group::right;
    MetricVector& many = swapped ? right_ : left_;
    MetricVector& one = swapped ? left_ : right_;
    std::unordered_map<const LabelSet*, const VectorSample*> ones;
    for (const VectorSample& sample : one) {
      if (!ones.emplace(signature(sample.labels), &sample).second) {
        return fail(
            Code::config,
            "found duplicate series on the {} hand-side;many-to-many matching not allowed: matching labels must be unique on "
            "one side",
            swapped ? "left" : "right");
      }
    }
    std::unordered_set<const LabelSet*> matched;
    std::map<std::pair<const LabelSet*, const LabelSet*>, bool> inserted;
    const bool filters = is_comparison(op_) && !returns_bool_;
    for (const VectorSample& sample : many) {
      const LabelSet* key = signature(sample.labels);
      const auto found = ones.find(key);
      if (found == ones.end()) continue;
      LabelSetRef labels = result_labels(sample.labels, *found->second->labels);
      kept_.push_back(labels);  // the addresses in `inserted` stay theirs
      if (matching_.group == Group::one_to_one) {
        if (!matched.insert(key).second) {
          return fail(Code::config, "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)");
        }
      } else if (!inserted.emplace(std::pair(key, labels.get()), true).second) {
        return fail(Code::config, "multiple matches for labels: grouping labels must ensure unique matches");
      }
      const double left = swapped ? found->second->value : sample.value;
      const double right = swapped ? sample.value : found->second->value;
      const auto result = combine(op_, left, right, filters);
      if (result) out.push_back({std::move(labels), filters ? left : *result});
    }
    kept_.clear();
    return {};
  }

  LabelSetRef result_labels(const LabelSetRef& many, const LabelSet& one) {
    std::vector<Label> labels;
    if (matching_.group == Group::one_to_one) {
      reduce(*many, matching_.labels, matching_.on, labels);
    } else {
      const auto all = many->labels();
      labels.assign(all.begin(), all.end());
    }
    if (matching_.include.empty() && labels.size() == many->size()) return many;
    for (const std::string& name : matching_.include) {
      std::erase_if(labels, [&](const Label& label) { return label.name == name; });
      labels.push_back({name, one.get(name)});  // an empty value is left out
    }
    return LabelSet::intern(labels);
  }

  BinaryOp op_;
  bool returns_bool_;
  BinaryOperation::Matching matching_;
  NodePtr inner_left_, inner_right_;
  LabelMap signatures_;
  MetricVector left_, right_;
  std::vector<LabelSetRef> kept_;
};

class LabelReplaceNode : public Node {
 public:
  LabelReplaceNode(const LabelReplace& expr, gotext::Regex regex, NodePtr inner)
      : destination_(expr.destination),
        replacement_(expr.replacement),
        source_(expr.source),
        regex_(std::move(regex)),
        inner_(std::move(inner)) {}

  Result<void> at(std::size_t point, MetricVector& out) override {
    const std::size_t begin = out.size();
    if (auto ok = inner_->at(point, out); !ok) return ok;
    for (std::size_t i = begin; i < out.size(); ++i) {
      out[i].labels = replaced_.of(out[i].labels, [&](const LabelSet& labels, std::vector<Label>& made) { replace(labels, made); });
    }
    return {};
  }

 private:
  void replace(const LabelSet& labels, std::vector<Label>& made) {
    constexpr std::size_t kMostBytes = 1 << 20;
    const auto all = labels.labels();
    made.assign(all.begin(), all.end());
    if (!regex_.find(labels.get(source_), 0, groups_)) return;
    value_.clear();
    regex_.expand(replacement_, groups_, kMostBytes, value_);
    std::erase_if(made, [&](const Label& label) { return label.name == destination_; });
    made.push_back({destination_, value_});
  }

  std::string destination_, replacement_, source_;
  gotext::Regex regex_;
  NodePtr inner_;
  LabelMap replaced_;
  std::vector<std::string_view> groups_;
  std::string value_;
};

// ---- the query

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
  Evaluation(const MetricTimes& times, bool instant, const MetricLimits& limits)
      : times_(times), instant_(instant), limits_(limits) {}

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
      if (auto ok = range->add(record, batch); !ok) return ok;
    }
    return {};
  }

  [[nodiscard]] Result<std::unique_ptr<MetricQuery>> again() const override {
    return compile(whole_text_, times_, instant_, limits_);
  }
  [[nodiscard]] std::size_t ranges() const override { return ranges_.size(); }
  [[nodiscard]] RangeVector& range(std::size_t index) override { return *ranges_[index]; }
  Result<void> add(std::size_t index, const RangeVector::Sample& sample) override {
    if (auto ok = close_before(sample.time); !ok) return ok;
    return ranges_[index]->add(sample);
  }

  Result<MetricAnswer> finish() override {
    while (next_ < times_.points()) {
      if (auto ok = close_point(); !ok) return std::move(ok).error();
    }
    answer_.kind = scalar_ ? MetricAnswer::Kind::scalar : instant_ ? MetricAnswer::Kind::vector : MetricAnswer::Kind::matrix;
    if (!instant_ || !sorted_by_value_) {
      std::stable_sort(answer_.series.begin(), answer_.series.end(),
                       [](const auto& a, const auto& b) { return by_labels(*a.labels, *b.labels); });
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
        if (limits_.series > 0 && answer_.series.size() >= limits_.series) {
          return fail(
              Code::config,
              "maximum number of series ({}) reached for a single query; consider reducing query cardinality by adding more "
              "specific stream selectors, reducing the time range, or aggregating results with functions like sum(), count() "
              "or topk()",
              limits_.series);
        }
        answer_.series.push_back({std::move(sample.labels), {{time, sample.value}}});
      } else {
        answer_.series[found->second].points.push_back({time, sample.value});
      }
    }
    return {};
  }

  Result<NodePtr> node(const Expr& expr, const std::optional<Grouping>& outer) {
    return std::visit([&](const auto& one) { return make(one, outer); }, expr.node);
  }

  Result<NodePtr> make(const RangeAggregation& expr, const std::optional<Grouping>& outer) {
    auto range = RangeVector::compile(expr, outer, times_, limits_.memory, text_);
    if (!range) return std::move(range).error();
    ranges_.push_back(std::move(*range));
    return NodePtr(std::make_unique<RangeNode>(*ranges_.back()));
  }

  Result<NodePtr> make(const VectorAggregation& expr, const std::optional<Grouping>&) {
    if (expr.function == "approx_topk") {
      return fail(Code::config, "cannot evaluate approx_topk: weir counts exactly").with_hint("use topk");
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
    return NodePtr(std::make_unique<AggregationNode>(expr, std::move(*inner)));
  }

  Result<NodePtr> make(const BinaryOperation& expr, const std::optional<Grouping>&) {
    const auto* left_number = std::get_if<Literal>(&expr.legs.front().node);
    const auto* right_number = std::get_if<Literal>(&expr.legs.back().node);
    if (left_number != nullptr || right_number != nullptr) {
      auto inner = node(left_number != nullptr ? expr.legs.back() : expr.legs.front(), std::nullopt);
      if (!inner) return inner;
      const double value = left_number != nullptr ? left_number->value : right_number->value;
      return NodePtr(std::make_unique<LiteralNode>(expr.op, expr.returns_bool, value, left_number != nullptr, std::move(*inner)));
    }
    auto left = node(expr.legs.front(), std::nullopt);
    if (!left) return left;
    auto right = node(expr.legs.back(), std::nullopt);
    if (!right) return right;
    return NodePtr(std::make_unique<BinaryNode>(expr, std::move(*left), std::move(*right)));
  }

  Result<NodePtr> make(const Literal& expr, const std::optional<Grouping>&) {
    return NodePtr(std::make_unique<ConstantNode>(expr.value));
  }
  Result<NodePtr> make(const VectorLiteral& expr, const std::optional<Grouping>&) {
    return NodePtr(std::make_unique<ConstantNode>(expr.value));
  }

  Result<NodePtr> make(const LabelReplace& expr, const std::optional<Grouping>&) {
    auto regex = gotext::Regex::compile(expr.regex, gotext::Regex::Mode::anchored);
    if (!regex) return std::move(regex).error();
    auto inner = node(expr.inner.front(), std::nullopt);
    if (!inner) return inner;
    return NodePtr(std::make_unique<LabelReplaceNode>(expr, std::move(*regex), std::move(*inner)));
  }

  Result<NodePtr> make(const LogExpr&, const std::optional<Grouping>&) {
    return fail(Code::bug, "a log query stands where a metric query is needed");
  }
  Result<NodePtr> make(const Variants&, const std::optional<Grouping>&) {
    return fail(Code::config, "cannot evaluate variants: they are an experiment of Loki")
        .with_hint("ask one query for each variant");
  }

  MetricTimes times_;
  bool instant_;
  MetricLimits limits_;
  std::string whole_text_;
  std::string_view text_;  // while it is built
  std::vector<std::unique_ptr<RangeVector>> ranges_;
  NodePtr root_;
  bool scalar_ = false, sorted_by_value_ = false;
  base::TimeRange reads_ = {base::TimeRange::kForever, base::TimeRange::kBeginning};
  base::Duration latest_offset_ = std::numeric_limits<base::Duration>::max() / 4;
  std::size_t next_ = 0;  // the point that is closed next
  MetricVector vector_;
  MetricAnswer answer_;
  std::unordered_map<const LabelSet*, std::size_t> places_;
};

}  // namespace

Result<std::unique_ptr<MetricQuery>> MetricQuery::compile(std::string_view text, const MetricTimes& times, bool instant,
                                                          const MetricLimits& limits) {
  auto parsed = parse(text);
  if (!parsed) return std::move(parsed).error();
  if (parsed->is_log()) {
    return fail(Code::config, "cannot evaluate {} as a metric query: it is a log query", print(*parsed))
        .with_hint("count its lines: count_over_time({…} [5m])");
  }
  auto query = std::make_unique<Evaluation>(times, instant, limits);
  if (auto ok = query->build(*parsed, text); !ok) return std::move(ok).error();
  return std::unique_ptr<MetricQuery>(std::move(query));
}

}  // namespace weir::logql
