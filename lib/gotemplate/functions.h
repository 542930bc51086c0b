// The functions that templates can call: those of Go's text/template, Loki's own, and the sprig functions Loki lets through.
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
  std::string_view line;
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
  // The argument as the type the function takes; on another type `error` is set.
  std::string_view text(std::size_t i);
  std::int64_t integer(std::size_t i);
  // How long a result may be: what would be longer is not made, and given up with too_long().
  [[nodiscard]] std::size_t room() const { return pool.budget->left(); }
  Value too_long() { return fail(kTooMuchText); }
  Value result(std::string value) { return pool.budget->spend(value.size()) ? Value::of(pool.add(std::move(value))) : too_long(); }
};

struct Function {
  std::string_view name;
  int least = 0;  // arguments
  int most = 0;   // -1: any number
  Value (*call)(FunctionCall&) = nullptr;
};

// Those that make text of text (template_text.cc).
[[nodiscard]] std::span<const Function> text_functions();

// nullptr for a name that is no function. `and` and `or`, which do not evaluate all arguments, have no `call`.
[[nodiscard]] const Function* find_function(std::string_view name);

}  // namespace weir::gotemplate
