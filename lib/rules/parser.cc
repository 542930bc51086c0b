#include "rules/parser.h"

#include "base/hex.h"
#include "logql/lexer.h"
#include "logql/parser.h"
#include "names/label_name.h"
#include "record/timestamp.h"
#include "rules/line_parser.h"
#include "rules/mistake.h"
#include "rules/rule_lexis.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <utility>
#include <variant>

namespace weir::rules {
namespace {

using base::Timestamp;

constexpr std::size_t kMostLine = logql::kMaxQueryBytes;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

constexpr std::string_view kGroups = "groups:";

// Where the `groups:` stands with which a file of Loki's ruler begins, behind comments; npos in any other text.
std::size_t groups_of_a_ruler(std::string_view text) {
  std::size_t begin = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = trimmed(text.substr(begin, end - begin));
    if (!line.empty() && !line.starts_with('#') && line != "---") {
      if (!line.starts_with(kGroups)) return std::string_view::npos;
      const std::string_view behind = trimmed(line.substr(kGroups.size()));
      return behind.empty() || behind.starts_with('#') || behind.starts_with('[') ? text.find(kGroups, begin)
                                                                                  : std::string_view::npos;
    }
    begin = end + 1;
  }
  return std::string_view::npos;
}

// The lines of one text.
class TextParser {
 public:
  TextParser(std::string_view text, std::string_view file, std::optional<Timestamp> now, bool fill_from = false)
      : text_(text), file_(file), now_(now), fill_from_(fill_from) {}

  // Appends to `rules`. `names` are those that were given before, with their places. A mistake in a line is given to `go_on`, if
  // there is one; the next line follows if it returns true.
  base::Result<void> parse(std::vector<Rule>& rules, std::map<std::string, RulePlace, std::less<>>& names,
                           const std::function<bool(base::Error)>& go_on = nullptr) {
    if (text_.size() > kMostTextBytes) {
      return at({}, 1,
                {0, fmt::format("the text has more than {}", record::print_size(kMostTextBytes)), "divide it into several files"});
    }
    if (text_.starts_with("\xff\xfe") || text_.starts_with("\xfe\xff")) {
      return at({}, 1, {0, "the text is UTF-16", "save it as UTF-8"});
    }
    if (const std::size_t groups = groups_of_a_ruler(text_); groups != std::string_view::npos) {
      const auto number = static_cast<std::size_t>(std::ranges::count(text_.substr(0, groups), '\n')) + 1;
      return at(text_.substr(groups, kGroups.size()), number,
                {0, "this is a file of Loki's ruler, not of weir's rules",
                 "its alerts: weir rules unit TESTS tests them, weir query --rules FILE evaluates them over a spool"});
    }
    std::size_t begin = text_.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
    for (std::size_t number = 1; begin < text_.size(); ++number) {
      const std::size_t end = std::min(text_.find('\n', begin), text_.size());
      std::string_view line = text_.substr(begin, end - begin);
      if (line.ends_with('\r')) line.remove_suffix(1);
      auto ok = parse_line(line, number, rules, names);
      if (!ok && (!go_on || !go_on(ok.error()))) return ok;
      begin = end + 1;
    }
    return {};
  }

  [[nodiscard]] std::optional<std::size_t> fill_at() const { return fill_at_; }  // in the text, of the latest rule

 private:
  base::Result<void> parse_line(std::string_view line, std::size_t number, std::vector<Rule>& rules,
                                std::map<std::string, RulePlace, std::less<>>& names) {
    if (line.size() > kMostLine) {
      return at(line, number, {0, fmt::format("the line has more than {}", record::print_size(kMostLine)), "divide the rule"});
    }
    if (const std::size_t zero = line.find('\0'); zero != std::string_view::npos) {
      return at(line, number, {zero, "the line holds a zero byte", "the file is not text, or only a part of it was written"});
    }
    if (const std::size_t lone = line.find('\r'); lone != std::string_view::npos) {
      return at(line, number, {lone, "there is a carriage return within the line", "lines end with LF or CRLF"});
    }
    const std::size_t comment = first_comment(line);
    const std::string_view code = line.substr(0, comment);
    if (const std::size_t bad = first_invalid(code); bad < code.size()) {
      return at(line, number, {bad, "the text is not UTF-8", "save it as UTF-8"});
    }
    if (comment < line.size() && line[comment] != '#') {
      return at(line, number, {comment, "a comment begins with #", "put a text with // or /* in quotes"});
    }
    if (trimmed(code).empty()) return {};
    if (const std::size_t blank = first_false_blank(code); blank < code.size()) {
      return at(line, number,
                {blank, "this character looks like a space but is not one",
                 "type a space instead; the character may come from a web page"});
    }
    if (trimmed(code).ends_with('\\')) {
      return at(line, number, {code.rfind('\\'), "a rule must be on one line; a backslash does not continue it", "join the lines"});
    }
    if (rules.size() >= kMostRules) {
      return at(line, number, {0, fmt::format("there are more than {} rules", kMostRules), "join rules that do the same"});
    }
    const std::size_t lead = code.find_first_not_of(kBlank);
    const auto code_at = static_cast<std::size_t>(code.data() - text_.data());
    auto parsed = rules::parse_line(code, now_, fill_from_);
    if (const auto* mistake = std::get_if<Mistake>(&parsed)) return at(line, number, *mistake);
    auto& [rule, fill_at] = std::get<ParsedLine>(parsed);
    rule.place = {std::string(file_), number, code_at + lead};
    if (fill_at) fill_at_ = code_at + *fill_at;
    if (!rule.name.empty()) {
      const auto [found, is_new] = names.try_emplace(rule.name, rule.place);
      if (!is_new) {
        const RulePlace& other = found->second;
        const std::string where =
            other.file == file_ ? fmt::format("line {}", other.line) : fmt::format("{}:{}", other.file, other.line);
        return at(line, number,
                  {lead, fmt::format("the name '{}' is already used in {}", rule.name, where), "choose another name"});
      }
    }
    rules.push_back(std::move(rule));
    return {};
  }

  [[nodiscard]] base::Error at(std::string_view line, std::size_t number, const Mistake& mistake) const {
    const logql::ParseError place = logql::semantic_error(line, "", mistake.offset);
    const std::string where = file_.empty() ? fmt::format("line {}, column {}", number, place.column)
                                            : fmt::format("{}:{}:{}", file_, number, place.column);
    base::Error error = base::fail(base::Code::config, "{}: {}", where, mistake.why);
    error.hint = line.empty() ? "" : place.caret(line);
    if (!mistake.hint.empty()) error.hint += (error.hint.empty() ? "" : "\n") + mistake.hint;
    error.text = text_;
    error.offset = line.empty() ? 0 : static_cast<std::size_t>(line.data() - text_.data()) + mistake.offset;
    return error;
  }

  std::string_view text_;
  std::string_view file_;
  std::optional<Timestamp> now_;
  bool fill_from_;
  std::optional<std::size_t> fill_at_;
};

}  // namespace

base::Result<std::vector<Rule>> parse(std::string_view text, std::string_view file, std::optional<Timestamp> now) {
  std::vector<Rule> rules;
  std::map<std::string, RulePlace, std::less<>> names;
  if (auto ok = TextParser(text, file, now).parse(rules, names); !ok) return std::move(ok).error();
  return rules;
}

base::Result<std::vector<Rule>> parse(std::span<const NamedText> texts, std::optional<Timestamp> now) {
  std::vector<Rule> rules;
  std::map<std::string, RulePlace, std::less<>> names;
  for (const NamedText& one : texts) {
    if (auto ok = TextParser(one.text, one.name, now).parse(rules, names); !ok) return std::move(ok).error();
  }
  return rules;
}

std::vector<base::Error> mistakes(std::span<const NamedText> texts, std::size_t most, std::optional<Timestamp> now) {
  std::vector<base::Error> found;
  std::vector<Rule> rules;
  std::map<std::string, RulePlace, std::less<>> names;
  for (const NamedText& one : texts) {
    const auto take = [&](base::Error error) {
      found.push_back(std::move(error));
      return found.size() < most;
    };
    auto ok = TextParser(one.text, one.name, now).parse(rules, names, take);
    if (found.size() >= most) break;
    if (!ok) found.push_back(std::move(ok).error());  // of the whole text, not of a line
  }
  return found;
}

base::Result<TypedRule> parse_typed(std::string_view text, Timestamp now) {
  constexpr std::string_view kAround = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kAround);
  text = begin == std::string_view::npos ? std::string_view() : text.substr(begin, text.find_last_not_of(kAround) + 1 - begin);
  if (text.find('\n') != std::string_view::npos) {
    return base::fail(base::Code::config, "cannot use this rule: it has several lines").with_hint("give one rule at a time");
  }
  std::vector<Rule> rules;
  std::map<std::string, RulePlace, std::less<>> names;
  TextParser parser(text, {}, now, true);
  if (auto ok = parser.parse(rules, names); !ok) return std::move(ok).error();
  if (rules.empty()) {
    return base::fail(base::Code::config, "cannot use this rule: it is empty").with_hint("for example: 'drop |= \"healthz\"'");
  }
  TypedRule typed{.rule = std::move(rules.front()), .text = std::string(text)};
  if (const auto fill = parser.fill_at()) {
    typed.from_filled = true;
    typed.text.insert(*fill, " from " + record::to_rfc3339(std::get<Keep>(typed.rule.action).lifetime->from));
  }
  return typed;
}

std::size_t comment_begin(std::string_view line) { return first_comment(line); }

bool is_blank(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

bool is_rule_name(std::string_view name) {
  return !name.empty() && name.size() <= kMostName && is_letter(name.front()) && !is_rule_hash(name) &&
         std::ranges::all_of(name, [](char c) { return names::is_name_byte(c) || c == '-' || c == '.'; });
}

bool is_rule_hash(std::string_view name) {
  return name.size() == 13 && name.starts_with("rule-") && std::ranges::all_of(name.substr(5), base::is_hex_digit);
}

}  // namespace weir::rules
