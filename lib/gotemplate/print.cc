#include "gotemplate/print.h"

#include "base/utf8.h"
#include "gotext/quantity.h"
#include "gotext/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace weir::gotemplate {
namespace {

using Kind = Value::Kind;

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

std::size_t characters(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++count) i += std::max<std::size_t>(base::utf8_length(text.substr(i)), 1);
  return count;
}

// strconv.QuoteToASCII, and of single characters QuoteRune.
std::string quoted(std::string_view text, char quote, bool ascii) {
  std::string out(1, quote);
  for (std::size_t i = 0; i < text.size();) {
    std::size_t length = 0;
    const char32_t c = base::decode_utf8(text.substr(i), length);
    const std::string_view character = text.substr(i, length);
    const bool broken = c == base::kReplacement && length == 1;
    i += length;
    constexpr std::string_view kSpecial = "\a\b\f\n\r\t\v\\";
    constexpr std::string_view kNames = "abfnrtv\\";
    if (broken) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(character[0]));
    } else if (c == static_cast<char32_t>(quote)) {
      out += {'\\', quote};
    } else if (c < 0x80 && kSpecial.find(static_cast<char>(c)) != std::string_view::npos) {
      out += {'\\', kNames[kSpecial.find(static_cast<char>(c))]};
    } else if ((c < 0x80 || !ascii) && gotext::is_printable(character)) {
      out += character;
    } else if (c < ' ' || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<std::uint32_t>(c));
    } else if (c < 0x10000) {
      out += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c));
    } else {
      out += fmt::format("\\U{:08x}", static_cast<std::uint32_t>(c));
    }
  }
  return out + quote;
}

// strconv.CanBackquote
bool can_stand_in_backquotes(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    std::size_t length = 0;
    const char32_t c = base::decode_utf8(text.substr(i), length);
    if (length == 1 && (c == base::kReplacement || (c < ' ' && c != '\t') || c == '`' || c == 0x7f)) return false;
    if (c == 0xfeff) return false;
    i += length;
  }
  return true;
}

std::string hexadecimal(std::string text, bool upper) {
  // Go writes at least two digits of the exponent.
  const std::size_t exponent = text.find('p');
  if (exponent != std::string::npos && text.size() - exponent == 3) text.insert(exponent + 2, "0");
  if (upper) std::transform(text.begin(), text.end(), text.begin(), [](char c) { return c >= 'a' && c <= 'z' ? c - 32 : c; });
  return text;
}

// strconv.FormatFloat; precision -1: as many digits as the number needs.
std::string format_real(double value, char verb, int precision) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  switch (verb) {
    case 'g':
      return precision < 0 ? gotext::print_float_g(value) : fmt::format("{:.{}g}", value, precision);
    case 'G': {
      std::string text = format_real(value, 'g', precision);
      std::replace(text.begin(), text.end(), 'e', 'E');
      return text;
    }
    case 'f':
      return precision < 0 ? gotext::print_float_f(value) : fmt::format("{:.{}f}", value, precision);
    case 'e':
      return fmt::format("{:.{}e}", value, precision);
    case 'E':
      return fmt::format("{:.{}E}", value, precision);
    case 'b': {
      int exponent = 0;
      const double mantissa = std::frexp(value, &exponent);
      const bool tiny = value != 0 && std::abs(value) < 0x1p-1022;
      const int shift = value == 0 || tiny ? -1074 : exponent - 53;
      const auto digits = static_cast<std::int64_t>(value == 0 ? 0 : tiny ? std::ldexp(value, 1074) : std::ldexp(mantissa, 53));
      return fmt::format("{}{}p{}{}", std::signbit(value) && digits == 0 ? "-" : "", digits, shift < 0 ? "" : "+", shift);
    }
    default:
      return hexadecimal(precision < 0 ? fmt::format("{:a}", value) : fmt::format("{:.{}a}", value, precision), verb == 'X');
  }
}

// One call of Sprintf.
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
      one(*value, 'v');
    }
    out_ += ')';
  }

  void one(const Value& value, char32_t verb) {
    if (value.kind >= Kind::duration && stringer(value, verb)) return;
    switch (value.kind) {
      case Kind::absent:
      case Kind::nil:
        out_ += flags.go_syntax ? "interface {}(nil)" : "<nil>";
        return;
      case Kind::boolean:
        if (verb == 't' || verb == 'v') return pad(value.boolean ? "true" : "false");
        return bad_verb(verb, &value);
      case Kind::integer:
      case Kind::integer64:
      case Kind::byte:
      case Kind::duration:
      case Kind::month:
      case Kind::weekday:
        return integer(value, verb);
      case Kind::real:
        return real(value, verb);
      case Kind::text:
        return text(value.text, verb, value);
      case Kind::time:
      case Kind::location:
        return bad_verb(verb, &value);
      case Kind::list:
        return list(value, verb);
      case Kind::map:
        return map(value, verb);
    }
  }

  // Types that have a String method.
  bool stringer(const Value& value, char32_t verb) {
    std::string text;
    if (value.kind == Kind::time && flags.go_syntax) {
      string_of(gotext::go_syntax_of(*value.time));
      return true;
    }
    if (flags.go_syntax || std::u32string_view(U"vsxXq").find(verb) == std::u32string_view::npos) return false;
    switch (value.kind) {
      case Kind::duration:
        text = gotext::print_go_duration(value.integer);
        break;
      case Kind::month:
        text = gotext::month_name(value.integer);
        break;
      case Kind::weekday:
        text = gotext::weekday_name(value.integer);
        break;
      case Kind::time:
        text = gotext::format(*value.time, gotext::kGoTimeString);
        break;
      case Kind::location:
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
    const std::size_t size = flags.width ? characters(text) : 0;
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
        if (flags.go_syntax && value.kind == Kind::byte) {
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
  std::size_t limit_;  // what is longer is not printed on
};

// Reads a format and the numbers of its arguments.
class Formatter {
 public:
  Formatter(std::string_view format, const std::vector<Value>& arguments, std::size_t first)
      : format_(format), arguments_(arguments), first_(first), count_(arguments.size() - first) {}

  std::string run(std::size_t limit) {
    limit_ = limit;
    while (position_ < format_.size() && out_.size() <= limit) {
      const std::size_t percent = std::min(format_.find('%', position_), format_.size());
      out_ += format_.substr(position_, percent - position_);
      position_ = percent + 1;
      if (percent >= format_.size() || !directive()) break;
    }
    if (!reordered_ && next_ < count_) extra(limit);
    return std::move(out_);
  }

 private:
  [[nodiscard]] char peek() const { return position_ < format_.size() ? format_[position_] : '\0'; }

  bool directive() {
    Printer printer(out_, limit_);
    Flags& flags = printer.flags;
    good_ = true;
    for (;; ++position_) {
      const char c = peek();
      bool* const flag = c == '#'   ? &flags.sharp
                         : c == '0' ? &flags.zero
                         : c == '+' ? &flags.plus
                         : c == '-' ? &flags.minus
                         : c == ' ' ? &flags.space
                                    : nullptr;
      if (flag == nullptr) break;
      *flag = true;
    }
    after_index_ = index();
    if (peek() == '*') {
      ++position_;
      flags.width = star();
      if (!flags.width) out_ += "%!(BADWIDTH)";
      if (flags.width && *flags.width < 0) {
        flags.width = -*flags.width;
        flags.minus = true;
        flags.zero = false;
      }
      after_index_ = false;
    } else {
      flags.width = number();
      if (after_index_ && flags.width) good_ = false;
    }
    if (position_ + 1 < format_.size() && format_[position_] == '.') precision(flags);
    if (!after_index_) after_index_ = index();
    if (position_ >= format_.size()) {
      out_ += "%!(NOVERB)";
      return false;
    }
    std::size_t length = 0;
    const char32_t verb = base::decode_utf8(format_.substr(position_), length);
    position_ += length;
    verb_of(printer, verb);
    return true;
  }

  void precision(Flags& flags) {
    ++position_;
    if (after_index_) good_ = false;
    after_index_ = index();
    if (peek() != '*') {
      flags.precision = number().value_or(0);
      return;
    }
    ++position_;
    flags.precision = star();
    if (flags.precision && *flags.precision < 0) flags.precision.reset();
    if (!flags.precision) out_ += "%!(BADPREC)";
    after_index_ = false;
  }

  void verb_of(Printer& printer, char32_t verb) {
    if (verb == '%') {
      out_ += '%';
    } else if (!good_) {
      printer.bad_number(verb);
    } else if (next_ >= count_) {
      printer.missing(verb);
    } else {
      if (verb == 'v') {
        printer.flags.go_syntax = std::exchange(printer.flags.sharp, false);
        printer.flags.plus = false;
      }
      printer.argument(arguments_[first_ + next_++], verb);
    }
  }

  // [3]
  bool index() {
    if (peek() != '[') return false;
    reordered_ = true;
    const std::size_t close = format_.find(']', position_ + 1);
    if (format_.size() - position_ < 3 || close == std::string_view::npos) {
      ++position_;
      good_ = false;
      return false;
    }
    ++position_;
    const auto value = number();
    const bool whole = value && position_ == close;
    position_ = close + 1;
    if (whole && *value >= 1 && static_cast<std::size_t>(*value) <= count_) {
      next_ = static_cast<std::size_t>(*value) - 1;
      return true;
    }
    good_ = false;
    return whole;
  }

  // A width or precision that an argument gives.
  std::optional<int> star() {
    if (next_ >= count_) return std::nullopt;
    const Value& value = arguments_[first_ + next_++];
    constexpr std::int64_t kMost = 1'000'000;
    if (!value.is_integral() || value.integer > kMost || value.integer < -kMost) return std::nullopt;
    return static_cast<int>(value.integer);
  }

  // A number of a million and more digits the format.
  std::optional<int> number() {
    const std::size_t begin = position_;
    int value = 0;
    for (; peek() >= '0' && peek() <= '9'; ++position_) {
      if (value > 1'000'000) {
        position_ = format_.size();
        return std::nullopt;
      }
      value = value * 10 + (peek() - '0');
    }
    return position_ > begin ? std::optional(value) : std::nullopt;
  }

  void extra(std::size_t limit) {
    out_ += "%!(EXTRA ";
    for (std::size_t i = next_; i < count_ && out_.size() <= limit; ++i) {
      if (i > next_) out_ += ", ";
      const Value& value = arguments_[first_ + i];
      if (value.is_nothing()) {
        out_ += "<nil>";
        continue;
      }
      out_ += type_name(value);
      out_ += '=';
      print_value(out_, value);
    }
    out_ += ')';
  }

  std::string_view format_;
  const std::vector<Value>& arguments_;
  std::size_t first_;
  std::size_t count_;
  std::size_t position_ = 0;
  std::size_t next_ = 0;  // argument
  bool reordered_ = false;
  bool good_ = true;  // the number of the argument
  bool after_index_ = false;
  std::size_t limit_ = 0;
  std::string out_;
};

}  // namespace

void print_value(std::string& out, const Value& value) {
  switch (value.kind) {
    case Value::Kind::text:
      out += value.text;
      return;
    case Value::Kind::integer:
    case Value::Kind::integer64:
      out += fmt::format_int(value.integer).c_str();
      return;
    case Value::Kind::real:
      out += gotext::print_float_g(value.real);
      return;
    default:
      Printer(out).argument(value, 'v');
  }
}

std::string print_verb(const Value& value, char verb) {
  std::string out;
  Printer(out).argument(value, static_cast<char32_t>(verb));
  return out;
}

std::string go_printf(std::string_view format, const std::vector<Value>& arguments, std::size_t first, std::size_t limit) {
  return Formatter(format, arguments, first).run(limit);
}

}  // namespace weir::gotemplate
