// Help as text for a terminal: `weir --help`, `weir CMD --help`, and both with `all`.
#pragma once

#include "cli/option_facts.h"

#include <cstdint>
#include <span>
#include <string>

namespace weir::cli {

enum class HelpScope : std::uint8_t {
  usual,  // the options that Command::usual names, three examples; of weir itself the usual variables of the environment
  all,    // every option, every example, the exit codes; of weir itself every variable, and the exit codes
};

// No line is longer than `width`, except where a word or a quoted argument of an example is.
[[nodiscard]] std::string command_help(const CommandFacts& facts, std::size_t width, HelpScope scope);
[[nodiscard]] std::string program_help(std::span<const Command* const> commands, std::size_t width,
                                       HelpScope scope = HelpScope::usual);

// The description of an option with its default, its choices where the value's name does not show them, and that it may be
// repeated.
[[nodiscard]] std::string full_description(const OptionFacts& option);

}  // namespace weir::cli
