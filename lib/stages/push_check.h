// `weir push --check`: asks the target whether it would take records. Pushes none.
#pragma once

#include "pipeline/stage.h"
#include "stages/push.h"

#include <memory>

namespace weir::stages {

// Emits nothing. Sends a push request without streams: it needs what any push needs (the address, TLS, credentials, a tenant)
// and stores nothing. Then asks /ready. The summary says that the target takes records. An error (network, unreachable, config)
// says why it does not.
[[nodiscard]] base::Result<std::unique_ptr<pipeline::Source>> make_push_check(const PushSpec& spec,
                                                                              const pipeline::Context& context);

}  // namespace weir::stages
