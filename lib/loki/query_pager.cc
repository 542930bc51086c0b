#include "loki/query_pager.h"

#include "record/record.h"
#include "record/timestamp.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

namespace weir::loki {

using base::Code;
using base::Result;
using record::Batch;
using record::Label;
using record::Record;

namespace {

constexpr std::size_t kLongestPart = 64 << 10;  // bytes; Loki takes queries of 128 KiB
constexpr std::size_t kMostAlternatives = 64;
constexpr std::uint32_t kTellingPage = 100;     // entries from which on a page says how dense they are
constexpr double kFilled = 1.3;                 // pages that a slice of time is meant to hold: full ones are fewest, and lose nothing
constexpr double kFastest = 8;                  // how much slices grow at most from one to the next
constexpr double kLongest = 1e18;               // of slices: 30 years, no overflow
constexpr std::uint32_t kSmallestPage = 2;  // a page of one entry cannot show that there are others at its time

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      (out += '\\') += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_literal(std::string& regex, std::string_view text) {
  for (const char c : text) {
    if (std::string_view(R"(\.+*?()|[]{}^$-)").find(c) != std::string_view::npos) regex += '\\';
    regex += c;
  }
}

// Names that can be written in a label filter: identifiers that are no keywords of LogQL.
bool can_be_named(std::string_view name) {
  constexpr std::array<std::string_view, 26> keywords = {
      "by", "without", "bool", "offset", "on",      "ignoring",    "group_left",   "group_right", "or",   "and",  "unless", "json",     "regexp",
      "ip", "logfmt",  "unpack", "pattern", "unwrap", "line_format", "label_format", "decolorize",  "drop", "keep", "of",     "variants", "vector"};
  std::string lower(name);
  for (char& c : lower) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_') return false;
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return !lower.empty() && !std::isdigit(static_cast<unsigned char>(lower[0])) && !lower.starts_with("__") &&
         std::find(keywords.begin(), keywords.end(), lower) == keywords.end();
}

// Parts by one label: the value that comes nearest to half of the sample against all others. A single label filter would be
// tried while parsers extract (and could drop a line on a value that a later stage changes); one within `or` is not.
QuerySplit split_by_label(const Batch& sample) {
  std::map<std::string_view, std::map<std::string_view, std::size_t>> names;
  for (const Record& record : sample.records) {
    for (const Label& label : record.labels->labels()) ++names[label.name][label.value];
    for (const Label& label : record.metadata) ++names[label.name][label.value];
  }
  const std::size_t all = sample.records.size();
  std::size_t best_distance = all;
  std::string_view best_name, best_value;
  for (const auto& [name, values] : names) {
    if (!can_be_named(name)) continue;
    for (const auto& [value, count] : values) {
      if (count >= all || value.empty()) continue;
      const std::size_t distance = count * 2 > all ? count * 2 - all : all - count * 2;
      if (distance < best_distance) best_distance = distance, best_name = name, best_value = value;
    }
  }
  if (best_name.empty()) return {};
  std::string value;
  append_quoted(value, best_value);
  return {fmt::format(" | ({0}={1} or {0}={1})", best_name, value), fmt::format(" | ({0}!={1} or {0}!={1})", best_name, value)};
}

// Bytes of the UTF-8 character at `at`, 1 where it is none.
std::size_t character_size(std::string_view text, std::size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  const std::size_t size = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
  return std::min(size, text.size() - at);
}

// Parts by the first character in which the lines differ: about half of those that occur there against everything else,
// which includes lines that end before it.
QuerySplit split_by_line(Batch& sample) {
  std::vector<std::string_view> lines;
  for (Record& record : sample.records) lines.push_back(sample.line(record));
  const auto [least, greatest] = std::minmax_element(lines.begin(), lines.end());
  std::size_t common = static_cast<std::size_t>(
      std::mismatch(least->begin(), least->end(), greatest->begin(), greatest->end()).first - least->begin());
  if (common == greatest->size()) return {};
  while (common > 0 && (static_cast<unsigned char>((*greatest)[common]) & 0xc0) == 0x80) --common;  // not inside a character
  std::map<std::string_view, std::size_t> characters;
  for (const std::string_view line : lines) {
    if (line.size() > common) ++characters[line.substr(common, character_size(line, common))];
  }
  std::string set;
  std::size_t taken = 0, alternatives = 0;
  for (const auto& [character, count] : characters) {
    const bool last = &character == &characters.rbegin()->first;
    if (++alternatives > kMostAlternatives) break;
    if (taken > 0 && ((taken + count) * 2 > lines.size() || (last && taken + count == lines.size()))) break;
    if (!set.empty()) set += '|';
    append_literal(set, character);
    taken += count;
  }
  // A long common prefix is not repeated in the query: Loki bounds its length, and RE2 the size of a program.
  constexpr std::size_t kLongPrefix = 200;
  std::string regex = "(?s)^";
  if (common <= kLongPrefix) {
    append_literal(regex, least->substr(0, common));
  } else {
    std::size_t count = 0;
    for (std::size_t at = 0; at < common; at += character_size(*least, at)) ++count;
    for (; count > 1000; count -= 1000) regex += ".{1000}";  // the most that RE2 repeats
    regex += fmt::format(".{{{}}}", count);
  }
  regex += fmt::format("(?:{})", set);
  std::string quoted;
  append_quoted(quoted, regex);
  return {" |~ " + quoted, " !~ " + quoted};
}

}  // namespace

QuerySplit split_query(Batch& sample) {
  if (sample.records.empty()) return {};
  QuerySplit split = split_by_label(sample);
  return split.left.empty() ? split_by_line(sample) : split;
}

QueryPager::QueryPager(QueryClient& client, std::string query, base::TimeRange window, Direction direction, Options options)
    : client_(client), query_(std::move(query)), window_(window), direction_(direction), options_(options), limit_(options.first_page) {}

std::uint32_t QueryPager::page_limit() const {
  std::uint64_t limit = std::min(limit_, options_.max_page);
  // One more than wanted shows whether the page went past the last timestamp that is wanted.
  if (expected_ > 0) limit = std::min<std::uint64_t>(limit, expected_ + 1);
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(limit, std::min(kSmallestPage, options_.max_page)));
}

void QueryPager::size_pages(std::size_t entries, std::size_t bytes) {
  if (entries == 0) return;
  const std::size_t fits = options_.page_bytes / std::max<std::size_t>(bytes / entries, 1);
  limit_ = static_cast<std::uint32_t>(std::clamp<std::size_t>(fits, std::min(kSmallestPage, options_.max_page), options_.max_page));
}

// After a page with so many entries that covered so much time.
void QueryPager::size_slices(std::size_t entries, base::Duration covered, std::uint32_t limit) {
  if (limit < kTellingPage) {
    if (entries < limit && slice_ > 0) slice_ = static_cast<base::Duration>(std::min(static_cast<double>(slice_) * kFastest, kLongest));
    return;
  }
  const double wanted = kFilled * std::min(limit_, options_.max_page) / static_cast<double>(std::max<std::size_t>(entries, 1));
  const double most = entries < limit ? kFastest : kLongest;  // a full page is a measurement, another one says little
  slice_ = static_cast<base::Duration>(std::clamp(static_cast<double>(covered) * std::min(wanted, most), 1.0, kLongest));
}

base::TimeRange QueryPager::next_window() const {
  base::TimeRange window = window_;
  if (slice_ == 0 || window.to - window.from <= slice_) return window;
  if (direction_ == Direction::forward) {
    window.to = window.from + slice_;
  } else {
    window.from = window.to - slice_;
  }
  return window;
}

Result<bool> QueryPager::next(Batch& out) {
  while (!done_) {
    const std::size_t before = out.records.size();
    auto more = parts_.empty() ? next_page(out) : next_part(out);
    if (!more) return more;
    if (out.records.size() > before) return true;
    if (!*more) break;
  }
  done_ = done_ && parts_.empty();
  return false;
}

Result<bool> QueryPager::next_page(Batch& out) {
  if (window_.from >= window_.to) {
    done_ = true;
    return false;
  }
  const std::uint32_t limit = page_limit();
  const std::size_t first = out.records.size();
  const base::TimeRange window = next_window();
  auto page = client_.page({query_, window, limit, direction_, step_}, out);
  if (!page) return std::move(page).error();
  if (page->allowed > 0) {
    options_.max_page = page->allowed;
    limit_ = std::min(limit_, options_.max_page);
    return true;
  }
  if (page->too_large) {
    light_ = false;
    limit_ = std::max(limit / 4, kSmallestPage);
    return true;
  }
  const std::size_t entries = page->answer.entries;
  auto& records = out.records;
  const std::size_t inside = records.size() - first;
  const bool last = window.from == window_.from && window.to == window_.to;
  if (page->answer.samples || (entries < limit && last)) {
    done_ = true;
    return inside > 0;
  }
  size_pages(entries, page->bytes);
  if (entries < limit) {
    size_slices(inside, window.to - window.from, limit);
    if (direction_ == Direction::forward) {
      window_.from = window.to;
    } else {
      window_.to = window.from;
    }
    return true;
  }
  if (page->outside > 0 && (inside == 0 || records[first].timestamp == records.back().timestamp)) return stuck(*page, window);
  const base::Timestamp oldest = records[first].timestamp, newest = records.back().timestamp;
  if (oldest == newest) {  // as far as the page goes there is one timestamp only
    records.resize(first);
    if (limit < options_.max_page && light_) {
      expected_ = 0;
      limit_ = options_.max_page;
      return true;
    }
    instant_ = oldest;
    parts_.emplace_back();
    return true;
  }
  size_slices(inside, newest - oldest, limit);
  // What shares the last timestamp of the page may go on behind it.
  if (direction_ == Direction::forward) {
    while (records.back().timestamp == newest) records.pop_back();
    window_.from = newest;
  } else {
    const auto kept = std::find_if(records.begin() + static_cast<std::ptrdiff_t>(first), records.end(),
                                   [&](const Record& record) { return record.timestamp != oldest; });
    records.erase(records.begin() + static_cast<std::ptrdiff_t>(first), kept);
    window_.to = oldest + 1;
  }
  return true;
}

Result<bool> QueryPager::next_part(Batch& out) {
  const std::string part = std::move(parts_.back());
  parts_.pop_back();
  const std::uint32_t limit = std::min(std::max(limit_, kSmallestPage), options_.max_page);
  const std::size_t first = out.records.size();
  // A comment at the end of the query must not swallow what is appended.
  const std::string query = part.empty() ? query_ : query_ + "\n" + part;
  auto page = client_.page({query, {instant_, instant_ + 1}, limit, direction_, 0}, out);
  if (!page) {
    if (part.empty() || page.error().code != Code::config) return std::move(page).error();
    parts_.assign(1, "");  // a query to which nothing can be appended, such as one in parentheses
    divisible_ = false;
    return true;
  }
  if (page->allowed > 0 || page->too_large) {
    if (page->allowed > 0) options_.max_page = page->allowed;
    if (page->too_large) light_ = false, limit_ = std::max(limit / 4, kSmallestPage);
    parts_.push_back(part);
    return true;
  }
  if (page->answer.entries >= limit) {
    if (page->outside > 0) return stuck(*page, {instant_, instant_ + 1});
    Batch sample;
    for (std::size_t i = first; i < out.records.size(); ++i) sample.add_copy(out.records[i]);
    const QuerySplit split = divisible_ && part.size() < kLongestPart ? split_query(sample) : QuerySplit();
    // A filter that is there already has not told apart what it should have.
    if (!split.left.empty() && part.find(split.left) == std::string::npos && part.find(split.right) == std::string::npos) {
      out.records.resize(first);
      parts_.push_back(part + split.right);
      parts_.push_back(part + split.left);
      return true;
    }
    if (limit < options_.max_page && light_) {
      out.records.resize(first);
      limit_ = options_.max_page;
      parts_.push_back(part);
      return true;
    }
    ++incomplete_;
  }
  if (parts_.empty()) leave_timestamp();
  return true;
}

base::Error QueryPager::stuck(const QueryClient::Page& page, const base::TimeRange& window) const {
  return base::fail(Code::network,
                    "cannot read on: asked for entries from {} to {}, the server gave {}, of which {} lie outside that time: it "
                    "does not keep to "
                    "`start` and `end`",
                    record::to_rfc3339(window.from), record::to_rfc3339(window.to), page.answer.entries, page.outside)
      .with_hint("what was shown is not all; is it a Loki, and does a proxy in front of it pass the parameters on?");
}

void QueryPager::leave_timestamp() {
  if (direction_ == Direction::forward) {
    window_.from = instant_ + 1;
  } else {
    window_.to = instant_;
  }
}

}  // namespace weir::loki
