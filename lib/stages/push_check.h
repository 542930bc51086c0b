// `weir push --check`: asks the target whether it would take records, and pushes none.
#pragma once

#include "pipeline/stage.h"
#include "stages/push.h"

#include <memory>

namespace weir::stages {

// Emits nothing. Sends a push request without streams, which needs what any push needs (the address, TLS, credentials, a tenant)
// and stores nothing, and asks /ready. The summary says that records are taken; an error (network, unreachable, config) why they
// are not.
[[nodiscard]] base::Result<std::unique_ptr<pipeline::Source>> make_push_check(const PushSpec& spec,
                                                                              const pipeline::Context& context);

}  // namespace weir::stages
