// How one verb of Go's fmt prints a value.
#pragma once

#include "base/utf8.h"
#include "gotemplate/value.h"
#include "gotemplate/verb_text.h"
#include "gotext/go_time.h"
#include "gotext/quantity.h"
#include "gotext/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace weir::gotemplate {

// What stands between the percent sign and the verb.
struct Flags {
  bool minus = false;
  bool plus = false;
  bool sharp = false;
  bool space = false;
  bool zero = false;
  bool go_syntax = false;  // %#v
  std::optional<int> width;
  std::optional<int> precision;
};

// Prints one value by one verb of Go's fmt.
class Printer {
 public:
  explicit Printer(std::string& out, std::size_t limit = std::string::npos) : out_(out), limit_(limit) {}
  Flags flags;

  void argument(const Value& value, char32_t verb) {
    if (value.is_nothing()) {
      if (verb == 'v' || verb == 'T')
        pad("<nil>");
      else
        bad_verb(verb, nullptr);
      return;
    }
    if (verb == 'T') return string_of(type_name(value));
    if (verb == 'p') return bad_verb(verb, &value);
    one(value, verb);
  }
  void bad_number(char32_t verb) { complain(verb, "(BADINDEX)"); }
  void missing(char32_t verb) { complain(verb, "(MISSING)"); }

 private:
  void complain(char32_t verb, std::string_view what) {
    out_ += "%!";
    base::append_utf8(out_, verb);
    out_ += what;
  }

  void bad_verb(char32_t verb, const Value* value) {
    complain(verb, "(");
    if (value == nullptr) {
      out_ += "<nil>";
    } else {
      out_ += type_name(*value);
      out_ += '=';
      complaining_ = true;
      one(*value, 'v');
      complaining_ = false;
    }
    out_ += ')';
  }

  void one(const Value& value, char32_t verb) {
    if (value.kind >= Value::Kind::duration && stringer(value, verb)) return;
    switch (value.kind) {
      case Value::Kind::absent:
      case Value::Kind::nil:
        out_ += flags.go_syntax ? "interface {}(nil)" : "<nil>";
        return;
      case Value::Kind::boolean:
        if (verb == 't' || verb == 'v') return pad(value.boolean ? "true" : "false");
        return bad_verb(verb, &value);
      case Value::Kind::integer:
      case Value::Kind::integer64:
      case Value::Kind::byte:
      case Value::Kind::duration:
      case Value::Kind::month:
      case Value::Kind::weekday:
        return integer(value, verb);
      case Value::Kind::real:
        return real(value, verb);
      case Value::Kind::text:
        return text(value.text, verb, value);
      case Value::Kind::time:
      case Value::Kind::location:
        return bad_verb(verb, &value);
      case Value::Kind::list:
        return list(value, verb);
      case Value::Kind::map:
        return map(value, verb);
    }
  }

  // Types that have a String method.
  bool stringer(const Value& value, char32_t verb) {
    std::string text;
    if (value.kind == Value::Kind::time && flags.go_syntax) {
      string_of(gotext::go_syntax_of(*value.time));
      return true;
    }
    const bool number = value.kind <= Value::Kind::weekday;
    if (flags.go_syntax || (complaining_ && number) || std::u32string_view(U"vsxXq").find(verb) == std::u32string_view::npos)
      return false;
    switch (value.kind) {
      case Value::Kind::duration:
        text = gotext::print_go_duration(value.integer);
        break;
      case Value::Kind::month:
        text = gotext::month_name(value.integer);
        break;
      case Value::Kind::weekday:
        text = gotext::weekday_name(value.integer);
        break;
      case Value::Kind::time:
        text = gotext::format(*value.time, gotext::kGoTimeString);
        break;
      case Value::Kind::location:
        text = value.time->zone == nullptr ? "UTC" : value.time->zone->name();
        break;
      default:
        return false;
    }
    this->text(text, verb, value);
    return true;
  }

  // ---- strings

  void pad(std::string_view text, bool may_zero = true) {
    const std::size_t size = flags.width ? count_characters(text) : 0;
    const auto width = static_cast<std::size_t>(flags.width.value_or(0));
    if (size >= width) {
      out_ += text;
      return;
    }
    const char blank = flags.zero && may_zero && !flags.minus ? '0' : ' ';
    if (!flags.minus) out_.append(width - size, blank);
    out_ += text;
    if (flags.minus) out_.append(width - size, ' ');
  }
  [[nodiscard]] std::string_view cut(std::string_view text) const {
    if (!flags.precision) return text;
    std::size_t end = 0;
    for (int i = 0; i < *flags.precision && end < text.size(); ++i)
      end += std::max<std::size_t>(base::utf8_length(text.substr(end)), 1);
    return text.substr(0, end);
  }
  void string_of(std::string_view text) { pad(cut(text)); }

  void text(std::string_view text, char32_t verb, const Value& value) {
    switch (verb) {
      case 'v':
        return flags.go_syntax ? quote(text) : string_of(text);
      case 's':
        return string_of(text);
      case 'x':
      case 'X':
        return hex(text, verb == 'X');
      case 'q':
        return quote(text);
      default:
        return bad_verb(verb, &value);
    }
  }
  void quote(std::string_view text) {
    text = cut(text);
    if (flags.sharp && can_stand_in_backquotes(text)) return pad(fmt::format("`{}`", text));
    pad(quoted(text, '"', flags.plus));
  }
  void hex(std::string_view text, bool upper) {
    if (flags.precision && static_cast<std::size_t>(*flags.precision) < text.size())
      text = text.substr(0, static_cast<std::size_t>(*flags.precision));
    const std::string_view prefix = upper ? "0X" : "0x";
    const std::string_view digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (flags.space && i > 0) out += ' ';
      if (flags.sharp && (flags.space || i == 0)) out += prefix;
      out += digits[static_cast<unsigned char>(text[i]) >> 4];
      out += digits[static_cast<unsigned char>(text[i]) & 15];
    }
    pad(out);
  }

  // ---- numbers

  void integer(const Value& value, char32_t verb) {
    const auto bits = static_cast<std::uint64_t>(value.integer);
    switch (verb) {
      case 'v':
        if (flags.go_syntax && value.kind == Value::Kind::byte) {
          const bool sharp = std::exchange(flags.sharp, true);
          digits(value.integer, 16, verb);
          flags.sharp = sharp;
          return;
        }
        return digits(value.integer, 10, verb);
      case 'd':
        return digits(value.integer, 10, verb);
      case 'b':
        return digits(value.integer, 2, verb);
      case 'o':
      case 'O':
        return digits(value.integer, 8, verb);
      case 'x':
      case 'X':
        return digits(value.integer, 16, verb);
      case 'c':
      case 'q': {
        std::string character;
        base::append_utf8(character, bits > 0x10ffff ? base::kReplacement : static_cast<char32_t>(bits));
        return pad(verb == 'c' ? character : quoted(character, '\'', flags.plus));
      }
      case 'U': {
        std::string out = fmt::format("U+{:0{}X}", bits, std::max(flags.precision.value_or(4), 4));
        std::string character;
        if (bits <= 0x10ffff && (bits < 0xd800 || bits > 0xdfff)) base::append_utf8(character, static_cast<char32_t>(bits));
        if (flags.sharp && gotext::is_printable(character)) out += fmt::format(" '{}'", character);
        return pad(out, false);
      }
      default:
        return bad_verb(verb, &value);
    }
  }

  void digits(std::int64_t value, int base, char32_t verb) {
    const bool negative = value < 0;
    const std::uint64_t magnitude = negative ? ~static_cast<std::uint64_t>(value) + 1 : static_cast<std::uint64_t>(value);
    std::size_t least = 0;
    if (flags.precision) {
      least = static_cast<std::size_t>(*flags.precision);
      if (least == 0 && value == 0) return pad("", false);
    } else if (flags.zero && !flags.minus && flags.width) {
      least = static_cast<std::size_t>(*flags.width);
      if (least > 0 && (negative || flags.plus || flags.space)) --least;
    }
    std::string out = base == 10    ? fmt::format("{}", magnitude)
                      : base == 2   ? fmt::format("{:b}", magnitude)
                      : base == 8   ? fmt::format("{:o}", magnitude)
                      : verb == 'X' ? fmt::format("{:X}", magnitude)
                                    : fmt::format("{:x}", magnitude);
    if (out.size() < least) out.insert(0, least - out.size(), '0');
    if (flags.sharp && base == 2) out.insert(0, "0b");
    if (flags.sharp && base == 8 && out[0] != '0') out.insert(0, "0");
    if (flags.sharp && base == 16) out.insert(0, verb == 'X' ? "0X" : "0x");
    if (verb == 'O') out.insert(0, "0o");
    if (negative || flags.plus || flags.space) out.insert(0, 1, negative ? '-' : flags.plus ? '+' : ' ');
    pad(out, false);
  }

  void real(const Value& value, char32_t verb) {
    switch (verb) {
      case 'v':
        return real(value.real, 'g', -1);
      case 'b':
      case 'g':
      case 'G':
      case 'x':
      case 'X':
        return real(value.real, static_cast<char>(verb), -1);
      case 'f':
      case 'e':
      case 'E':
        return real(value.real, static_cast<char>(verb), 6);
      case 'F':
        return real(value.real, 'f', 6);
      default:
        return bad_verb(verb, &value);
    }
  }

  void real(double value, char verb, int precision) {
    precision = flags.precision.value_or(precision);
    std::string out = format_real(value, verb, precision);
    if (out[0] != '-' && out[0] != '+') out.insert(0, "+");
    if (flags.space && out[0] == '+' && !flags.plus) out[0] = ' ';
    if (!std::isfinite(value)) {
      if (std::isnan(value) && !flags.space && !flags.plus) out.erase(0, 1);
      return pad(out, false);
    }
    if (flags.sharp && verb != 'b') keep_zeros(out, verb, precision);
    if (!flags.plus && out[0] == '+') return pad(std::string_view(out).substr(1));
    const auto width = static_cast<std::size_t>(flags.width.value_or(0));
    if (flags.zero && !flags.minus && width > out.size()) {
      out_ += out[0];
      out_.append(width - out.size(), '0');
      out_ += std::string_view(out).substr(1);
      return;
    }
    pad(out);
  }

  // The sharp flag: always a point, and with 'g' all digits of the precision.
  static void keep_zeros(std::string& out, char verb, int precision) {
    int digits = verb == 'g' || verb == 'G' || verb == 'x' ? (precision == -1 ? 6 : precision) : 0;
    const bool hex = verb == 'x' || verb == 'X';
    const std::size_t exponent = out.find_first_of(hex ? "pP" : "eE");
    const std::string tail = exponent == std::string::npos ? "" : out.substr(exponent);
    if (exponent != std::string::npos) out.resize(exponent);
    bool significant = false;
    for (const char c : std::string_view(out).substr(1)) {
      if (c == '.') continue;
      significant = significant || c != '0';
      if (significant) --digits;
    }
    if (out.find('.') == std::string::npos) {
      if (out.size() == 2 && out[1] == '0') --digits;
      out += '.';
    }
    if (digits > 0) out.append(static_cast<std::size_t>(digits), '0');
    out += tail;
  }

  // ---- collections

  void list(const Value& value, char32_t verb) {
    const bool go = flags.go_syntax;
    out_ += go ? fmt::format("{}{{", type_name(value)) : "[";
    bool first = true;
    for (const Value& element : *value.list) {
      if (!std::exchange(first, false)) out_ += go ? ", " : " ";
      if (out_.size() > limit_) return;
      one(element, verb);
    }
    out_ += go ? '}' : ']';
  }
  void map(const Value& value, char32_t verb) {
    const bool go = flags.go_syntax;
    out_ += go ? fmt::format("{}{{", type_name(value)) : "map[";
    bool first = true;
    for (const auto& [name, element] : *value.map) {
      if (!std::exchange(first, false)) out_ += go ? ", " : " ";
      text(name, verb, Value::of(std::string_view(name)));
      out_ += ':';
      if (out_.size() > limit_) return;
      one(element, verb);
    }
    out_ += go ? '}' : ']';
  }

  std::string& out_;
  bool complaining_ = false;  // about a verb: Go calls no String method then
  std::size_t limit_;         // what is longer is not printed on
};

}  // namespace weir::gotemplate
