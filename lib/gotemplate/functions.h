// The functions that templates can call: those of Go's text/template, Loki's own, and the sprig functions that Loki allows.
#pragma once

#include "gotemplate/budget.h"
#include "gotemplate/value.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::gotemplate {

struct FunctionCall {
  const std::vector<Value>& arguments;
  std::string_view line;  // it and `timestamp`: of the data, for functions that take no arguments
  base::Timestamp timestamp = 0;
  StringPool& pool;
  std::string error;        // set by a function that fails
  bool wrong_type = false;  // the error is that an argument is of another type than the function takes

  Value fail(std::string why) {
    error = std::move(why);
    wrong_type = false;
    return {};
  }
  Value fail_type(std::string_view expected, const Value& got);
  // The argument, converted to the type that the function takes. Another type sets `error`.
  std::string_view text(std::size_t i);
  std::int64_t integer(std::size_t i);
  // The longest result allowed. A longer one is not made: the function gives up with too_long().
  [[nodiscard]] std::size_t room() const { return pool.budget->left(); }
  Value too_long() { return fail(kTooMuchText); }
  Value result(std::string value) { return pool.budget->spend(value.size()) ? Value::of(pool.add(std::move(value))) : too_long(); }
};

struct Function {
  std::string_view name;
  int least = 0;  // arguments
  int most = 0;   // arguments; -1: any number
  Value (*call)(FunctionCall&) = nullptr;
};

// The functions that make text from text (text_functions.cc).
[[nodiscard]] std::span<const Function> text_functions();

// nullptr for an unknown name. `and` and `or` do not evaluate all arguments, so they have no `call`.
[[nodiscard]] const Function* find_function(std::string_view name);
// What looks a function up: find_function, or that of other templates than Loki's.
using FindFunction = const Function* (*)(std::string_view name);

}  // namespace weir::gotemplate
