// -A, -B and -C of query, as grep has them.
#pragma once

#include "base/result.h"
#include "stages/context_answer.h"

#include <cstddef>
#include <optional>

namespace CLI {
class App;
}

namespace weir::cli {

struct ContextFlags {
  std::optional<std::size_t> after = {}, before = {}, around = {};

  [[nodiscard]] bool given() const { return after || before || around; }
  // -A and -B outrank -C.
  [[nodiscard]] stages::ContextSpec spec() const {
    return {before ? *before : around.value_or(0), after ? *after : around.value_or(0)};
  }
};

// `flags` must outlive the parse.
void declare_context(CLI::App& app, ContextFlags& flags);

// What it cannot stand beside. `goes_on`: --follow or an expectation is given; `records`: the query is for records. Code::usage.
base::Result<void> check(const ContextFlags& flags, bool goes_on, bool records);

}  // namespace weir::cli
