// The functions that templates can call: those of Go's text/template, Loki's own, and the sprig functions that Loki allows; and the
// methods of times, durations, months and days.
#pragma once

#include "gotemplate/budget.h"
#include "gotemplate/value.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::gotemplate {

struct FunctionCall {
  std::vector<Value>& arguments;  // of the types that the function takes
  std::string_view line;          // it and `timestamp`: of the data, for functions that take no arguments
  base::Timestamp timestamp = 0;
  StringPool& pool;
  std::string error;  // set by a function that fails

  Value fail(std::string why) {
    error = std::move(why);
    return {};
  }
  [[nodiscard]] std::string_view text(std::size_t i) const { return arguments[i].text; }
  [[nodiscard]] std::int64_t integer(std::size_t i) const { return arguments[i].integer; }
  [[nodiscard]] const gotext::GoTime& time(std::size_t i) const { return *arguments[i].time; }
  // The longest result allowed. A longer one is not made: the function gives up with too_long().
  [[nodiscard]] std::size_t room() const { return pool.budget->left(); }
  Value too_long() { return fail(kTooMuchText); }
  Value result(std::string value) { return pool.budget->spend(value.size()) ? Value::of(pool.add(std::move(value))) : too_long(); }
};

struct Function {
  std::string_view name;
  // A letter for each parameter: s string, i int, f float64, t time.Time, d time.Duration, l *time.Location, a any type, v any type
  // with nil told from no value. A `*` at the end: any number of the last one, also none.
  std::string_view parameters;
  Value (*call)(FunctionCall&) = nullptr;  // nullptr: `and`, `or`, which do not evaluate all arguments
  std::string_view complaint = {};         // why templates cannot call it

  [[nodiscard]] bool is_variadic() const { return parameters.ends_with('*'); }
  [[nodiscard]] std::size_t fixed() const { return is_variadic() ? parameters.size() - 2 : parameters.size(); }
  [[nodiscard]] char parameter(std::size_t i) const { return i < fixed() ? parameters[i] : parameters[parameters.size() - 2]; }
};

// Go's name of the type that a letter stands for.
[[nodiscard]] std::string_view parameter_type(char letter);

// Each of these is the table of a file.
[[nodiscard]] std::span<const Function> text_functions();
[[nodiscard]] std::span<const Function> encoding_functions();
[[nodiscard]] std::span<const Function> number_functions();
[[nodiscard]] std::span<const Function> time_functions();
[[nodiscard]] std::span<const Function> builtin_functions();

// nullptr for an unknown name.
[[nodiscard]] const Function* find_function(std::string_view name);
// The receiver is argument 0, and is not among the parameters.
// nullptr for an unknown name. find_function(), or that of other templates than Loki's.
using FindFunction = const Function* (*)(std::string_view name);
[[nodiscard]] const Function* find_method(Value::Kind kind, std::string_view name);

}  // namespace weir::gotemplate
