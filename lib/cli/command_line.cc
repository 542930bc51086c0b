#include "cli/command_line.h"

#include "base/suggestion.h"
#include "cli/option_facts.h"
#include "cli/value_error.h"

#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>

namespace weir::cli {
namespace {

using base::Code;
using base::Error;
using base::suggestion;

constexpr const char* kStrict = "stop at the first input line that is not a record";

std::ptrdiff_t find_argument(std::span<const std::string> arguments, std::string_view text) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (argument == text || (argument.starts_with(text) && argument.substr(text.size()).starts_with("="))) {
      return static_cast<std::ptrdiff_t>(i);
    }
  }
  return -1;
}

// Where an option is given, under whichever of its names; a positional argument is found by its value.
std::ptrdiff_t find_option_argument(std::span<const std::string> arguments, const OptionFacts& option, std::string_view value) {
  for (const auto* names : {&option.longs, &option.shorts}) {
    for (const auto& name : *names) {
      if (const auto index = find_argument(arguments, name); index >= 0) return index;
    }
  }
  return value.empty() ? -1 : find_argument(arguments, value);
}

std::string help_hint(const Command& command) { return fmt::format("see weir {} --help", command.name); }

std::vector<std::string> long_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

// What other programs call something that has another name here; "" when they do not.
std::string foreign_hint(const Command& command, std::string_view option, std::span<const std::string> arguments) {
  const std::string_view name = option.substr(0, option.find('='));
  for (const ForeignOption& foreign : command.foreign_options) {
    if (foreign.name != name) continue;
    std::string value = "N";
    const auto at = std::find(arguments.begin(), arguments.end(), option);
    if (name.size() < option.size()) {
      value = option.substr(name.size() + 1);
    } else if (at != arguments.end() && at + 1 != arguments.end() && !(at + 1)->starts_with('-')) {
      value = *(at + 1);
    }
    return fmt::format(fmt::runtime(foreign.hint), base::escape_control(value));
  }
  return {};
}

// What CLI11 could not place: unknown options before surplus words.
std::optional<ArgumentError> unplaced(const ParsedCommand& parsed, std::span<const std::string> arguments) {
  auto rest = parsed.app->remaining();
  // CLI11 leaves the `--` here that says that only arguments follow.
  const auto mark = std::find(rest.begin(), rest.end(), "--");
  const auto unknown = std::find_if(rest.begin(), mark, [](const auto& word) { return word.size() > 1 && word[0] == '-'; });
  if (unknown == mark) {
    rest.erase(mark, mark == rest.end() ? mark : mark + 1);
    if (rest.empty()) return std::nullopt;
    return ArgumentError{
        Error{Code::usage, fmt::format("unexpected argument '{}'", base::escape_control(rest.front())), help_hint(*parsed.command)},
        find_argument(arguments, rest.front())};
  }
  const auto name = unknown->substr(0, unknown->find('='));
  const auto known = long_names(*parsed.app);
  auto hint = foreign_hint(*parsed.command, *unknown, arguments);
  if (hint.empty())
    hint = name.starts_with("--") ? base::suggestion(name, known, help_hint(*parsed.command)) : help_hint(*parsed.command);
  return ArgumentError{Error{Code::usage, fmt::format("unknown option '{}'", base::escape_control(name)), hint},
                       find_argument(arguments, name)};
}

// Positional arguments are written in capitals everywhere.
std::string shown_name(std::string_view name) {
  std::string shown(name);
  if (!shown.starts_with('-')) {
    for (auto& c : shown) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return shown;
}

// CLI11's "NAME: text" apart.
struct NamedText {
  std::string name, text;
};
NamedText split_name(std::string_view what) {
  const auto colon = what.find(": ");
  if (colon == std::string_view::npos) return {"", std::string(what)};
  return {shown_name(what.substr(0, colon)), std::string(what.substr(colon + 2))};
}

constexpr std::string_view kHelpValue = "[all]";
constexpr std::string_view kNumberOrAll = "N|all";

// "=" and the value where it is no whole number; CLI11 would take -1 for the largest there is, and cut what is larger.
std::string wrong_number(const std::string& value) {
  const bool digits = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
  return digits && value.size() < 19 ? std::string() : "=" + value;
}
std::string wrong_number_or_all(const std::string& value) { return value == "all" ? std::string() : wrong_number(value); }

ArgumentError wrong_value(const Command& command, const ValueError& wrong, std::span<const std::string> arguments) {
  ArgumentError out;
  out.error = wrong.error;
  if (out.error.hint.empty()) out.error.hint = help_hint(command);
  const auto facts = facts_of(command);
  const auto* option = facts.find(wrong.option);
  out.index = option == nullptr ? find_argument(arguments, wrong.option) : find_option_argument(arguments, *option, wrong.value);
  return out;
}

// CLI11's words for what went wrong, as ours.
ArgumentError translate(const ParsedCommand& parsed, const CLI::Error& error, std::span<const std::string> arguments) {
  const auto& command = *parsed.command;
  const auto facts = facts_of(command);
  auto [name, text] = split_name(error.what());
  const OptionFacts* option = nullptr;
  std::string value;  // the one that was wrong
  const auto usage = [&](std::string message, std::string hint = {}) {
    return ArgumentError{Error{Code::usage, std::move(message), hint.empty() ? help_hint(command) : std::move(hint)},
                         option == nullptr ? find_argument(arguments, name) : find_option_argument(arguments, *option, value)};
  };
  const auto kind = error.get_name();
  if (kind == "RequiredError") {
    const std::string_view what = error.what();
    return usage(fmt::format("{} is missing", shown_name(what.substr(0, what.find(" is required")))));
  }
  option = facts.find(name);
  if (kind == "ArgumentMismatch" && option != nullptr) {
    if (text.find("At Most") != std::string::npos) return usage(fmt::format("{} is given more than once", name));
    return usage(fmt::format("{} needs a value: {}", name, option->value));
  }
  if (kind == "ConversionError") {
    // "Could not convert: --limit = abc"
    const auto equals = text.find(" = ");
    name = shown_name(text.substr(0, equals));
    option = facts.find(name);
    if (equals != std::string::npos) value = text.substr(equals + 3);
    return usage(fmt::format("cannot use '{}' for {}: {} expected", base::escape_control(value), name,
                             option == nullptr || option->value == "N" ? "a number" : option->value));
  }
  if (kind == "ValidationError" && option != nullptr && (option->value == "N" || option->value == kNumberOrAll)) {
    value = text.substr(std::min<std::size_t>(text.find('=') + 1, text.size()));
    return usage(fmt::format("cannot use '{}' for {}: a number{} expected", base::escape_control(value), name,
                             option->value == "N" ? "" : " or all"));
  }
  if (kind == "ValidationError" && option != nullptr && !option->choices.empty()) {
    value = text.substr(0, text.find(" not in {"));
    const auto choices = fmt::format("{}", fmt::join(option->choices, ", "));
    return usage(fmt::format("cannot use '{}' for {}: it is one of {}", base::escape_control(value), name, choices),
                 base::suggestion(value, option->choices, help_hint(command)));
  }
  return usage(base::escape_control(error.what()));
}

}  // namespace

ParsedCommand::ParsedCommand() = default;
ParsedCommand::ParsedCommand(ParsedCommand&&) noexcept = default;
ParsedCommand& ParsedCommand::operator=(ParsedCommand&&) noexcept = default;
ParsedCommand::~ParsedCommand() = default;

ParsedCommand declare(const Command& command) {
  ParsedCommand parsed;
  parsed.command = &command;
  parsed.app = std::make_unique<CLI::App>(std::string(command.summary), std::string(command.name));
  auto& app = *parsed.app;
  app.set_help_flag();
  app.allow_extras();
  app.allow_windows_style_options(false);
  parsed.invocation = command.make();
  parsed.invocation->declare(app);
  if (command.role == Role::stage || command.role == Role::sink) {
    if (app.get_option_no_throw("--strict") == nullptr) app.add_flag("--strict")->description(kStrict);
  }
  app.add_option(
         "-h,--help", [](const CLI::results_t&) { return true; }, "show help and exit; `all`: with every option")
      ->expected(0, 1)
      ->type_name(std::string(kHelpValue))
      ->check(CLI::Validator([](const std::string&) { return std::string(); }, "{all}", "help"));
  // A list takes one value each time its option is given; otherwise it would swallow the arguments that follow.
  for (auto* option : app.get_options()) {
    if (!option->get_positional()) option->allow_extra_args(false);
    const auto type = option->get_type_name();
    if (type == "N" || type == "UINT") option->check(CLI::Validator(wrong_number, "", "number"));
    if (type == kNumberOrAll) option->check(CLI::Validator(wrong_number_or_all, "", "number"));
  }
  return parsed;
}

std::variant<ParsedCommand, ArgumentError> parse(const Command& command, std::span<const std::string> arguments,
                                                 const char* (*environment)(const char* name)) {
  auto parsed = declare(command);
  const auto given = [&](const char* name) {
    const auto* option = parsed.app->get_option_no_throw(name);
    return option != nullptr && option->count() > 0;
  };
  try {
    parsed.app->parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::Error& error) {
    if (!given("--help")) {
      if (auto wrong = unplaced(parsed, arguments)) return *std::move(wrong);
      const auto* value = dynamic_cast<const ValueError*>(&error);
      return value != nullptr ? wrong_value(command, *value, arguments) : translate(parsed, error, arguments);
    }
  }
  parsed.help = given("--help");
  parsed.help_all = parsed.help && parsed.app->get_option("--help")->results().front() == "all";
  parsed.strict = given("--strict");
  if (parsed.help) return parsed;
  if (auto wrong = unplaced(parsed, arguments)) return *std::move(wrong);
  parsed.invocation->fill_in(environment != nullptr ? environment : [](const char*) -> const char* { return nullptr; });
  if (auto checked = parsed.invocation->check(); !checked) return ArgumentError{std::move(checked).error(), -1};
  return parsed;
}

}  // namespace weir::cli
