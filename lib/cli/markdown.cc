#include "cli/markdown.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace weir::cli {
namespace {

using base::Code;
using base::Result;

constexpr std::size_t kWidth = 100;

enum class Font : std::uint8_t { roman, bold, italic };

// Text of one font. `\n` stands for a break of the line (.br), which no page has otherwise.
struct Run {
  Font font = Font::roman;
  std::string text;
};
using Runs = std::vector<Run>;

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool in_word(char c) { return letter(c) || digit(c) || static_cast<unsigned char>(c) >= 0x80; }

void append(Runs& runs, Font font, std::string_view text) {
  if (text.empty()) return;
  if (runs.empty() || runs.back().font != font) runs.push_back({font, {}});
  runs.back().text += text;
}

std::string plain(const Runs& runs) {
  std::string out;
  for (const Run& run : runs) out += run.text;
  return out;
}

void append_utf8(std::string& out, std::uint32_t point) {
  const auto byte = [&](std::uint32_t value) { out += static_cast<char>(static_cast<unsigned char>(value)); };
  if (point < 0x80) {
    byte(point);
  } else if (point < 0x800) {
    byte(0xc0U | (point >> 6U)), byte(0x80U | (point & 0x3fU));
  } else if (point < 0x10000) {
    byte(0xe0U | (point >> 12U)), byte(0x80U | ((point >> 6U) & 0x3fU)), byte(0x80U | (point & 0x3fU));
  } else {
    byte(0xf0U | (point >> 18U)), byte(0x80U | ((point >> 12U) & 0x3fU));
    byte(0x80U | ((point >> 6U) & 0x3fU)), byte(0x80U | (point & 0x3fU));
  }
}

// The characters of two letters: \(aq.
std::optional<std::string_view> special(std::string_view name) {
  static constexpr std::pair<std::string_view, std::string_view> known[] = {
      {"aq", "'"}, {"dq", "\""}, {"ga", "`"}, {"ha", "^"}, {"ti", "~"}, {"bu", "•"}, {"em", "—"},
      {"en", "–"}, {"lq", "“"},  {"rq", "”"}, {"->", "→"}, {"<-", "←"}, {">=", "≥"}, {"<=", "≤"},
  };
  const auto* found = std::ranges::find(known, name, &std::pair<std::string_view, std::string_view>::first);
  if (found == std::end(known)) return std::nullopt;
  return found->second;
}

// Undoes the escapes of roff. A font that is set holds until the end of `text`.
Result<void> read_escapes(std::string_view text, Font font, Runs& runs) {
  Font before = font;
  const auto unknown = [&](std::string_view escape) { return base::fail(Code::bug, "the escape '{}' is unknown", escape); };
  const auto change = [&](char to) {
    const Font next = to == 'B' ? Font::bold : to == 'I' ? Font::italic : to == 'P' ? before : Font::roman;
    before = std::exchange(font, next);
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      append(runs, font, text.substr(i, 1));
      continue;
    }
    const auto rest = text.substr(i);
    if (rest.size() < 2) return unknown(rest);
    std::size_t size = 2;
    switch (rest[1]) {
      case '"':  // a comment
        return {};
      case '&':
        break;
      case '-':
      case ' ':
      case '.':
        append(runs, font, rest.substr(1, 1));
        break;
      case 'e':
      case '\\':
        append(runs, font, "\\");
        break;
      case '(': {
        size = 4;
        const auto meant = special(rest.substr(2, 2));
        if (!meant) return unknown(rest.substr(0, size));
        append(runs, font, *meant);
        break;
      }
      case '[': {
        const auto end = rest.find(']');
        size = end == std::string_view::npos ? rest.size() : end + 1;
        std::uint32_t point = 0;
        bool good = end != std::string_view::npos && end > 3 && end < 9 && rest[2] == 'u';
        for (std::size_t j = 3; good && j < end; ++j) {
          const char c = rest[j];
          good = digit(c) || (c >= 'A' && c <= 'F');
          point = point * 16 + static_cast<std::uint32_t>(digit(c) ? c - '0' : c - 'A' + 10);
        }
        if (!good) return unknown(rest.substr(0, size));
        std::string character;
        append_utf8(character, point);
        append(runs, font, character);
        break;
      }
      case 'f':
        size = 3;
        if (rest.size() < 3 || std::string_view("BIPR").find(rest[2]) == std::string_view::npos)
          return unknown(rest.substr(0, size));
        change(rest[2]);
        break;
      default:
        return unknown(rest.substr(0, 2));
    }
    i += size - 1;
  }
  return {};
}

// The words of a request: blanks part them, "…" keeps blanks, and "" in it is a quote.
std::vector<std::string> arguments(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == ' ') {
      ++i;
      continue;
    }
    if (text.substr(i).starts_with("\\\"")) break;
    std::string word;
    if (text[i] == '"') {
      for (++i; i < text.size(); ++i) {
        if (text[i] != '"') {
          word += text[i];
        } else if (text.substr(i + 1).starts_with('"')) {
          word += text[i++];
        } else {
          ++i;
          break;
        }
      }
    } else {
      for (; i < text.size() && text[i] != ' '; ++i) {
        word += text[i];
        if (text[i] == '\\' && i + 1 < text.size()) word += text[++i];
      }
    }
    words.push_back(std::move(word));
  }
  return words;
}

// --- Markdown within a line

// Code between enough backquotes. It cannot begin or end with one without a blank, which the reader takes away again.
std::string code(std::string_view text) {
  std::size_t longest = 0;
  for (std::size_t i = 0, row = 0; i < text.size(); ++i) {
    row = text[i] == '`' ? row + 1 : 0;
    longest = std::max(longest, row);
  }
  const std::string fence(longest + 1, '`');
  const bool pad = longest > 0 && (text.front() == '`' || text.back() == '`');
  return fence + (pad ? " " : "") + std::string(text) + (pad ? " " : "") + fence;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i], next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (c == '\\' || c == '`' || c == '*' || c == '_') {
      out += '\\';
    } else if (c == '<' && (letter(next) || next == '/' || next == '!' || next == '?')) {
      out += '\\';
    } else if (c == ']' && (next == '(' || next == '[' || next == ':')) {
      out += '\\';
    } else if (c == '~' && next == '~') {
      out += '\\';
    } else if (c == '&' && (letter(next) || next == '#')) {
      out += "&amp;";
      continue;
    }
    out += c;
  }
  return out;
}

// `before` and `after` are the neighbours: stars only work where a word does not run on, and where no punctuation stands within.
std::string emphasis(std::string_view text, char before, char after) {
  const bool stars = (in_word(text.front()) || !in_word(before)) && (in_word(text.back()) || !in_word(after));
  const auto inner = escaped(text);
  return stars ? fmt::format("*{}*", inner) : fmt::format("<em>{}</em>", inner);
}

struct Reference {
  std::size_t begin = 0, end = 0;
  std::string target;
};

// The pages that `text` names: weir-tail(1).
std::vector<Reference> references(std::string_view text, const HasPage& has_page) {
  std::vector<Reference> found;
  for (std::size_t at = text.find("weir"); at != std::string_view::npos; at = text.find("weir", at + 1)) {
    if (at > 0 && (in_word(text[at - 1]) || text[at - 1] == '-' || text[at - 1] == '/')) continue;
    auto end = at;
    while (end < text.size() && ((text[end] >= 'a' && text[end] <= 'z') || text[end] == '-')) ++end;
    if (end + 2 >= text.size() || text[end] != '(' || !digit(text[end + 1]) || text[end + 2] != ')') continue;
    const auto name = text.substr(at, end - at);
    const int section = text[end + 1] - '0';
    if (has_page(name, section)) found.push_back({at, end + 3, fmt::format("{}.{}.md", name, section)});
  }
  return found;
}

// The runs in [begin, end) of their text.
Runs part(const Runs& runs, std::size_t begin, std::size_t end) {
  Runs out;
  std::size_t at = 0;
  for (const Run& run : runs) {
    const auto from = std::max(begin, at), to = std::min(end, at + run.text.size());
    if (from < to) append(out, run.font, std::string_view(run.text).substr(from - at, to - from));
    at += run.text.size();
  }
  return out;
}

// Blanks at the ends of code and emphasis stand outside of them.
Runs trimmed(const Runs& runs) {
  Runs out;
  for (const Run& run : runs) {
    const std::string_view text = run.text;
    const auto first = text.find_first_not_of(" \n");
    if (run.font == Font::roman || first == std::string_view::npos) {
      append(out, Font::roman, text);
      continue;
    }
    const auto last = text.find_last_not_of(" \n");
    append(out, Font::roman, text.substr(0, first));
    append(out, run.font, text.substr(first, last + 1 - first));
    append(out, Font::roman, text.substr(last + 1));
  }
  return out;
}

std::string styled(const Runs& given) {
  const auto runs = trimmed(given);
  std::string out;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const Run& run = runs[i];
    const char before = i > 0 ? runs[i - 1].text.back() : ' ', after = i + 1 < runs.size() ? runs[i + 1].text.front() : ' ';
    switch (run.font) {
      case Font::roman:
        out += escaped(run.text);
        break;
      case Font::bold:
        out += code(run.text);
        break;
      case Font::italic:
        // Code beside it is a backquote, which is punctuation.
        out += emphasis(run.text, i > 0 && runs[i - 1].font == Font::bold ? '`' : before,
                        i + 1 < runs.size() && runs[i + 1].font == Font::bold ? '`' : after);
        break;
    }
  }
  return out;
}

std::string inline_text(const Runs& runs, const HasPage& has_page) {
  const auto text = plain(runs);
  std::string out;
  std::size_t at = 0;
  for (const Reference& one : references(text, has_page)) {
    out += styled(part(runs, at, one.begin));
    out += fmt::format("[{}]({})", std::string_view(text).substr(one.begin, one.end - one.begin), one.target);
    at = one.end;
  }
  return out + styled(part(runs, at, text.size()));
}

// Whether a line that begins with `word` would begin something else than text: a list, a quotation, a heading (also by what stands
// under a line), a block of code, a table.
bool begins_block(std::string_view word) {
  if (word.empty() || word == "+" || word == "*" || word.starts_with('>')) return true;
  if (word.starts_with("```") || word.starts_with("~~~")) return true;
  if (word.find_first_not_of('#') == std::string_view::npos || word.find_first_not_of("-=|:") == std::string_view::npos)
    return true;
  return digit(word.front()) && (word.ends_with('.') || word.ends_with(')'));
}

// Text that begins a block, with its first word escaped where it would begin another one.
std::string as_text(std::string_view text) {
  const auto word = text.substr(0, text.find_first_of(" \n"));
  std::string out(text);
  if (!word.empty() && word.front() != '`' && begins_block(word)) out.insert(digit(word.front()) ? word.size() - 1 : 0, 1, '\\');
  return out;
}

// Filled to the width, every line but the first behind `indent`. A line never begins with what would begin a block.
std::string filled(std::string_view text, std::string_view indent) {
  std::string out;
  std::size_t column = indent.size();
  while (true) {
    const auto end = text.find_first_of(" \n");
    const auto word = text.substr(0, end);
    out += word, column += word.size();
    if (end == std::string_view::npos) return out;
    const bool hard = text[end] == '\n';
    text.remove_prefix(end + 1);
    const auto next = text.substr(0, text.find_first_of(" \n"));
    if (hard || (column + 1 + next.size() > kWidth && !begins_block(next))) {
      out += fmt::format("{}\n{}", hard ? "\\" : "", indent), column = indent.size();
    } else {
      out += ' ', ++column;
    }
  }
}

// --- Blocks

class Page {
 public:
  explicit Page(const HasPage& has_page) : has_page_(has_page) {}

  Result<std::string> read(std::string_view page) {
    for (std::size_t number = 1; !page.empty(); ++number) {
      const auto end = page.find('\n');
      const auto line = page.substr(0, end);
      page = end == std::string_view::npos ? std::string_view() : page.substr(end + 1);
      if (auto ok = line_of(line); !ok) return std::move(ok).error().within(fmt::format("line {}", number));
    }
    if (display_) return base::fail(Code::bug, "a display does not end");
    if (levels_.size() > 1) return base::fail(Code::bug, "an .RS has no .RE");
    end_paragraph();
    return std::move(out_);
  }

 private:
  // How deep a block stands, and the item that it belongs to.
  struct Level {
    std::size_t indent = 0;  // of what stands outside of items
    std::size_t item = 0;    // how much deeper the text of the open item stands; 0: none is open
  };

  Result<void> line_of(std::string_view line) {
    const bool request = line.starts_with('.') || line.starts_with('\'');
    const auto blank = line.find(' ');
    const auto name = request ? line.substr(1, blank == std::string_view::npos ? blank : blank - 1) : std::string_view();
    if (request && name.starts_with("\\\"")) return {};
    if (display_) {
      if (name == "EE" || name == "fi") return end_display(), Result<void>();
      Runs runs;
      if (request && !is_font(name)) return base::fail(Code::bug, "the request .{} cannot stand in a display", name);
      if (auto ok = request ? text_of(name, line.substr(std::min(line.size(), name.size() + 1)), runs)
                            : read_escapes(line, Font::roman, runs);
          !ok) {
        return ok;
      }
      display_text_ += plain(runs) + "\n";
      return {};
    }
    if (!request) {
      Runs runs;
      if (auto ok = read_escapes(line, Font::roman, runs); !ok) return ok;
      return add(runs), Result<void>();
    }
    return request_of(name, blank == std::string_view::npos ? std::string_view() : line.substr(blank + 1));
  }

  static bool is_font(std::string_view name) {
    return name == "B" || name == "I" ||
           (name.size() == 2 && name[0] != name[1] && std::string_view("BIR").find(name[0]) != std::string_view::npos &&
            std::string_view("BIR").find(name[1]) != std::string_view::npos);
  }

  // .B joins its words with blanks, .BR changes the font with each and joins them.
  static Result<void> text_of(std::string_view name, std::string_view rest, Runs& runs) {
    const auto font = [](char c) { return c == 'B' ? Font::bold : c == 'I' ? Font::italic : Font::roman; };
    const auto words = arguments(rest);
    for (std::size_t i = 0; i < words.size(); ++i) {
      const Font own = font(name[name.size() == 2 ? i % 2 : 0]);
      if (name.size() == 1 && i > 0) append(runs, own, " ");
      if (auto ok = read_escapes(words[i], own, runs); !ok) return ok;
    }
    return {};
  }

  Result<void> request_of(std::string_view name, std::string_view rest) {
    if (is_font(name)) {
      Runs runs;
      if (auto ok = text_of(name, rest, runs); !ok) return ok;
      return add(runs), Result<void>();
    }
    if (awaits_tag_ && name != "\\\"") return base::fail(Code::bug, ".TP has no tag in front of .{}", name);
    if (name == "br") {
      if (!paragraph_.empty()) append(paragraph_, Font::roman, "\n"), broken_ = true;
      return {};
    }
    end_paragraph();
    const auto words = arguments(rest);
    if (name == "TH") return title(words);
    if (name == "SH" || name == "SS") return heading(name == "SH" ? "##" : "###", words);
    if (name == "PP" || name == "P" || name == "LP") return levels_.back().item = 0, Result<void>();
    if (name == "TP") return levels_.back().item = 0, awaits_tag_ = true, Result<void>();
    if (name == "IP") return item(words);
    if (name == "RS") return levels_.push_back({levels_.back().indent + levels_.back().item, 0}), Result<void>();
    if (name == "RE") {
      if (levels_.size() == 1) return base::fail(Code::bug, "an .RE has no .RS");
      return levels_.pop_back(), Result<void>();
    }
    if (name == "EX" || name == "nf") {
      if (!mark_.empty()) return base::fail(Code::bug, "an item begins with a display");
      return display_ = true, Result<void>();
    }
    return base::fail(Code::bug, "the request .{} is unknown", name);
  }

  Result<void> title(const std::vector<std::string>& words) {
    if (words.size() < 2) return base::fail(Code::bug, ".TH names no section");
    Runs runs;
    if (auto ok = read_escapes(words[0], Font::roman, runs); !ok) return ok;
    auto name = plain(runs);
    std::ranges::transform(name, name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    block(fmt::format("# {}({})", name, words[1]));
    return {};
  }

  Result<void> heading(std::string_view marks, const std::vector<std::string>& words) {
    if (levels_.size() > 1) return base::fail(Code::bug, "a heading stands within .RS");
    levels_.back().item = 0;
    Runs runs;
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (i > 0) append(runs, Font::roman, " ");
      if (auto ok = read_escapes(words[i], Font::roman, runs); !ok) return ok;
    }
    block(fmt::format("{} {}", marks, inline_text(runs, has_page_)));
    return {};
  }

  // Without a tag a further paragraph of the item. A number or a bullet is one of Markdown; any other tag stands as that of .TP.
  Result<void> item(const std::vector<std::string>& words) {
    if (words.empty() || words[0].empty()) return {};
    levels_.back().item = 0;
    Runs tag;
    if (auto ok = read_escapes(words[0], Font::roman, tag); !ok) return ok;
    const auto text = plain(tag);
    const bool number =
        text.size() > 1 && text.size() < 5 && text.back() == '.' && std::all_of(text.begin(), text.end() - 1, digit);
    if (text == "•" || number) {
      mark_ = number ? text + " " : "- ";
      return {};
    }
    open_item(tag);
    return {};
  }

  // The text of the item follows on the next line of the same paragraph.
  void open_item(const Runs& tag) {
    mark_ = "- ";
    paragraph_ = tag;
    append(paragraph_, Font::roman, "\n");
    broken_ = true;
  }

  void add(const Runs& runs) {
    if (std::exchange(awaits_tag_, false)) return open_item(runs);
    if (runs.empty()) return;
    if (!paragraph_.empty() && !std::exchange(broken_, false)) append(paragraph_, Font::roman, " ");
    for (const Run& run : runs) append(paragraph_, run.font, run.text);
  }

  void end_paragraph() {
    broken_ = false;
    auto runs = std::exchange(paragraph_, {});
    while (!runs.empty() && (runs.back().text.ends_with('\n') || runs.back().text.ends_with(' '))) {
      runs.back().text.pop_back();
      if (runs.back().text.empty()) runs.pop_back();
    }
    if (runs.empty()) return;
    const auto mark = std::exchange(mark_, {});
    Level& level = levels_.back();
    if (!mark.empty()) level.item = mark.size();
    const std::string indent(level.indent + level.item, ' ');
    block(std::string(level.indent, ' ') + (mark.empty() ? std::string(level.item, ' ') : mark) +
          filled(as_text(inline_text(runs, has_page_)), indent));
  }

  void end_display() {
    display_ = false;
    const auto text = std::exchange(display_text_, {});
    const std::string indent(levels_.back().indent + levels_.back().item, ' ');
    std::string fence = "```";
    while (text.find(fence) != std::string::npos) fence += '`';
    std::string lines = indent + fence + "\n";
    std::string_view rest = text;
    while (!rest.empty()) {
      const auto end = rest.find('\n');
      if (end > 0) lines += indent;
      lines += rest.substr(0, end + 1);
      rest.remove_prefix(end + 1);
    }
    block(lines + indent + fence);
  }

  void block(std::string_view text) { out_ += fmt::format("{}{}\n", out_.empty() ? "" : "\n", text); }

  const HasPage& has_page_;
  std::string out_;
  std::vector<Level> levels_ = {{}};
  Runs paragraph_;
  std::string mark_;         // of the item that paragraph_ begins
  bool broken_ = false;      // paragraph_ ends with a break
  bool awaits_tag_ = false;  // the next line is the tag of .TP
  bool display_ = false;
  std::string display_text_;
};

}  // namespace

Result<std::string> markdown(std::string_view page, const HasPage& has_page) { return Page(has_page).read(page); }

}  // namespace weir::cli
