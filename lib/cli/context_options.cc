#include "cli/context_options.h"

#include "cli/value_options.h"

#include <CLI/CLI.hpp>

namespace weir::cli {

using base::Code;
using base::fail;
using base::Result;

namespace {

constexpr std::uint64_t kMost = 10'000;  // they are kept in memory, for each log

}  // namespace

void declare_context(CLI::App& app, ContextFlags& flags) {
  add_number(app, "-A,--after-context", flags.after, "show N records of the same log after each match", {.most = kMost});
  add_number(app, "-B,--before-context", flags.before, "show N records of the same log before each match", {.most = kMost});
  add_number(app, "-C,--context", flags.around, "show N records of the same log before and after each match", {.most = kMost});
}

Result<void> check(const ContextFlags& flags, bool goes_on, bool records) {
  if (!flags.given()) return {};
  if (goes_on) {
    return fail(Code::usage, "cannot show context with --follow or an expectation").with_hint("leave out -A, -B and -C");
  }
  if (!records) return fail(Code::usage, "cannot show context of labels or series").with_hint("leave out -A, -B and -C");
  return {};
}

}  // namespace weir::cli
