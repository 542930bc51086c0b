// Values as Go's fmt prints them.
#pragma once

#include "gotemplate/value.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace weir::gotemplate {

void print_value(std::string& out, const Value& value);               // %v
[[nodiscard]] std::string print_verb(const Value& value, char verb);  // without flags

// fmt.Sprintf of arguments[first] and those behind it. A result longer than `limit` is cut at any place after `limit`.
[[nodiscard]] std::string go_printf(std::string_view format, const std::vector<Value>& arguments, std::size_t first,
                                    std::size_t limit);

}  // namespace weir::gotemplate
