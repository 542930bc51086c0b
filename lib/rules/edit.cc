#include "rules/edit.h"

#include "base/count.h"
#include "base/suggestion.h"
#include "base/visible.h"
#include "logql/advice.h"
#include "record/timestamp.h"
#include "rules/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace weir::rules {
namespace {

constexpr base::Duration kKeepExpired = 7 * 24 * base::kHour;
constexpr std::string_view kAudit = "# added ";
constexpr std::string_view kNoRules = "# no rules";
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::size_t kMostUser = 64;
constexpr std::size_t kMostListed = 5;

struct Line {
  std::size_t begin = 0;
  std::size_t end = 0;   // of its text, without the line end
  std::size_t next = 0;  // where the next one begins
};

std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> lines;
  std::size_t begin = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const bool carriage = end > begin && text[end - 1] == '\r';
    lines.push_back({begin, carriage ? end - 1 : end, std::min(end + 1, text.size())});
    begin = end + 1;
  }
  return lines;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t\r"), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(" \t\r") + 1);
}

std::string_view content(std::string_view text, const Line& line) {
  return trimmed(text.substr(line.begin, line.end - line.begin));
}

bool is_audit(std::string_view line) {
  if (!line.starts_with(kAudit)) return false;
  const std::string_view rest = line.substr(kAudit.size());
  return record::parse_rfc3339(rest.substr(0, rest.find(' '))).has_value();
}

// Takes lines (by index) away, each with the audit comment above it.
std::string without(std::string_view text, const std::vector<Line>& lines, const std::vector<std::size_t>& gone) {
  std::string out(text.substr(0, lines.empty() ? text.size() : lines.front().begin));
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto is_gone = [&](std::size_t index) { return std::ranges::find(gone, index) != gone.end(); };
    if (is_gone(i) || (is_gone(i + 1) && is_audit(content(text, lines[i])))) continue;
    out += text.substr(lines[i].begin, lines[i].next - lines[i].begin);
  }
  return out;
}

// Behind the comment at the head, where a blank line or the end of the text closes it; else the beginning.
std::size_t place_for_new(std::string_view text, const std::vector<Line>& lines) {
  const std::size_t begin = lines.empty() ? (text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0) : lines.front().begin;
  std::size_t i = 0;
  while (i < lines.size() && content(text, lines[i]).starts_with('#') && !is_audit(content(text, lines[i]))) ++i;
  if (i == 0) return begin;
  if (i == lines.size()) return text.size();
  if (!content(text, lines[i]).empty()) return begin;
  while (i < lines.size() && content(text, lines[i]).empty()) ++i;
  return i == lines.size() ? text.size() : lines[i].begin;
}

std::string audit_comment(const Author& author) {
  std::string out = fmt::format("{}{}", kAudit, record::to_rfc3339(author.now - author.now % base::kSecond));
  if (author.user.empty()) return out;
  out += " by ";
  base::append_visible(out, std::string_view(author.user).substr(0, kMostUser));
  return out;
}

bool is_number(std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos; }

// The same but for when a lifetime begins.
bool same_but_from(const Rule& a, const Rule& b) {
  const auto* one = std::get_if<Keep>(&a.action);
  const auto* other = std::get_if<Keep>(&b.action);
  return one != nullptr && other != nullptr && one->lifetime && other->lifetime &&
         one->lifetime->length == other->lifetime->length && a.match == b.match;
}

// The indices of the rules that `which` may mean.
base::Result<std::vector<std::size_t>> meant(const std::vector<Rule>& rules, std::string_view which, base::Timestamp now) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (rules[i].id() == which) found.push_back(i);
  }
  if (!found.empty()) return found;
  const auto typed = parse_typed(which, now);
  if (!typed) {
    const bool looks_like_name = is_rule_name(which) || is_rule_hash(which);
    if (!looks_like_name) return typed.error();
    return found;
  }
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const bool same_name = typed->rule.name.empty() || typed->rule.name == rules[i].name;
    const bool same = rules[i].action == typed->rule.action && rules[i].match == typed->rule.match;
    if (same_name && (same || (typed->from_filled && same_but_from(rules[i], typed->rule)))) found.push_back(i);
  }
  return found;
}

base::Result<std::vector<Rule>> parsed_after(std::string_view text, std::string_view file, std::string_view verb) {
  auto rules = parse(text, file);
  if (rules) return rules;
  return std::move(rules).error().within(fmt::format("cannot {} this rule", verb));
}

std::string_view line_end_of(std::string_view text, const std::vector<Line>& lines) {
  const bool carriage = !lines.empty() && lines.front().next - lines.front().end == 2;
  return carriage && text.substr(lines.front().end, 2) == "\r\n" ? "\r\n" : "\n";
}

std::string_view mark_of(std::string_view text) { return text.starts_with(kByteOrderMark) ? kByteOrderMark : std::string_view(); }

std::vector<Finding> warnings_about(const std::vector<Rule>& rules, std::size_t index, base::Timestamp now) {
  std::vector<Finding> findings = check(rules, {.now = now});
  std::erase_if(findings, [&](const Finding& one) { return one.rule != index || one.severity != Severity::warning; });
  return findings;
}

base::Result<Removed> remove_line(std::string_view text, std::string_view file, const std::vector<Line>& lines, std::size_t index) {
  Removed removed{.text = without(text, lines, {index}), .line = std::string(content(text, lines[index]))};
  if (is_blank(removed.text)) removed.text = fmt::format("{}{}{}", mark_of(text), kNoRules, line_end_of(text, lines));
  if (auto ok = parsed_after(removed.text, file, "remove"); !ok) return std::move(ok).error();
  return removed;
}

}  // namespace

base::Result<Added> add(std::string_view text, std::string_view file, std::string_view rule, const Author& author) {
  const auto typed = parse_typed(rule, author.now);
  if (!typed) return typed.error();
  auto before = parsed_after(text, file, "add");
  if (!before) return std::move(before).error();

  if (const auto same = std::ranges::find(*before, typed->rule); same != before->end()) {
    const auto index = static_cast<std::size_t>(same - before->begin());
    return Added{.text = std::string(text), .rule = *same, .already = true, .warnings = warnings_about(*before, index, author.now)};
  }

  std::vector<std::size_t> gone;
  for (const Rule& one : *before) {
    const auto* keep = std::get_if<Keep>(&one.action);
    if (keep == nullptr || !keep->lifetime || keep->lifetime->until() > author.now) continue;
    const bool is_replaced = !one.name.empty() && one.name == typed->rule.name;
    if (is_replaced || keep->lifetime->until() < author.now - kKeepExpired) gone.push_back(one.place.line - 1);
  }
  const std::vector<Line> lines_before = lines_of(text);
  const std::string_view line_end = line_end_of(text, lines_before);
  std::string out = without(text, lines_before, gone);
  if (lines_before.size() == 1 && content(text, lines_before.front()) == kNoRules) out = mark_of(text);

  const std::vector<Line> lines = lines_of(out);
  const std::size_t place = place_for_new(out, lines);
  std::string inserted;
  if (place > 0 && place == out.size() && out.back() != '\n' && out != kByteOrderMark) inserted += line_end;
  // At the end of a comment that nothing follows, a blank line keeps it apart from the rule.
  if (place == out.size() && !lines.empty() && content(out, lines.back()).starts_with('#')) inserted += line_end;
  inserted += fmt::format("{}{}{}{}", audit_comment(author), line_end, typed->text, line_end);
  out.insert(place, inserted);

  auto after = parsed_after(out, file, "add");
  if (!after) return std::move(after).error();
  const auto found = std::ranges::find_if(*after, [&](const Rule& one) { return one.place.offset >= place; });
  if (found == after->end()) return base::fail(base::Code::bug, "cannot add this rule: it is not in the new text");
  const auto index = static_cast<std::size_t>(found - after->begin());
  return Added{
      .text = std::move(out), .rule = *found, .pruned = gone.size(), .warnings = warnings_about(*after, index, author.now)};
}

base::Result<Removed> remove(std::string_view text, std::string_view file, std::string_view which, base::Timestamp now) {
  which = trimmed(which);
  const std::string name = file.empty() ? "the rules" : fmt::format("'{}'", file);
  const std::vector<Line> lines = lines_of(text);
  if (is_number(which)) {
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(which.data(), which.data() + which.size(), number);
    const bool exists = error == std::errc() && number > 0 && number <= lines.size();
    const std::string_view line = exists ? content(text, lines[number - 1]) : std::string_view();
    if (!exists || line.empty() || line.starts_with('#')) {
      return base::fail(base::Code::usage, "cannot remove line {} of {}: it holds no rule", which, name)
          .with_hint("`weir rules list` shows the lines of the rules");
    }
    return remove_line(text, file, lines, number - 1);
  }
  const auto rules = parsed_after(text, file, "remove");
  if (!rules) return rules.error();
  const auto found = meant(*rules, which, now);
  if (!found) return base::Error(found.error()).within("cannot find the rule to remove");
  if (found->size() == 1) return remove_line(text, file, lines, (*rules)[found->front()].place.line - 1);
  const std::string shown = logql::clip(which, 200);
  if (found->empty()) {
    std::vector<std::string> ids;
    for (const Rule& rule : *rules) ids.push_back(rule.id());
    return base::fail(base::Code::usage, "cannot find a rule '{}' in {}", shown, name)
        .with_hint(base::suggestion(which, ids, "`weir rules list` shows the rules and their names"));
  }
  std::string listed;
  for (std::size_t i = 0; i < std::min(found->size(), kMostListed); ++i) {
    listed += fmt::format("{}{}", i == 0 ? "" : ", ", (*rules)[(*found)[i]].place.line);
  }
  if (found->size() > kMostListed) listed += ", …";
  return base::fail(base::Code::usage, "cannot tell which rule '{}' means: {} match", shown, base::count_of(found->size(), "rule"))
      .with_hint(fmt::format("name one by its line: {}", listed));
}

}  // namespace weir::rules
