// What to say to somebody whose query matched nothing.
#pragma once

#include "record/label_set.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::logql {

// Why the selector of `query` matches none of the existing label sets: the name or value that no set has, and the nearest one that
// some set has, or a few of those. One line without a full stop, values as they are (they may hold control bytes). "" when the
// selector matches a set, when there are no sets, and for a query that has no selector or does not parse.
[[nodiscard]] std::string explain_selector(std::string_view query, std::span<const record::LabelSetRef> there);

// The same for label names alone: a name in the selector that no set has.
[[nodiscard]] std::string explain_labels(std::string_view query, std::span<const record::LabelSetRef> there);

// A matcher that only excludes (`level!="debug"`), and excludes nothing, because none of the sets has its label: "no label 'level'
// here, so {level!="debug"} excludes nothing". "" when there is none, and as above.
[[nodiscard]] std::string explain_exclusion(std::string_view query, std::span<const record::LabelSetRef> there);

// For callers that learn the values of one label at a time: each matcher of the selector that needs its label to exist, as a
// selector of its own. For a metric query, the matchers of its first selector.
struct OneMatcher {
  std::string label;
  std::string selector;  // `{label="value"}`
};
[[nodiscard]] std::vector<OneMatcher> matchers_apart(std::string_view query);

// "no label 'namspace' here; did you mean 'namespace'?"
[[nodiscard]] std::string explain_label(std::string_view name, std::vector<std::string> names_there);

}  // namespace weir::logql
