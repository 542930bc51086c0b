// What opening a spool would find, for checks before a start.
#pragma once

#include "base/result.h"

#include <string>

namespace weir::spool {

// What Writer::open, or a consumer's, would find wrong with `path` as far as it shows from outside: its folder, its kind, its
// permissions, its format. Makes and writes nothing and takes no lock; a spool that somebody writes at this moment is all right.
// Errors as theirs.
base::Result<void> rehearse_writing(const std::string& path);

// The same of opening it for reading.
base::Result<void> rehearse_reading(const std::string& path);

}  // namespace weir::spool
