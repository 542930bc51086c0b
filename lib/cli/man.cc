#include "cli/man.h"

#include "cli/help.h"
#include "cli/paragraph.h"
#include "cli/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace weir::cli {
namespace {

std::uint32_t code_point(std::string_view text, std::size_t& size) {
  const auto lead = static_cast<unsigned char>(text[0]);
  size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  size = std::min(size, text.size());
  std::uint32_t point = lead & (size == 2 ? 0x1fU : size == 3 ? 0x0fU : 0x07U);
  for (std::size_t i = 1; i < size; ++i) point = (point << 6U) | (static_cast<unsigned char>(text[i]) & 0x3fU);
  return point;
}

std::string bold(std::string_view text) { return fmt::format("\\fB{}\\fR", roff(text)); }
std::string italic(std::string_view text) { return fmt::format("\\fI{}\\fR", roff(text)); }

constexpr std::string_view kHeading = "# ";

// A line of text must not begin with what roff reads as a request.
std::string line(std::string text) {
  if (text.starts_with('.') || text.starts_with('\'')) text.insert(0, "\\&");
  return text + "\n";
}

// Prose with `code` in bold; blank lines part paragraphs, lines that begin with a blank stand as they are, `# Heading` begins a
// subsection.
std::string prose(std::string_view text, std::string_view paragraph = ".PP\n") {
  std::string out;
  std::string current;
  bool display = false;
  bool after_heading = false;
  std::string joined;
  const auto end_line = [&] {
    if (!current.empty()) out += line(current);
    current.clear();
  };
  const auto end_display = [&] {
    if (display) out += ".EE\n";
    display = false;
  };
  while (!text.empty()) {
    const auto newline = text.find('\n');
    auto part = text.substr(0, newline);
    text = newline == std::string_view::npos ? std::string_view() : text.substr(newline + 1);
    if (part.empty()) {
      end_line(), end_display();
      if (!text.starts_with(kHeading) && !out.ends_with(paragraph) && !text.empty() && !after_heading) out += paragraph;
      continue;
    }
    if (part.starts_with(kHeading)) {
      end_line(), end_display();
      out += fmt::format(".SS {}\n", roff(part.substr(kHeading.size())));
      after_heading = true;
      continue;
    }
    after_heading = false;
    if (part.front() == ' ') {
      end_line();
      if (!display) out += ".EX\n";
      display = true;
      out += line(roff(part));
      continue;
    }
    end_display();
    // `code` that goes on in the next line.
    if (std::count(part.begin(), part.end(), '`') % 2 == 1 && !text.empty() && text.front() != '\n' && text.front() != ' ') {
      const auto next = text.find('\n');
      joined = fmt::format("{} {}", part, text.substr(0, next));
      text = next == std::string_view::npos ? std::string_view() : text.substr(next + 1);
      part = joined;
    }
    while (!part.empty()) {
      const auto open = part.find('`');
      const auto close = open == std::string_view::npos ? open : part.find('`', open + 1);
      if (close == std::string_view::npos) {
        current += roff(part);
        break;
      }
      current += roff(part.substr(0, open));
      current += bold(part.substr(open + 1, close - open - 1));
      part.remove_prefix(close + 1);
    }
    end_line();
  }
  end_line(), end_display();
  return out;
}

std::string header(std::string_view title) {
  std::string upper(title);
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return fmt::format(".\\\" Printed by `weir docs man`; do not edit.\n.TH {} 1 \"{}\" \"weir {}\" \"weir manual\"\n", roff(upper),
                     manual_date(), version());
}

std::string option_entry(const OptionFacts& option) {
  std::string out = ".TP\n";
  if (!option.positional.empty() && option.longs.empty() && option.shorts.empty()) {
    out += line(italic(option.positional));
  } else {
    std::vector<std::string> names = option.shorts;
    names.insert(names.end(), option.longs.begin(), option.longs.end());
    std::string heading;
    for (const auto& name : names) heading += (heading.empty() ? "" : ", ") + bold(name);
    if (option.takes_value()) heading += " " + italic(option.value);
    out += line(heading);
  }
  return out + prose(full_description(option), ".IP\n");
}

std::string example_entries(std::span<const Example> examples) {
  std::string out = ".SH EXAMPLES\n";
  for (const auto& example : examples) {
    if (&example != examples.data()) out += ".PP\n";
    std::string what(example.what);
    if (!what.empty() && what[0] >= 'a' && what[0] <= 'z') what[0] = static_cast<char>(what[0] - 'a' + 'A');
    out += prose(what + ":") + ".PP\n.RS 4\n.EX\n";
    const auto command = wrap_command(example.command, 4, 76);
    std::string_view rest = command;
    while (true) {
      const auto end = rest.find('\n');
      out += line(roff(rest.substr(0, end)));
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 1);
    }
    out += ".EE\n.RE\n";
  }
  return out;
}

std::string exit_entries(const std::vector<Exit>& exits, std::string_view rules = {}) {
  std::string out = ".SH EXIT STATUS\n";
  for (const auto exit : exits) out += fmt::format(".TP\n.B {}\n{}", static_cast<int>(exit), prose(exit_meaning(exit)));
  if (!rules.empty()) out += ".PP\n" + prose(rules);
  return out;
}

// Each page on a line of its own, separated by commas.
std::string see_also(const std::vector<PageName>& pages) {
  std::string out = ".SH SEE ALSO\n";
  for (std::size_t i = 0; i < pages.size(); ++i) {
    out += fmt::format(".BR {} ({}){}\n", roff(pages[i].first), pages[i].second, i + 1 < pages.size() ? "," : "");
  }
  return out;
}

}  // namespace

std::string roff(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    std::size_t size = 1;
    switch (c) {
      case '\\':
        out += "\\e";
        break;
      case '-':
        out += "\\-";
        break;
      case '\'':
        out += "\\(aq";
        break;
      case '`':
        out += "\\(ga";
        break;
      case '^':
        out += "\\(ha";
        break;
      case '~':
        out += "\\(ti";
        break;
      case '"':
        out += "\\(dq";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x80) {
          out += c;
        } else {
          out += fmt::format("\\[u{:04X}]", code_point(text.substr(i), size));
        }
    }
    i += size;
  }
  return out;
}

std::string command_man(const CommandFacts& facts, std::span<const Command* const> commands) {
  const auto& command = *facts.command;
  const auto page = fmt::format("weir-{}", command.name);
  auto out = header(page);
  out += fmt::format(".SH NAME\n{} \\- {}\n", roff(page), roff(command.summary));
  out += fmt::format(".SH SYNOPSIS\n.B weir {}\n", roff(command.name));
  if (!facts.options.empty()) out += "[\\fIOPTION\\fR]...\n";
  for (const auto& one : facts.positionals) {
    out += fmt::format("{}{}{}{}\n", one.required ? "" : "[", italic(one.positional), one.required ? "" : "]",
                       one.repeatable ? "..." : "");
  }
  out += ".SH DESCRIPTION\n" + prose(command.description.empty() ? command.summary : command.description);
  if (!command.manual.empty()) out += (command.manual.starts_with(kHeading) ? "" : ".PP\n") + prose(command.manual);
  out += ".SH OPTIONS\n";
  for (const auto& one : facts.positionals) out += option_entry(one);
  std::string_view group = "Options";
  for (const auto& option : facts.options) {
    if (option.group != group) out += fmt::format(".SS {}\n", roff(option.group));
    group = option.group;
    out += option_entry(option);
  }
  if (!command.examples.empty()) out += example_entries(command.examples);
  out += exit_entries(exits_of(command));
  std::vector<PageName> pages = {{"weir", 1}};
  for (const auto* other : commands) {
    if (other != &command && other->role != Role::action) pages.emplace_back(fmt::format("weir-{}", other->name), 1);
  }
  pages.emplace_back("weir-pipeline", 5);
  pages.emplace_back("weir-record", 5);
  const auto takes_query = [](const auto& one) { return one.positional == "QUERY" || one.positional == "LOGQL"; };
  if (std::any_of(facts.positionals.begin(), facts.positionals.end(), takes_query)) pages.emplace_back("weir-logql", 7);
  if (facts.find("--metrics-file") != nullptr) pages.emplace_back("weir-metrics", 7);
  return out + see_also(pages);
}

std::string program_man(std::span<const Command* const> commands, const std::vector<PageName>& others) {
  auto out = header("weir");
  out += fmt::format(".SH NAME\nweir \\- {}\n", roff(tagline()));
  out +=
      ".SH SYNOPSIS\n.B weir\n\\fICOMMAND\\fR [\\fIARGUMENT\\fR]...\n.br\n.B weir\n\\fICOMMAND\\fR \\fB\\-\\-help\\fR\n.br\n.B "
      "weir \\-\\-version\n";
  out += ".SH DESCRIPTION\n" + prose(description()) + ".SH COMMANDS\n";
  std::vector<PageName> pages;
  for (const auto& [role, heading] : role_headings()) {
    out += fmt::format(".SS {}\n", heading);
    for (const auto* command : commands) {
      if (command->role != role) continue;
      const auto page = fmt::format("weir-{}", command->name);
      out += fmt::format(".TP\n.BR {} (1)\n{}", roff(page), prose(command->summary));
      pages.emplace_back(page, 1);
    }
  }
  out +=
      ".SH OPTIONS\n.TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR [all]\nshow help and exit; all: with every variable and exit "
      "code\n.TP\n\\fB\\-V\\fR, \\fB\\-\\-version\\fR\n";
  out += prose(R"(show the version, and exit. The first line is the word weir and the version; scripts may read it. The other
lines are for people and for bug reports: the commit, architecture and compiler, the libraries that the loader brings,
those that are part of the program, and those that are loaded when a stage needs them, as this machine has them.)");
  out += ".SH SIGNALS AND ENDS\n" + prose(ends());
  out += ".SH ENVIRONMENT\n";
  for (const auto& variable : environment_variables()) {
    out += ".TP\n" + line(bold(variable.names)) + prose(variable.meaning);
  }
  out += example_entries(program_examples());
  out += exit_entries(all_exits(), exit_rules());
  pages.insert(pages.end(), others.begin(), others.end());
  return out + see_also(pages);
}

}  // namespace weir::cli
