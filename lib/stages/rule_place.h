// Where rules stand, for commands: a file, or a ConfigMap (configmap:NAMESPACE/NAME[/KEY]). Read and edited once, not followed.
#pragma once

#include "base/result.h"
#include "kube/access.h"
#include "kube/config_map.h"
#include "pipeline/stage.h"
#include "rules/file.h"

#include <memory>
#include <string>

namespace weir::stages {

// Not thread safe. Speaks to the API server only when a place is a ConfigMap.
class RulePlaces {
 public:
  // `context` outlives it.
  RulePlaces(kube::Access access, const pipeline::Context& context) : access_(std::move(access)), context_(context) {}

  // Errors: those of rules::read_file(), or of kube::ConfigMaps. A ConfigMap that does not exist is empty, which is said.
  base::Result<std::string> read(const std::string& place);

  struct Edited {
    bool created = false;  // the ConfigMap
  };
  // Errors: those of rules::edit_file(), or of kube::ConfigMaps.
  base::Result<Edited> edit(const std::string& place, const rules::Edit& edit);

 private:
  base::Result<kube::ConfigMaps*> maps();

  const kube::Access access_;
  const pipeline::Context& context_;
  std::unique_ptr<kube::ConfigMaps> maps_;  // null: nobody needed it yet
};

}  // namespace weir::stages
