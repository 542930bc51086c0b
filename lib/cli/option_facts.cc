#include "cli/option_facts.h"

#include "cli/command_line.h"

#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <array>

namespace weir::cli {
namespace {

constexpr std::string_view kDefaultGroup = "Options";

// The words within the first braces of what CLI::IsMember and CLI::CheckedTransformer say of themselves: "{a,b}", "{a->0,b->1}".
std::vector<std::string> choices_in(std::string_view description) {
  std::vector<std::string> choices;
  const auto open = description.find('{');
  const auto close = description.find('}', open == std::string_view::npos ? 0 : open);
  if (open == std::string_view::npos || close == std::string_view::npos) return choices;
  auto inside = description.substr(open + 1, close - open - 1);
  while (!inside.empty()) {
    const auto comma = inside.find(',');
    const auto word = inside.substr(0, comma);
    choices.emplace_back(word.substr(0, word.find("->")));
    inside = comma == std::string_view::npos ? std::string_view() : inside.substr(comma + 1);
  }
  return choices;
}

// The words in small letters among "labels|series|LOGQL".
std::vector<std::string> words_in(std::string_view type) {
  std::vector<std::string> words;
  while (!type.empty()) {
    const auto word = type.substr(0, type.find('|'));
    type.remove_prefix(std::min(word.size() + 1, type.size()));
    if (!word.empty() && std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; }))
      words.emplace_back(word);
  }
  return words;
}

bool names_a_file(std::string_view value) {
  constexpr std::array<std::string_view, 4> kinds = {"FILE", "DIR", "PATH", "SPOOL"};
  return std::any_of(kinds.begin(), kinds.end(), [&](std::string_view kind) { return value.starts_with(kind); });
}

// CLI11 names types by their C++ type; people get what the value is.
std::string value_name(std::string_view type) {
  if (type == "UINT" || type == "INT") return "N";
  if (type == "FLOAT") return "NUMBER";
  if (type == "BOOLEAN") return "true|false";
  return std::string(type);
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::vector<std::string> validator_descriptions(CLI::Option& option) {
  std::vector<std::string> descriptions;
  try {
    for (int i = 0;; ++i) descriptions.push_back(option.get_validator(i)->get_description());
  } catch (const CLI::OptionNotFound&) {  // the end of the list: there is no count
  }
  return descriptions;
}

OptionFacts facts_of(CLI::Option& option) {
  OptionFacts facts;
  for (const auto& name : option.get_snames()) facts.shorts.push_back("-" + name);
  for (const auto& name : option.get_lnames()) facts.longs.push_back("--" + name);
  if (option.get_positional()) facts.positional = upper(option.get_name(true));
  facts.description = option.get_description();
  facts.default_value = option.get_default_str();
  facts.group = option.get_group();
  facts.required = option.get_required();
  if (option.get_items_expected_max() == 0) {  // a flag
    facts.default_value.clear();
    return facts;
  }
  // An option with a name may take two words at once: --timestamp-from NAME [FORMAT].
  facts.repeatable = option.get_items_expected_max() > (option.get_positional() ? 1 : 2);

  std::string type = option.get_type_name();
  const auto descriptions = validator_descriptions(option);
  std::size_t appended = 0;
  for (const auto& description : descriptions) appended += description.empty() ? 0 : description.size() + 1;
  type.resize(type.size() - std::min(appended, type.size()));
  for (const auto& description : descriptions) {
    if (facts.choices.empty()) facts.choices = choices_in(description);
    if (type == "TEXT" && names_a_file(description)) type = description;
  }
  if (type == "TEXT" && !facts.choices.empty()) {
    facts.value = fmt::format("{}", fmt::join(facts.choices, "|"));
  } else {
    facts.value = value_name(type);
  }
  if (facts.choices.empty() && option.get_positional()) facts.choices = words_in(type);
  facts.file = names_a_file(facts.value) || (option.get_positional() && names_a_file(facts.positional));
  facts.spool = facts.file && (facts.value.starts_with("SPOOL") || facts.positional.starts_with("SPOOL"));
  // An empty default says nothing.
  if (facts.default_value == "\"\"" || facts.default_value == "[]" || facts.default_value == "{}") facts.default_value.clear();
  return facts;
}

}  // namespace

std::string OptionFacts::heading() const {
  if (!positional.empty() && shorts.empty() && longs.empty()) return positional;
  std::vector<std::string> names = shorts;
  names.insert(names.end(), longs.begin(), longs.end());
  const auto text = fmt::format("{}{}{}", fmt::join(names, ", "), value.empty() ? "" : " ", value);
  return shorts.empty() ? "    " + text : text;
}

std::string CommandFacts::synopsis() const {
  auto text = fmt::format("weir {}", command->name);
  if (!options.empty()) text += " [OPTION]...";
  for (const auto& positional : positionals) {
    text += fmt::format(" {}{}{}{}", positional.required ? "" : "[", positional.positional, positional.required ? "" : "]",
                        positional.repeatable ? "..." : "");
  }
  return text;
}

const OptionFacts* CommandFacts::find(std::string_view name) const {
  for (const auto* list : {&options, &positionals}) {
    for (const auto& one : *list) {
      const auto has = [&](const std::vector<std::string>& names) {
        return std::find(names.begin(), names.end(), name) != names.end();
      };
      if (one.positional == name || has(one.longs) || has(one.shorts)) return &one;
    }
  }
  return nullptr;
}

std::vector<const OptionFacts*> usual_options(const CommandFacts& facts) {
  std::vector<const OptionFacts*> found;
  for (const auto name : facts.command->usual) {
    if (const auto* option = facts.find(name); option != nullptr) found.push_back(option);
  }
  if (const auto* help = facts.find("--help"); help != nullptr) found.push_back(help);
  return found;
}

CommandFacts facts_of(const Command& command) {
  CommandFacts facts;
  facts.command = &command;
  auto declared = declare(command);
  std::vector<std::string> groups = {std::string(kDefaultGroup)};
  std::vector<OptionFacts> named;
  for (auto* option : declared.app->get_options()) {
    if (option->get_group().empty()) continue;
    auto one = facts_of(*option);
    const bool positional_only = one.shorts.empty() && one.longs.empty();
    if (positional_only) {
      facts.positionals.push_back(std::move(one));
      continue;
    }
    if (std::find(groups.begin(), groups.end(), one.group) == groups.end()) groups.push_back(one.group);
    named.push_back(std::move(one));
  }
  for (const auto& group : groups) {
    for (const auto& one : named) {
      if (one.group == group) facts.options.push_back(one);
    }
  }
  return facts;
}

std::vector<CommandFacts> facts_of(std::span<const Command* const> commands) {
  std::vector<CommandFacts> all;
  all.reserve(commands.size());
  for (const auto* command : commands) all.push_back(facts_of(*command));
  return all;
}

}  // namespace weir::cli
