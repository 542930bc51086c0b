// Both searches stop where Loki's do: what stands before a malformed place counts, what stands behind it does not.
//
// The JSON search is apart from record/json_scanner.h, which is strict: here a line that is cut off or wrong behind the field still
// has a level. It is as lenient as gotext/json_reader.h, which stands beside this module and not below it, and gathers values; this
// one runs over every line that enrich sees, so it only looks for the field and copies nothing.
#include "names/level_fields.h"

#include "base/hex.h"
#include "names/logfmt_scanner.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace weir::names {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

// The first of up to three bytes at or after `from`.
std::size_t find_any(std::string_view text, std::size_t from, char a, char b, char c) {
#ifdef __SSE2__
  const __m128i first = _mm_set1_epi8(a);
  const __m128i second = _mm_set1_epi8(b);
  const __m128i third = _mm_set1_epi8(c);
  for (; from + 16 <= text.size(); from += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + from));
    const __m128i hit =
        _mm_or_si128(_mm_cmpeq_epi8(block, first), _mm_or_si128(_mm_cmpeq_epi8(block, second), _mm_cmpeq_epi8(block, third)));
    if (const int mask = _mm_movemask_epi8(hit); mask != 0) return from + static_cast<std::size_t>(__builtin_ctz(mask));
  }
#endif
  for (; from < text.size(); ++from) {
    if (text[from] == a || text[from] == b || text[from] == c) return from;
  }
  return kNone;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

bool equal_fold(std::string_view text, std::string_view lower_case) {
  if (text.size() != lower_case.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (lower(text[i]) != lower_case[i]) return false;
  }
  return true;
}

// The code unit of `\uXXXX` at `at`, -1 when there is none.
int escaped_unit(std::string_view text, std::size_t at) {
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return -1;
  int unit = 0;
  for (std::size_t i = at + 2; i < at + 6; ++i) {
    const int digit = base::hex_digit(text[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

bool is_surrogate(int unit) { return unit >= 0xd800 && unit <= 0xdfff; }

// What an escaped name or value decodes to, as far as it can matter: no name and no word has more than 13 bytes or one that
// is not ASCII.
class ShortWord {
 public:
  void add(char c) {
    if (size_ < bytes_.size()) bytes_[size_] = c;
    ++size_;
  }
  void add_unit(int unit) { add(unit < 0x80 ? static_cast<char>(unit) : '\x80'); }
  [[nodiscard]] std::string_view view() const { return size_ <= bytes_.size() ? std::string_view(bytes_.data(), size_) : ""; }

 private:
  std::array<char, 16> bytes_{};
  std::size_t size_ = 0;
};

// Decodes the inside of a JSON string as the parser that Loki uses does: false where that refuses the escape.
bool decode_json_name(std::string_view escaped, ShortWord& out) {
  for (std::size_t i = 0; i < escaped.size();) {
    if (escaped[i] != '\\') {
      out.add(escaped[i++]);
      continue;
    }
    if (i + 1 >= escaped.size()) return false;
    switch (escaped[i + 1]) {
      case '"':
      case '\\':
      case '/':
        out.add(escaped[i + 1]);
        i += 2;
        break;
      case 'b':
      case 'f':
      case 'n':
      case 'r':
      case 't':
        out.add('\n');
        i += 2;
        break;
      case 'u': {
        const int unit = escaped_unit(escaped, i);
        if (unit < 0) return false;
        i += 6;
        if (is_surrogate(unit)) {
          const std::size_t low = i;  // that parser looks only at the digits here
          if (low + 6 > escaped.size()) return false;
          int second = 0;
          for (std::size_t k = low + 2; k < low + 6; ++k) {
            const int digit = base::hex_digit(escaped[k]);
            if (digit < 0) return false;
            second = second * 16 + digit;
          }
          if (second < 0xdc00) return false;
          i += 6;
        }
        out.add_unit(unit);
        break;
      }
      default:
        return false;
    }
  }
  return true;
}

bool is_json_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

class JsonFields {
 public:
  // False when the search is over: a field was found (in `value`) or the text is malformed.
  bool search(std::string_view object, int depth);
  std::string_view value;

 private:
  static constexpr int kMaxDepth = 2;

  static std::size_t skip_space(std::string_view text, std::size_t at) {
    while (at < text.size() && is_json_space(text[at])) ++at;
    return at;
  }

  // The offset of the quote that ends the string whose inside begins at `at`.
  static std::size_t string_end(std::string_view text, std::size_t at, bool& escaped) {
    escaped = false;
    while ((at = find_any(text, at, '"', '\\', '"')) != kNone) {
      if (text[at] == '"') return at;
      escaped = true;
      at += 2;
    }
    return kNone;
  }

  // The offset behind the object or array that begins at `at`. Only its own kind of bracket is counted.
  static std::size_t block_end(std::string_view text, std::size_t at, char open, char close) {
    int level = 0;
    while ((at = find_any(text, at, open, close, '"')) != kNone) {
      if (text[at] == '"') {
        bool escaped;
        at = string_end(text, at + 1, escaped);
        if (at == kNone) return kNone;
      } else if (text[at] == open) {
        ++level;
      } else if (--level == 0) {
        return at + 1;
      }
      ++at;
    }
    return kNone;
  }

  // The offset behind the number or literal at `at`, kNone when it is neither.
  static std::size_t scalar_end(std::string_view text, std::size_t at) {
    std::size_t end = at;
    while (end < text.size() && !is_json_space(text[end]) && text[end] != ',' && text[end] != '}' && text[end] != ']') ++end;
    const char c = text[at];
    if ((c >= '0' && c <= '9') || c == '-') return end;
    const std::string_view word = text.substr(at, end - at);
    return word == "true" || word == "false" || word == "null" ? end : kNone;
  }

  static bool is_level_name(std::string_view name, bool escaped, bool& malformed) {
    if (!escaped) return level_field_rank(name).has_value();
    ShortWord decoded;
    malformed = !decode_json_name(name, decoded);
    return !malformed && level_field_rank(decoded.view()).has_value();
  }
};

bool JsonFields::search(std::string_view text, int depth) {
  if (depth >= kMaxDepth) return true;
  std::size_t at = skip_space(text, 0);
  if (at >= text.size() || text[at] != '{') return false;
  at = skip_space(text, at + 1);
  while (at < text.size()) {
    if (text[at] == '}') return true;
    if (text[at] != '"') return false;
    bool escaped;
    const std::size_t name = at + 1;
    std::size_t end = string_end(text, name, escaped);
    if (end == kNone) return false;
    bool malformed = false;
    const bool wanted = is_level_name(text.substr(name, end - name), escaped, malformed);
    if (malformed) return false;
    at = skip_space(text, end + 1);
    if (at >= text.size() || text[at] != ':') return false;
    at = skip_space(text, at + 1);
    if (at >= text.size()) return false;

    if (text[at] == '"') {
      end = string_end(text, at + 1, escaped);
      if (end == kNone) return false;
      if (wanted) {
        value = text.substr(at + 1, end - at - 1);
        return false;
      }
      ++end;
    } else if (text[at] == '{') {
      end = block_end(text, at, '{', '}');
      if (end == kNone || !search(text.substr(at, end - at), depth + 1)) return false;
    } else if (text[at] == '[') {
      end = block_end(text, at, '[', ']');
      if (end == kNone) return false;
    } else {
      end = scalar_end(text, at);
      if (end == kNone) return false;
    }

    at = skip_space(text, end);
    if (at >= text.size()) return false;
    if (text[at] == '}') return true;
    if (text[at] != ',') return false;
    at = skip_space(text, at + 1);
  }
  return false;
}

// The value of the pair at hand, decoded as far as it can matter; false where Loki refuses an escape.
bool decode_logfmt_value(std::string_view value, ShortWord& out) {
  for (std::size_t i = 0; i < value.size();) {
    if (value[i] != '\\') {
      out.add(value[i++]);
      continue;
    }
    switch (value[i + 1]) {  // the quote that ended the value was not escaped, so a backslash has a byte behind it
      case '"':
      case '\\':
      case '/':
      case '\'':
        out.add(value[i + 1]);
        i += 2;
        break;
      case 'b':
      case 'f':
      case 'n':
      case 'r':
      case 't':
        out.add('\n');
        i += 2;
        break;
      case 'u': {
        const int unit = escaped_unit(value, i);
        if (unit < 0) return false;
        i += 6;
        if (unit >= 0xd800 && unit <= 0xdbff) {
          if (const int low = escaped_unit(value, i); low >= 0xdc00 && low <= 0xdfff) i += 6;
        }
        out.add_unit(unit);
        break;
      }
      default:
        return false;
    }
  }
  return true;
}

// Names in any case: the first rank of each group of spellings. Unicode knows two small letters with the capital S.
std::optional<int> logfmt_rank(std::string_view key) {
  static constexpr std::string_view kLongS = "\xc5\xbf";
  if (key.starts_with(kLongS) && key.size() <= 14) {
    std::array<char, 13> plain{'s'};
    return logfmt_rank({plain.data(), 1 + key.substr(kLongS.size()).copy(plain.data() + 1, plain.size() - 1)});
  }
  switch (key.size()) {
    case 3:
      return equal_fold(key, "lvl") ? level_field_rank("lvl") : std::nullopt;
    case 5:
      return equal_fold(key, "level") ? level_field_rank("level") : std::nullopt;
    case 8:
      return equal_fold(key, "severity") ? level_field_rank("severity") : std::nullopt;
    case 9:
      return equal_fold(key, "log.level") ? level_field_rank("log.level") : std::nullopt;
    case 12:
      return equal_fold(key, "severitytext") ? level_field_rank("SeverityText") : std::nullopt;
    case 13:
      return equal_fold(key, "severity_text") ? level_field_rank("severity_text") : std::nullopt;
    default:
      return std::nullopt;
  }
}

// False when no `=` has behind it what could be one of the names: then the line need not be read as logfmt at all.
bool may_have_level_key(std::string_view line) {
  for (std::size_t at = line.find('=', 1); at != kNone; at = line.find('=', at + 1)) {
    const char last = static_cast<char>(line[at - 1] | 0x20);
    if (last != 'l' && last != 'y' && last != 't') continue;
    if (at >= 3 && equal_fold(line.substr(at - 3, 3), "vel")) return true;
    if (at >= 3 && equal_fold(line.substr(at - 3, 3), "lvl")) return true;
    if (at >= 3 && equal_fold(line.substr(at - 3, 3), "ity")) return true;
    if (at >= 3 && equal_fold(line.substr(at - 3, 3), "ext")) return true;
  }
  return false;
}

}  // namespace

std::optional<int> level_field_rank(std::string_view name) {
  static constexpr std::array<std::string_view, 14> kNames = {
      "level",        "LEVEL", "Level", "log.level", "severity",      "SEVERITY",      "Severity",
      "SeverityText", "lvl",   "LVL",   "Lvl",       "severity_text", "Severity_Text", "SEVERITY_TEXT"};
  if (name.size() < 3 || name.size() > 13 ||
      (name[0] | 0x20) != (name.size() == 5 || name.size() == 9 || name.size() == 3 ? 'l' : 's')) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames[i]) return static_cast<int>(i);
  }
  return std::nullopt;
}

std::string_view known_level(std::string_view value) {
  struct Spelling {
    std::string_view text, word;
  };
  static constexpr std::array<Spelling, 14> kSpellings = {{{"info", "info"},
                                                           {"error", "error"},
                                                           {"warn", "warn"},
                                                           {"debug", "debug"},
                                                           {"warning", "warn"},
                                                           {"trace", "trace"},
                                                           {"fatal", "fatal"},
                                                           {"err", "error"},
                                                           {"critical", "critical"},
                                                           {"inf", "info"},
                                                           {"wrn", "warn"},
                                                           {"dbg", "debug"},
                                                           {"trc", "trace"},
                                                           {"information", "info"}}};
  if (value.size() < 3 || value.size() > 11) return {};
  for (const Spelling& spelling : kSpellings) {
    if (equal_fold(value, spelling.text)) return spelling.word;
  }
  return {};
}

std::string_view level_in_json(std::string_view line) {
  JsonFields fields;
  static_cast<void>(fields.search(line, 0));
  return known_level(fields.value);
}

std::string_view level_in_logfmt(std::string_view line) {
  if (!may_have_level_key(line)) return {};
  LogfmtScanner fields(line);
  std::optional<int> best;
  std::string_view level;
  while (fields.next()) {
    ShortWord decoded;
    if (fields.escaped && !decode_logfmt_value(fields.value, decoded)) break;
    const std::optional<int> rank = logfmt_rank(fields.key);
    if (!rank || (best && *best <= *rank)) continue;
    best = rank;
    level = known_level(fields.escaped ? decoded.view() : fields.value);
    if (*rank == 0) break;
  }
  return level;
}

}  // namespace weir::names
