// `weir enrich`: adds to each record what people query by: static labels, the pod that a file name belongs to, service_name,
// the level of the line, and the tenant. It also turns labels that are not wanted in the index into metadata.
//
// The result depends only on the record and the spec and, with `pods`, on what is known of its pod at that moment, but for
// --max-values. The order is this, so that a later step uses the result of an earlier one:
//   0. Fields of the line become labels, metadata and the time, as if the record had come with them (line_fields.h).
//   1. A label or metadata `filename` that is a path of a pod's log gives the labels `namespace`, `pod` and `container`, where
//      they are missing, and metadata `pod_uid`.
//   2. With `pods`: the labels that the pod gives (pod_labels.h). The pod is found by the uid in that path, else by metadata
//      `pod_uid`, as tail writes it; a record without a uid by its labels `namespace` and `pod`. A pod that is not known gives
//      nothing.
//   3. Static labels. They replace labels of the same name.
//   4. The label `service_name`, where missing, as Loki would choose it from the labels so far.
//   5. The tenant.
//   6. The level, as metadata `detected_level` or as a label.
//   7. Labels that are not kept become metadata, and so do values for which a label has no place (value_budget.h). Metadata of
//      the same name with another value is renamed to NAME_extracted, the name under which Loki shows it beside such a label.
//      Metadata that the pod gives replaces what has its name.
// A record without any change keeps its JSON text. Markers and samples pass unchanged.
//
// What is known of pods is looked at once a batch: a pod that has changed, or has become known, counts for the records of the next
// batch.
#pragma once

#include "pipeline/stage.h"
#include "stages/line_fields.h"
#include "stages/pod_knowledge.h"
#include "stages/pod_labels.h"
#include "stages/value_budget.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::kube {
class Pods;
}

namespace weir::stages {

struct EnrichSpec {
  enum class Level : std::uint8_t { off, metadata, label };

  std::vector<std::pair<std::string, std::string>> labels;                   // name, value
  std::vector<std::pair<std::string, std::string>> labels_from_environment;  // name, variable; applied after `labels`
  bool path = true;
  bool service_name = true;
  Level level = Level::off;
  std::string level_label;                              // used with Level::label
  std::optional<std::vector<std::string>> keep_labels;  // unset: all. service_name and the level's label always stay
  std::string tenant_from;                              // a label or metadata; "" for none
  LineFieldsSpec fields;
  ValueBudgetSpec budget;
  // Used with `pods`, and checked in any case.
  PodLabelsSpec pod_labels;
  std::string node_name;  // of this node
  // The pods of this node; null: nothing is asked. The stage tells it of pods that it does not know.
  std::shared_ptr<kube::Pods> pods;
  // Of the same pods: with it, records of unknown pods wait, and those of excluded ones are dropped, before anything else
  // (pod_gate.h). Null: nothing waits.
  std::shared_ptr<PodKnowledge> knowledge;
};

// Checks what needs no environment: names that Loki accepts, values within its limits, nothing twice. Error: Code::usage.
[[nodiscard]] base::Result<void> check(const EnrichSpec& spec);

// Calls check(). Errors: config (a variable of the environment is not set or is empty), and those of ValueBudget::open.
[[nodiscard]] base::Result<std::unique_ptr<pipeline::Stage>> make_enrich(const EnrichSpec& spec, const pipeline::Context& context);

}  // namespace weir::stages
