#include "logql/series_labels.h"

#include <algorithm>

namespace weir::logql {

using record::Label;
using record::LabelSet;

bool labels_before(const LabelSet& a, const LabelSet& b) {
  const auto left = a.labels(), right = b.labels();
  return std::lexicographical_compare(left.begin(), left.end(), right.begin(), right.end(), [](const Label& x, const Label& y) {
    return x.name != y.name ? x.name < y.name : x.value < y.value;
  });
}

bool names_label(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void reduce_labels(const LabelSet& labels, const std::vector<std::string>& names, bool keep, std::vector<Label>& out) {
  for (const Label& label : labels.labels()) {
    if (names_label(names, label.name) == keep) out.push_back(label);
  }
}

}  // namespace weir::logql
