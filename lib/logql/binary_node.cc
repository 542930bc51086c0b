#include "logql/binary_node.h"

#include "logql/arithmetic.h"
#include "logql/series_labels.h"

#include <map>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace weir::logql {
namespace {

using base::Code;
using base::fail;
using base::Result;
using record::Label;
using record::LabelSet;
using record::LabelSetRef;

// An operator between a number and a vector.
class LiteralNode : public MetricNode {
 public:
  LiteralNode(BinaryOp op, bool returns_bool, double literal, bool literal_left, MetricNodePtr inner)
      : op_(op), returns_bool_(returns_bool), literal_(literal), literal_left_(literal_left), inner_(std::move(inner)) {}

  Result<void> at(std::size_t point, MetricVector& out) override {
    const std::size_t begin = out.size();
    if (auto ok = inner_->at(point, out); !ok) return ok;
    const bool filters = is_comparison(op_) && !returns_bool_;
    std::size_t kept = begin;
    for (std::size_t i = begin; i < out.size(); ++i) {
      const double value = out[i].value;
      const auto result = operate(op_, literal_left_ ? literal_ : value, literal_left_ ? value : literal_, filters);
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
  MetricNodePtr inner_;
};

// An operator between two vectors.
class BinaryNode : public MetricNode {
 public:
  BinaryNode(const BinaryOperation& expr, MetricNodePtr left, MetricNodePtr right)
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
        .of(labels,
            [&](const LabelSet& set, std::vector<Label>& made) { reduce_labels(set, matching_.labels, matching_.on, made); })
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
            Code::parse,
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
          return fail(Code::parse, "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)");
        }
      } else if (!inserted.emplace(std::pair(key, labels.get()), true).second) {
        return fail(Code::parse, "multiple matches for labels: grouping labels must ensure unique matches");
      }
      const double left = swapped ? found->second->value : sample.value;
      const double right = swapped ? sample.value : found->second->value;
      const auto result = operate(op_, left, right, filters);
      if (result) out.push_back({std::move(labels), filters ? left : *result});
    }
    kept_.clear();
    return {};
  }

  LabelSetRef result_labels(const LabelSetRef& many, const LabelSet& one) {
    std::vector<Label> labels;
    if (matching_.group == Group::one_to_one) {
      reduce_labels(*many, matching_.labels, matching_.on, labels);
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
  MetricNodePtr inner_left_, inner_right_;
  LabelMap signatures_;
  MetricVector left_, right_;
  std::vector<LabelSetRef> kept_;
};

}  // namespace

MetricNodePtr combine_with_number(BinaryOp op, bool returns_bool, double number, bool number_left, MetricNodePtr inner) {
  return std::make_unique<LiteralNode>(op, returns_bool, number, number_left, std::move(inner));
}

MetricNodePtr combine_vectors(const BinaryOperation& expr, MetricNodePtr left, MetricNodePtr right) {
  return std::make_unique<BinaryNode>(expr, std::move(left), std::move(right));
}

}  // namespace weir::logql
