#include "show/columns.h"

#include "base/utf8.h"
#include "base/visible.h"

#include <wchar.h>

#include <locale.h>
#include <algorithm>

namespace weir::show {
namespace {

constexpr char32_t kJoiner = 0x200d, kEmojiStyle = 0xfe0f, kFirstEmoji = 0x1f000;

// wcwidth() goes by the locale of its thread. C.UTF-8 is part of libc itself.
class Utf8Characters {
 public:
  Utf8Characters() : before_(::uselocale(locale())) {}
  ~Utf8Characters() { ::uselocale(before_); }
  Utf8Characters(const Utf8Characters&) = delete;
  Utf8Characters& operator=(const Utf8Characters&) = delete;

  // Of a character that this C library does not know yet: the most it may take.
  [[nodiscard]] static std::size_t columns(char32_t character) {
    const int known = ::wcwidth(static_cast<wchar_t>(character));
    if (known >= 0) return static_cast<std::size_t>(known);
    return character >= kFirstEmoji ? 2 : 1;
  }

 private:
  static locale_t locale() {
    static const locale_t utf8 = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return utf8;
  }
  locale_t before_;
};

bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace

std::size_t columns_of(std::string_view text) { return head_of(text, text.size() * 2).columns; }

Head head_of(std::string_view text, std::size_t columns) {
  if (is_plain(text)) {
    const std::size_t size = std::min(text.size(), columns);
    return {size, size};
  }
  const Utf8Characters characters;
  Head whole;  // up to the last character that is complete
  Head at;
  bool joined = false;
  std::size_t last = 0;
  while (at.bytes < text.size()) {
    std::size_t length = 0;
    const char32_t character = base::decode_utf8(text.substr(at.bytes), length);
    std::size_t width = characters.columns(character);
    if (character == kEmojiStyle && last == 1) width = 1;  // some terminals then show the character before it in two columns
    const bool begins = width > 0 && !joined && character != kEmojiStyle;
    if (begins) whole = at;
    if (at.columns + width > columns) return whole;
    joined = character == kJoiner;
    last = width;
    at.bytes += length;
    at.columns += width;
  }
  return at;
}

std::string cut_to(std::string_view text, std::size_t columns, std::string_view mark) {
  if (head_of(text, columns).bytes == text.size()) return std::string(text);
  const Head head = head_of(text, columns - std::min(columns, columns_of(mark)));
  return std::string(text.substr(0, head.bytes)).append(mark);
}

std::string cut_middle(std::string_view text, std::size_t columns, std::string_view mark) {
  if (head_of(text, columns).bytes == text.size()) return std::string(text);
  const std::size_t room = columns - std::min(columns, columns_of(mark));
  const Head head = head_of(text, (room + 1) / 2);
  const std::size_t rest = room - head.columns;
  // The longest tail that fits. No character of interest takes more bytes a column than this.
  constexpr std::size_t kMostBytes = 8;
  std::size_t begin = std::max(head.bytes, text.size() - std::min(text.size(), rest * kMostBytes));
  while (begin < text.size() && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80) ++begin;
  while (begin < text.size() && columns_of(text.substr(begin)) > rest) {
    std::size_t step = 0;
    for (std::size_t width = 1; step == 0; width *= 2) step = head_of(text.substr(begin), width).bytes;
    begin += step;
  }
  return std::string(text.substr(0, head.bytes)).append(mark).append(text.substr(begin));
}

std::string_view without_colors(std::string_view text, std::string& scratch) {
  constexpr std::string_view kBegin = "\x1b[";
  std::size_t from = 0;  // of what is not copied yet
  scratch.clear();
  for (std::size_t at = text.find(kBegin); at != std::string_view::npos; at = text.find(kBegin, at + 1)) {
    const std::size_t end = text.find_first_not_of("0123456789;:", at + kBegin.size());
    if (end == std::string_view::npos) break;
    if (text[end] != 'm') continue;
    scratch += text.substr(from, at - from);
    from = end + 1;
    at = end;
  }
  if (from == 0) return text;
  scratch += text.substr(from);
  return scratch;
}

std::string visible(std::string_view text) {
  std::string out;
  base::append_visible(out, text, [&out](std::string_view rest) -> std::size_t {
    if (rest[0] != '\t') return 0;
    out += "  ";
    return 1;
  });
  return out;
}

}  // namespace weir::show
