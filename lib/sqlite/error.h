// Turns SQLite's result codes into ours. Only for files of this module.
#pragma once

#include "base/result.h"

#include <sqlite3.h>

#include <string_view>

namespace weir::sqlite {

// "cannot <what> <path>: <cause>". `handle` may be null.
base::Error error_of(sqlite3* handle, int code, std::string_view what, std::string_view path);

}  // namespace weir::sqlite
