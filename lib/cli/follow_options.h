// --follow and --late of query.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "cli/time_options.h"

#include <cstdint>
#include <optional>

namespace CLI {
class App;
}

namespace weir::cli {

struct FollowFlags {
  bool follow = false;
  std::optional<base::Duration> late = {};

  // Of the records that are there, this many are shown where neither a limit nor a time is asked for.
  static constexpr std::uint64_t kFirst = 10;
};

// `flags` must outlive the parse.
void declare_follow(CLI::App& app, FollowFlags& flags);

// What cannot stand beside --follow. `forward`: --forward is given. Code::usage.
base::Result<void> check(const FollowFlags& flags, const TimeFlags& time, bool forward);

}  // namespace weir::cli
