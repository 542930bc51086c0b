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

std::vector<std::string> value_options(const CommandFacts& facts) {
  std::vector<std::string> names;
  for (const auto& option : facts.options) {
    if (!option.takes_value()) continue;
    const auto own = names_of(option);
    names.insert(names.end(), own.begin(), own.end());
  }
  return names;
}

// What is offered for an argument in its place, from 0 on. The words of one that is repeated stand first only.
struct Offer {
  std::vector<std::string> words;
  std::string description;
  bool file = false, spool = false;
  [[nodiscard]] bool empty() const { return words.empty() && !file; }
};

// One a place; the last one is also that of all places behind it.
std::vector<Offer> offers(const CommandFacts& facts) {
  std::vector<Offer> all;
  for (const auto& one : facts.positionals) {
    all.push_back({one.choices, one.description, one.file, one.spool});
    if (one.repeatable && !one.choices.empty()) all.push_back({{}, one.description, one.file, one.spool});
    if (one.repeatable) return all;
  }
  all.emplace_back();
  return all;
}

// Those first arguments behind which something else is offered than the arguments say.
std::vector<std::pair<std::string, Following>> followings(const CommandFacts& facts) {
  std::vector<std::pair<std::string, Following>> all;
  if (facts.command->following == nullptr || facts.positionals.empty()) return all;
  for (const auto& first : facts.positionals.front().choices) {
    if (auto following = facts.command->following(first)) all.emplace_back(first, *std::move(following));
  }
  return all;
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

// --- bash
// ------------------------------------------------------------------------------------------------------------------------------

constexpr std::string_view kBashHead = R"(# Completion of weir for bash; printed by `weir docs completion bash`.

_weir_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); }

# Not what stands beside a spool and belongs to it.
_weir_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -X '*.db-*' -- "$cur")
}

# Folders and what has the name of a spool; where there is neither, any file.
_weir_spools() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <({ compgen -d -- "$cur"; compgen -f -X '!*.db' -- "$cur"; } | sort -u)
  ((${#COMPREPLY[@]})) || _weir_files
}

# What the command prints that was typed so far.
_weir_listed() {
  local -a line=()
  local i word
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]//[\"\']/}
    if [[ $word == = ]] && ((${#line[@]})); then
      line[${#line[@]}-1]+="=${COMP_WORDS[++i]//[\"\']/}"
    else
      line+=("${word/#\~\//$HOME/}")
    fi
  done
  while read -r word; do
    [[ $word =~ ^[A-Za-z_][A-Za-z0-9_]*$ && $word == "$cur"* ]] && COMPREPLY+=("$word")
  done < <("${COMP_WORDS[0]}" "${line[@]}" --timeout 2s 2>/dev/null </dev/null)
}

# The words behind the command that are no options, into `given`; $1: the options that take a value.
_weir_given() {
  local i word
  given=()
  for ((i = 2; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ $word == = ]]; then
      ((i++))
    elif [[ $word == -?* ]]; then
      [[ " $1 " == *" $word "* && ${COMP_WORDS[i+1]} != = ]] && ((i++))
    else
      given+=("$word")
    fi
  done
}

_weir() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
  local -a given=()
  COMPREPLY=()
  # `=` is a word of its own to bash.
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]] && ((COMP_CWORD > 2)); then
    prev=${COMP_WORDS[COMP_CWORD-2]}
  fi
  if ((COMP_CWORD == 1)); then
)";

std::string bash_offer(const Offer& offer) {
  const std::string_view files = offer.spool ? "_weir_spools" : "_weir_files";
  if (offer.words.empty()) return offer.file ? std::string(files) : ":";
  if (!offer.file) return fmt::format("_weir_words '{}'", words(offer.words));
  return fmt::format(
      "_weir_words '{}'; local named=(\"${{COMPREPLY[@]}}\"); {}; COMPREPLY=(\"${{named[@]}}\" \"${{COMPREPLY[@]}}\")",
      words(offer.words), files);
}

std::string bash_arguments(const CommandFacts& facts) {
  const auto all = offers(facts);
  const auto behind = followings(facts);
  if (behind.empty() && std::all_of(all.begin(), all.end(), [](const Offer& offer) { return offer.empty(); })) return {};
  std::string out = fmt::format("      else\n        _weir_given '{}'\n        case ${{#given[@]}}:${{given[0]-}} in\n",
                                words(value_options(facts)));
  for (const auto& [first, following] : behind) {
    out += fmt::format("          1:{}) {} ;;\n", first,
                       following.listed          ? "_weir_listed"
                       : following.words.empty() ? ":"
                                                 : fmt::format("_weir_words '{}'", words(following.words)));
  }
  for (std::size_t place = 0; place < all.size(); ++place) {
    const auto pattern = place + 1 == all.size() ? std::string("*") : fmt::format("{}:*", place);
    out += fmt::format("          {}) {} ;;\n", pattern, bash_offer(all[place]));
  }
  return out + "        esac\n";
}

std::string bash_command(const CommandFacts& facts) {
  std::string out = fmt::format("    {})\n      case $prev in\n", facts.command->name);
  std::vector<std::string> files, spools, opaque, all;
  for (const auto& option : facts.options) {
    const auto names = names_of(option);
    all.insert(all.end(), names.begin(), names.end());
    if (!option.takes_value()) continue;
    if (!option.choices.empty()) {
      out += fmt::format("        {}) _weir_words '{}'; return ;;\n", fmt::join(names, "|"), words(option.choices));
    } else {
      auto& list = option.spool ? spools : option.file ? files : opaque;
      list.insert(list.end(), names.begin(), names.end());
    }
  }
  if (!files.empty()) out += fmt::format("        {}) _weir_files; return ;;\n", fmt::join(files, "|"));
  if (!spools.empty()) out += fmt::format("        {}) _weir_spools; return ;;\n", fmt::join(spools, "|"));
  if (!opaque.empty()) out += fmt::format("        {}) return ;;\n", fmt::join(opaque, "|"));
  out += fmt::format("      esac\n      if [[ $cur == -* ]]; then\n        _weir_words '{}'\n", words(all));
  return out + bash_arguments(facts) + "      fi\n      ;;\n";
}

std::string bash_script(std::span<const CommandFacts> commands) {
  std::string out(kBashHead);
  out += fmt::format("    _weir_words '{} --help --version'\n    return\n  fi\n  case ${{COMP_WORDS[1]}} in\n",
                     command_words(commands));
  for (const auto& facts : commands) out += bash_command(facts);
  out += fmt::format("    help) _weir_words '{}' ;;\n", command_words(commands));
  return out + "  esac\n}\n\ncomplete -F _weir weir\n";
}

// --- zsh
// -------------------------------------------------------------------------------------------------------------------------------

// Within `[…]` and between colons of _arguments.
std::string zsh_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_action(const std::vector<std::string>& choices, bool file, bool spool) {
  const std::string_view files = spool ? "_weir_spools" : "_weir_files";
  if (!choices.empty() && file) return fmt::format("{{compadd -- {}; {}}}", words(choices), files);
  if (!choices.empty()) return fmt::format("({})", words(choices));
  return file ? std::string(files) : " ";
}

std::string zsh_option(const OptionFacts& option) {
  const auto names = names_of(option);
  const auto value = option.takes_value()
                         ? fmt::format(":{}:{}", zsh_escaped(option.value), zsh_action(option.choices, option.file, option.spool))
                         : std::string();
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
    out += fmt::format("        {} \\\n",
                       quoted(fmt::format("{}{}{}[{}]{}", before, name, equals, zsh_escaped(option.description), value)));
  }
  return out;
}

std::string zsh_command(const CommandFacts& facts) {
  const auto behind = followings(facts);
  std::string out = fmt::format("    {})\n      _arguments -s -S{} \\\n", facts.command->name, behind.empty() ? "" : " -C");
  for (const auto& option : facts.options) out += zsh_option(option);
  std::size_t number = 0;
  for (const auto& one : facts.positionals) {
    const auto name = zsh_escaped(one.positional);
    const auto spec = [&](std::string_view place, const std::string& action) {
      out += fmt::format("        {} \\\n", quoted(fmt::format("{}{}:{}", place, name, action)));
    };
    const auto at = [&](std::size_t place) { return fmt::format("{}{}", place, one.required ? ":" : "::"); };
    // The place behind the first argument, where what that is decides.
    const auto decides = [&] { return !behind.empty() && number == 2; };
    ++number;
    const bool words_first = one.repeatable && !one.choices.empty();
    if (words_first || (one.repeatable && decides()) || !one.repeatable)
      spec(at(number), decides() ? "->behind" : zsh_action(one.choices, one.file, one.spool));
    if (words_first && !behind.empty() && number == 1) spec(at(++number), "->behind");
    // zsh would show a message for a place without offers, and then not insert the offers of other places.
    if (one.repeatable && (one.file || !words_first))
      spec("*:", zsh_action(words_first ? std::vector<std::string>() : one.choices, one.file, one.spool));
  }
  out += "        && return\n";
  if (behind.empty()) return out + "      ;;\n";
  out += "      case $state:$line[1] in\n";
  for (const auto& [first, following] : behind) {
    out += fmt::format("        behind:{}) {} ;;\n", first,
                       following.listed          ? "_weir_listed"
                       : following.words.empty() ? "_message 'a name'"
                                                 : fmt::format("compadd -- {}", words(following.words)));
  }
  const auto all = offers(facts);
  const auto& usual = all[std::min<std::size_t>(1, all.size() - 1)];
  out += fmt::format("        behind:*) {} ;;\n", usual.spool ? "_weir_spools" : usual.file ? "_weir_files" : ":");
  return out + "      esac\n      ;;\n";
}

constexpr std::string_view kZshHead = R"zsh(#compdef weir
# Completion of weir for zsh; printed by `weir docs completion zsh`.

# Not what stands beside a spool and belongs to it.
_weir_files() { _files -F '(*.db-*)' }

_weir_spools() { _files -g '*.db(-.)' }

# What the command prints that was typed so far.
_weir_listed() {
  local -a found
  found=(${(f)"$("${(@Q)program}" "${(@Q)words[1,CURRENT-1]}" --timeout 2s 2>/dev/null </dev/null)"})
  compadd -- $found
}

_weir() {
  local program=$words[1] state context
  local -a commands line
  typeset -A opt_args
  commands=(
)zsh";

std::string zsh_script(std::span<const CommandFacts> commands) {
  std::string out = std::string(kZshHead);
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

// --- fish
// ------------------------------------------------------------------------------------------------------------------------------

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
  if (option.spool) return " -x -a '(__weir_spools)'";
  return option.file ? " -r -F" : " -x";
}

std::string fish_command(const CommandFacts& facts) {
  const auto& name = facts.command->name;
  const auto condition = fmt::format("-n '__weir_command {}'", name);
  std::string out;
  for (const auto& option : facts.options) {
    out += fmt::format("complete -c weir {}", condition);
    for (const auto& one : option.shorts) out += fmt::format(" -s {}", one.substr(1));
    for (const auto& one : option.longs) out += fmt::format(" -l {}", one.substr(2));
    out += fmt::format("{} -d {}\n", fish_value(option), fish_quoted(option.description));
  }
  const auto all = offers(facts);
  const auto behind = followings(facts);
  const auto offer = [&](std::string_view test, std::string_view what) {
    out += fmt::format("complete -c weir -n '__weir_command {}; and {} {}' {}\n", name, test, words(value_options(facts)), what);
  };
  for (const auto& [first, following] : behind) {
    const auto what = following.listed ? std::string("'(__weir_listed)'") : fish_quoted(words(following.words));
    if (following.listed || !following.words.empty()) offer(fmt::format("__weir_behind {}", first), "-a " + what);
  }
  std::vector<std::string> decided;
  for (const auto& [first, following] : behind) decided.push_back(first);
  for (std::size_t place = 0; place < all.size(); ++place) {
    const auto number = fmt::format("{}{}", place, place + 1 == all.size() ? "-" : "");
    const auto test = place == 0 || decided.empty() ? fmt::format("__weir_place {} \"\"", number)
                                                    : fmt::format("__weir_place {} \"{}\"", number, words(decided));
    if (all[place].spool)
      offer(test, "-a '(__weir_spools)'");
    else if (all[place].file)
      offer(test, "-a '(__weir_files)'");
    if (!all[place].words.empty())
      offer(test, fmt::format("-a {} -d {}", fish_quoted(words(all[place].words)), fish_quoted(all[place].description)));
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
      "# The words behind the command that are no options; the arguments are the options that take a value.\n"
      "function __weir_given\n"
      "    set -l words (commandline -opc)\n"
      "    test (count $words) -ge 3; or return\n"
      "    set -l skip 0\n"
      "    for word in $words[3..-1]\n"
      "        if test $skip -eq 1\n"
      "            set skip 0\n"
      "        else if string match -q -- '-*' $word\n"
      "            contains -- $word $argv; and set skip 1\n"
      "        else\n"
      "            echo $word\n"
      "        end\n"
      "    end\n"
      "end\n\n"
      "# __weir_place N WORDS OPTIONS…: the Nth of them is completed (`N-`: or a later one), unless it comes right behind one of "
      "the words.\n"
      "function __weir_place\n"
      "    set -l given (__weir_given $argv[3..-1])\n"
      "    set -l count (count $given)\n"
      "    test $count -eq 1; and contains -- $given[1] (string split ' ' -- $argv[2]); and return 1\n"
      "    string match -q -- '*-' $argv[1]; and test $count -ge (string replace -- - '' $argv[1]); and return\n"
      "    test $count = $argv[1]\n"
      "end\n\n"
      "# __weir_behind WORD OPTIONS…: the argument right behind this first one is completed.\n"
      "function __weir_behind\n"
      "    set -l given (__weir_given $argv[2..-1])\n"
      "    test (count $given) -eq 1; and test $given[1] = $argv[1]\n"
      "end\n\n"
      "# Folders and what has the name of a spool; where there is neither, any file.\n"
      "function __weir_spools\n"
      "    set -l begun (commandline -ct | string replace -r '^~/' \"$HOME/\")\n"
      "    set -l found $begun*/ $begun*.db\n"
      "    test (count $found) -gt 0; or set found $begun*\n"
      "    string join -- \\n $found\n"
      "end\n\n"
      "# Not what stands beside a spool and belongs to it.\n"
      "function __weir_files\n"
      "    __fish_complete_path (commandline -ct) | string match -rv '\\.db-[^/]*$'\n"
      "end\n\n"
      "# What the command prints that was typed so far.\n"
      "function __weir_listed\n"
      "    set -l words (commandline -opc)\n"
      "    command $words[1] $words[2..-1] --timeout 2s 2>/dev/null </dev/null\n"
      "end\n\n"
      "function __weir_no_command\n"
      "    test (count (commandline -opc)) -eq 1\n"
      "end\n\n"
      "complete -c weir -f\n"
      "complete -c weir -n __weir_no_command -s h -l help -d 'show help and exit'\n"
      "complete -c weir -n __weir_no_command -s V -l version -d 'show the version, the commit and the libraries, and exit'\n";
  for (const auto& facts : commands) {
    out += fmt::format("complete -c weir -n __weir_no_command -a {} -d {}\n", facts.command->name,
                       fish_quoted(facts.command->summary));
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
    case Shell::bash:
      return bash_script(commands);
    case Shell::zsh:
      return zsh_script(commands);
    case Shell::fish:
      return fish_script(commands);
  }
  return {};
}

}  // namespace weir::cli
