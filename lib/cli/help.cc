#include "cli/help.h"

#include "cli/paragraph.h"
#include "cli/program.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::cli {
namespace {

constexpr std::size_t kUsualExamples = 3;

struct Row {
  std::string heading, text;
};

// Two columns, the second at `column` or further right; a heading that is too long has its text on the next line.
std::string table(const std::vector<Row>& rows, std::size_t width, std::size_t column = 0) {
  constexpr std::size_t widest = 27;
  for (const auto& row : rows) {
    const auto size = columns(row.heading) + 4;
    if (size <= widest) column = std::max(column, size);
  }
  if (column == 0) column = 8;
  std::string out;
  for (const auto& row : rows) {
    const auto size = columns(row.heading) + 2;
    out += "  " + row.heading;
    if (size + 2 > column) {
      out += '\n';
      out.append(column, ' ');
    } else {
      out.append(column - size, ' ');
    }
    out += wrap(plain(row.text), column, width);
    out += '\n';
  }
  return out;
}

std::string examples_text(std::span<const Example> examples, std::size_t width) {
  std::string out = "\nExamples:\n";
  for (const auto& example : examples) {
    out += fmt::format("  {}:\n    {}\n", wrap(plain(example.what), 2, width - 1), wrap_command(example.command, 4, width));
  }
  return out;
}

std::string exits_text(const std::vector<Exit>& exits, std::size_t width) {
  std::vector<Row> rows;
  for (const auto exit : exits) rows.push_back({fmt::format("{}", static_cast<int>(exit)), std::string(exit_meaning(exit))});
  return "\nExit status:\n" + table(rows, width);
}

}  // namespace

std::string full_description(const OptionFacts& option) {
  auto text = option.description;
  const auto add = [&](const std::string& more) { text += fmt::format("{}({})", text.empty() ? "" : " ", more); };
  const bool named = std::all_of(option.choices.begin(), option.choices.end(),
                                 [&](const auto& one) { return text.find(one) != std::string::npos; });
  if (!named && option.value.find('|') == std::string::npos) add(fmt::format("{}", fmt::join(option.choices, ", ")));
  const bool has_name = option.positional.empty() || !option.longs.empty();
  if (option.repeatable && has_name && text.find("repeat") == std::string::npos) add("repeatable");
  if (!option.default_value.empty()) add(fmt::format("default: {}", option.default_value));
  return text;
}

std::string command_help(const CommandFacts& facts, std::size_t width, HelpScope scope) {
  const auto& command = *facts.command;
  const bool all = scope == HelpScope::all;
  std::string out = fmt::format("Usage: {}\n\n", facts.synopsis());
  out += wrap(plain(command.description.empty() ? command.summary : command.description), 0, width);
  out += '\n';
  std::vector<Row> rows;
  for (const auto& one : facts.positionals) rows.push_back({one.heading(), full_description(one)});
  if (!rows.empty()) out += "\nArguments:\n" + table(rows, width);
  if (!all) {
    rows.clear();
    for (const auto* option : usual_options(facts)) rows.push_back({option->heading(), full_description(*option)});
    out += "\nOptions:\n" + table(rows, width);
    const std::span<const Example> examples(command.examples);
    if (!examples.empty()) out += examples_text(examples.first(std::min(examples.size(), kUsualExamples)), width);
    const auto more = fmt::format("`weir {0} --help all` lists every option. `man weir-{0}` explains them.", command.name);
    return out + "\n" + wrap(plain(more), 0, width) + "\n";
  }
  for (auto at = facts.options.begin(); at != facts.options.end();) {
    rows.clear();
    const auto& group = at->group;
    out += fmt::format("\n{}:\n", group);
    for (; at != facts.options.end() && at->group == group; ++at) rows.push_back({at->heading(), full_description(*at)});
    out += table(rows, width);
  }
  if (!command.examples.empty()) out += examples_text(command.examples, width);
  return out + exits_text(exits_of(command), width);
}

std::string program_help(std::span<const Command* const> commands, std::size_t width, HelpScope scope) {
  const bool all = scope == HelpScope::all;
  std::string out = "Usage: weir COMMAND [ARGUMENT]...\n\n";
  out += wrap(fmt::format("weir {}: {}.", version(), tagline()), 0, width);
  out += "\n\n";
  out += wrap(plain(description()), 0, width);
  out += '\n';
  std::size_t column = 0;
  for (const auto* command : commands) column = std::max(column, command->name.size() + 4);
  for (const auto& [role, heading] : role_headings()) {
    std::vector<Row> rows;
    for (const auto* command : commands) {
      if (command->role == role) rows.push_back({std::string(command->name), std::string(command->summary)});
    }
    if (!rows.empty()) out += fmt::format("\n{}:\n{}", heading, table(rows, width, column));
  }
  out += "\nOptions:\n" + table({{"-h, --help [all]", "show this help and exit; `all`: with every variable and exit code"},
                                 {"-V, --version", "show the version, the commit and the libraries, and exit"}},
                                width);
  std::vector<Row> rows;
  for (const auto& variable : environment_variables()) {
    if (all || variable.usual) rows.push_back({std::string(variable.names), std::string(variable.meaning)});
  }
  out += "\nEnvironment:\n" + table(rows, width);
  if (all) out += exits_text(all_exits(), width);
  out += examples_text(program_examples(), width);
  out += "\nweir COMMAND --help describes a command, man weir the rest.\n";
  return out;
}

}  // namespace weir::cli
