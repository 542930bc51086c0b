#include "cli/command_line.h"

#include "base/suggestion.h"
#include "cli/metrics_options.h"
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
  const auto found = std::find(arguments.begin(), arguments.end(), value);
  return found == arguments.end() ? -1 : found - arguments.begin();
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

constexpr std::string_view kHelpValue = "[all]";
ArgumentError wrong_value(const Command& command, const ValueError& wrong, std::span<const std::string> arguments) {
  ArgumentError out;
  out.error = wrong.error;
  if (out.error.hint.empty()) out.error.hint = help_hint(command);
  const auto facts = facts_of(command);
  const auto* option = facts.find(wrong.option);
  out.index = option == nullptr ? find_argument(arguments, wrong.option) : find_option_argument(arguments, *option, wrong.value);
  return out;
}

// The option that the last argument names and leaves without its value; null when it names none. "-fn" ends with -n.
const OptionFacts* named_by_last(const CommandFacts& facts, std::span<const std::string> arguments) {
  if (arguments.empty() || arguments.back().size() < 2 || arguments.back()[0] != '-') return nullptr;
  const std::string& last = arguments.back();
  return facts.find(last[1] == '-' ? last : std::string{'-', last.back()});
}

// What CLI11 refuses, in our words. Which option it was is read off the options, never off CLI11's text.
ArgumentError translate(const ParsedCommand& parsed, const CLI::Error& error, std::span<const std::string> arguments) {
  const auto& command = *parsed.command;
  const auto facts = facts_of(command);
  const auto usage = [&](std::string message, std::ptrdiff_t index = -1) {
    return ArgumentError{Error{Code::usage, std::move(message), help_hint(command)}, index};
  };
  const auto options = parsed.app->get_options();
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    const auto missing = std::find_if(options.begin(), options.end(),
                                      [](const CLI::Option* one) { return one->get_required() && one->count() == 0; });
    if (missing != options.end()) return usage(fmt::format("{} is missing", shown_name((*missing)->get_name())));
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    const auto repeated = std::find_if(options.begin(), options.end(), [](const CLI::Option* one) {
      return one->get_multi_option_policy() == CLI::MultiOptionPolicy::Throw &&
             one->count() > static_cast<std::size_t>(std::max(one->get_items_expected_max(), 1));
    });
    if (repeated != options.end()) {
      const auto name = shown_name((*repeated)->get_name());
      const auto* option = facts.find(name);
      return usage(fmt::format("{} is given more than once", name),
                   option == nullptr ? find_argument(arguments, name) : find_option_argument(arguments, *option, {}));
    }
    if (const auto* option = named_by_last(facts, arguments); option != nullptr) {
      return usage(fmt::format("{} needs a value: {}", option->longs.empty() ? option->shorts.front() : option->longs.front(),
                               option->value),
                   static_cast<std::ptrdiff_t>(arguments.size()) - 1);
    }
  }
  return usage(base::escape_control(error.what()));
}

ValueError empty_value(const std::string& name) {
  return {name, "",
          Error{Code::usage, fmt::format("cannot use '' for {}: it is empty", name),
                fmt::format("leave {} out, or set the variable that its value comes from", name)}};
}

// `--tenant=`, which CLI11 would give the next argument as its value, and `--follow=5`, which it would take as a yes.
std::optional<ArgumentError> wrong_equals(const ParsedCommand& parsed, std::span<const std::string> arguments) {
  for (std::size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    const std::string& argument = arguments[i];
    const auto equals = argument.find('=');
    if (!argument.starts_with("--") || equals == std::string::npos) continue;
    const auto name = argument.substr(0, equals);
    const auto value = argument.substr(equals + 1);
    const auto* option = parsed.app->get_option_no_throw(name);
    if (option == nullptr) continue;
    const auto index = static_cast<std::ptrdiff_t>(i);
    if (option->get_items_expected_max() > 0) {
      if (value.empty()) return ArgumentError{empty_value(name).error, index};
    } else if (value != "true" && value != "false") {
      auto hint = foreign_hint(*parsed.command, argument, arguments);
      if (hint.empty()) hint = help_hint(*parsed.command);
      return ArgumentError{
          Error{Code::usage, fmt::format("cannot use '{}' for {}: it takes no value", base::escape_control(value), name),
                std::move(hint)},
          index};
    }
  }
  return std::nullopt;
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
  if (command.role != Role::action) app.add_flag(kExitZeroOnTerm)->description(kExitZeroOnTermText);
  parsed.metrics = std::make_unique<monitor::Options>();
  if (command.role != Role::action) declare_metrics(app, *parsed.metrics);
  app.add_option(
         "-h,--help", [](const CLI::results_t&) { return true; }, "show help and exit; `all`: with every option")
      ->expected(0, 1)
      ->type_name(std::string(kHelpValue))
      ->check(CLI::Validator([](const std::string&) { return std::string(); }, "{all}", "help"));
  // A list takes one value each time its option is given; otherwise it would swallow the arguments that follow.
  for (auto* option : app.get_options()) {
    if (!option->get_positional()) option->allow_extra_args(false);
    if (option->get_items_expected_max() == 0 || option->get_items_expected_min() == 0) continue;
    const auto refuse_empty = [name = shown_name(option->get_name())](const std::string& value) {
      if (value.empty()) throw empty_value(name);
      return std::string();
    };
    option->check(CLI::Validator(refuse_empty, "", "not empty"));
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
  if (auto wrong = wrong_equals(parsed, arguments)) return *std::move(wrong);
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
  // The parser gives the word to a positional argument where one is still missing.
  const auto asks_for_all = [&](const std::string& word, std::size_t i) {
    return (word == "-h" || word == "--help") && i + 1 < arguments.size() && arguments[i + 1] == "all";
  };
  for (std::size_t i = 0; parsed.help && i < arguments.size() && !parsed.help_all; ++i) {
    parsed.help_all = asks_for_all(arguments[i], i) || arguments[i] == "--help=all";
  }
  parsed.strict = given("--strict");
  parsed.exit_zero_on_term = given(kExitZeroOnTerm);
  if (parsed.help) return parsed;
  if (auto wrong = unplaced(parsed, arguments)) return *std::move(wrong);
  parsed.invocation->fill_in(environment != nullptr ? environment : [](const char*) -> const char* { return nullptr; });
  if (auto checked = parsed.invocation->check(); !checked) return ArgumentError{std::move(checked).error(), -1};
  if (parsed.metrics->any() && parsed.role() == Role::action) {
    const char* name = parsed.metrics->address ? "--metrics" : "--metrics-file";
    return ArgumentError{
        Error{Code::usage, fmt::format("cannot use {} with these options: no chain runs", name), help_hint(command)},
        find_argument(arguments, name)};
  }
  return parsed;
}

}  // namespace weir::cli
