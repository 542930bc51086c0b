// The functions of Go's text/template itself, and others that take values of any type.
#include "base/utf8.h"
#include "gotemplate/functions.h"
#include "gotemplate/print.h"
#include "gotemplate/query_escape.h"
#include "gotext/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <utility>

namespace weir::gotemplate {
namespace {

using Kind = Value::Kind;

Value line(FunctionCall& call) { return Value::of(call.line); }
Value timestamp(FunctionCall& call) { return Value::of(gotext::go_time(call.timestamp)); }

// ---- logic and order

Value negation(FunctionCall& call) { return Value::of(!truth(call.arguments[0])); }

bool equals(FunctionCall& call, std::size_t i) { return equal_values(call.arguments[0], call.arguments[i], call.error); }
bool is_less(FunctionCall& call) { return less_values(call.arguments[0], call.arguments[1], call.error); }
bool is_less_or_equal(FunctionCall& call) { return is_less(call) || (call.error.empty() && equals(call, 1)); }

Value equal(FunctionCall& call) {
  if (call.arguments.size() < 2) return call.fail("missing argument for comparison");
  for (std::size_t i = 1; i < call.arguments.size(); ++i) {
    if (equals(call, i)) return Value::of(true);
    if (!call.error.empty()) break;
  }
  return Value::of(false);
}
Value not_equal(FunctionCall& call) { return Value::of(!equals(call, 1)); }
Value less(FunctionCall& call) { return Value::of(is_less(call)); }
Value less_equal(FunctionCall& call) { return Value::of(is_less_or_equal(call)); }
Value greater(FunctionCall& call) { return Value::of(!is_less_or_equal(call)); }
Value greater_equal(FunctionCall& call) { return Value::of(!is_less(call)); }

Value default_to(FunctionCall& call) {
  const bool given = call.arguments.size() > 1 && truth(call.arguments[1]);
  return call.arguments[given ? 1 : 0];
}

// ---- collections

constexpr std::string_view kZeroValue = "reflect: call of reflect.Value.Type on zero Value";

Value length(FunctionCall& call) {
  const Value& value = call.arguments[0];
  switch (value.kind) {
    case Kind::text:
      return Value::of(static_cast<std::int64_t>(value.text.size()));
    case Kind::list:
      return Value::of(static_cast<std::int64_t>(value.list->size()));
    case Kind::map:
      return Value::of(static_cast<std::int64_t>(value.map->size()));
    case Kind::nil:
      return call.fail("len of nil pointer");
    case Kind::absent:
      return call.fail(std::string(kZeroValue));
    case Kind::location:
      return call.fail("len of type time.Location");
    default:
      return call.fail(fmt::format("len of type {}", type_name(value)));
  }
}

// nullopt has set the error.
std::optional<std::size_t> index_of(FunctionCall& call, const Value& index, std::size_t most) {
  if (index.is_nothing())
    call.fail("cannot index slice/array with nil");
  else if (!index.is_integral())
    call.fail(fmt::format("cannot index slice/array with type {}", type_name(index)));
  else if (index.integer < 0 || static_cast<std::uint64_t>(index.integer) > most)
    call.fail(fmt::format("index out of range: {}", index.integer));
  else
    return static_cast<std::size_t>(index.integer);
  return std::nullopt;
}

Value element(FunctionCall& call, const Value& value, const Value& key) {
  if (value.kind == Kind::map) {
    if (key.is_nothing()) return call.fail("value is nil; should be of type string");
    if (key.kind != Kind::text) return call.fail(fmt::format("value has type {}; should be string", type_name(key)));
    const Value* found = find_in_map(*value.map, key.text);
    if (found != nullptr) return *found;
    return value.labels ? Value::of(std::string_view()) : Value::nothing();
  }
  if (value.kind == Kind::list) {
    const auto at = index_of(call, key, value.list->size());
    if (!at) return {};
    return *at < value.list->size() ? (*value.list)[*at] : call.fail("reflect: slice index out of range");
  }
  if (value.kind == Kind::text) {
    const auto at = index_of(call, key, value.text.size());
    if (!at) return {};
    if (*at >= value.text.size()) return call.fail("reflect: string index out of range");
    return Value::of(Kind::byte, static_cast<unsigned char>(value.text[*at]));
  }
  return call.fail(fmt::format("can't index item of type {}", value.kind == Kind::location ? "time.Location" : type_name(value)));
}

Value index(FunctionCall& call) {
  Value value = call.arguments[0];
  if (value.is_nothing()) return call.fail("index of untyped nil");
  for (std::size_t i = 1; i < call.arguments.size() && call.error.empty(); ++i) {
    if (value.is_nothing()) return call.fail("index of nil pointer");
    value = element(call, value, call.arguments[i]);
  }
  return value;
}

Value slice(FunctionCall& call) {
  const Value& value = call.arguments[0];
  const std::size_t indexes = call.arguments.size() - 1;
  if (value.is_nothing()) return call.fail("slice of untyped nil");
  if (indexes > 3) return call.fail(fmt::format("too many slice indexes: {}", indexes));
  if (value.kind != Kind::text && value.kind != Kind::list)
    return call.fail(fmt::format("can't slice item of type {}", value.kind == Kind::location ? "time.Location" : type_name(value)));
  if (value.kind == Kind::text && indexes == 3) return call.fail("cannot 3-index slice a string");
  const std::size_t size = value.kind == Kind::text ? value.text.size() : value.list->size();
  // Go grows a list in steps, and a slice may reach into what it has in store.
  const std::size_t most = value.kind == Kind::text || size == 0 || size > 256 ? size : std::bit_ceil(size);
  std::array<std::size_t, 3> at = {0, size, most};
  for (std::size_t i = 0; i < indexes; ++i) {
    const Value& argument = call.arguments[i + 1];
    if (argument.boxed) return call.fail("cannot index slice/array with type interface {}");
    const auto index = index_of(call, argument, most);
    if (!index) return {};
    at[i] = *index;
  }
  if (at[0] > at[1]) return call.fail(fmt::format("invalid slice index: {} > {}", at[0], at[1]));
  if (at[1] > at[2]) return call.fail(fmt::format("invalid slice index: {} > {}", at[1], at[2]));
  if (value.kind == Kind::text) return Value::of(value.text.substr(at[0], at[1] - at[0]));
  if (!call.pool.budget->spend(sizeof(Value) * (at[1] - at[0]))) return call.too_long();
  auto list = std::make_shared<Value::List>();
  for (std::size_t i = at[0]; i < at[1]; ++i) list->push_back(i < size ? (*value.list)[i] : Value::nothing());
  Value out;
  out.kind = Kind::list;
  out.list = std::move(list);
  return out;
}

// Only functions can be called, and no value is one.
Value call_value(FunctionCall& call) {
  const Value& value = call.arguments[0];
  if (value.is_nothing()) return call.fail("call of nil");
  return call.fail(fmt::format("non-function {} of type {}", call.line, type_name(value)));
}

// ---- printing

std::string printed(FunctionCall& call, bool always_spaces, bool escapes) {
  std::vector<Value>& values = call.arguments;
  std::string out;
  for (std::size_t i = 0; i < values.size() && out.size() <= call.room(); ++i) {
    // What is escaped prints nil as an action does.
    if (escapes && values[i].is_nothing()) values[i] = Value::of(std::string_view("<no value>"));
    const bool texts = values[i].kind == Kind::text || (i > 0 && values[i - 1].kind == Kind::text);
    if (i > 0 && (always_spaces || !texts)) out += ' ';
    print_value(out, values[i]);
  }
  return out;
}
Value print(FunctionCall& call) { return call.result(printed(call, false, false)); }
Value println(FunctionCall& call) { return call.result(printed(call, true, false) + "\n"); }
Value printf(FunctionCall& call) { return call.result(go_printf(call.text(0), call.arguments, 1, call.room())); }

struct Escape {
  char from;
  std::string_view to;
};
template <std::size_t size>
std::string_view escape_of(char c, const std::array<Escape, size>& escapes) {
  const auto found = std::find_if(escapes.begin(), escapes.end(), [&](const Escape& escape) { return escape.from == c; });
  return found == escapes.end() ? std::string_view() : found->to;
}

Value html(FunctionCall& call) {
  constexpr std::array<Escape, 6> kEscapes = {
      {{'"', "&#34;"}, {'\'', "&#39;"}, {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'\0', "\xef\xbf\xbd"}}};
  std::string out;
  for (const char c : printed(call, false, true)) {
    if (out.size() > call.room()) break;
    const std::string_view escape = escape_of(c, kEscapes);
    if (escape.empty())
      out += c;
    else
      out += escape;
  }
  return call.result(std::move(out));
}

Value js(FunctionCall& call) {
  constexpr std::array<Escape, 7> kEscapes = {
      {{'\\', "\\\\"}, {'\'', "\\'"}, {'"', "\\\""}, {'<', "\\u003C"}, {'>', "\\u003E"}, {'&', "\\u0026"}, {'=', "\\u003D"}}};
  const std::string text = printed(call, false, true);
  std::string out;
  for (std::size_t i = 0; i < text.size() && out.size() <= call.room();) {
    std::size_t length = 0;
    const char32_t c = base::decode_utf8(std::string_view(text).substr(i), length);
    const std::string_view character = std::string_view(text).substr(i, length);
    i += length;
    const std::string_view escape = c < 0x80 ? escape_of(static_cast<char>(c), kEscapes) : std::string_view();
    if (!escape.empty())
      out += escape;
    else if (c < ' ')
      out += fmt::format("\\u00{:02X}", static_cast<std::uint32_t>(c));
    else if (c < 0x80 || (c == base::kReplacement && length == 1) || gotext::is_printable(character))
      out += character;
    else
      out += fmt::format("\\u{:04X}", static_cast<std::uint32_t>(c));
  }
  return call.result(std::move(out));
}
Value urlquery(FunctionCall& call) { return call.result(query_escape(printed(call, false, true), call.room())); }

constexpr std::array<Function, 22> kTable = {{
    {"__line__", "", line},
    {"__timestamp__", "", timestamp},
    {"and", "vv*", nullptr},
    {"or", "vv*", nullptr},
    {"not", "v", negation},
    {"eq", "vv*", equal},
    {"ne", "vv", not_equal},
    {"lt", "vv", less},
    {"le", "vv", less_equal},
    {"gt", "vv", greater},
    {"ge", "vv", greater_equal},
    {"default", "aa*", default_to},
    {"len", "v", length},
    {"index", "vv*", index},
    {"call", "vv*", call_value},
    {"slice", "vv*", slice},
    {"print", "a*", print},
    {"printf", "sa*", printf},
    {"println", "a*", println},
    {"html", "a*", html},
    {"js", "a*", js},
    {"urlquery", "a*", urlquery},
}};

}  // namespace

std::span<const Function> builtin_functions() { return kTable; }

}  // namespace weir::gotemplate
