// Man pages of section 1, as roff for man(7). Source: https://man.openbsd.org/man.7
#pragma once

#include "cli/option_facts.h"

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace weir::cli {

// A page and its section: {"weir-tail", 1}.
using PageName = std::pair<std::string, int>;

[[nodiscard]] std::string command_man(const CommandFacts& facts, std::span<const Command* const> commands);
// `others` are the pages that belong to no command; weir(1) names all of them.
[[nodiscard]] std::string program_man(std::span<const Command* const> commands, const std::vector<PageName>& others);

// `text` as roff shows it unchanged, for the middle of a line: every hyphen an ASCII one, so that options can be copied.
[[nodiscard]] std::string roff(std::string_view text);

}  // namespace weir::cli
