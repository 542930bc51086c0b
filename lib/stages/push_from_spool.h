// `weir push --spool`: reads a spool and delivers its records, in one stage.
#pragma once

#include "pipeline/stage.h"
#include "stages/push.h"
#include "stages/spool_source.h"

#include <memory>

namespace weir::stages {

// Emits nothing. When the source does not follow, a backlog has no limit unless one is given. Errors: those of make_push() and
// make_spool_source(); usage, when the spec names a checkpoint.
[[nodiscard]] base::Result<std::unique_ptr<pipeline::Source>> make_push_from_spool(const PushSpec& spec, SpoolSourceSpec spool,
                                                                                   const pipeline::Context& context);

}  // namespace weir::stages
