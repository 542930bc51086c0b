// What enrich does to labels is a function of the record's label set (and, rarely, of a path in its metadata or of its level), so
// it is worked out once a set and looked up by pointer from then on: a Plan holds the sets on both sides, hence no pointer in
// the table can come to mean another set.
//
// With pods a plan also holds what it knows of its pod, and as of which version of the directory. The version is asked for once a
// batch. The first record of a batch that uses a plan of an older version looks its pod up again; only where the pod is another
// value (or has become known) the plan is worked out again. So an event of the API costs one look-up for each plan in use, and a
// batch without one costs a comparison a record.
//
// The uid of tail's records stands in their metadata, beside labels that a later pod of the same name may have too (a
// StatefulSet's). So each uid has a plan of its own, and the plan of the labels alone remembers the uid that it met last: a record
// costs one comparison of it.
#pragma once

#include "kube/pod.h"
#include "kube/pod_directory.h"
#include "record/label_set.h"
#include "record/pod_path.h"
#include "stages/value_budget.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::stages {

struct EnrichPlan;

// What a plan holds besides, with pods.
struct PodPart {
  kube::PodId id;             // what labels, metadata or a path say; empty where the record is of no pod
  kube::PodRef pod;           // null: not known
  record::LabelSetRef given;  // the metadata that the pod gives; null for none
  // The uid that a record of these labels had last, and the plan for both.
  const std::string* met = nullptr;
  EnrichPlan* met_plan = nullptr;
};

struct EnrichPlan {
  record::LabelSetRef in;
  record::LabelSetRef out;   // none while the level that becomes a label is not known
  record::LabelSetRef full;  // before labels become metadata; the views below point into it
  std::vector<record::Label> demoted;
  std::string_view tenant;
  std::string_view level;      // that the labels give
  std::string_view pod_uid;    // that a path gave and no label has
  bool asks_for_path = false;  // a path in the metadata would tell something
  bool unknown = false;        // the pod is not known: neither a label nor a path names it, or the directory does not have it
  std::vector<ValueBudget::Place*> places;  // of the values of limited labels
  std::vector<int> no_place;                // limits whose label is one of `demoted`
  std::uint64_t held_by = 0;                // the number of the batch that holds `out`, `full` and `given`

  // With pods.
  bool asks_for_uid = false;    // no path has it: metadata pod_uid would tell it
  bool gives_metadata = false;  // pods->given is not null
  std::uint64_t looked_at = 0;  // the version of the directory in which the pod was looked for
  std::unique_ptr<PodPart> pods;
};

[[nodiscard]] inline std::size_t bytes_of(const EnrichPlan& plan) {
  return plan.in->json().size() + plan.out->json().size() + plan.full->json().size() +
         (plan.gives_metadata ? plan.pods->given->json().size() : 0);
}

// They come sorted, out of a label set.
[[nodiscard]] inline const record::Label* find_demoted(const EnrichPlan& plan, std::string_view name) {
  const auto found = std::ranges::lower_bound(plan.demoted, name, {}, &record::Label::name);
  return found != plan.demoted.end() && found->name == name ? &*found : nullptr;
}

struct EnrichKey {
  const record::LabelSet* labels = nullptr;
  const record::PodPath* path = nullptr;  // from the metadata
  const std::string* uid = nullptr;       // from the metadata, where the paths have none
  std::string_view level;                 // that becomes a label
  friend bool operator==(const EnrichKey&, const EnrichKey&) = default;
};

struct EnrichKeyHash {
  std::size_t operator()(const EnrichKey& key) const {
    return (std::hash<const void*>()(key.labels) >> 4) ^ std::hash<const void*>()(key.path) * 31 ^
           (std::hash<const void*>()(key.uid) >> 4) * 37 ^ (key.level.empty() ? 0 : std::hash<std::string_view>()(key.level));
  }
};

}  // namespace weir::stages
