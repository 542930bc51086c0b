// The states of the alerts of one rule, from one evaluation to the next.
//
// States of one alert, which is one set of labels that the rule gives:
//
//             in the answer                      in the answer, `for` has passed
//   (none) ------------------> pending ----------------------------------------> firing
//                                 |                                                 |  not in the answer, `keep_firing_for`
//                                 | not in the answer                               v  has passed
//                                 +---> (none)                                   inactive ---> (none), 15 minutes later
//
// - An alert without `for` is firing in the evaluation that finds it.
// - A pending alert is active since the evaluation that found it first. One evaluation without it, and it begins again.
// - `keep_firing_for` counts from the first evaluation without the alert. An evaluation with it ends the count.
// - An inactive alert is one that fired and was resolved. When the answer has it again, it is a new one.
// - An evaluation that fails changes nothing. One with more alerts than `limit` forgets all of them.
//
// This is what the rule manager of Prometheus does, which Loki's ruler runs.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "record/label_set.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace weir::ruler {

enum class AlertState : std::uint8_t { inactive, pending, firing };  // the higher one is the state of a rule that has both
[[nodiscard]] std::string_view word_of(AlertState state);            // "inactive", …

struct Alert {
  AlertState state = AlertState::pending;
  record::LabelSetRef labels;     // of the alert, `alertname` among them
  record::LabelSetRef sample;     // labels of the latest sample that it was in the answer with, for annotations
  double value = 0;               // of that sample
  base::Timestamp evaluated = 0;  // when that was
  base::Timestamp active_at = 0;
  std::optional<base::Timestamp> fired_at;
  std::optional<base::Timestamp> kept_since;   // it fires on only because of keep_firing_for
  std::optional<base::Timestamp> resolved_at;  // of an inactive one
};

// One series of the answer, under the labels of its alert.
struct Instance {
  record::LabelSetRef labels;
  record::LabelSetRef sample;
  double value = 0;
};

class Alerts {
 public:
  struct Rule {
    base::Duration hold = 0;
    base::Duration keep_firing = 0;
    std::size_t limit = 0;  // 0: any number
  };
  explicit Alerts(const Rule& rule) : rule_(rule) {}

  // One evaluation. Times grow from call to call. Errors, in Prometheus' words: two instances with equal labels, which changes
  // nothing; more alerts than the limit.
  base::Result<void> step(base::Timestamp time, const std::vector<Instance>& answer);

  // Sorted by their labels. Inactive ones are there for 15 minutes.
  [[nodiscard]] std::vector<Alert> all() const;
  // The alert that was resolved last, also when it is no longer kept.
  [[nodiscard]] const std::optional<Alert>& last_resolved() const { return last_resolved_; }

 private:
  Rule rule_;
  std::map<const record::LabelSet*, Alert> alerts_;
  std::optional<Alert> last_resolved_;
};

// The order of label sets in answers: by the names and values, one after the other.
[[nodiscard]] bool by_labels(const record::LabelSet& a, const record::LabelSet& b);

}  // namespace weir::ruler
