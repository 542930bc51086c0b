// How much of an answer `weir query` wants, and at which points of time: --limit, --forward, --instant, --now, --step, and what
// only some questions take: --by, --by-name, --line-limit.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "cli/time_options.h"
#include "stages/query.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
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

  // The first of them that is given and says how a query is answered, beside --limit and --instant; "" for none.
  [[nodiscard]] std::string_view of_queries() const;
};

// `options` must outlive the parse.
void declare(CLI::App& app, QueryExtentOptions& options);

// Code::usage: one that only another question takes. --step and --forward go with each of them, because logcli takes them so.
[[nodiscard]] base::Result<void> check(const QueryExtentOptions& options, stages::QuerySpec::What what);

// `everything`: records without a limit are wanted, where none is given. After what is asked for is set.
void apply(const QueryExtentOptions& options, bool everything, stages::QuerySpec& spec);

// The time of the flags, both relative to --now where that is given, which is the end where --to is not. Errors: those of
// time_range().
[[nodiscard]] base::Result<base::TimeRange> time_range(const TimeFlags& flags, const QueryExtentOptions& options,
                                                       base::Timestamp now);

}  // namespace weir::cli
