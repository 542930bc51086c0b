#include "names/level.h"

#include "names/label_name.h"
#include "names/level_fields.h"

#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <string>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace weir::names {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

constexpr std::uint8_t kLeft = 1;   // may stand before a keyword
constexpr std::uint8_t kRight = 2;  // may stand behind one

constexpr std::array<std::uint8_t, 256> make_boundaries() {
  std::array<std::uint8_t, 256> table{};
  for (const unsigned char c : std::string_view(" \t\n[({\"=")) table[c] |= kLeft;
  for (const unsigned char c : std::string_view(" \t\n[](){}:,!\"=")) table[c] |= kRight;
  return table;
}
constexpr std::array<std::uint8_t, 256> kBoundaries = make_boundaries();

bool is_boundary(char c, std::uint8_t side) { return (kBoundaries[static_cast<unsigned char>(c)] & side) != 0; }

// Four bytes at `text` in lower case, if they are letters.
std::uint32_t lower_four(const char* text) {
  std::uint32_t four;
  std::memcpy(&four, text, sizeof four);
  return four | 0x20202020U;
}

constexpr std::uint32_t pack(const char (&word)[5]) {
  std::uint32_t four = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t place = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? i : 3 - i;
    four |= static_cast<std::uint32_t>(static_cast<unsigned char>(word[i])) << (8 * place);
  }
  return four;
}

// A letter or'ed with 0x20 is its lower case, and nothing but a letter becomes one that way.
bool tail_is(std::string_view line, std::size_t at, std::string_view rest) {
  if (line.size() - at < rest.size()) return false;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if ((line[at + i] | 0x20) != rest[i]) return false;
  }
  const std::size_t end = at + rest.size();
  return end == line.size() || is_boundary(line[end], kRight);
}

// The level of the keyword that begins at `at` and stands alone, "" for none.
std::string_view keyword_at(std::string_view line, std::size_t at) {
  if (at > 0 && !is_boundary(line[at - 1], kLeft)) return {};
  if (line.size() - at < 4) return line.size() - at == 3 && tail_is(line, at, "err") ? "error" : "";
  switch (lower_four(line.data() + at)) {
    case pack("info"):
      return tail_is(line, at + 4, "") ? "info" : "";
    case pack("warn"):
      return tail_is(line, at + 4, "") || tail_is(line, at + 4, "ing") ? "warn" : "";
    case pack("erro"):
      return tail_is(line, at + 4, "r") ? "error" : "";
    case pack("debu"):
      return tail_is(line, at + 4, "g") ? "debug" : "";
    case pack("trac"):
      return tail_is(line, at + 4, "e") ? "trace" : "";
    case pack("fata"):
      return tail_is(line, at + 4, "l") ? "fatal" : "";
    case pack("crit"):
      return tail_is(line, at + 4, "ical") ? "critical" : "";
    default:
      return (line[at] | 0x20) == 'e' && tail_is(line, at, "err") ? "error" : "";
  }
}

bool may_begin_keyword(char c) {
  switch (c | 0x20) {
    case 't':
    case 'd':
    case 'f':
    case 'c':
    case 'e':
    case 'w':
    case 'i':
      return true;
    default:
      return false;
  }
}

struct Keyword {
  std::string_view level = "unknown";
  std::size_t at = kNone;
};

// One pass. Sixteen bytes at a time, places are kept where a byte that may begin a keyword follows one of a superset of the
// boundaries that takes three compares instead of eight; what is left, a word in four or five, is looked at one by one.
Keyword first_keyword(std::string_view line) {
  std::size_t at = 0;
#ifdef __SSE2__
  const __m128i case_bit = _mm_set1_epi8(0x20);
  unsigned before = 1;  // the start of the line is a boundary
  for (; at + 16 <= line.size(); at += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(line.data() + at));
    const __m128i low = _mm_or_si128(block, case_bit);
    // Up to '(': controls, space, quote and what lies between; '[' and '{' are one with the case bit.
    const __m128i boundary =
        _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8('(')), block),
                     _mm_or_si128(_mm_cmpeq_epi8(low, _mm_set1_epi8('{')), _mm_cmpeq_epi8(block, _mm_set1_epi8('='))));
    const __m128i from_c = _mm_sub_epi8(low, _mm_set1_epi8('c'));  // c, d, e, f are neighbours
    const __m128i letter = _mm_or_si128(
        _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(from_c, _mm_set1_epi8(3)), from_c), _mm_cmpeq_epi8(low, _mm_set1_epi8('t'))),
        _mm_or_si128(_mm_cmpeq_epi8(low, _mm_set1_epi8('w')), _mm_cmpeq_epi8(low, _mm_set1_epi8('i'))));
    const unsigned boundaries = static_cast<unsigned>(_mm_movemask_epi8(boundary));
    unsigned places = (boundaries << 1 | before) & static_cast<unsigned>(_mm_movemask_epi8(letter));
    before = boundaries >> 15;
    for (; places != 0; places &= places - 1) {
      const std::size_t place = at + static_cast<std::size_t>(__builtin_ctz(places));
      if (const std::string_view level = keyword_at(line, place); !level.empty()) return {level, place};
    }
  }
#endif
  for (; at < line.size(); ++at) {
    if (!may_begin_keyword(line[at])) continue;
    if (const std::string_view level = keyword_at(line, at); !level.empty()) return {level, at};
  }
  return {};
}

// Loki lowers the whole line before it looks, and Unicode's lower case of U+0130 is an ASCII i. No other letter of a
// keyword has such a twin.
std::string_view keyword_level(std::string_view line) {
  static constexpr std::string_view kDottedI = "\xc4\xb0";
  const Keyword found = first_keyword(line);
  const std::size_t twin = line.substr(0, found.at).find(kDottedI);
  if (twin == kNone) return found.level;
  std::string plain(line);
  for (std::size_t at = twin; (at = plain.find(kDottedI, at)) != kNone;) {
    plain[at] = 'i';
    plain.erase(at + 1, 1);
  }
  return first_keyword(plain).level;
}

// The number of bytes of the white space, in Unicode's sense, that `text` begins with; 0 when it begins with something else.
std::size_t space_size(std::string_view text) {
  const auto byte = [text](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const unsigned first = byte(0);
  if (first < 0x80) return first == ' ' || (first >= 9 && first <= 13) ? 1 : 0;
  if (first == 0xc2) return byte(1) == 0x85 || byte(1) == 0xa0 ? 2 : 0;
  const unsigned rest = byte(1) << 8 | byte(2);
  if (first == 0xe1) return rest == 0x9a80 ? 3 : 0;
  if (first == 0xe2) {
    const bool space = (rest >= 0x8080 && rest <= 0x808a) || rest == 0x80a8 || rest == 0x80a9 || rest == 0x80af || rest == 0x819f;
    return space ? 3 : 0;
  }
  return first == 0xe3 && rest == 0x8080 ? 3 : 0;
}

bool looks_like_json(std::string_view line) {
  std::size_t at = 0;
  while (at < line.size() && line[at] != '{') {
    const std::size_t space = space_size(line.substr(at));
    if (space == 0) return false;
    at += space;
  }
  // From the end Loki goes byte by byte, and takes 0x85 and 0xa0 for the Latin-1 spaces.
  std::size_t end = line.size();
  while (end > at) {
    const auto c = static_cast<unsigned char>(line[end - 1]);
    if (c != ' ' && !(c >= 9 && c <= 13) && c != 0x85 && c != 0xa0) break;
    --end;
  }
  return end > at && line[end - 1] == '}';
}

std::string_view level_of_severity_number(std::string_view text) {
  if (text.starts_with("+") && !text.starts_with("+-")) text.remove_prefix(1);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return "info";
  static constexpr std::array<std::string_view, 6> kWords = {"trace", "debug", "info", "warn", "error", "fatal"};
  if (number == 0 || number > 24) return "unknown";
  return number < 0 ? kWords[0] : kWords[static_cast<std::size_t>(number - 1) / 4];
}

}  // namespace

std::string_view normalize_level(std::string_view value) {
  const std::string_view word = known_level(value);
  return word.empty() ? value : word;
}

std::string_view level_of_labels(std::span<const record::Label> labels) {
  std::optional<int> best;
  std::string_view value;
  for (const record::Label& label : labels) {
    const std::optional<int> rank = level_field_rank(label.name);
    if (!rank || label.value.empty() || (best && *best <= *rank)) continue;
    best = rank;
    value = label.value;
  }
  return normalize_level(value);
}

std::string_view level_of_metadata(std::span<const record::Label> metadata) {
  // Of several names that become the same one, Loki keeps the last that had to be changed.
  struct Value {
    std::string_view text;
    bool renamed = false;
    void take(std::string_view other, bool other_renamed) {
      if (renamed && !other_renamed) return;
      text = other;
      renamed = other_renamed;
    }
  };
  std::optional<int> best;
  Value level;
  Value severity_number;
  std::array<char, 16> buffer;  // as long as any name that matters
  for (const record::Label& entry : metadata) {
    if (entry.value.empty() || entry.name.empty()) continue;
    const char first = static_cast<char>(entry.name[0] | 0x20);
    if (first != 'l' && first != 's') continue;
    const std::string_view name = metadata_name(entry.name, buffer);
    const bool renamed = name != entry.name;
    if (name == "severity_number") severity_number.take(entry.value, renamed);
    const std::optional<int> rank = level_field_rank(name);
    if (!rank || (best && *best < *rank)) continue;
    if (best && *rank < *best) level = Value();
    best = rank;
    level.take(entry.value, renamed);
  }
  if (best) return normalize_level(level.text);
  return severity_number.text.empty() ? std::string_view() : level_of_severity_number(severity_number.text);
}

std::string_view level_of_line(std::string_view line) {
  std::string_view level;
  if (looks_like_json(line)) {
    level = level_in_json(line);
  } else {
    level = level_in_logfmt(line);
  }
  return level.empty() ? keyword_level(line) : level;
}

}  // namespace weir::names
