#include "cli/follow_options.h"

#include "cli/value_options.h"

#include <CLI/CLI.hpp>

namespace weir::cli {

using base::Code;
using base::fail;
using base::Result;

void declare_follow(CLI::App& app, FollowFlags& flags) {
  app.add_flag("-f,--follow,-t,--tail", flags.follow,
               "show the newest records (10, or as --since and --limit say), then new ones as they come");
  add_duration(app, "--late", flags.late,
               "with --follow: show records that reach Loki up to so long after their time (default: 1m)",
               {.least = base::kSecond});
}

Result<void> check(const FollowFlags& flags, const TimeFlags& time, bool forward) {
  if (flags.late && !flags.follow) {
    return fail(Code::usage, "cannot take --late without --follow").with_hint("a query that ends shows what is there, late or not");
  }
  if (!flags.follow) return {};
  if (time.to) return fail(Code::usage, "cannot follow a query with --to").with_hint("leave out --to, or --follow");
  if (forward) {
    return fail(Code::usage, "cannot follow a query with --forward")
        .with_hint("leave it out: following begins with the newest records, and shows records oldest first in any case");
  }
  return {};
}

}  // namespace weir::cli
