#include "gotemplate/functions.h"

#include <algorithm>

namespace weir::gotemplate {

std::string_view parameter_type(char letter) {
  switch (letter) {
    case 's':
      return "string";
    case 'i':
      return "int";
    case 'f':
      return "float64";
    case 't':
      return "time.Time";
    case 'd':
      return "time.Duration";
    case 'l':
      return "*time.Location";
    case 'v':
      return "reflect.Value";
    default:
      return "interface {}";
  }
}

const Function* find_function(std::string_view name) {
  for (const std::span<const Function> table :
       {text_functions(), encoding_functions(), number_functions(), time_functions(), builtin_functions()}) {
    const auto found = std::ranges::find(table, name, &Function::name);
    if (found != table.end()) return &*found;
  }
  return nullptr;
}

}  // namespace weir::gotemplate
