// --expect, --expect-min, --expect-max, --expect-none and --wait of query.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "cli/time_options.h"
#include "stages/expectation.h"

#include <cstdint>
#include <optional>

namespace CLI {
class App;
}

namespace weir::cli {

struct ExpectFlags {
  std::optional<std::uint64_t> exactly = {}, least = {}, most = {};
  bool none = false;
  std::optional<base::Duration> wait = {};

  [[nodiscard]] bool given() const { return exactly || least || most || none; }
  // Only when given().
  [[nodiscard]] stages::Expectation expectation() const;
};

// `flags` must outlive the parse.
void declare_expect(CLI::App& app, ExpectFlags& flags);

// What contradicts itself, or cannot stand beside it. `follow`, `limit`: these options are given. Code::usage.
base::Result<void> check(const ExpectFlags& flags, const TimeFlags& time, bool follow, bool limit);

}  // namespace weir::cli
