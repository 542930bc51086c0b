// What to say to somebody whose query matched nothing.
#pragma once

#include "record/label_set.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::logql {

// Why the selector of `query` takes none of the label sets that are there: the name or value that none of them has, and the nearest
// one that some have, or some of those. One line without a full stop, values as they are (they may hold control bytes). "" when it
// takes one of them, when there are none, and for a query that has no selector or does not parse.
[[nodiscard]] std::string explain_selector(std::string_view query, std::span<const record::LabelSetRef> there);

// The same of label names alone: one of the selector's that none of the sets has.
[[nodiscard]] std::string explain_labels(std::string_view query, std::span<const record::LabelSetRef> there);

// A matcher that only excludes (`level!="debug"`), and excludes nothing, because none of the sets has its label: "no label 'level'
// here, so {level!="debug"} excludes nothing". "" when there is none, and as above.
[[nodiscard]] std::string explain_exclusion(std::string_view query, std::span<const record::LabelSetRef> there);

// For places that tell the values of one label at a time: each matcher of the selector that needs its label to be there, by itself.
// Of a metric query those of its first selector.
struct OneMatcher {
  std::string label;
  std::string selector;  // `{label="value"}`
};
[[nodiscard]] std::vector<OneMatcher> matchers_apart(std::string_view query);

// "no label 'namspace' here; did you mean 'namespace'?"
[[nodiscard]] std::string explain_label(std::string_view name, std::vector<std::string> names_there);

}  // namespace weir::logql
