// How much of an answer `weir query` wants: --limit, --forward and --step.
#pragma once

#include "base/clock.h"

#include <cstdint>
#include <optional>

namespace CLI {
class App;
}

namespace weir::cli {

struct QueryExtentOptions {
  std::optional<std::uint64_t> limit;  // records; 0: all
  bool forward = false;
  std::optional<base::Duration> step;
};

// `options` must outlive the parse.
void declare(CLI::App& app, QueryExtentOptions& options);

}  // namespace weir::cli
