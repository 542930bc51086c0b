// What the process's standard streams are.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <string_view>

namespace weir::cli {

// Makes 0, 1 and 2 open descriptors, so that no file opened later takes the place of a closed standard stream. Reading or writing
// one that was closed fails with EBADF.
void reserve_standard_streams();

[[nodiscard]] bool is_terminal(int fd);

// Columns of the terminal on `fd`, kPlainWidth when it is none or does not say; `columns_variable` ($COLUMNS, may be null) wins.
[[nodiscard]] std::size_t terminal_width(int fd, const char* columns_variable);

// Writes all of it. True when a reader took it, false when the reader went away (EPIPE).
base::Result<bool> write_all(int fd, std::string_view text);

}  // namespace weir::cli
