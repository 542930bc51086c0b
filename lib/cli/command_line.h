// Parses the arguments of one command.
#pragma once

#include "base/diagnostics.h"
#include "cli/command.h"
#include "monitor/endpoint.h"

#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace CLI {
class App;
}

namespace weir::cli {

// One use of a command with its arguments parsed. Movable.
struct ParsedCommand {
  const Command* command = nullptr;
  std::unique_ptr<CLI::App> app;  // owns what the invocation declared
  std::unique_ptr<Invocation> invocation;
  bool help = false;      // --help was given; nothing else was checked
  bool help_all = false;  // as --help all
  bool strict = false;
  bool exit_zero_on_term = false;
  std::unique_ptr<monitor::Options> metrics;  // of --metrics and --metrics-file; the options of `app` are bound to it

  ParsedCommand();
  ParsedCommand(ParsedCommand&&) noexcept;
  ParsedCommand& operator=(ParsedCommand&&) noexcept;
  ~ParsedCommand();

  [[nodiscard]] Role role() const { return invocation->role().value_or(command->role); }
};

// A wrong argument, and which of them it was where that is known.
struct ArgumentError {
  base::Error error;
  std::ptrdiff_t index = -1;  // into the arguments
};

// --exit-zero-on-term, which every command has that moves records.
inline constexpr const char* kExitZeroOnTerm = "--exit-zero-on-term";
inline constexpr const char* kExitZeroOnTermText =
    "exit with 0 when SIGTERM ended it and nothing was lost, as service managers expect (default: 143)";

// The tree of `command` with what every command has (--help, --strict, --exit-zero-on-term, --metrics), and nothing parsed.
[[nodiscard]] ParsedCommand declare(const Command& command);

// Parses, and then lets the invocation fill_in() and check(). Code::usage, with a hint that names the nearest option or --help.
// `environment` is that of pipeline::Context; null for an empty one.
[[nodiscard]] std::variant<ParsedCommand, ArgumentError> parse(const Command& command, std::span<const std::string> arguments,
                                                               const char* (*environment)(const char* name) = nullptr);

}  // namespace weir::cli
