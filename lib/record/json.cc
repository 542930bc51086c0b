#include "record/json.h"

#include "base/hex.h"
#include "base/utf8.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace weir::record {
namespace {

// Cannot be copied as it is: a control byte, `"`, `\`, or one >= 0x80.
bool is_special(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte >= 0x80 || byte == '"' || byte == '\\';
}

// The first special byte in [at, end).
const char* find_special(const char* at, const char* end) {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(0x20);
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    // Signed comparison: bytes >= 0x80 are negative and so below 0x20 as well.
    const __m128i low = _mm_cmplt_epi8(bytes, space);
    const __m128i special = _mm_or_si128(low, _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
    const int mask = _mm_movemask_epi8(special);
    if (mask != 0) return at + __builtin_ctz(static_cast<unsigned>(mask));
  }
#endif
  while (at < end && !is_special(*at)) ++at;
  return at;
}

#if defined(__SSE2__)
// As find_special(), and copies what stands before it. Writes up to 16 bytes more than it copies.
const char* copy_to_special(char*& out, const char* at, const char* end) {
  const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(0x20);
  for (; end - at >= 16; at += 16, out += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), bytes);
    const __m128i low = _mm_cmplt_epi8(bytes, space);
    const __m128i special = _mm_or_si128(low, _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(special));
    if (mask != 0) {
      const int clean = __builtin_ctz(mask);
      out += clean;
      return at + clean;
    }
  }
  return at;
}
#endif

char* copy_bytes(char* out, const char* from, const char* to) {
  const auto size = static_cast<std::size_t>(to - from);
  if (size != 0) std::memcpy(out, from, size);
  return out + size;
}

constexpr char kHex[] = "0123456789abcdef";

// Writes the escaped form of [at, stop); sequences that begin before `stop` may be read up to `end`. Returns where it stopped. The
// output has six bytes of room for each byte.
const char* escape(char*& out, const char* at, const char* stop, const char* end) {
  while (at < stop) {
#if defined(__SSE2__)
    // Lines of JSON have a quote every few bytes: a call of memcpy for each piece would take most of the time.
    at = copy_to_special(out, at, stop);
    const char* special = at;
    while (special < stop && !is_special(*special)) ++special;
#else
    const char* special = find_special(at, stop);
#endif
    out = copy_bytes(out, at, special);
    at = special;
    if (at >= stop) break;
    const auto byte = static_cast<unsigned char>(*at);
    if (byte >= 0x80) {
      const std::size_t size = base::utf8_sequence(at, end);
      if (size != 0) {
        out = copy_bytes(out, at, at + size);
        at += size;
        continue;
      }
      std::memcpy(out, "\\udc", 4);
      out[4] = kHex[byte >> 4];
      out[5] = kHex[byte & 15];
      out += 6;
      ++at;
      continue;
    }
    *out++ = '\\';
    switch (byte) {
      case '"':
        *out++ = '"';
        break;
      case '\\':
        *out++ = '\\';
        break;
      case '\b':
        *out++ = 'b';
        break;
      case '\f':
        *out++ = 'f';
        break;
      case '\n':
        *out++ = 'n';
        break;
      case '\r':
        *out++ = 'r';
        break;
      case '\t':
        *out++ = 't';
        break;
      default:
        std::memcpy(out, "u00", 3);
        out[3] = kHex[byte >> 4];
        out[4] = kHex[byte & 15];
        out += 5;
    }
    ++at;
  }
  return at;
}

unsigned hex4(const char* at) {
  unsigned value = 0;
  for (int i = 0; i < 4; ++i) value = value << 4 | static_cast<unsigned>(base::hex_digit(at[i]));
  return value;
}

}  // namespace

void append_escaped(std::string& out, std::string_view bytes) {
  // Through a buffer on the stack: a std::string cannot grow without being filled first.
  constexpr std::size_t kSlice = 1024;
  char buffer[kSlice * 6 + 8];
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  while (at < end) {
    const char* stop = static_cast<std::size_t>(end - at) > kSlice ? at + kSlice : end;
    char* to = buffer;
    at = escape(to, at, stop, end);
    out.append(buffer, static_cast<std::size_t>(to - buffer));
  }
}

void append_json_string(std::string& out, std::string_view bytes) {
  out += '"';
  append_escaped(out, bytes);
  out += '"';
}

std::string json_string(std::string_view bytes) {
  std::string out;
  append_json_string(out, bytes);
  return out;
}

char* write_escaped(char* out, std::string_view bytes) {
  const char* const end = bytes.data() + bytes.size();
  escape(out, bytes.data(), end, end);
  return out;
}

std::size_t unescape(char* out, std::string_view escaped) {
  char* const begin = out;
  const char* at = escaped.data();
  const char* const end = at + escaped.size();
  while (at < end) {
    const auto* backslash = static_cast<const char*>(std::memchr(at, '\\', static_cast<std::size_t>(end - at)));
    if (backslash == nullptr) backslash = end;
    out = copy_bytes(out, at, backslash);
    at = backslash;
    if (at + 1 >= end) break;
    const char kind = at[1];
    at += 2;
    switch (kind) {
      case 'b':
        *out++ = '\b';
        continue;
      case 'f':
        *out++ = '\f';
        continue;
      case 'n':
        *out++ = '\n';
        continue;
      case 'r':
        *out++ = '\r';
        continue;
      case 't':
        *out++ = '\t';
        continue;
      case 'u':
        break;
      default:
        *out++ = kind;
        continue;
    }
    if (end - at < 4) break;
    unsigned code = hex4(at);
    at += 4;
    if (code >= 0xd800 && code < 0xdc00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
      const unsigned low = hex4(at + 2);
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10 | (low - 0xdc00));
        at += 6;
      }
    }
    if (code >= 0xdc80 && code <= 0xdcff) {
      *out++ = static_cast<char>(code & 0xff);  // a byte that is not UTF-8
    } else {
      out = base::write_utf8(out, code);
    }
  }
  return static_cast<std::size_t>(out - begin);
}

bool may_be_escaped(std::string_view bytes) {
  return std::any_of(bytes.begin(), bytes.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\' || c == '/'; });
}

bool is_clean(std::string_view bytes) {
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  while ((at = find_special(at, end)) < end) {
    if (static_cast<unsigned char>(*at) < 0x80) return false;
    const std::size_t size = base::utf8_sequence(at, end);
    if (size == 0) return false;
    at += size;
  }
  return true;
}

}  // namespace weir::record
