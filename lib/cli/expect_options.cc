#include "cli/expect_options.h"

#include "cli/value_options.h"

#include <CLI/CLI.hpp>

namespace weir::cli {

using base::Code;
using base::fail;
using base::Result;
using stages::Expectation;

namespace {

constexpr const char* kGroup = "Expectation";

}  // namespace

void declare_expect(CLI::App& app, ExpectFlags& flags) {
  add_number(app, "--expect", flags.exactly, "exit 0 when exactly N records match, else 1")->group(kGroup);
  add_number(app, "--expect-min", flags.least, "exit 0 when at least N records match, else 1", kAtLeastOne)->group(kGroup);
  add_number(app, "--expect-max", flags.most, "exit 0 when at most N records match, else 1")->group(kGroup);
  app.add_flag("--expect-none", flags.none, "exit 0 when no record matches, else 1")->group(kGroup);
  add_duration(app, "--wait", flags.wait, "look again for so long, until what is expected is there, or is exceeded", kMoreThanZero)
      ->group(kGroup);
}

Result<void> check(const ExpectFlags& flags, const TimeFlags& time, bool follow, bool limit) {
  if (!flags.given()) {
    if (flags.wait) return fail(Code::usage, "cannot take --wait without an expectation").with_hint("--expect-min 1 --wait 30s");
    return {};
  }
  const int alone = static_cast<int>(flags.exactly.has_value()) + static_cast<int>(flags.none);
  if (alone > 1 || (alone == 1 && (flags.least || flags.most))) {
    return fail(Code::usage, "cannot take two expectations").with_hint("only --expect-min and --expect-max go together");
  }
  if (flags.least && flags.most && *flags.least > *flags.most) {
    return fail(Code::usage, "cannot expect at least {} and at most {} records", *flags.least, *flags.most)
        .with_hint("--expect-min must not be above --expect-max");
  }
  if (follow) {
    return fail(Code::usage, "cannot take an expectation with --follow")
        .with_hint("--wait TIME looks for new records for that time");
  }
  if (limit) return fail(Code::usage, "cannot take an expectation with --limit").with_hint("all records that match are counted");
  if (flags.wait && time.to) {
    return fail(Code::usage, "cannot take --wait with --to")
        .with_hint("leave out --to: --wait counts records that come until its end");
  }
  return {};
}

Expectation ExpectFlags::expectation() const {
  Expectation::Bounds bounds;
  if (exactly) bounds = {*exactly, *exactly};
  if (none) bounds = {0, 0};
  if (least) bounds.least = *least;
  if (most) bounds.most = *most;
  return {bounds, wait.value_or(0)};
}

}  // namespace weir::cli
