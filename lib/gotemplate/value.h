// The values of templates, and Go's rules for them: what is true, what is equal, how they print.
#pragma once

#include "base/clock.h"
#include "gotemplate/budget.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::gotemplate {

struct Value {
  enum class Kind : std::uint8_t { nil, boolean, integer, real, text, time, list, map };
  using List = std::vector<Value>;
  using Map = std::vector<std::pair<std::string, Value>>;  // sorted by name

  Kind kind = Kind::nil;
  bool boolean = false;
  std::int64_t integer = 0;  // of a time: nanoseconds
  double real = 0;
  std::string_view text;  // lives until the execution ends
  std::shared_ptr<const List> list;
  std::shared_ptr<const Map> map;

  static Value of(bool value);
  static Value of(std::int64_t value);
  static Value of(double value);
  static Value of(std::string_view value);
  static Value of_time(base::Timestamp value);
};

// nullptr when the name is absent.
[[nodiscard]] const Value* find_in_map(const Value::Map& map, std::string_view name);

[[nodiscard]] std::string_view type_name(const Value& value);  // Go's name of the type
[[nodiscard]] bool truth(const Value& value);                  // the condition of `if`
void print_value(std::string& out, const Value& value);        // %v

// <0, 0, >0; nullopt when Go refuses to compare the two.
[[nodiscard]] std::optional<int> compare_values(const Value& a, const Value& b);

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
// The value of a JSON text, with its strings in `keep`; nullopt when the text is not JSON, or when `keep` is exhausted.
[[nodiscard]] std::optional<Value> value_from_json(std::string_view text, StringPool& keep);

// fmt.Sprintf. A result longer than `limit` is cut at any place after `limit`.
[[nodiscard]] std::string go_printf(std::string_view format, const std::vector<Value>& arguments, std::size_t first,
                                    std::size_t limit);

}  // namespace weir::gotemplate
