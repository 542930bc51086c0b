// Help as text for a terminal: `weir --help` and `weir CMD --help`.
#pragma once

#include "cli/option_facts.h"

#include <span>
#include <string>

namespace weir::cli {

// No line is longer than `width`, except where a word or a quoted argument of an example is.
[[nodiscard]] std::string command_help(const CommandFacts& facts, std::size_t width);
[[nodiscard]] std::string program_help(std::span<const Command* const> commands, std::size_t width);

// The description of an option with its default, its choices where the value's name does not show them, and that it may be repeated.
[[nodiscard]] std::string full_description(const OptionFacts& option);

}  // namespace weir::cli
