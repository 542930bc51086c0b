// What weir as a whole says of itself: the facts of `weir --help` and weir.1 that belong to no command.
#pragma once

#include "cli/command.h"

#include <span>
#include <string_view>
#include <vector>

namespace weir::cli {

[[nodiscard]] std::string_view version();      // "0.1.0"
[[nodiscard]] std::string_view manual_date();  // of the man pages, "2026-11-23"
[[nodiscard]] std::string_view tagline();      // one line, no full stop
[[nodiscard]] std::string_view description();  // paragraphs, as Command::description

[[nodiscard]] std::string_view ends();        // how chains end: paragraphs for weir.1
[[nodiscard]] std::string_view exit_rules();  // which exit code it is: the same

struct Variable {
  std::string_view names;
  std::string_view meaning;
  bool usual = false;  // shown by weir --help; the others only by the man page
};
[[nodiscard]] std::span<const Variable> environment_variables();
[[nodiscard]] std::span<const Example> program_examples();

// The exits of `command`, with those of signals where it moves records; all that are usual where it names none.
[[nodiscard]] std::vector<Exit> exits_of(const Command& command);

// Every exit code, in order.
[[nodiscard]] std::vector<Exit> all_exits();

// The headings under which commands are listed, in this order.
struct RoleHeading {
  Role role;
  std::string_view heading;
};
[[nodiscard]] std::span<const RoleHeading> role_headings();

}  // namespace weir::cli
