#include "rules/query_mistakes.h"

#include "gotext/unicode.h"
#include "logql/advice.h"
#include "names/level.h"
#include "names/level_fields.h"
#include "rules/rule_lexis.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

namespace weir::rules {
namespace {

constexpr std::size_t kMostShownRule = 400;  // of a whole rule in a hint

template <typename... Args>
Mistake wrong(std::size_t offset, std::string hint, fmt::format_string<Args...> why, Args&&... args) {
  return {offset, fmt::format(why, std::forward<Args>(args)...), std::move(hint)};
}

std::string_view without_place(std::string_view message) {
  constexpr std::string_view kLead = "parse error : ";
  return message.starts_with(kLead) ? message.substr(kLead.size()) : message;
}

// A clause of the action behind the log query, where an error is: `limit 50/s {app="x"} by (pod)`; also `per` for `by`.
std::optional<Mistake> clause_is_early(const RuleOfQuery& rule, std::string_view text, std::size_t error_at) {
  const std::string_view from_error = text.substr(error_at);
  const std::string_view found =
      from_error.substr(0, std::min(from_error.find_first_not_of("abcdefghijklmnopqrstuvwxyz"), from_error.size()));
  const std::string_view after = trimmed(from_error.substr(found.size()));
  const auto* keep = std::get_if<Keep>(&rule.action);
  const auto* limit = std::get_if<Limit>(&rule.action);
  const auto* dedup = std::get_if<Dedup>(&rule.action);
  const bool takes_by = (limit != nullptr && limit->by.empty()) || (dedup != nullptr && dedup->by.empty());
  std::string clause;
  std::string_view left = after;
  const auto take_word = [&left] {
    const std::string_view taken = leading_word(left, " \t{|");
    left = trimmed(left.substr(taken.size()));
    return taken;
  };
  if (takes_by && is_one_of(found, {"by", "per"})) {
    if (left.starts_with('(')) {
      const std::size_t close = std::min(left.find(')'), left.size() - 1);
      clause = fmt::format("by {}", left.substr(0, close + 1));
      left = trimmed(left.substr(close + 1));
    } else {
      clause = fmt::format("by ({})", take_word());
    }
  } else if (limit != nullptr && found == "burst") {
    clause = fmt::format("burst {}", take_word());
  } else if (keep != nullptr && !keep->lifetime && found == "for" && error_at > 0) {
    clause = fmt::format("for {}", take_word());
    if (left.starts_with("from ")) {
      left = trimmed(left.substr(5));
      clause += fmt::format(" from {}", take_word());
    } else {
      clause += fmt::format(" from {}", proposed_beginning(rule.now));
    }
  } else {
    return {};
  }
  std::string whole(rule.front);
  for (const std::string_view part : {std::string_view(clause), trimmed(text.substr(0, error_at)), left}) {
    if (!part.empty()) whole += fmt::format(" {}", part);
  }
  const bool is_right = whole.size() <= kMostShownRule && rule.is_rule(whole);
  const std::string hint = is_right ? fmt::format("write: {}", whole) : "write the parts of the action first, then the log query";
  if (error_at == 0) {
    return wrong(0, is_right ? hint : "for example: by (namespace, pod)", "'{}' cannot begin a log query", found);
  }
  return wrong(error_at, hint, "'{}' must stand in front of the log query", found);
}

// `{…} or {…}`, where an error is.
std::optional<Mistake> several_queries(std::string_view text, std::size_t error_at) {
  const std::string_view before = trimmed(text.substr(0, error_at));
  const std::string_view here = text.substr(error_at);
  const auto joins = [here](std::string_view word) {
    return here.starts_with(word) && trimmed(here.substr(word.size())).starts_with('{');
  };
  if (joins("or") || (here.starts_with('{') && before.ends_with(" or"))) {
    return wrong(error_at, "write two rules, or one selector such as {namespace=~\"a|b\"}", "a rule has one log query");
  }
  if (joins("and")) {
    return wrong(error_at,
                 "for both conditions write one selector such as {namespace=\"a\", app=\"b\"}; for either write two rules",
                 "a rule has one log query");
  }
  return {};
}

// The text whose closing quote is missing, where later quotes hide that: `{app="shop} |= "x"`. The next quote then ends a text
// that holds `}`, `,` or `|`, what follows it touches it, and the last quote of the line is open.
logql::Advice open_quote(std::string_view text) {
  std::optional<logql::Advice> found;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '"' && text[i] != '`') continue;
    const std::size_t length = quoted_length(text.substr(i));
    if (length == std::string_view::npos) return found.value_or(logql::Advice{});
    const std::size_t end = i + length;
    const std::string_view inside = text.substr(i + 1, length - 2);
    const std::size_t stop = inside.find_first_of("},|");
    const bool touches = end < text.size() && std::string_view(" \t},|)").find(text[end]) == std::string_view::npos;
    if (!found && touches && stop != std::string_view::npos) {
      const std::string_view meant = trimmed(inside.substr(0, stop));
      found = logql::Advice{fmt::format("the closing quote is missing: {0}{1}{0}", text[i], shown(meant)), i};
    }
    i = end - 1;
  }
  return {};
}

// Mistakes of people who write rules, where LogQL has no advice.
logql::Advice advice_for_rules(std::string_view text, std::size_t error_at) {
  if (logql::Advice quote = open_quote(text); !quote.text.empty()) return quote;
  // After a selector, LogQL takes the / for a division, and finds the error behind it.
  if (error_at > 0 && text[error_at - 1] == '/') --error_at;
  const std::string_view before = trimmed(text.substr(0, error_at));
  const std::string_view here = text.substr(error_at);
  const bool follows = before.empty() || before.ends_with('}');
  if (follows && here.size() > 1 && here.front() == '/' && kBlank.find(here[1]) == std::string_view::npos) {
    const std::string_view word = leading_word(here);
    return {fmt::format("to search for a text: |= {}", gotext::quote(shown(word))), error_at};
  }
  return {};
}

// `| detected_level="debug"` for `level=debug`.
std::string level_filter(std::string_view text) {
  const std::size_t equal = text.find('=');
  if (equal == std::string_view::npos || !is_one_of(lower(trimmed(text.substr(0, equal))), {"level", "lvl", "severity"})) return {};
  std::string_view value = trimmed(text.substr(equal + 1));
  if (value.size() > 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
  const std::string_view level = names::known_level(value);
  return level.empty() ? std::string() : fmt::format("| {}=\"{}\"", names::kDetectedLevel, level);
}

}  // namespace

std::optional<Mistake> words_that_are_no_query(const Action& action, std::string_view text) {
  if (text.empty()) return {};
  const std::string_view word = word_of(action);
  const std::string_view found = leading_letters(text);
  if (found == "for") return wrong(0, "write keep for …, or leave it out", "only keep has a lifetime, {} has none", word);
  if (found == "by") return wrong(0, "leave it out", "only limit and dedup have by, {} has none", word);
  if (found == "burst") return wrong(0, "leave it out", "only limit has burst, {} has none", word);
  if (found == "without") return wrong(0, "name the labels that make the key: by (…)", "without is not supported");
  if (found == "with") return wrong(0, "leave it out", "only redact has with, {} has none", word);
  if (is_one_of(text, {"all", "everything", "*", "any"})) {
    return wrong(0, fmt::format("to take all records, leave out '{}'", text), "'{}' is not a log query", text);
  }
  if (is_one_of(found, {"if", "when", "where", "unless", "and"})) {
    return wrong(0, fmt::format("write only the log query, for example: {} {{app=\"nginx\"}} |= \"healthz\"", word),
                 "'{}' cannot begin a log query", found);
  }
  if (found == text && !names::known_level(text).empty()) {
    return wrong(0,
                 fmt::format("for the level: {} | detected_level=\"{}\"; for a text in the line: {} |= {}", word,
                             names::known_level(text), word, gotext::quote(text)),
                 "'{}' cannot begin a log query", text);
  }
  if (text == "}" || text.starts_with("} ")) return wrong(0, "", "a }} has no {{ in front");
  return {};
}

Mistake query_that_does_not_parse(const RuleOfQuery& rule, std::string_view text, const logql::ParseError& error) {
  const std::size_t error_at = error.line == 0 ? 0 : std::min(error.offset, text.size());
  if (auto mistake = clause_is_early(rule, text, error_at)) return std::move(*mistake);
  if (auto mistake = several_queries(text, error_at)) return std::move(*mistake);
  logql::Advice advice = logql::advise(text, error, {.selector_optional = true});
  if (advice.text.empty()) advice = advice_for_rules(text, error_at);
  if (const std::string level = level_filter(text); !level.empty() && !advice.text.empty()) {
    advice.text = fmt::format("for the level: {}; {}", level, advice.text);
  }
  const std::size_t offset = advice.text.empty() ? error_at : advice.offset;
  return {offset, std::string(error.why.empty() ? without_place(error.message) : error.why), std::move(advice.text)};
}

Mistake query_that_does_not_compile(const base::Error& error) {
  return {error.offset.value_or(0), std::string(without_place(error.message)), {}};
}

}  // namespace weir::rules
