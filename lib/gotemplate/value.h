// The values of templates, and Go's rules for them: their types, what is true, what is equal.
#pragma once

#include "gotemplate/budget.h"
#include "gotext/go_time.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::gotemplate {

struct Value {
  enum class Kind : std::uint8_t {
    absent,  // no value at all; it prints as <no value>
    nil,     // an interface that holds nothing
    boolean,
    integer,    // int
    integer64,  // int64
    byte,       // uint8
    duration,   // nanoseconds
    month,
    weekday,
    real,
    text,
    time,
    location,
    list,
    map,
  };
  using List = std::vector<Value>;
  using Map = std::vector<std::pair<std::string, Value>>;  // sorted by name

  Kind kind = Kind::absent;
  bool boxed = false;   // it stands in an interface, as the elements of JSON do
  bool labels = false;  // of a map: its elements are strings. Without `map` it stands for the labels of the record.
  bool boolean = false;
  std::int64_t integer = 0;
  double real = 0;
  std::string_view text;  // lives until the execution ends
  std::shared_ptr<const List> list;
  std::shared_ptr<const Map> map;
  std::shared_ptr<const gotext::GoTime> time;  // of a location: only its zone counts

  static Value of(bool value);
  static Value of(std::int64_t value) { return of(Kind::integer, value); }
  static Value of(Kind kind, std::int64_t value);
  static Value of(double value);
  static Value of(std::string_view value);
  static Value of(gotext::GoTime value);
  static Value nothing();  // nil

  [[nodiscard]] bool is_integral() const { return kind >= Kind::integer && kind <= Kind::weekday; }
  [[nodiscard]] bool is_nothing() const { return kind == Kind::absent || kind == Kind::nil; }
};

// nullptr when the name is absent.
[[nodiscard]] const Value* find_in_map(const Value::Map& map, std::string_view name);

// Go's name of the type of what the value holds, and of the value as it stands ("interface {}" when it is boxed).
[[nodiscard]] std::string_view type_name(const Value& value);
[[nodiscard]] std::string_view static_type_name(const Value& value);
[[nodiscard]] bool truth(const Value& value);  // the condition of `if`

// Go's eq and lt. A non-empty `error` says why the values cannot be compared.
[[nodiscard]] bool equal_values(const Value& a, const Value& b, std::string& error);
[[nodiscard]] bool less_values(const Value& a, const Value& b, std::string& error);

// Conversions of the arithmetic functions. Strings are parsed; what cannot be parsed is 0.
[[nodiscard]] std::int64_t to_integer(const Value& value);
[[nodiscard]] double to_real(const Value& value);

// Strings that live until the execution ends. Call pay() before adding one.
struct StringPool {
  Budget* budget = nullptr;
  bool exhausted = false;  // pay() has refused
  bool pay(std::size_t bytes) {
    exhausted = exhausted || !budget->spend(bytes);
    return !exhausted;
  }
  std::vector<std::unique_ptr<std::string>> strings;
  std::string_view add(std::string text) {
    strings.push_back(std::make_unique<std::string>(std::move(text)));
    return *strings.back();
  }
};

// The value of a JSON text as Go's encoding/json decodes it, with its strings in `keep`; nil when the text is not JSON, or when
// `keep` is exhausted.
[[nodiscard]] Value value_from_json(std::string_view text, StringPool& keep);

}  // namespace weir::gotemplate
