#include "names/label_name.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace weir::names {
namespace {

constexpr std::size_t kNamedBytes = 100;  // of a name, in hexadecimal

constexpr std::string_view kHexDigits = "0123456789abcdef";
static_assert(max_metadata_name(0) >= kUnnamed.size() + 1 + 2 * kNamedBytes && max_metadata_name(0) >= 4);

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool letter_or_digit(char c) { return is_name_byte(c) && c != '_'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

// Loki keeps two underscores at either end where both have them.
bool is_reserved(std::string_view name) { return name.size() >= 4 && name.starts_with("__") && name.ends_with("__"); }

}  // namespace

bool is_label_name(std::string_view name) {
  return !name.empty() && !is_digit(name.front()) && std::all_of(name.begin(), name.end(), is_name_byte);
}

bool is_metadata_name(std::string_view name) {
  // Most names are plain: without two underscores in a row.
  if (name.empty() || is_digit(name[0])) return false;
  if (is_reserved(name)) name = name.substr(2, name.size() - 4);
  bool underscore = false;
  bool other = false;
  for (const char c : name) {
    if (c == '_') {
      if (underscore) return false;
      underscore = true;
    } else if (letter_or_digit(c)) {
      underscore = false;
      other = true;
    } else {
      return false;
    }
  }
  return other;
}

std::string_view metadata_name(std::string_view name, std::span<char> room) {
  if (is_metadata_name(name)) return name;
  std::size_t size = 0;
  const auto put = [&](std::string_view text) {
    if (room.size() - size < text.size()) return false;
    std::memcpy(room.data() + size, text.data(), text.size());
    size += text.size();
    return true;
  };
  const bool reserved = is_reserved(name);
  const std::string_view inner = reserved ? name.substr(2, name.size() - 4) : name;
  if (std::none_of(inner.begin(), inner.end(), letter_or_digit)) {
    bool fits = put(kUnnamed) && (name.empty() || put("_"));
    for (const char c : name.substr(0, kNamedBytes)) {
      const auto byte = static_cast<unsigned char>(c);
      const std::array<char, 2> digits = {kHexDigits[byte >> 4], kHexDigits[byte & 15]};
      fits = fits && put({digits.data(), digits.size()});
    }
    return fits ? std::string_view(room.data(), size) : std::string_view();
  }
  if ((reserved && !put("__")) || (is_digit(name[0]) && !put("key_"))) return {};
  bool underscore = false;
  for (const char c : inner) {
    const bool other = !letter_or_digit(c);
    if (other && underscore) continue;
    underscore = other;
    if (!put(other ? "_" : std::string_view(&c, 1))) return {};
  }
  if (reserved && !put("__")) return {};
  return {room.data(), size};
}

std::string metadata_name(std::string_view name) {
  std::string room(max_metadata_name(name.size()), '\0');
  return std::string(metadata_name(name, room));
}

bool is_keyword(std::string_view name) {
  return std::any_of(kKeywords.begin(), kKeywords.end(), [name](std::string_view keyword) {
    return std::equal(name.begin(), name.end(), keyword.begin(), keyword.end(), [](char a, char b) { return lower(a) == b; });
  });
}

}  // namespace weir::names
