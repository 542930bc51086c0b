#include "cli/completion.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

namespace weir::cli {
namespace {

std::vector<std::string> names_of(const OptionFacts& option) {
  auto names = option.shorts;
  names.insert(names.end(), option.longs.begin(), option.longs.end());
  return names;
}

std::string words(const std::vector<std::string>& list) { return fmt::format("{}", fmt::join(list, " ")); }

std::string command_words(std::span<const CommandFacts> commands) {
  std::vector<std::string> names;
  for (const auto& facts : commands) names.emplace_back(facts.command->name);
  names.emplace_back("help");
  return words(names);
}

bool takes_files(const CommandFacts& facts) {
  return std::any_of(facts.positionals.begin(), facts.positionals.end(), [](const auto& one) { return one.file; });
}

std::vector<std::string> positional_choices(const CommandFacts& facts) {
  std::vector<std::string> choices;
  for (const auto& one : facts.positionals) choices.insert(choices.end(), one.choices.begin(), one.choices.end());
  return choices;
}

// `text` within single quotes of sh, zsh and fish; they agree but for how a quote gets in.
std::string quoted(std::string_view text, std::string_view quote = "'\\''") {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += quote;
    } else {
      out += c;
    }
  }
  return out + "'";
}

// --- bash ------------------------------------------------------------------------------------------------------------------------------

constexpr std::string_view kBashHead = R"(# Completion of weir for bash; printed by `weir docs completion bash`.

_weir_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); }

_weir_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

_weir() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  # `=` is a word of its own to bash.
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]] && ((COMP_CWORD > 2)); then
    prev=${COMP_WORDS[COMP_CWORD-2]}
  fi
  if ((COMP_CWORD == 1)); then
)";

std::string bash_command(const CommandFacts& facts) {
  std::string out = fmt::format("    {})\n      case $prev in\n", facts.command->name);
  std::vector<std::string> files;
  std::vector<std::string> opaque;
  std::vector<std::string> all;
  for (const auto& option : facts.options) {
    const auto names = names_of(option);
    all.insert(all.end(), names.begin(), names.end());
    if (!option.takes_value()) continue;
    if (!option.choices.empty()) {
      out += fmt::format("        {}) _weir_words '{}'; return ;;\n", fmt::join(names, "|"), words(option.choices));
    } else {
      auto& list = option.file ? files : opaque;
      list.insert(list.end(), names.begin(), names.end());
    }
  }
  if (!files.empty()) out += fmt::format("        {}) _weir_files; return ;;\n", fmt::join(files, "|"));
  if (!opaque.empty()) out += fmt::format("        {}) return ;;\n", fmt::join(opaque, "|"));
  out += fmt::format("      esac\n      if [[ $cur == -* ]]; then\n        _weir_words '{}'\n", words(all));
  const auto choices = positional_choices(facts);
  if (takes_files(facts) && !choices.empty()) {
    out += fmt::format("      else\n        _weir_words '{}'\n        local named=(\"${{COMPREPLY[@]}}\")\n        _weir_files\n"
                       "        COMPREPLY=(\"${{named[@]}}\" \"${{COMPREPLY[@]}}\")\n", words(choices));
  } else if (takes_files(facts)) {
    out += "      else\n        _weir_files\n";
  } else if (!choices.empty()) {
    out += fmt::format("      else\n        _weir_words '{}'\n", words(choices));
  }
  return out + "      fi\n      ;;\n";
}

std::string bash_script(std::span<const CommandFacts> commands) {
  std::string out(kBashHead);
  out += fmt::format("    _weir_words '{} --help --version'\n    return\n  fi\n  case ${{COMP_WORDS[1]}} in\n", command_words(commands));
  for (const auto& facts : commands) out += bash_command(facts);
  out += fmt::format("    help) _weir_words '{}' ;;\n", command_words(commands));
  return out + "  esac\n}\n\ncomplete -F _weir weir\n";
}

// --- zsh -------------------------------------------------------------------------------------------------------------------------------

// Within `[…]` and between colons of _arguments.
std::string zsh_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_action(const OptionFacts& option) {
  if (!option.choices.empty() && option.file) return fmt::format("{{compadd -- {}; _files}}", words(option.choices));
  if (!option.choices.empty()) return fmt::format("({})", words(option.choices));
  return option.file ? "_files" : " ";
}

std::string zsh_option(const OptionFacts& option) {
  const auto names = names_of(option);
  const auto value = option.takes_value() ? fmt::format(":{}:{}", zsh_escaped(option.value), zsh_action(option)) : std::string();
  std::string out;
  for (const auto& name : names) {
    // Another spelling of an option that was given is not offered again, unless it may be repeated.
    std::string before;
    if (option.repeatable) {
      before = "*";
    } else if (names.size() > 1) {
      before = fmt::format("({})", words(names));
    }
    const auto* equals = option.takes_value() && name.starts_with("--") ? "=" : option.takes_value() ? "+" : "";
    out += fmt::format("        {} \\\n", quoted(fmt::format("{}{}{}[{}]{}", before, name, equals, zsh_escaped(option.description), value)));
  }
  return out;
}

std::string zsh_command(const CommandFacts& facts) {
  std::string out = fmt::format("    {})\n      _arguments -s -S \\\n", facts.command->name);
  for (const auto& option : facts.options) out += zsh_option(option);
  std::size_t number = 0;
  for (const auto& one : facts.positionals) {
    ++number;
    const auto place = one.repeatable ? std::string("*") : fmt::format("{}", number);
    out += fmt::format("        {} \\\n", quoted(fmt::format("{}{}:{}:{}", place, one.required || one.repeatable ? "" : ":", zsh_escaped(one.positional),
                                                            zsh_action(one))));
  }
  return out + "        && return\n      ;;\n";
}

std::string zsh_script(std::span<const CommandFacts> commands) {
  std::string out = "#compdef weir\n# Completion of weir for zsh; printed by `weir docs completion zsh`.\n\n_weir() {\n  local -a commands\n  commands=(\n";
  for (const auto& facts : commands) {
    out += fmt::format("    {}\n", quoted(fmt::format("{}:{}", facts.command->name, zsh_escaped(facts.command->summary))));
  }
  out += "    'help:show the help of a command'\n  )\n";
  out +=
      "  if ((CURRENT == 2)); then\n"
      "    _describe -t commands 'command' commands\n"
      "    [[ $PREFIX == -* ]] && compadd -- --help --version\n"
      "    return\n"
      "  fi\n"
      "  local command=$words[2]\n"
      "  shift words\n"
      "  ((CURRENT--))\n"
      "  case $command in\n";
  for (const auto& facts : commands) out += zsh_command(facts);
  return out + "    help) _describe -t commands 'command' commands ;;\n  esac\n}\n\n_weir \"$@\"\n";
}

// --- fish ------------------------------------------------------------------------------------------------------------------------------

std::string fish_quoted(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\') escaped += '\\';
    escaped += c;
  }
  return quoted(escaped, "\\'");
}

std::string fish_value(const OptionFacts& option) {
  if (!option.takes_value()) return "";
  if (!option.choices.empty()) return fmt::format(" -x -a {}", fish_quoted(words(option.choices)));
  return option.file ? " -r -F" : " -x";
}

std::string fish_command(const CommandFacts& facts) {
  const auto condition = fmt::format("-n '__weir_command {}'", facts.command->name);
  std::string out;
  for (const auto& option : facts.options) {
    out += fmt::format("complete -c weir {}", condition);
    for (const auto& name : option.shorts) out += fmt::format(" -s {}", name.substr(1));
    for (const auto& name : option.longs) out += fmt::format(" -l {}", name.substr(2));
    out += fmt::format("{} -d {}\n", fish_value(option), fish_quoted(option.description));
  }
  for (const auto& one : facts.positionals) {
    if (one.file) out += fmt::format("complete -c weir {} -F\n", condition);
    if (!one.choices.empty()) {
      out += fmt::format("complete -c weir {} -a {} -d {}\n", condition, fish_quoted(words(one.choices)), fish_quoted(one.description));
    }
  }
  return out;
}

std::string fish_script(std::span<const CommandFacts> commands) {
  std::string out =
      "# Completion of weir for fish; printed by `weir docs completion fish`.\n\n"
      "# The command is the second word; options of others are not offered.\n"
      "function __weir_command\n"
      "    set -l words (commandline -opc)\n"
      "    test (count $words) -ge 2; and test $words[2] = $argv[1]\n"
      "end\n\n"
      "function __weir_no_command\n"
      "    test (count (commandline -opc)) -eq 1\n"
      "end\n\n"
      "complete -c weir -f\n"
      "complete -c weir -n __weir_no_command -s h -l help -d 'show help and exit'\n"
      "complete -c weir -n __weir_no_command -s V -l version -d 'show the version and exit'\n";
  for (const auto& facts : commands) {
    out += fmt::format("complete -c weir -n __weir_no_command -a {} -d {}\n", facts.command->name, fish_quoted(facts.command->summary));
  }
  out += "complete -c weir -n __weir_no_command -a help -d 'show the help of a command'\n";
  out += fmt::format("complete -c weir -n '__weir_command help' -a {}\n", fish_quoted(command_words(commands)));
  for (const auto& facts : commands) out += fish_command(facts);
  return out;
}

}  // namespace

std::optional<Shell> parse_shell(std::string_view name) {
  if (name == "bash") return Shell::bash;
  if (name == "zsh") return Shell::zsh;
  if (name == "fish") return Shell::fish;
  return std::nullopt;
}

std::string completion_script(Shell shell, std::span<const CommandFacts> commands) {
  switch (shell) {
    case Shell::bash: return bash_script(commands);
    case Shell::zsh: return zsh_script(commands);
    case Shell::fish: return fish_script(commands);
  }
  return {};
}

}  // namespace weir::cli
