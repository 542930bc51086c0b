// Steps over JSON text. The grammar is RFC 8259's. The scanner is built for records: nearly every line is one flat object with
// a few keys, and its largest value is a string that no stage reads. Finding the end of a string is the hot loop, with sixteen
// bytes per step.
//
// Text that must be read as Loki reads it is not for this scanner but for gotext/json_reader.h, whose grammar is looser.
#pragma once

#include "base/hex.h"

#include <cstddef>
#include <string_view>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace weir::record {

// A string as it is in the text.
struct JsonString {
  std::string_view data;  // the text between the quotes
  bool escaped = false;   // the text has a backslash
};

struct JsonFailure {
  const char* at;
  std::string_view what;
};

// Throws nothing and allocates nothing. The first failure is kept, and every later call returns false.
class JsonScanner {
 public:
  JsonScanner(std::string_view text, int max_depth) : at_(text.data()), end_(text.data() + text.size()), max_depth_(max_depth) {}

  const char* at_;
  const char* const end_;
  JsonFailure failure{nullptr, {}};
  bool high = false;  // some string has bytes >= 0x80

  bool fail(std::string_view what) {
    if (failure.at == nullptr) failure = {at_, what};
    return false;
  }
  void space() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\r' || *at_ == '\n')) ++at_;
  }
  bool take(char c, std::string_view what) {
    space();
    if (at_ < end_ && *at_ == c) {
      ++at_;
      return true;
    }
    return fail(what);
  }
  bool peek(char c) {
    space();
    return at_ < end_ && *at_ == c;
  }
  // Past `c` if it comes next; anything else is no failure.
  bool accept(char c) {
    if (!peek(c)) return false;
    ++at_;
    return true;
  }
  [[nodiscard]] bool at_end() const { return at_ == end_; }

  // Reads a string. The cursor is at its opening quote.
  bool string(JsonString& out) {
    if (!take('"', "a string is expected")) return false;
    const char* const begin = at_;
    while (true) {
      at_ = special(at_);
      if (at_ >= end_) return fail("the string is not closed");
      const auto byte = static_cast<unsigned char>(*at_);
      if (byte == '"') break;
      if (byte < 0x20) return fail("a control byte in a string");
      out.escaped = true;
      if (end_ - at_ < 2) return fail("the string is not closed");
      if (at_[1] == 'u') {
        if (end_ - at_ < 6) return fail("a bad \\u escape");
        for (int i = 2; i < 6; ++i) {
          if (!base::is_hex_digit(at_[i])) return fail("a bad \\u escape");
        }
        at_ += 6;
      } else {
        if (!simple_escape(at_[1])) return fail("a bad escape");
        at_ += 2;
      }
    }
    out.data = {begin, static_cast<std::size_t>(at_ - begin)};
    ++at_;
    return true;
  }

  // Skips any value without reading it.
  bool skip(int depth = 0) {
    space();
    if (at_ >= end_) return fail("a value is missing");
    switch (*at_) {
      case '"': {
        JsonString ignored;
        return string(ignored);
      }
      case '{':
      case '[': {
        if (depth >= max_depth_) return fail("nested too deep");
        const bool object = *at_ == '{';
        const char close = object ? '}' : ']';
        ++at_;
        if (peek(close)) {
          ++at_;
          return true;
        }
        while (true) {
          if (object) {
            JsonString ignored;
            if (!string(ignored) || !take(':', "a colon is expected")) return false;
          }
          if (!skip(depth + 1)) return false;
          if (peek(',')) {
            ++at_;
            continue;
          }
          return take(close, object ? "a comma or } is expected" : "a comma or ] is expected");
        }
      }
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return number();
    }
  }

  bool word(std::string_view text) {
    space();
    if (std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(text)) {
      at_ += text.size();
      return true;
    }
    return fail("this is not JSON");
  }

  bool number() {
    const char* const begin = at_;
    if (at_ < end_ && *at_ == '-') ++at_;
    const auto run = [this] {
      const char* const first = at_;
      while (at_ < end_ && *at_ >= '0' && *at_ <= '9') ++at_;
      return at_ > first;
    };
    const char* const whole = at_;
    if (!run() || (*whole == '0' && at_ - whole > 1)) {
      at_ = begin;
      return fail("this is not JSON");
    }
    if (at_ < end_ && *at_ == '.') {
      ++at_;
      if (!run()) return fail("a bad number");
    }
    if (at_ < end_ && (*at_ == 'e' || *at_ == 'E')) {
      ++at_;
      if (at_ < end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      if (!run()) return fail("a bad number");
    }
    return true;
  }

 private:
  static constexpr bool simple_escape(char c) {
    return c == '"' || c == '\\' || c == 'n' || c == 't' || c == '/' || c == 'r' || c == 'b' || c == 'f';
  }
  // Finds the next quote, backslash or control byte. Remembers whether it passed a byte >= 0x80.
  const char* special(const char* at) {
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), limit = _mm_set1_epi8(0x1f);
    for (; end_ - at >= 16; at += 16) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
      // A minimum with 0x1f leaves exactly the unsigned bytes <= 0x1f unchanged.
      const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, limit), bytes);
      const __m128i found = _mm_or_si128(control, _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
      const auto mask = static_cast<unsigned>(_mm_movemask_epi8(found));
      if (_mm_movemask_epi8(bytes) != 0) high = true;  // perhaps from text after the string, which does no harm
      if (mask != 0) return at + __builtin_ctz(mask);
    }
#endif
    for (; at < end_; ++at) {
      const auto byte = static_cast<unsigned char>(*at);
      if (byte == '"' || byte == '\\' || byte < 0x20) return at;
      if (byte >= 0x80) high = true;
    }
    return end_;
  }

  const int max_depth_;
};

}  // namespace weir::record
