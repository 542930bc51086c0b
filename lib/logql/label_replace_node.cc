#include "logql/label_replace_node.h"

#include "gotext/regex.h"
#include "logql/series_labels.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::logql {
namespace {

using base::Result;
using record::Label;
using record::LabelSet;

class LabelReplaceNode : public MetricNode {
 public:
  LabelReplaceNode(const LabelReplace& expr, gotext::Regex regex, MetricNodePtr inner)
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
    if (!regex_.find(labels.get(source_), groups_)) return;
    value_.clear();
    regex_.expand(replacement_, groups_, kMostBytes, value_);
    std::erase_if(made, [&](const Label& label) { return label.name == destination_; });
    made.push_back({destination_, value_});
  }

  std::string destination_, replacement_, source_;
  gotext::Regex regex_;
  MetricNodePtr inner_;
  LabelMap replaced_;
  std::vector<std::string_view> groups_;
  std::string value_;
};

}  // namespace

Result<MetricNodePtr> replace_label(const LabelReplace& expr, MetricNodePtr inner) {
  auto regex = gotext::Regex::compile(expr.regex, gotext::Regex::Mode::anchored);
  if (!regex) return std::move(regex).error();
  return MetricNodePtr(std::make_unique<LabelReplaceNode>(expr, std::move(*regex), std::move(inner)));
}

}  // namespace weir::logql
