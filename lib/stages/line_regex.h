// The first line of a record of several lines, by a regular expression (tail --multiline).
#pragma once

#include "base/result.h"
#include "tail/multiline.h"

#include <memory>
#include <string_view>

namespace weir::stages {

// Compiled once; thread safe. The error is Go's text, "error parsing regexp: …", with Code::parse.
base::Result<std::shared_ptr<const tail::LineMatcher>> make_line_regex(std::string_view pattern);

}  // namespace weir::stages
