// What a command's options are, read off its CLI11 tree: the one source of help, man pages and completions.
#pragma once

#include "cli/command.h"

#include <span>
#include <string>
#include <vector>

namespace weir::cli {

struct OptionFacts {
  std::vector<std::string> shorts;   // "-f"
  std::vector<std::string> longs;    // "--follow", also the negating names of a flag
  std::string positional;            // its name, "" for a named option
  std::string value;                 // what stands for the value, "" for a flag: "DUR|TIME", "FILE"
  std::vector<std::string> choices;  // the values it may have, where they are few
  std::string description;
  std::string default_value;
  std::string group;
  bool file = false;   // the value is completed as a file name
  bool spool = false;  // which most likely ends in .db
  bool required = false;
  bool repeatable = false;

  [[nodiscard]] bool takes_value() const { return !value.empty(); }
  // "-f, --follow", "    --since DUR|TIME".
  [[nodiscard]] std::string heading() const;
};

struct CommandFacts {
  const Command* command = nullptr;
  std::vector<OptionFacts> positionals;        // in order
  std::vector<OptionFacts> options;            // by group, in the order of declaration
  [[nodiscard]] std::string synopsis() const;  // "weir filter [OPTION]… [LOGQL]"
  // By any of its names, "--follow", "-f" or that of an argument in capitals; null when there is none.
  [[nodiscard]] const OptionFacts* find(std::string_view name) const;
};

// The options of Command::usual in its order, then --help. A name that no option has is left out (tests/cmd holds that there is
// none).
[[nodiscard]] std::vector<const OptionFacts*> usual_options(const CommandFacts& facts);

// Makes an invocation of `command`, lets it declare its options, and reads them. Hidden options are left out.
[[nodiscard]] CommandFacts facts_of(const Command& command);
[[nodiscard]] std::vector<CommandFacts> facts_of(std::span<const Command* const> commands);

}  // namespace weir::cli
