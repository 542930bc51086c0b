#include "rules/line_parser.h"

#include "base/suggestion.h"
#include "gotext/regex.h"
#include "logql/log_query.h"
#include "logql/parser.h"
#include "names/tenant.h"
#include "record/timestamp.h"
#include "rules/parser.h"
#include "rules/query_mistakes.h"
#include "rules/rule_lexis.h"
#include "rules/value_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace weir::rules {
namespace {

using base::Duration;
using base::Timestamp;

constexpr Duration kDay = 24 * base::kHour;
constexpr Duration kMostWindow = kDay;          // of limit and dedup
constexpr Duration kMostLifetime = 366 * kDay;  // up to there printed durations read back exactly

const std::vector<std::string>& action_words() {
  static const auto* words =
      new std::vector<std::string>{"redact", "keep", "drop", "hold", "release", "sample", "limit", "dedup", "tenant", "name"};
  return *words;
}

// Every function that returns a bool has left a Mistake when it is false.
class LineParser : ValueReader {
 public:
  LineParser(std::string_view line, std::optional<Timestamp> now, bool fill_from)
      : ValueReader(line, now), fill_from_(fill_from && now) {}

  std::variant<ParsedLine, Mistake> parse() {
    Rule rule;
    if (!name(rule.name) || !action(rule)) return std::move(mistake_);
    return ParsedLine{std::move(rule), fill_at_};
  }

 private:
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
      return wrong(begin, fmt::format("for example: drop {}", shown(trimmed(rest()))), "the action is missing");
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
        const std::string from = proposed_beginning(now_);
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
      const std::string from = proposed_beginning(now_);
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

  bool dedup(Rule& rule) {
    Dedup dedup;
    if (!duration(dedup.within, "the time", "for example: dedup 10s by (pod)", kMostWindow)) return false;
    skip_blanks();
    if (letters() == "by" && !by(dedup.by)) return false;
    rule.action = std::move(dedup);
    return query(rule);
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

  // ---- the log query

  bool query(Rule& rule) {
    skip_blanks();
    const std::size_t begin = at_;
    const std::string_view text = trimmed(rest());
    if (auto mistake = words_that_are_no_query(rule.action, text)) return wrong_query(begin, std::move(*mistake));
    auto parsed = logql::parse_expr(text, {.selector_optional = true});
    if (const auto* error = std::get_if<logql::ParseError>(&parsed)) {
      const auto is_rule = [this](std::string_view line) { return std::holds_alternative<ParsedLine>(parse_line(line, now_)); };
      const RuleOfQuery context{rule.action, trimmed(line_.substr(0, begin)), now_, is_rule};
      return wrong_query(begin, query_that_does_not_parse(context, text, *error));
    }
    auto* log = std::get_if<logql::LogExpr>(&std::get<logql::Expr>(parsed).node);
    if (log == nullptr) {
      return wrong(begin, "for example: drop {app=\"nginx\"} |= \"healthz\"", "this is not a log query");
    }
    if (const auto compiled = logql::LogQuery::compile(*log, text); !compiled) {
      return wrong_query(begin, query_that_does_not_compile(compiled.error()));
    }
    rule.match = std::move(*log);
    return true;
  }

  // `mistake` is in the query, which begins at `begin`.
  bool wrong_query(std::size_t begin, Mistake mistake) {
    return wrong(begin + mistake.offset, std::move(mistake.hint), "{}", mistake.why);
  }

  bool fill_from_;
  std::optional<std::size_t> fill_at_;
};

}  // namespace

std::variant<ParsedLine, Mistake> parse_line(std::string_view line, std::optional<Timestamp> now, bool fill_from) {
  return LineParser(line, now, fill_from).parse();
}

}  // namespace weir::rules
