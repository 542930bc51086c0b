// What the parts of a metric query do with the labels of series: order, reduce, replace.
#pragma once

#include "record/label_set.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::logql {

// The order of series in an answer: label by label, name before value.
[[nodiscard]] bool labels_before(const record::LabelSet& a, const record::LabelSet& b);

[[nodiscard]] bool names_label(const std::vector<std::string>& names, std::string_view name);

// Appends of the labels those that are named (`keep`), or those that are not.
void reduce_labels(const record::LabelSet& labels, const std::vector<std::string>& names, bool keep,
                   std::vector<record::Label>& out);

// Label sets made of other ones; remembered, since the same series come at every point. Not thread safe.
class LabelMap {
 public:
  template <typename Make>  // void make(const record::LabelSet&, std::vector<record::Label>& out)
  const record::LabelSetRef& of(const record::LabelSetRef& labels, Make make) {
    if (known_.size() > kMost) known_.clear();
    auto& known = known_[labels.get()];
    if (!known.second) {
      made_.clear();
      make(*labels, made_);
      known = {labels, record::LabelSet::intern(made_)};
    }
    return known.second;
  }

 private:
  static constexpr std::size_t kMost = 100'000;
  std::unordered_map<const record::LabelSet*, std::pair<record::LabelSetRef, record::LabelSetRef>> known_;
  std::vector<record::Label> made_;
};

}  // namespace weir::logql
