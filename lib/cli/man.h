// Man pages of section 1, as roff for man(7). Source: https://man.openbsd.org/man.7
#pragma once

#include "cli/option_facts.h"

#include <span>
#include <string>

namespace weir::cli {

[[nodiscard]] std::string command_man(const CommandFacts& facts, std::span<const Command* const> commands);
[[nodiscard]] std::string program_man(std::span<const Command* const> commands);

// `text` as roff shows it unchanged, for the middle of a line: every hyphen an ASCII one, so that options can be copied.
[[nodiscard]] std::string roff(std::string_view text);

}  // namespace weir::cli
