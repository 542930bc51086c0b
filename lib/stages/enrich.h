// `weir enrich`: adds to each record what people query by: static labels, the pod a file name speaks of, service_name, the
// level of the line, the tenant; and turns labels that are not wanted in the index into metadata.
//
// A pure function of the record and the spec. In this order, so that a later step sees what an earlier one set:
//   1. a label or metadata `filename` that is a path of a pod's log gives the labels `namespace`, `pod` and `container` where they
//   are
//      missing, and metadata `pod_uid`
//   2. static labels, over any of the same name
//   3. the label `service_name`, where missing, as Loki would choose it from the labels so far
//   4. the tenant
//   5. the level, as metadata `detected_level` or as a label
//   6. labels that are not to be kept become metadata; metadata of the same name with another value goes on as NAME_extracted,
//      the name under which Loki shows it beside such a label
// A record that is changed in nothing keeps its JSON text; markers and samples pass untouched.
#pragma once

#include "pipeline/stage.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::stages {

struct EnrichSpec {
  enum class Level : std::uint8_t { off, metadata, label };

  std::vector<std::pair<std::string, std::string>> labels;                   // name, value
  std::vector<std::pair<std::string, std::string>> labels_from_environment;  // name, variable; later than `labels`
  bool path = true;
  bool service_name = true;
  Level level = Level::off;
  std::string level_label;                              // with Level::label
  std::optional<std::vector<std::string>> keep_labels;  // unset: all. service_name and the level's label stay in any case
  std::string tenant_from;                              // label or metadata; "" for none
};

// What can be said without the environment: names that Loki takes, values within its limits, nothing twice. Code::usage.
[[nodiscard]] base::Result<void> check(const EnrichSpec& spec);

// check(), and Code::config when a variable of the environment is not set or empty.
[[nodiscard]] base::Result<std::unique_ptr<pipeline::Stage>> make_enrich(const EnrichSpec& spec,
                                                                               const pipeline::Context& context);

}  // namespace weir::stages
