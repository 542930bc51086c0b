// How much of an answer `weir query` wants, and at which points of time: --limit, --forward, --instant, --now, --step, and what
// only some questions take: --by, --by-name, --line-limit.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "cli/time_options.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}
namespace weir::stages {
struct QuerySpec;
}

namespace weir::cli {

struct QueryExtentOptions {
  std::optional<std::uint64_t> limit;  // 0: all
  bool forward = false;
  bool instant = false;
  std::optional<TimePoint> now;
  std::optional<base::Duration> step;
  std::vector<std::string> by;
  bool by_name = false;
  std::optional<std::uint64_t> lines;
  std::optional<std::uint32_t> page;  // none: as much as Loki gives
};

// `options` must outlive the parse.
void declare(CLI::App& app, QueryExtentOptions& options);

// `everything`: records without a limit are wanted, where none is given. After what is asked for is set.
void apply(const QueryExtentOptions& options, bool everything, stages::QuerySpec& spec);

// The time of the flags, both relative to --now where that is given, which is the end where --to is not. Errors: those of
// time_range().
[[nodiscard]] base::Result<base::TimeRange> time_range(const TimeFlags& flags, const QueryExtentOptions& options,
                                                       base::Timestamp now);

}  // namespace weir::cli
