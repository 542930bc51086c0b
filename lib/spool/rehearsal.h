// Finds what opening a spool would find, for `run --check`.
#pragma once

#include "base/result.h"

#include <string>

namespace weir::spool {

// Checks what Writer::open and Consumer::open would check at `path`: folder, kind of file, permissions, format. Writes nothing and
// takes no lock; a spool that another process writes is no error. Errors: as theirs.
base::Result<void> rehearse_writing(const std::string& path);

// The same for Reader::open.
base::Result<void> rehearse_reading(const std::string& path);

}  // namespace weir::spool
