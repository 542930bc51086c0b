// What the build system knows of this build.
#pragma once

#include "cli/version_text.h"

namespace weir::cmd {

[[nodiscard]] const cli::BuildFacts& build_facts();

}  // namespace weir::cmd
