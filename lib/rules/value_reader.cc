#include "rules/value_reader.h"

#include "logql/lexer.h"
#include "names/label_name.h"
#include "record/timestamp.h"

#include <charconv>

namespace weir::rules {
namespace {

using base::Duration;
using base::Timestamp;

constexpr std::uint64_t kMostAmount = 1'000'000'000'000;
constexpr Duration kDay = 24 * base::kHour;

}  // namespace

bool ValueReader::accept(std::string_view wanted) {
  skip_blanks();
  if (letters() != wanted) return false;
  at_ += wanted.size();
  return true;
}

bool ValueReader::argument(std::string_view& found, std::string_view what, std::string_view form) {
  skip_blanks();
  if (at_query()) return wrong(at_, std::string(form), "{} is missing", what);
  if (rest().front() == '"' || rest().front() == '`' || rest().front() == '\'') {
    return wrong(at_, std::string(form), "{} must not be in quotes", what);
  }
  found = word();
  return true;
}

bool ValueReader::quoted(std::string& out, std::string_view what, std::string_view form) {
  skip_blanks();
  if (at_end() || rest().front() == '{') return wrong(at_, std::string(form), "{} is missing", what);
  if (rest().front() != '"' && rest().front() != '`')
    return wrong(at_, std::string(form), "{} must be in backquotes or double quotes", what);
  const std::size_t length = quoted_length(rest());
  if (length == std::string_view::npos) return wrong(at_, std::string(form), "the closing quote is missing");
  const auto tokens = logql::tokenize(rest().substr(0, length));
  if (tokens.front().kind != logql::TokenKind::string) {
    const std::string_view inside = rest().substr(1, length - 2);
    return wrong(at_, fmt::format("in double quotes a backslash begins an escape; in backquotes it is itself: `{}`", shown(inside)),
                 "{}", tokens.front().text);
  }
  out = tokens.front().text;
  at_ += length;
  return true;
}

bool ValueReader::amount(std::string_view text, std::size_t offset, std::uint64_t& out, Limit::Unit& unit) {
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

bool ValueReader::by(std::vector<std::string>& out) {
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

bool ValueReader::duration(Duration& out, std::string_view what, std::string_view form, Duration most) {
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

bool ValueReader::time(Timestamp& out, Duration lifetime) {
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
    const std::size_t end = begin + 11 + leading_word(line_.substr(begin + 11)).size();
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
Timestamp ValueReader::nearest_day(std::string_view text, Timestamp latest, Duration lifetime) const {
  if (text.find(':') == std::string_view::npos || text.find('-') != std::string_view::npos) return latest;
  const auto next = record::parse_time(text, *now_ + kDay);
  if (!next || *next <= *now_) return latest;
  const bool is_over = latest <= *now_ - lifetime;
  return is_over || *next - *now_ < *now_ - latest ? *next : latest;
}

}  // namespace weir::rules
