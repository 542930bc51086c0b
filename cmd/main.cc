// The only place that exits: finds the command, parses its arguments, runs it, and turns what became of it into an exit code.
#include "base/last_words.h"
#include "base/secrets.h"
#include "base/suggestion.h"
#include "cli/assemble.h"
#include "cli/help.h"
#include "cli/program.h"
#include "cli/secret_words.h"
#include "cli/terminal.h"
#include "cli/version_text.h"
#include "cmd/build_facts.h"
#include "cmd/commands.h"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>

namespace weir {
namespace {

using base::Code;
using base::Error;
using base::Result;
using cli::Exit;

const char* environment(const char* name) { return std::getenv(name); }

Result<Exit> print(std::string_view text) {
  auto written = cli::write_all(1, text);
  if (!written) return std::move(written).error();
  return Exit::ok;
}

std::size_t help_width() { return std::min<std::size_t>(cli::terminal_width(1, environment("COLUMNS")), 100); }

Result<Exit> print_help(const cli::Command& command, bool all) {
  return print(cli::command_help(cli::facts_of(command), help_width(), all ? cli::HelpScope::all : cli::HelpScope::usual));
}

const cli::Command* find(std::string_view name) {
  const auto commands = cmd::commands();
  const auto found = std::find_if(commands.begin(), commands.end(), [&](const auto* command) { return command->name == name; });
  return found == commands.end() ? nullptr : *found;
}

Error unknown(std::string_view word) {
  std::vector<std::string> known = {"help", "--help", "--version"};
  for (const auto* command : cmd::commands()) known.emplace_back(command->name);
  const auto* what = word.starts_with('-') ? "option" : "command";
  for (const auto* asked : {"logs", "labels", "series", "stats", "volume", "fields", "values", "instant-query"}) {
    if (word == asked) return Error{Code::usage, fmt::format("unknown command '{}'", word), fmt::format("weir query {} …", word)};
  }
  return Error{Code::usage, fmt::format("unknown {} '{}'", what, base::escape_control(word)),
               base::suggestion(word, known, "see weir --help")};
}

Result<Exit> run(const cli::Command& command, std::span<const std::string> arguments, const pipeline::Context& context) {
  auto parsed = cli::parse(command, arguments, context.environment);
  if (auto* wrong = std::get_if<cli::ArgumentError>(&parsed)) return std::move(wrong->error);
  auto& ready = std::get<cli::ParsedCommand>(parsed);
  if (ready.help) return print_help(command, ready.help_all);
  return cli::run_command(std::move(ready), context);
}

// `arguments` without the program's name.
Result<Exit> dispatch(std::span<const std::string> arguments, const pipeline::Context& context) {
  if (arguments.empty()) return Error{Code::usage, "no command is given", "see weir --help"};
  const auto& word = arguments.front();
  if (word == "-V" || word == "--version") return print(cli::version_text(cmd::build_facts(), cli::late_libraries()));
  using cli::HelpScope;
  const auto print_program = [](HelpScope scope) { return print(cli::program_help(cmd::commands(), help_width(), scope)); };
  if (word == "--help=all" || word == "-hall") return print_program(HelpScope::all);
  const bool help = word == "-h" || word == "--help" || word == "help";
  if (help && arguments.size() == 1) return print_program(HelpScope::usual);
  if (help && arguments[1] == "all") return print_program(HelpScope::all);
  const auto& name = help ? arguments[1] : word;
  const auto* command = find(name);
  if (command == nullptr) return unknown(name);
  if (help) return print_help(*command, arguments.size() > 2 && arguments[2] == "all");
  return run(*command, arguments.subspan(1), context);
}

Exit run_process(std::span<const std::string> arguments) {
  // A heap for each thread would be half a megabyte more, and our threads hardly allocate.
  ::mallopt(M_ARENA_MAX, 1);
  // Fixed, or the first large piece that is freed raises it: from then on such pieces come from the heap, which keeps their holes.
  ::mallopt(M_MMAP_THRESHOLD, 256 << 10);
  // What a request of push takes for a moment is not given back each time.
  ::mallopt(M_TRIM_THRESHOLD, 512 << 10);
  auto& clock = base::Clock::system();
  const bool named = !arguments.empty() && find(arguments.front()) != nullptr;
  base::arrange_last_words(named ? arguments.front() : std::string());
  const auto diagnostics = base::Diagnostics::standard_error(named ? arguments.front() : std::string(), clock);
  diagnostics->secrets()->set_command_line(arguments);
  cli::note_secrets(arguments, *diagnostics->secrets());
  auto created = base::Stop::create();
  // Never destroyed: a signal may come as long as the process lives, also behind main().
  base::Stop* const stop = created ? created->release() : nullptr;
  auto routed = stop != nullptr ? base::Stop::handle_signals(*stop) : Result<void>(std::move(created).error());
  if (!routed) {
    diagnostics->report(routed.error());
    return Exit::failed;
  }
  const pipeline::Context context{&clock, diagnostics.get(), stop, environment};
  auto exit = dispatch(arguments, context);
  return exit ? *exit : cli::fail_with(exit.error(), context);
}

}  // namespace
}  // namespace weir

int main(int argc, char** argv) {
  weir::base::Stop::hold_back_hangup();
  weir::cli::reserve_standard_streams();
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  return static_cast<int>(weir::run_process(arguments));
}
