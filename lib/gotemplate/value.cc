#include "gotemplate/value.h"

#include "base/utf8.h"
#include "gotext/go_time.h"
#include "gotext/json_reader.h"
#include "gotext/quantity.h"
#include "gotext/scratch.h"
#include "gotext/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace weir::gotemplate {

Value Value::of(bool value) {
  Value out;
  out.kind = Kind::boolean;
  out.boolean = value;
  return out;
}
Value Value::of(std::int64_t value) {
  Value out;
  out.kind = Kind::integer;
  out.integer = value;
  return out;
}
Value Value::of(double value) {
  Value out;
  out.kind = Kind::real;
  out.real = value;
  return out;
}
Value Value::of(std::string_view value) {
  Value out;
  out.kind = Kind::text;
  out.text = value;
  return out;
}
Value Value::of_time(base::Timestamp value) {
  Value out;
  out.kind = Kind::time;
  out.integer = value;
  return out;
}

const Value* find_in_map(const Value::Map& map, std::string_view name) {
  const auto found =
      std::lower_bound(map.begin(), map.end(), name, [](const auto& one, std::string_view wanted) { return one.first < wanted; });
  return found == map.end() || found->first != name ? nullptr : &found->second;
}

std::string_view type_name(const Value& value) {
  switch (value.kind) {
    case Value::Kind::nil:
      return "nil";
    case Value::Kind::boolean:
      return "bool";
    case Value::Kind::integer:
      return "int";
    case Value::Kind::real:
      return "float64";
    case Value::Kind::text:
      return "string";
    case Value::Kind::time:
      return "time.Time";
    case Value::Kind::list:
      return "[]interface {}";
    case Value::Kind::map:
      return "map[string]interface {}";
  }
  return "";
}

bool truth(const Value& value) {
  switch (value.kind) {
    case Value::Kind::nil:
      return false;
    case Value::Kind::boolean:
      return value.boolean;
    case Value::Kind::integer:
      return value.integer != 0;
    case Value::Kind::real:
      return value.real != 0;
    case Value::Kind::text:
      return !value.text.empty();
    case Value::Kind::time:
      return true;
    case Value::Kind::list:
      return !value.list->empty();
    case Value::Kind::map:
      return !value.map->empty();
  }
  return false;
}

void print_value(std::string& out, const Value& value) {
  switch (value.kind) {
    case Value::Kind::nil:
      out += "<nil>";
      return;
    case Value::Kind::boolean:
      out += value.boolean ? "true" : "false";
      return;
    case Value::Kind::integer:
      out += fmt::format("{}", value.integer);
      return;
    case Value::Kind::real:
      out += gotext::print_float_g(value.real);
      return;
    case Value::Kind::text:
      out += value.text;
      return;
    case Value::Kind::time:
      out += gotext::format_go_time(value.integer, gotext::kGoTimeString);
      return;
    case Value::Kind::list: {
      out += '[';
      bool first = true;
      for (const Value& element : *value.list) {
        if (!first) out += ' ';
        first = false;
        print_value(out, element);
      }
      out += ']';
      return;
    }
    case Value::Kind::map: {
      out += "map[";
      bool first = true;
      for (const auto& [name, element] : *value.map) {
        if (!first) out += ' ';
        first = false;
        out += name + ":";
        print_value(out, element);
      }
      out += ']';
      return;
    }
  }
}

std::optional<int> compare_values(const Value& a, const Value& b) {
  auto order = [](const auto& x, const auto& y) { return x < y ? -1 : y < x ? 1 : 0; };
  if (a.kind != b.kind) return std::nullopt;
  switch (a.kind) {
    case Value::Kind::boolean:
      return order(a.boolean, b.boolean);
    case Value::Kind::integer:
    case Value::Kind::time:
      return order(a.integer, b.integer);
    case Value::Kind::real:
      return order(a.real, b.real);
    case Value::Kind::text:
      return order(a.text, b.text);
    case Value::Kind::nil:
      return 0;
    default:
      return std::nullopt;
  }
}

std::int64_t to_integer(const Value& value) {
  switch (value.kind) {
    case Value::Kind::boolean:
      return value.boolean ? 1 : 0;
    case Value::Kind::integer:
      return value.integer;
    case Value::Kind::real:
      return std::abs(value.real) < 9.2e18 ? static_cast<std::int64_t>(value.real) : 0;
    case Value::Kind::text: {
      // Digits after the point are cut. Anything else there makes the text not a number.
      const std::size_t point = std::min(value.text.find('.'), value.text.size());
      const std::string_view text = value.text.substr(0, point);
      if (value.text.find_first_not_of("0123456789", std::min(point + 1, value.text.size())) != std::string_view::npos &&
          point < value.text.size())
        return 0;
      const auto number = text.find_first_of("eEpPiInN") == std::string_view::npos ? gotext::parse_float(text) : std::nullopt;
      return number && std::abs(*number) < 9.2e18 ? static_cast<std::int64_t>(*number) : 0;
    }
    default:
      return 0;
  }
}

double to_real(const Value& value) {
  switch (value.kind) {
    case Value::Kind::boolean:
      return value.boolean ? 1 : 0;
    case Value::Kind::integer:
      return static_cast<double>(value.integer);
    case Value::Kind::real:
      return value.real;
    case Value::Kind::text:
      return gotext::parse_float(value.text).value_or(0);
    default:
      return 0;
  }
}

namespace {

constexpr int kMaxJsonDepth = 64;

std::optional<Value> json_value(const gotext::JsonValue& json, StringPool& keep, gotext::Scratch& scratch, int depth);

// Reads a string as Go's decoder does: bytes that are not UTF-8 become U+FFFD.
std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    std::size_t length = 0;
    base::append_utf8(out, base::decode_utf8(text.substr(i), length));
    i += length;
  }
  return out;
}

std::optional<Value> json_object(std::string_view text, StringPool& keep, gotext::Scratch& scratch, int depth) {
  auto map = std::make_shared<Value::Map>();
  gotext::JsonCursor cursor(text);
  if (!cursor.enter_object()) return std::nullopt;
  while (true) {
    std::string_view key;
    bool escapes = false;
    bool done = false;
    gotext::JsonValue member;
    if (!cursor.next_member(key, escapes, done)) return std::nullopt;
    if (done) break;
    const auto name = gotext::json_unescape(key, escapes, scratch);
    if (!name || !cursor.value(member)) return std::nullopt;
    auto value = json_value(member, keep, scratch, depth + 1);
    if (!value || !cursor.separator()) return std::nullopt;
    std::string key_text = valid_utf8(*name);
    if (!keep.pay(sizeof(Value::Map::value_type) + key_text.size())) return std::nullopt;
    map->emplace_back(std::move(key_text), std::move(*value));
  }
  // When a name is repeated, the last one counts.
  std::stable_sort(map->begin(), map->end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  const auto first_kept = std::unique(map->rbegin(), map->rend(), [](const auto& a, const auto& b) { return a.first == b.first; });
  map->erase(map->begin(), first_kept.base());
  Value out;
  out.kind = Value::Kind::map;
  out.map = std::move(map);
  return out;
}

std::optional<Value> json_array(std::string_view text, StringPool& keep, gotext::Scratch& scratch, int depth) {
  auto list = std::make_shared<Value::List>();
  std::string_view rest = text.substr(1);
  while (true) {
    gotext::JsonCursor element(rest);
    if (element.at_end()) return std::nullopt;
    if (rest[element.position()] == ']') break;
    gotext::JsonValue json;
    if (!element.value(json)) return std::nullopt;
    auto value = json_value(json, keep, scratch, depth + 1);
    if (!value || element.at_end()) return std::nullopt;
    if (!keep.pay(sizeof(Value))) return std::nullopt;
    list->push_back(std::move(*value));
    const char next = rest[element.position()];
    if (next != ',' && next != ']') return std::nullopt;
    rest.remove_prefix(element.position() + (next == ',' ? 1 : 0));
  }
  Value out;
  out.kind = Value::Kind::list;
  out.list = std::move(list);
  return out;
}

std::optional<Value> json_value(const gotext::JsonValue& json, StringPool& keep, gotext::Scratch& scratch, int depth) {
  if (depth > kMaxJsonDepth) return std::nullopt;
  switch (json.type) {
    case gotext::JsonValue::Type::null:
      return Value();
    case gotext::JsonValue::Type::boolean:
      return Value::of(json.text == "true");
    case gotext::JsonValue::Type::number: {
      const auto number = gotext::parse_float(json.text);
      return number ? std::optional(Value::of(*number)) : std::nullopt;
    }
    case gotext::JsonValue::Type::string: {
      const auto text = gotext::json_unescape(json.text, json.has_escapes, scratch);
      if (text && !keep.pay(text->size())) return std::nullopt;
      return text ? std::optional(Value::of(keep.add(valid_utf8(*text)))) : std::nullopt;
    }
    case gotext::JsonValue::Type::object:
      return json_object(json.text, keep, scratch, depth);
    case gotext::JsonValue::Type::array:
      return json_array(json.text, keep, scratch, depth);
  }
  return std::nullopt;
}

struct Verb {
  bool minus = false;
  bool plus = false;
  bool zero = false;
  bool space = false;
  bool sharp = false;
  std::optional<int> width;
  std::optional<int> precision;
};

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string pad(std::string text, const Verb& verb, bool numeric) {
  const std::size_t width = static_cast<std::size_t>(verb.width.value_or(0));
  const std::size_t size = characters(text);
  if (size >= width) return text;
  const std::string blanks(width - size, verb.zero && !verb.minus && numeric ? '0' : ' ');
  if (verb.minus) return text + blanks;
  if (blanks[0] == '0' && (text[0] == '-' || text[0] == '+')) return text.substr(0, 1) + blanks + text.substr(1);
  return blanks + text;
}

std::string print_real(double value, char verb, const Verb& flags) {
  std::string out;
  const char form = verb == 'F' ? 'f' : verb;
  if (!std::isfinite(value)) {
    out = std::isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
    if (value > 0 && !flags.plus) out.erase(0, 1);
  } else if (form == 'g' && !flags.precision) {
    out = gotext::print_float_g(value);
  } else {
    const int precision = flags.precision.value_or(6);
    out = form == 'f'   ? fmt::format("{:.{}f}", value, precision)
          : form == 'e' ? fmt::format("{:.{}e}", value, precision)
                        : fmt::format("{:.{}g}", value, precision);
  }
  if (flags.plus && out[0] != '-' && out[0] != '+') out.insert(0, "+");
  if (flags.space && out[0] != '-' && out[0] != '+') out.insert(0, " ");
  return out;
}

std::string print_hex(std::string_view bytes, bool upper) {
  const std::string_view digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::string print_verb(char verb, const Verb& flags, const Value& value) {
  std::string plain;
  print_value(plain, value);
  const bool is_integer = value.kind == Value::Kind::integer;
  const bool is_real = value.kind == Value::Kind::real;
  const bool is_text = value.kind == Value::Kind::text;
  auto signed_integer = [&](std::string digits) {
    if (flags.plus && value.integer >= 0) digits.insert(0, "+");
    if (flags.space && value.integer >= 0) digits.insert(0, " ");
    return pad(std::move(digits), flags, true);
  };
  auto in_base = [&](auto text) {
    const auto magnitude =
        value.integer < 0 ? ~static_cast<std::uint64_t>(value.integer) + 1 : static_cast<std::uint64_t>(value.integer);
    return signed_integer((value.integer < 0 ? "-" : "") + fmt::format(fmt::runtime(text), magnitude));
  };
  switch (verb) {
    case 'v':
      if (is_real) return pad(print_real(value.real, 'g', flags), flags, true);
      return is_integer ? signed_integer(plain) : pad(plain, flags, false);
    case 's':
      if (is_integer || is_real || value.kind == Value::Kind::boolean) break;
      if (value.kind == Value::Kind::nil) break;
      if (flags.precision) {
        std::size_t end = 0;
        for (int i = 0; i < *flags.precision && end < plain.size(); ++i)
          end += std::max<std::size_t>(base::utf8_length(std::string_view(plain).substr(end)), 1);
        plain.resize(end);
      }
      return pad(plain, flags, false);
    case 'q':
      if (is_text) return pad(gotext::quote(value.text), flags, false);
      break;
    case 'd':
      if (is_integer) return signed_integer(plain);
      break;
    case 'x':
    case 'X':
      if (is_text) return pad(print_hex(value.text, verb == 'X'), flags, false);
      if (is_integer) return in_base(verb == 'x' ? (flags.sharp ? "{:#x}" : "{:x}") : (flags.sharp ? "{:#X}" : "{:X}"));
      break;
    case 'o':
      if (is_integer) return in_base("{:o}");
      break;
    case 'b':
      if (is_integer) return in_base("{:b}");
      break;
    case 'c':
      if (is_integer) {
        std::string character;
        base::append_utf8(character, static_cast<char32_t>(value.integer));
        return pad(character, flags, false);
      }
      break;
    case 'f':
    case 'F':
    case 'e':
    case 'g':
      if (is_real) return pad(print_real(value.real, verb, flags), flags, true);
      break;
    case 't':
      if (value.kind == Value::Kind::boolean) return pad(plain, flags, false);
      break;
    case 'T':
      return pad(std::string(type_name(value)), flags, false);
    default:
      break;
  }
  if (value.kind == Value::Kind::nil) return fmt::format("%!{}(<nil>)", verb);
  return fmt::format("%!{}({}={})", verb, type_name(value), plain);
}

}  // namespace

std::optional<Value> value_from_json(std::string_view text, StringPool& keep) {
  gotext::Scratch scratch;
  gotext::JsonCursor cursor(text);
  gotext::JsonValue json;
  if (!cursor.value(json) || !cursor.at_end()) return std::nullopt;
  return json_value(json, keep, scratch, 0);
}

std::string go_printf(std::string_view format, const std::vector<Value>& arguments, std::size_t first, std::size_t limit) {
  constexpr int kMaxWidth = 10000;
  std::string out;
  std::size_t next = first;
  for (std::size_t i = 0; i < format.size() && out.size() <= limit;) {
    const std::size_t percent = std::min(format.find('%', i), format.size());
    out += format.substr(i, percent - i);
    i = percent + 1;
    if (percent >= format.size()) break;
    Verb flags;
    for (bool more = true; more && i < format.size();) {
      switch (format[i]) {
        case '-':
          flags.minus = true;
          break;
        case '+':
          flags.plus = true;
          break;
        case '0':
          flags.zero = true;
          break;
        case ' ':
          flags.space = true;
          break;
        case '#':
          flags.sharp = true;
          break;
        default:
          more = false;
          continue;
      }
      ++i;
    }
    auto number = [&]() -> std::optional<int> {
      if (i < format.size() && format[i] == '*') {
        ++i;
        if (next >= arguments.size()) return std::nullopt;
        return std::clamp(static_cast<int>(to_integer(arguments[next++])), 0, kMaxWidth);
      }
      int value = 0;
      const std::size_t begin = i;
      while (i < format.size() && format[i] >= '0' && format[i] <= '9')
        value = std::min(value * 10 + (format[i++] - '0'), kMaxWidth);
      return i > begin ? std::optional(value) : std::nullopt;
    };
    flags.width = number();
    if (i < format.size() && format[i] == '.') {
      ++i;
      flags.precision = number().value_or(0);
    }
    if (i >= format.size()) {
      out += "%!(NOVERB)";
      break;
    }
    const char verb = format[i++];
    if (verb == '%') {
      out += '%';
    } else if (next >= arguments.size()) {
      out += fmt::format("%!{}(MISSING)", verb);
    } else {
      out += print_verb(verb, flags, arguments[next++]);
    }
  }
  if (next < arguments.size()) {
    out += "%!(EXTRA ";
    for (std::size_t i = next; i < arguments.size() && out.size() <= limit; ++i) {
      if (i > next) out += ", ";
      out += std::string(type_name(arguments[i])) + "=";
      print_value(out, arguments[i]);
    }
    out += ')';
  }
  return out;
}

}  // namespace weir::gotemplate
