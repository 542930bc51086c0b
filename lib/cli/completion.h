// Completion scripts for shells, complete in themselves: subcommands, options, the values of enumerations, file names.
#pragma once

#include "cli/option_facts.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir::cli {

enum class Shell : std::uint8_t { bash, zsh, fish };

[[nodiscard]] std::optional<Shell> parse_shell(std::string_view name);

// The script as it is installed: `weir` (bash), `_weir` (zsh), `weir.fish`.
[[nodiscard]] std::string completion_script(Shell shell, std::span<const CommandFacts> commands);

}  // namespace weir::cli
