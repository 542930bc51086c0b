#include "rules/parser.h"

#include "base/hex.h"
#include "base/suggestion.h"
#include "base/utf8.h"
#include "gotext/regex.h"
#include "gotext/unicode.h"
#include "logql/advice.h"
#include "logql/lexer.h"
#include "logql/log_query.h"
#include "logql/parser.h"
#include "names/label_name.h"
#include "names/level.h"
#include "names/level_fields.h"
#include "names/tenant.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <limits>
#include <map>
#include <utility>
#include <variant>

namespace weir::rules {
namespace {

using base::Duration;
using base::Timestamp;

constexpr std::size_t kMostLine = logql::kMaxQueryBytes;
constexpr std::size_t kMostWord = 60;  // of a text of others in a message
constexpr std::size_t kMostName = 63;
constexpr std::size_t kMostShownRule = 400;  // of a whole rule in a hint
constexpr std::uint64_t kMostAmount = 1'000'000'000'000;
constexpr Duration kDay = 24 * base::kHour;
constexpr Duration kMostWindow = kDay;          // of limit and dedup
constexpr Duration kMostLifetime = 366 * kDay;  // up to there printed durations read back exactly
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::string_view kBlank = " \t";

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  return out;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(kBlank), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(kBlank) + 1);
}

std::string shown(std::string_view text) { return logql::clip(text, kMostWord); }

const std::vector<std::string>& action_words() {
  static const auto* words =
      new std::vector<std::string>{"redact", "keep", "drop", "hold", "release", "sample", "limit", "dedup", "tenant", "name"};
  return *words;
}

bool is_typographic_quote(std::string_view text) {
  static constexpr std::string_view kMarks = "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u00ab\u00bb";
  const std::size_t length = text.empty() ? 0 : base::utf8_length(text);
  return length > 1 && kMarks.find(text.substr(0, length)) != std::string_view::npos;
}

// A character that looks like a blank and is none: U+00A0, U+2000 to U+200B, U+202F, U+3000, U+FEFF.
bool is_false_blank(std::string_view text) {
  std::size_t length = 0;
  if (text.empty() || static_cast<unsigned char>(text.front()) < 0x80) return false;
  const char32_t c = base::decode_utf8(text, length);
  return c == 0xa0 || (c >= 0x2000 && c <= 0x200b) || c == 0x202f || c == 0x3000 || c == 0xfeff;
}

// Bytes of the quoted text that `text` begins with, its quotes included; npos when it does not end.
std::size_t quoted_length(std::string_view text) {
  const char mark = text.front();
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (mark == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == mark) {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

// The first place outside of quoted texts where `is_it` holds for what begins there; the size of the line when there is none.
template <typename Predicate>
std::size_t first_unquoted(std::string_view line, Predicate is_it) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    const std::string_view rest = line.substr(i);
    if (is_it(rest)) return i;
    if (rest.front() == '"' || rest.front() == '`') {
      const std::size_t length = quoted_length(rest);
      if (length == std::string_view::npos) return line.size();
      i += length - 1;
    } else if (rest.front() == '\'' && rest.size() > 2) {
      // One character in single quotes is a word of LogQL.
      const std::size_t length = std::max<std::size_t>(base::utf8_length(rest.substr(1)), 1);
      if (rest.size() > 1 + length && rest[1 + length] == '\'') i += 1 + length;
    }
  }
  return line.size();
}

// LogQL's lexer sees its comments in the same places.
std::size_t first_comment(std::string_view line) {
  return first_unquoted(
      line, [](std::string_view rest) { return rest.front() == '#' || rest.starts_with("//") || rest.starts_with("/*"); });
}

// What is wrong with a line, and where.
struct Mistake {
  std::size_t offset = 0;  // in the line
  std::string why;
  std::string hint;
};

// One rule. `line` has no line end and no comment. Every function that returns a bool has left a Mistake when it is false.
class LineParser {
 public:
  LineParser(std::string_view line, std::optional<Timestamp> now, bool fill_from)
      : line_(line), now_(now), fill_from_(fill_from && now) {}

  bool parse(Rule& rule) { return name(rule.name) && action(rule); }

  [[nodiscard]] const Mistake& mistake() const { return mistake_; }
  [[nodiscard]] std::optional<std::size_t> fill_at() const { return fill_at_; }  // where ` from TIME` belongs

 private:
  template <typename... Args>
  bool wrong(std::size_t offset, std::string hint, fmt::format_string<Args...> why, Args&&... args) {
    mistake_ = {std::min(offset, line_.size()), fmt::format(why, std::forward<Args>(args)...), std::move(hint)};
    return false;
  }

  [[nodiscard]] std::string_view rest() const { return line_.substr(at_); }
  void skip_blanks() { at_ = std::min(line_.find_first_not_of(kBlank, at_), line_.size()); }
  [[nodiscard]] bool at_end() const { return at_ >= line_.size(); }

  // The word that begins here, up to a blank or what begins a query or a quoted text.
  [[nodiscard]] std::string_view word(std::string_view stops = " \t{|\"`") const {
    return rest().substr(0, std::min(rest().find_first_of(stops), rest().size()));
  }
  // Letters alone.
  [[nodiscard]] std::string_view letters() const {
    std::size_t end = 0;
    while (end < rest().size() && (is_letter(rest()[end]) || rest()[end] == '_')) ++end;
    return rest().substr(0, end);
  }
  bool accept(std::string_view wanted) {
    skip_blanks();
    if (letters() != wanted) return false;
    at_ += wanted.size();
    return true;
  }
  // Whether a query, a comment or nothing follows, rather than an argument.
  [[nodiscard]] bool at_query() const { return at_end() || rest().front() == '{' || rest().front() == '|'; }
  [[nodiscard]] std::string_view query_text() const { return trimmed(rest()); }

  // The word of an argument, which stays; it is not empty.
  bool argument(std::string_view& found, std::string_view what, std::string_view form) {
    skip_blanks();
    if (at_query()) return wrong(at_, std::string(form), "{} is missing", what);
    if (rest().front() == '"' || rest().front() == '`' || rest().front() == '\'') {
      return wrong(at_, std::string(form), "{} must not be in quotes", what);
    }
    found = word();
    return true;
  }

  bool name(std::string& out) {
    skip_blanks();
    if (letters() != "name") return true;
    at_ += 4;
    skip_blanks();
    const std::size_t begin = at_;
    const std::string_view found = word(" \t:{|\"`");
    at_ += found.size();
    skip_blanks();
    if (found.empty()) return wrong(begin, "for example: name healthz: drop |= \"healthz\"", "the name is missing");
    if (at_end() || rest().front() != ':') {
      return wrong(begin + found.size(), fmt::format("write: name {}: …", shown(found)), "the colon behind the name is missing");
    }
    if (is_rule_hash(found)) {
      return wrong(begin, "choose another name", "names of this form belong to rules without a name");
    }
    if (!is_rule_name(found)) {
      return wrong(begin, fmt::format("a letter, then letters, digits, _, - and ., at most {} together", kMostName),
                   "'{}' cannot be the name of a rule", shown(found));
    }
    out = found;
    ++at_;
    return true;
  }

  bool action(Rule& rule) {
    skip_blanks();
    const std::size_t begin = at_;
    const std::string_view found = letters();
    const char next = begin + found.size() < line_.size() ? line_[begin + found.size()] : ' ';
    if (is_one_of(std::string_view(&next, 1), {" ", "\t", "{", "|", "`", "\"", "!"})) {
      at_ += found.size();
      if (found == "redact") return redact(rule);
      if (found == "keep") return keep(rule);
      if (found == "drop" || found == "hold") {
        rule.action = found == "drop" ? Action(Drop{}) : Action(Hold{});
        return query(rule);
      }
      if (found == "release") return release(rule);
      if (found == "sample") return sample(rule);
      if (found == "limit") return limit(rule);
      if (found == "dedup") return dedup(rule);
      if (found == "tenant") return tenant(rule);
      at_ = begin;
    }
    return no_action(rule);
  }

  bool no_action(const Rule& rule) {
    const std::size_t begin = at_;
    static constexpr std::string_view kActions = "redact, keep, drop, hold, release, sample, limit, dedup or tenant";
    if (at_end()) return wrong(begin, fmt::format("write {}", kActions), "the action is missing");
    if (rest().front() == '{' || rest().front() == '|' || rest().front() == '!') {
      return wrong(begin, fmt::format("for example: drop {}", shown(query_text())), "the action is missing");
    }
    if (rest().front() == '-') return wrong(begin, "a rule begins with its action", "a rule has no dash in front");
    if (is_one_of(rest().substr(0, 1), {"'", "\"", "`"}) || is_typographic_quote(rest())) {
      return wrong(begin, "take away the quotes around the rule", "a rule begins with its action, not with a quote");
    }
    const std::string_view found = word();
    if (found.ends_with(':') && is_one_of(found.substr(0, found.size() - 1),
                                          {"redact", "keep", "drop", "hold", "release", "sample", "limit", "dedup", "tenant"})) {
      return wrong(begin + found.size() - 1, "leave out the colon", "no colon follows the action");
    }
    if (rule.name.empty() && found.size() > 1 && found.back() == ':' && is_rule_name(found.substr(0, found.size() - 1))) {
      return wrong(begin, fmt::format("a name has the word name in front: name {} …", shown(found)), "'{}' is not an action",
                   shown(found));
    }
    if (is_one_of(lower(found), {"pass", "allow", "accept", "include"})) {
      return wrong(begin, "write keep", "unknown action '{}'", shown(found));
    }
    if (is_one_of(lower(found), {"deny", "exclude", "discard", "ignore", "reject", "delete"})) {
      return wrong(begin, "write drop", "unknown action '{}'", shown(found));
    }
    if (is_one_of(lower(found), {"rate", "throttle", "ratelimit", "rate_limit"})) {
      return wrong(begin, "write limit", "unknown action '{}'", shown(found));
    }
    if (is_one_of(lower(found), {"mask", "replace"})) return wrong(begin, "write redact", "unknown action '{}'", shown(found));
    const std::string_view meant = base::nearest(lower(found), action_words());
    return wrong(begin, meant.empty() ? fmt::format("use {}", kActions) : fmt::format("did you mean {}?", meant),
                 "unknown action '{}'", shown(found));
  }

  // ---- actions

  bool redact(Rule& rule) {
    static constexpr std::string_view kForm = "write for example: redact `\\d{13,16}` with \"****\" {namespace=\"payments\"}";
    Redact redact;
    skip_blanks();
    const std::size_t pattern_at = at_;
    if (!quoted(redact.pattern, "the pattern", kForm)) return false;
    if (!accept("with")) return wrong(at_, std::string(kForm), "the word with is missing behind the pattern");
    skip_blanks();
    const std::size_t replacement_at = at_;
    if (!quoted(redact.replacement, "the replacement", kForm)) return false;
    auto regex = gotext::Regex::compile(redact.pattern);
    if (!regex) return wrong(pattern_at, "", "cannot use this pattern: {}", regex.error().message);
    if (regex->matches("")) {
      return wrong(pattern_at, "let it match at least one character, for example with + in place of *",
                   "the pattern matches the empty text, so it would match everywhere");
    }
    if (!groups_exist(redact.replacement, replacement_at, regex->group_count())) return false;
    rule.action = std::move(redact);
    const std::size_t query_at = (skip_blanks(), at_);
    if (!query(rule)) return false;
    if (rule.match.stages.empty()) return true;
    return wrong(query_at + rule.match.stages.front().offset, "remove what follows the selector",
                 "redact takes only a selector, so that it cannot fail");
  }

  bool groups_exist(std::string_view replacement, std::size_t offset, int groups) {
    for (std::size_t i = 0; i < replacement.size(); ++i) {
      if (replacement[i] != '\\') continue;
      const char next = ++i < replacement.size() ? replacement[i] : '\0';
      if (next == '\\') continue;
      if (!is_digit(next)) {
        return wrong(offset,
                     R"(\1 to \9 are groups of the pattern, \0 is all of it, \\ is a backslash; in double quotes double each)",
                     "a backslash in the replacement stands before a digit or a backslash");
      }
      if (next - '0' > groups) {
        return wrong(offset, groups == 0 ? "put the part that stays in parentheses" : fmt::format("the last group is \\{}", groups),
                     "the pattern has no group \\{}", next);
      }
    }
    return true;
  }

  // A text in double quotes or backquotes, as LogQL writes it.
  bool quoted(std::string& out, std::string_view what, std::string_view form) {
    skip_blanks();
    if (at_end() || rest().front() == '{') return wrong(at_, std::string(form), "{} is missing", what);
    if (rest().front() != '"' && rest().front() != '`')
      return wrong(at_, std::string(form), "{} must be in backquotes or double quotes", what);
    const std::size_t length = quoted_length(rest());
    if (length == std::string_view::npos) return wrong(at_, std::string(form), "the closing quote is missing");
    const auto tokens = logql::tokenize(rest().substr(0, length));
    if (tokens.front().kind != logql::TokenKind::string) {
      const std::string_view inside = rest().substr(1, length - 2);
      return wrong(at_,
                   fmt::format("in double quotes a backslash begins an escape; in backquotes it is itself: `{}`", shown(inside)),
                   "{}", tokens.front().text);
    }
    out = tokens.front().text;
    at_ += length;
    return true;
  }

  bool keep(Rule& rule) {
    skip_blanks();
    const std::size_t begin = at_;
    Keep keep;
    if (accept("for")) {
      Lifetime lifetime;
      if (!duration(lifetime.length, "the lifetime", "for example: keep for 30m", kMostLifetime)) return false;
      const std::size_t end = at_;
      if (accept("from")) {
        if (!time(lifetime.from, lifetime.length)) return false;
      } else if (fill_from_) {
        lifetime.from = whole_seconds(*now_);
        fill_at_ = end;
      } else {
        const std::string from = now_ ? record::to_rfc3339(whole_seconds(*now_)) : "2026-01-31T10:00:00Z";
        return wrong(at_end() ? end : at_,
                     fmt::format("{}: {} from {}{}", now_ ? "to begin now, write" : "write for example",
                                 trimmed(line_.substr(0, end)), from, shown_rest(end)),
                     "a lifetime needs its beginning, so that a restart does not renew it");
      }
      if (lifetime.length > std::numeric_limits<Timestamp>::max() - lifetime.from) {
        return wrong(begin, "", "the lifetime ends too far in the future");
      }
      keep.lifetime = lifetime;
    } else if (is_one_of(letters(), {"from", "until", "till", "to", "since"})) {
      return wrong(begin, "write: keep for 30m from 2026-01-31T10:00:00Z", "a lifetime begins with for and its length");
    } else if (!at_end() && is_digit(rest().front())) {
      const std::string from = now_ ? record::to_rfc3339(whole_seconds(*now_)) : "2026-01-31T10:00:00Z";
      return wrong(begin, fmt::format("write: keep for {} from {}{}", shown(word()), from, shown_rest(at_ + word().size())),
                   "the word for is missing in front of the lifetime");
    }
    rule.action = keep;
    return query(rule);
  }

  [[nodiscard]] std::string shown_rest(std::size_t from) const {
    const std::string_view text = trimmed(line_.substr(from));
    return text.empty() ? "" : fmt::format(" {}", text.size() > 400 ? "…" : text);
  }
  [[nodiscard]] static Timestamp whole_seconds(Timestamp time) { return time - time % base::kSecond; }

  bool release(Rule& rule) {
    skip_blanks();
    const std::size_t begin = at_;
    const Timestamp until = whole_seconds(now_.value_or(1769853600 * base::kSecond));
    const std::string form =
        fmt::format("write for example: release from {} to {}{}", record::to_rfc3339(until - 20 * base::kMinute),
                    record::to_rfc3339(until), at_query() ? shown_rest(begin) : " {app=\"checkout\"}");
    Release release;
    if (!accept("from")) return wrong(at_, form, "release needs the time of the records: from … to …");
    if (!time(release.from)) return false;
    if (!accept("to")) return wrong(at_, form, "the end of the time is missing: to …");
    skip_blanks();
    const std::size_t to_at = at_;
    if (!time(release.to)) return false;
    if (release.from >= release.to) return wrong(to_at, "", "the end must be later than the beginning");
    rule.action = release;
    return query(rule);
  }

  bool sample(Rule& rule) {
    skip_blanks();
    const std::size_t begin = at_;
    static constexpr std::string_view kForm = "for example: sample 10%";
    std::string_view found;
    if (!argument(found, "the percentage", kForm)) return false;
    const std::string_view after = trimmed(line_.substr(begin + found.size()));
    if (!found.ends_with('%')) {
      std::string hint(kForm);
      double number = 0;
      const bool numeric = is_digit(found.front()) &&
                           std::from_chars(found.data(), found.data() + found.size(), number).ptr == found.data() + found.size();
      if (after.starts_with('%')) {
        return wrong(begin, fmt::format("write: {}%", shown(found)), "write no space before %");
      }
      if (numeric && number > 0 && number < 1)
        hint = fmt::format("write {:g}% to keep {} of the records, or {}%", number * 100, found, found);
      if (numeric && number >= 1 && number <= 100) hint = fmt::format("write: sample {}%", found);
      return wrong(begin, hint, "'{}' is not a percentage", shown(found));
    }
    std::uint64_t whole = 0;
    std::uint64_t fraction = 0;
    const std::string_view number = found.substr(0, found.size() - 1);
    const std::size_t dot = number.find('.');
    const std::string_view digits = number.substr(0, dot);
    const std::string_view decimals = dot == std::string_view::npos ? "" : number.substr(dot + 1);
    const bool valid = !digits.empty() && digits.size() <= 3 && std::ranges::all_of(digits, is_digit) &&
                       std::ranges::all_of(decimals, is_digit) && (dot == std::string_view::npos || !decimals.empty());
    if (!valid) return wrong(begin, std::string(kForm), "'{}' is not a percentage", shown(found));
    if (decimals.size() > 4) return wrong(begin, "the least step is 0.0001%", "a percentage has at most four decimals");
    for (const char c : digits) whole = whole * 10 + static_cast<std::uint64_t>(c - '0');
    for (std::size_t i = 0; i < 4; ++i) {
      fraction = fraction * 10 + (i < decimals.size() ? static_cast<std::uint64_t>(decimals[i] - '0') : 0);
    }
    const std::uint64_t per_million = whole * 10'000 + fraction;
    if (per_million == 0) return wrong(begin, "to drop all of them, write drop", "0% would keep no record");
    if (per_million > 1'000'000) return wrong(begin, std::string(kForm), "a percentage is at most 100%");
    at_ += found.size();
    rule.action = Sample{static_cast<std::uint32_t>(per_million)};
    return query(rule);
  }

  bool limit(Rule& rule) {
    skip_blanks();
    const std::size_t begin = at_;
    static constexpr std::string_view kForm = "for example: limit 100/s, limit 10k/h or limit 1MiB/s";
    std::string_view found;
    if (!argument(found, "the rate", kForm)) return false;
    const std::size_t slash = found.find('/');
    if (slash == std::string_view::npos) {
      const std::string_view after = trimmed(line_.substr(begin + found.size()));
      if (after.starts_with('/')) return wrong(begin + found.size(), std::string(kForm), "write no space around the /");
      if (is_digit(found.front())) {
        return wrong(begin, fmt::format("write {0}/s, {0}/m or {0}/h", shown(found)), "the rate has no unit of time");
      }
      return wrong(begin, std::string(kForm), "'{}' is not a rate", shown(found));
    }
    Limit limit;
    if (!amount(found.substr(0, slash), begin, limit.amount, limit.unit)) return false;
    const std::string_view per = found.substr(slash + 1);
    const std::size_t per_at = begin + slash + 1;
    if (per == "s") {
      limit.per = base::kSecond;
    } else if (per == "m") {
      limit.per = base::kMinute;
    } else if (per == "h") {
      limit.per = base::kHour;
    } else {
      std::string hint = "write /s, /m or /h";
      const std::string word = lower(per);
      if (is_one_of(word, {"sec", "secs", "second", "seconds", "1s"}))
        hint = fmt::format("write {}/s", shown(found.substr(0, slash)));
      if (is_one_of(word, {"min", "mins", "minute", "minutes", "1m"}))
        hint = fmt::format("write {}/m", shown(found.substr(0, slash)));
      if (is_one_of(word, {"hr", "hour", "hours", "1h"})) hint = fmt::format("write {}/h", shown(found.substr(0, slash)));
      if (is_one_of(word, {"d", "day", "days"})) hint = "the longest is an hour: divide by 24";
      return wrong(per_at, hint, "a rate is per s, m or h");
    }
    at_ += found.size();
    limit.burst = limit.amount;
    bool has_burst = false;
    while (true) {
      skip_blanks();
      const std::size_t clause = at_;
      if (!has_burst && accept("burst")) {
        has_burst = true;
        if (!burst(limit)) return false;
      } else if (limit.by.empty() && letters() == "by") {
        if (!by(limit.by)) return false;
      } else if (letters() == "by" || letters() == "burst") {
        return wrong(clause, "", "'{}' is given twice", letters());
      } else {
        break;
      }
    }
    rule.action = std::move(limit);
    return query(rule);
  }

  bool burst(Limit& limit) {
    skip_blanks();
    const std::size_t begin = at_;
    const bool bytes = limit.unit == Limit::Unit::bytes;
    const std::string form = bytes ? "for example: limit 1MiB/s burst 5MiB" : "for example: limit 100/s burst 500";
    std::string_view found;
    if (!argument(found, "the burst", form)) return false;
    Limit::Unit unit = Limit::Unit::records;
    if (!amount(found, begin, limit.burst, unit)) return false;
    if (unit != limit.unit) return wrong(begin, form, "the rate counts {}, the burst too", bytes ? "bytes" : "records");
    if (limit.burst < limit.amount) {
      return wrong(begin, "leave out burst: then it is the amount of the rate",
                   "the burst must be at least the amount of the rate");
    }
    const double window = static_cast<double>(limit.burst) / static_cast<double>(limit.amount) * static_cast<double>(limit.per);
    if (window > static_cast<double>(kMostWindow)) {
      return wrong(begin, "the rate gives less than this in a day", "the burst is more than the rate gives in a day");
    }
    at_ += found.size();
    return true;
  }

  // 100, 10k, 1MiB.
  bool amount(std::string_view text, std::size_t offset, std::uint64_t& out, Limit::Unit& unit) {
    static constexpr std::string_view kForm = "for example 100, 10k, 64KiB or 1MiB";
    if (text.empty()) return wrong(offset, std::string(kForm), "a number is missing");
    if (!is_digit(text.front())) return wrong(offset, std::string(kForm), "'{}' is not a number of records or bytes", shown(text));
    std::size_t end = 0;
    while (end < text.size() && (is_digit(text[end]) || text[end] == '.')) ++end;
    const std::string_view number = text.substr(0, end);
    const std::string_view suffix = text.substr(end);
    const std::string folded = lower(suffix);
    if (is_one_of(folded, {"b", "kb", "mb", "gb", "kib", "mib", "gib", "ki", "mi", "gi"})) {
      unit = Limit::Unit::bytes;
      const auto size = record::parse_size(text);
      if (!size) return wrong(offset, std::string(kForm), "'{}' is not a size", shown(text));
      out = *size;
    } else if (suffix.empty() || suffix == "k") {
      unit = Limit::Unit::records;
      if (number.find('.') != std::string_view::npos) {
        return wrong(offset, "use a longer time: 30/m in place of 0.5/s", "a number of records has no decimals");
      }
      const auto [stop, error] = std::from_chars(number.data(), number.data() + number.size(), out);
      if (error != std::errc() || stop != number.data() + number.size() || out > kMostAmount) out = kMostAmount + 1;
      if (suffix == "k") out *= 1000;
    } else if (is_one_of(suffix, {"K", "M", "m", "G", "g"})) {
      const std::string_view records = suffix == "K" ? "k" : is_one_of(folded, {"m"}) ? "000k" : "000000k";
      const char letter = static_cast<char>(folded.front() & ~0x20);
      return wrong(offset, fmt::format("write {}{} for records or {}{}iB for bytes", number, records, number, letter),
                   "'{}' may mean records or bytes", shown(text));
    } else {
      return wrong(offset, std::string(kForm), "unknown unit '{}'", shown(suffix));
    }
    if (out == 0) return wrong(offset, "to drop everything, write drop", "it must be greater than 0");
    if (out > kMostAmount) return wrong(offset, std::string(kForm), "it is too large");
    return true;
  }

  bool dedup(Rule& rule) {
    Dedup dedup;
    if (!duration(dedup.within, "the time", "for example: dedup 10s by (pod)", kMostWindow)) return false;
    skip_blanks();
    if (letters() == "by" && !by(dedup.by)) return false;
    rule.action = std::move(dedup);
    return query(rule);
  }

  // by (a, b)
  bool by(std::vector<std::string>& out) {
    at_ += 2;
    skip_blanks();
    if (at_end() || rest().front() != '(') {
      const std::string_view found = word();
      return wrong(at_, found.empty() ? "for example: by (namespace, pod)" : fmt::format("write: by ({})", shown(found)),
                   "put the labels in parentheses");
    }
    ++at_;
    while (true) {
      skip_blanks();
      const std::size_t begin = at_;
      const std::string_view found = word(" \t{|\"`(),");
      if (found.empty() && !at_end() && (rest().front() == '"' || rest().front() == '`')) {
        return wrong(begin, "for example: by (namespace, pod)", "write a label without quotes");
      }
      if (found.empty() && at_end()) return wrong(begin, "for example: by (namespace, pod)", "the closing parenthesis is missing");
      if (found.empty()) return wrong(begin, "to count all records together, leave out by", "the name of a label is missing");
      if (!names::is_label_name(found)) {
        return wrong(begin, "letters, digits and _, not first a digit", "'{}' is not the name of a label", shown(found));
      }
      if (std::ranges::find(out, found) != out.end()) return wrong(begin, "", "'{}' is given twice", shown(found));
      out.emplace_back(found);
      at_ += found.size();
      skip_blanks();
      if (at_end() || (rest().front() != ',' && rest().front() != ')')) {
        return wrong(at_, "for example: by (namespace, pod)", "{}",
                     at_query() ? "the closing parenthesis is missing" : "put a comma between labels");
      }
      if (line_[at_++] == ')') return true;
    }
  }

  bool tenant(Rule& rule) {
    skip_blanks();
    const std::size_t begin = at_;
    static constexpr std::string_view kForm = "for example: tenant team-a {namespace=\"shop\"}";
    std::string_view found;
    if (!argument(found, "the tenant", kForm)) return false;
    if (!names::is_tenant(found)) {
      return wrong(begin, fmt::format("Loki takes letters, digits and !-_.*'():, at most {}", names::kLongestTenant),
                   "'{}' is not a tenant", shown(found));
    }
    rule.action = Tenant{std::string(found)};
    at_ += found.size();
    return query(rule);
  }

  // ---- values

  bool duration(Duration& out, std::string_view what, std::string_view form, Duration most) {
    skip_blanks();
    const std::size_t begin = at_;
    std::string_view found;
    if (!argument(found, what, form)) return false;
    if (!is_digit(found.front())) return wrong(begin, std::string(form), "'{}' is not a duration", shown(found));
    const auto parsed = record::parse_duration(found);
    if (!parsed) {
      std::string hint = parsed.error().hint;
      if (std::ranges::all_of(found, is_digit)) {
        hint = fmt::format("write {0}s or {0}m", shown(found));
        const std::string unit = lower(trimmed(line_.substr(begin + found.size())).substr(0, 3));
        if (is_one_of(unit, {"min", "sec", "hou", "day"})) hint = fmt::format("write: {}{}", shown(found), unit.front());
        return wrong(begin, hint, "the unit of {} is missing", found);
      }
      return wrong(begin, hint, "'{}' is not a duration", shown(found));
    }
    if (*parsed <= 0) return wrong(begin, std::string(form), "{} must be greater than 0", what);
    if (*parsed > most) {
      return wrong(begin, "", "{} is at most {}", what, record::print_duration(most));
    }
    out = *parsed;
    at_ += found.size();
    return true;
  }

  // `lifetime` is that of a rule that begins at this time; 0 for none.
  bool time(Timestamp& out, Duration lifetime = 0) {
    skip_blanks();
    const std::size_t begin = at_;
    static constexpr std::string_view kForm = "for example 2026-01-31T10:00:00Z, or 2026-01-31T11:00:00+01:00";
    std::string_view found;
    if (!argument(found, "the time", kForm)) return false;
    if (const auto parsed = record::parse_rfc3339(found); parsed && found.find(' ') == std::string_view::npos) {
      out = *parsed;
      at_ += found.size();
      return true;
    }
    // With the date and the time of day apart.
    std::string_view whole = found;
    if (found.size() == 10 && found[4] == '-' && begin + 11 < line_.size() && is_digit(line_[begin + 11])) {
      const std::size_t end = std::min(line_.find_first_of(" \t{|\"`", begin + 11), line_.size());
      whole = line_.substr(begin, end - begin);
    }
    std::string joined(whole);
    if (joined.size() > 10 && (joined[10] == ' ' || joined[10] == '\t')) joined[10] = 'T';
    if (record::parse_rfc3339(joined)) return wrong(begin, fmt::format("write: {}", joined), "put a T between date and time");
    if (record::parse_rfc3339(joined + "Z")) {
      return wrong(begin, fmt::format("write {}Z for UTC, or for example {}+01:00", joined, joined), "the time has no zone");
    }
    if (now_) {
      if (const auto meant = record::parse_time(whole, *now_)) {
        const Timestamp best = lifetime > 0 ? nearest_day(whole, *meant, lifetime) : *meant;
        return wrong(begin, fmt::format("write: {}", record::to_rfc3339(whole_seconds(best))),
                     "the time '{}' has no date or no zone, so it would mean another moment at each reload", shown(whole));
      }
    }
    return wrong(begin, std::string(kForm), "'{}' is not a time", shown(whole));
  }

  // A time of day alone means the latest one, where a lifetime may be over already. What is proposed is the one nearest to now
  // whose lifetime is not over.
  [[nodiscard]] Timestamp nearest_day(std::string_view text, Timestamp latest, Duration lifetime) const {
    if (text.find(':') == std::string_view::npos || text.find('-') != std::string_view::npos) return latest;
    const auto next = record::parse_time(text, *now_ + kDay);
    if (!next || *next <= *now_) return latest;
    const bool is_over = latest <= *now_ - lifetime;
    return is_over || *next - *now_ < *now_ - latest ? *next : latest;
  }

  // ---- the log query

  bool query(Rule& rule) {
    skip_blanks();
    const std::size_t begin = at_;
    const std::string_view text = query_text();
    if (!text.empty() && !words_that_are_no_query(rule, text)) return false;
    auto parsed = logql::parse_expr(text, {.selector_optional = true});
    if (auto* error = std::get_if<logql::ParseError>(&parsed)) {
      const std::size_t error_at = error->line == 0 ? 0 : std::min(error->offset, text.size());
      if (!clause_is_early(rule, text, begin, error_at)) return false;
      if (!is_one_query(text, begin, error_at)) return false;
      logql::Advice advice = logql::advise(text, *error, {.selector_optional = true});
      if (advice.text.empty()) advice = advice_for_rules(text, error_at);
      if (const std::string level = level_filter(text); !level.empty() && !advice.text.empty()) {
        advice.text = fmt::format("for the level: {}; {}", level, advice.text);
      }
      const std::size_t offset = advice.text.empty() ? error_at : advice.offset;
      return wrong(begin + offset, advice.text, "{}", error->why.empty() ? without_place(error->message) : error->why);
    }
    auto* log = std::get_if<logql::LogExpr>(&std::get<logql::Expr>(parsed).node);
    if (log == nullptr) {
      return wrong(begin, "for example: drop {app=\"nginx\"} |= \"healthz\"", "this is not a log query");
    }
    if (const auto compiled = logql::LogQuery::compile(*log, text); !compiled) {
      const base::Error& error = compiled.error();
      return wrong(begin + error.offset.value_or(0), "", "{}", without_place(error.message));
    }
    rule.match = std::move(*log);
    return true;
  }

  [[nodiscard]] static std::string_view without_place(std::string_view message) {
    constexpr std::string_view kLead = "parse error : ";
    return message.starts_with(kLead) ? message.substr(kLead.size()) : message;
  }

  // A clause of the action behind the log query, where an error is: `limit 50/s {app="x"} by (pod)`; also `per` for `by`. False
  // when it has left a Mistake.
  bool clause_is_early(const Rule& rule, std::string_view text, std::size_t begin, std::size_t error_at) {
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
      const std::string_view taken = left.substr(0, std::min(left.find_first_of(" \t{|"), left.size()));
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
        clause += fmt::format(" from {}", now_ ? record::to_rfc3339(whole_seconds(*now_)) : "2026-01-31T10:00:00Z");
      }
    } else {
      return true;
    }
    std::string whole(trimmed(line_.substr(0, begin)));
    for (const std::string_view part : {std::string_view(clause), trimmed(text.substr(0, error_at)), left}) {
      if (!part.empty()) whole += fmt::format(" {}", part);
    }
    Rule ignored;
    const bool is_right = whole.size() <= kMostShownRule && LineParser(whole, now_, false).parse(ignored);
    const std::string hint = is_right ? fmt::format("write: {}", whole) : "write the parts of the action first, then the log query";
    if (error_at == 0) {
      return wrong(begin, is_right ? hint : "for example: by (namespace, pod)", "'{}' cannot begin a log query", found);
    }
    return wrong(begin + error_at, hint, "'{}' must stand in front of the log query", found);
  }

  // `{…} or {…}`, where an error is. False when it has left a Mistake.
  bool is_one_query(std::string_view text, std::size_t begin, std::size_t error_at) {
    const std::string_view before = trimmed(text.substr(0, error_at));
    const std::string_view here = text.substr(error_at);
    const auto joins = [here](std::string_view word) {
      return here.starts_with(word) && trimmed(here.substr(word.size())).starts_with('{');
    };
    if (joins("or") || (here.starts_with('{') && before.ends_with(" or"))) {
      return wrong(begin + error_at, "write two rules, or one selector such as {namespace=~\"a|b\"}", "a rule has one log query");
    }
    if (joins("and")) {
      return wrong(begin + error_at,
                   "for both conditions write one selector such as {namespace=\"a\", app=\"b\"}; for either write two rules",
                   "a rule has one log query");
    }
    return true;
  }

  // Mistakes of people who write rules, where LogQL has no advice.
  [[nodiscard]] static logql::Advice advice_for_rules(std::string_view text, std::size_t error_at) {
    if (logql::Advice quote = open_quote(text); !quote.text.empty()) return quote;
    // After a selector, LogQL takes the / for a division, and finds the error behind it.
    if (error_at > 0 && text[error_at - 1] == '/') --error_at;
    const std::string_view before = trimmed(text.substr(0, error_at));
    const std::string_view here = text.substr(error_at);
    const bool follows = before.empty() || before.ends_with('}');
    if (follows && here.size() > 1 && here.front() == '/' && kBlank.find(here[1]) == std::string_view::npos) {
      const std::string_view word = here.substr(0, std::min(here.find_first_of(" \t{|\"`"), here.size()));
      return {fmt::format("to search for a text: |= {}", gotext::quote(shown(word))), error_at};
    }
    return {};
  }

  // The text whose closing quote is missing, where later quotes hide that: `{app="shop} |= "x"`. The next quote then ends a text
  // that holds `}`, `,` or `|`, what follows it touches it, and the last quote of the line is open.
  [[nodiscard]] static logql::Advice open_quote(std::string_view text) {
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

  // `| detected_level="debug"` for `level=debug`.
  [[nodiscard]] static std::string level_filter(std::string_view text) {
    const std::size_t equal = text.find('=');
    if (equal == std::string_view::npos || !is_one_of(lower(trimmed(text.substr(0, equal))), {"level", "lvl", "severity"}))
      return {};
    std::string_view value = trimmed(text.substr(equal + 1));
    if (value.size() > 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    const std::string_view level = names::known_level(value);
    return level.empty() ? std::string() : fmt::format("| {}=\"{}\"", names::kDetectedLevel, level);
  }

  // What people write where a query is expected, and no query begins with.
  bool words_that_are_no_query(const Rule& rule, std::string_view text) {
    const std::string_view action = word_of(rule.action);
    const std::string_view found = letters();
    if (found == "for") return wrong(at_, "write keep for …, or leave it out", "only keep has a lifetime, {} has none", action);
    if (found == "by") return wrong(at_, "leave it out", "only limit and dedup have by, {} has none", action);
    if (found == "burst") return wrong(at_, "leave it out", "only limit has burst, {} has none", action);
    if (found == "without") return wrong(at_, "name the labels that make the key: by (…)", "without is not supported");
    if (found == "with") return wrong(at_, "leave it out", "only redact has with, {} has none", action);
    if (is_one_of(text, {"all", "everything", "*", "any"})) {
      return wrong(at_, fmt::format("to take all records, leave out '{}'", text), "'{}' is not a log query", text);
    }
    if (is_one_of(found, {"if", "when", "where", "unless", "and"})) {
      return wrong(at_, fmt::format("write only the log query, for example: {} {{app=\"nginx\"}} |= \"healthz\"", action),
                   "'{}' cannot begin a log query", found);
    }
    if (found == text && !names::known_level(text).empty()) {
      return wrong(at_,
                   fmt::format("for the level: {} | detected_level=\"{}\"; for a text in the line: {} |= {}", action,
                               names::known_level(text), action, gotext::quote(text)),
                   "'{}' cannot begin a log query", text);
    }
    if (text == "}" || text.starts_with("} ")) return wrong(at_, "", "a }} has no {{ in front");
    return true;
  }

  std::string_view line_;
  std::optional<Timestamp> now_;
  bool fill_from_;
  std::size_t at_ = 0;
  Mistake mistake_;
  std::optional<std::size_t> fill_at_;
};

// The lines of one text.
class TextParser {
 public:
  TextParser(std::string_view text, std::string_view file, std::optional<Timestamp> now, bool fill_from = false)
      : text_(text), file_(file), now_(now), fill_from_(fill_from) {}

  // Appends to `rules`. `names` are those that were given before, with their places.
  base::Result<void> parse(std::vector<Rule>& rules, std::map<std::string, RulePlace, std::less<>>& names) {
    if (text_.size() > kMostTextBytes) {
      return at({}, 1,
                {0, fmt::format("the text has more than {}", record::print_size(kMostTextBytes)), "divide it into several files"});
    }
    if (text_.starts_with("\xff\xfe") || text_.starts_with("\xfe\xff")) {
      return at({}, 1, {0, "the text is UTF-16", "save it as UTF-8"});
    }
    std::size_t begin = text_.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
    for (std::size_t number = 1; begin < text_.size(); ++number) {
      const std::size_t end = std::min(text_.find('\n', begin), text_.size());
      std::string_view line = text_.substr(begin, end - begin);
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (auto ok = parse_line(line, number, rules, names); !ok) return ok;
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
    if (const std::size_t blank = first_unquoted(code, is_false_blank); blank < code.size()) {
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
    Rule rule;
    const std::size_t lead = code.find_first_not_of(kBlank);
    rule.place = {std::string(file_), number, static_cast<std::size_t>(code.data() - text_.data()) + lead};
    LineParser parser(code, now_, fill_from_);
    if (!parser.parse(rule)) return at(line, number, parser.mistake());
    if (parser.fill_at()) fill_at_ = static_cast<std::size_t>(code.data() - text_.data()) + *parser.fill_at();
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

  [[nodiscard]] static std::size_t first_invalid(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t length = static_cast<unsigned char>(text[i]) < 0x80 ? 1 : base::utf8_length(text.substr(i));
      if (length == 0) return i;
      i += length;
    }
    return text.size();
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
