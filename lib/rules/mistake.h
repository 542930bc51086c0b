// What is wrong with the text of a rule, and where. rules/parser.cc turns it into a base::Error that names the file
// and the line.
#pragma once

#include <cstddef>
#include <string>

namespace weir::rules {

struct Mistake {
  std::size_t offset = 0;  // a byte of the line, unless the function that gives the mistake says otherwise
  std::string why;
  std::string hint;  // what to write instead; "" where that cannot be told
};

}  // namespace weir::rules
