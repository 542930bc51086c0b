#include "loki/query_pager.h"

#include "base/count.h"
#include "base/quote.h"
#include "base/utf8.h"
#include "names/label_name.h"
#include "record/record.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace weir::loki {

using base::Code;
using base::Result;
using record::Batch;
using record::Label;
using record::Record;

namespace {

constexpr std::size_t kLongestPart = 64 << 10;  // bytes; Loki accepts queries of 128 KiB
constexpr std::size_t kMostAlternatives = 64;
constexpr std::uint32_t kMeasuringPage = 100;  // entries from which on a page shows how dense they are
// Pages of entries that a slice of time should hold: full pages mean the fewest requests, and lose nothing.
constexpr double kFilled = 1.3;
constexpr double kFastest = 8;              // the most by which a slice grows from one request to the next
constexpr double kLongest = 1e18;           // the longest slice in nanoseconds: 30 years, no overflow
constexpr std::uint32_t kSmallestPage = 2;  // a page of one entry cannot show that its time has more

void append_literal(std::string& regex, std::string_view text) {
  for (const char c : text) {
    if (std::string_view(R"(\.+*?()|[]{}^$-)").find(c) != std::string_view::npos) regex += '\\';
    regex += c;
  }
}

// Names that can stand in a label filter: identifiers that are no keywords of LogQL.
bool can_be_named(std::string_view name) {
  return names::is_label_name(name) && !name.starts_with("__") && !names::is_keyword(name);
}

// Divides by one label: the value that is nearest to half of the sample against all other values. Loki would try a single label
// filter while its parsers extract labels, and could drop a line on a value that a later stage changes. It does not do so with
// a filter inside `or`.
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
  const std::string value = base::quoted(best_value);
  QuerySplit split = {fmt::format(" | ({0}={1} or {0}={1})", best_name, value),
                      fmt::format(" | ({0}!={1} or {0}!={1})", best_name, value)};
  for (const Record& record : sample.records) {
    bool equal = false, other = false;  // both: the name is that of a label and of metadata
    const auto compare = [&](const Label& label) {
      if (label.name == best_name) (label.value == best_value ? equal : other) = true;
    };
    std::ranges::for_each(record.labels->labels(), compare);
    std::ranges::for_each(record.metadata, compare);
    if (equal && !other) ++split.left_known;
    if (!equal) ++split.right_known;
  }
  return split;
}

// Bytes of the UTF-8 character at `at`; 1 when there is none.
std::size_t character_size(std::string_view text, std::size_t at) {
  return std::max<std::size_t>(base::utf8_length(text.substr(at)), 1);
}

// Divides by the first character in which the lines differ: about half of the characters that occur there against everything
// else, also lines that end before it.
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
  // A long common prefix is not repeated in the query, because Loki bounds the query's length and RE2 bounds a program's size.
  constexpr std::size_t kLongPrefix = 200;
  std::string regex = "(?s)^";
  if (common <= kLongPrefix) {
    append_literal(regex, least->substr(0, common));
  } else {
    std::size_t count = 0;
    for (std::size_t at = 0; at < common; at += character_size(*least, at)) ++count;
    for (; count > 1000; count -= 1000) regex += ".{1000}";  // the most repetitions that RE2 accepts
    regex += fmt::format(".{{{}}}", count);
  }
  regex += fmt::format("(?:{})", set);
  const std::string quoted = base::quoted(regex);
  return {" |~ " + quoted, " !~ " + quoted, taken, lines.size() - taken};
}

}  // namespace

QuerySplit split_query(Batch& sample) {
  if (sample.records.empty()) return {};
  QuerySplit split = split_by_label(sample);
  return split.left.empty() ? split_by_line(sample) : split;
}

QueryPager::QueryPager(QueryClient& client, std::string query, base::TimeRange window, Direction direction, Options options)
    : client_(client),
      query_(std::move(query)),
      window_(window),
      direction_(direction),
      options_(options),
      limit_(options.first_page) {}

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

// Learns from a page with `entries` entries that covered the time `covered`.
void QueryPager::size_slices(std::size_t entries, base::Duration covered, std::uint32_t limit) {
  if (limit < kMeasuringPage) {
    if (entries < limit && slice_ > 0)
      slice_ = static_cast<base::Duration>(std::min(static_cast<double>(slice_) * kFastest, kLongest));
    return;
  }
  const double wanted = kFilled * std::min(limit_, options_.max_page) / static_cast<double>(std::max<std::size_t>(entries, 1));
  const double most = entries < limit ? kFastest : kLongest;  // a full page is a measurement, a partial one says little
  slice_ = static_cast<base::Duration>(std::clamp(static_cast<double>(covered) * std::min(wanted, most), 1.0, kLongest));
}

base::TimeRange QueryPager::next_window() const {
  base::TimeRange window = window_;
  base::Duration most = slice_ > 0 ? slice_ : window.to - window.from;
  if (longest_ > 0) most = std::min(most, longest_);
  if (window.to - window.from <= most) return window;
  if (direction_ == Direction::forward) {
    window.to = window.from + most;
  } else {
    window.from = window.to - most;
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
  const std::size_t known = std::exchange(known_, 0);
  auto page = client_.page({query_, window, limit, direction_, step_, known, options_.check_empty}, out);
  if (!page) return std::move(page).error();
  if (page->allowed > 0) {
    options_.max_page = page->allowed;
    limit_ = std::min(limit_, options_.max_page);
    known_ = known;
    return true;
  }
  if (page->longest > 0) {
    longest_ = page->longest;
    refusal_ = std::move(page->refusal);
    known_ = known;
    return true;
  }
  if (page->too_large) {
    light_ = false;
    limit_ = std::max(limit / 4, kSmallestPage);
    known_ = std::max(known, page->seen);
    return true;
  }
  if (page->short_of) return short_of(out.records.size() - first, known, window);
  const std::size_t entries = page->answer.entries;
  auto& records = out.records;
  const std::size_t inside = records.size() - first;
  const bool last = window.from == window_.from && window.to == window_.to;
  if (page->answer.samples && !last && refusal_) return *refusal_;
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
  if (oldest == newest) {  // the whole page has one timestamp
    records.resize(first);
    if (limit < options_.max_page && light_) {
      expected_ = 0;
      limit_ = options_.max_page;
      known_ = inside;
      return true;
    }
    instant_ = oldest;
    parts_.push_back({"", inside});
    return true;
  }
  size_slices(inside, newest - oldest, limit);
  // Entries after the page may share its last timestamp.
  if (direction_ == Direction::forward) {
    while (records.back().timestamp == newest) records.pop_back();
    window_.from = newest;
  } else {
    const auto kept = std::find_if(records.begin() + static_cast<std::ptrdiff_t>(first), records.end(),
                                   [&](const Record& record) { return record.timestamp != oldest; });
    records.erase(records.begin() + static_cast<std::ptrdiff_t>(first), kept);
    window_.to = oldest + 1;
  }
  known_ = first + inside - records.size();
  return true;
}

Result<bool> QueryPager::next_part(Batch& out) {
  const auto [part, known] = std::move(parts_.back());
  parts_.pop_back();
  const std::uint32_t limit = std::min(std::max(limit_, kSmallestPage), options_.max_page);
  const std::size_t first = out.records.size();
  // The line break keeps a comment at the end of the query from swallowing the filter.
  const std::string query = part.empty() ? query_ : query_ + "\n" + part;
  auto page = client_.page({query, {instant_, instant_ + 1}, limit, direction_, 0, known, options_.check_empty}, out);
  if (!page) {
    if (part.empty() || page.error().code != Code::config) return std::move(page).error();
    parts_.assign(1, Part());  // nothing can be appended to this query, for example because it is in parentheses
    divisible_ = false;
    return true;
  }
  if (page->allowed > 0 || page->too_large) {
    if (page->allowed > 0) options_.max_page = page->allowed;
    if (page->too_large) light_ = false, limit_ = std::max(limit / 4, kSmallestPage);
    parts_.push_back({part, std::max(known, page->seen)});
    return true;
  }
  if (page->short_of) return short_of(out.records.size() - first, known, {instant_, instant_ + 1});
  if (page->answer.entries >= limit) {
    if (page->outside > 0) return stuck(*page, {instant_, instant_ + 1});
    Batch sample;
    for (std::size_t i = first; i < out.records.size(); ++i) sample.add_copy(out.records[i]);
    const QuerySplit split = divisible_ && part.size() < kLongestPart ? split_query(sample) : QuerySplit();
    // A filter that the query holds already did not tell these entries apart.
    if (!split.left.empty() && part.find(split.left) == std::string::npos && part.find(split.right) == std::string::npos) {
      out.records.resize(first);
      parts_.push_back({part + split.right, split.right_known});
      parts_.push_back({part + split.left, split.left_known});
      return true;
    }
    if (limit < options_.max_page && light_) {
      out.records.resize(first);
      limit_ = options_.max_page;
      parts_.push_back({part, sample.records.size()});
      return true;
    }
    ++incomplete_;
  }
  if (parts_.empty()) leave_timestamp();
  return true;
}

base::Error QueryPager::stuck(const QueryClient::Page& page, const base::TimeRange& window) const {
  return base::fail(
             Code::network,
             "cannot read on: for the time from {} to {} the server gave {} entries, and {} of them lie outside that time: it "
             "ignores `start` and `end`",
             record::to_rfc3339(window.from), record::to_rfc3339(window.to), page.answer.entries, page.outside)
      .with_hint("not all entries were shown; is it a Loki, and does a proxy in front of it pass the parameters on?");
}

base::Error QueryPager::short_of(std::size_t entries, std::size_t known, const base::TimeRange& window) const {
  return base::fail(Code::network, "cannot read on: for the time from {} to {} Loki gave {}, where it had given {} before",
                    record::to_rfc3339(window.from), record::to_rfc3339(window.to), base::count_of(entries, "entry", "entries"),
                    known)
      .with_hint(
          "not all entries were shown, because Loki does not give all that it has; ask again when its ingesters and its store are "
          "well");
}

void QueryPager::leave_timestamp() {
  if (direction_ == Direction::forward) {
    window_.from = instant_ + 1;
  } else {
    window_.to = instant_;
  }
}

}  // namespace weir::loki
