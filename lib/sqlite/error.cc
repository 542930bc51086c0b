#include "sqlite/error.h"

#include <cerrno>
#include <cstring>

namespace weir::sqlite {
namespace {

// EFBIG: the limit for the size of a file.
bool no_room(int system_error) { return system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG; }

base::Code code_of(int code, int system_error) {
  if (no_room(system_error)) return base::Code::full;
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return base::Code::busy;
    case SQLITE_FULL:
      return base::Code::full;
    case SQLITE_CORRUPT:
      return base::Code::corrupt;
    case SQLITE_NOTADB:
      return base::Code::usage;
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
    case SQLITE_ERROR:
      return base::Code::bug;
    default:
      return base::Code::io;
  }
}

}  // namespace

base::Error error_of(sqlite3* handle, int code, std::string_view what, std::string_view path) {
  int system_error = handle != nullptr ? sqlite3_system_errno(handle) : 0;
  // A failed commit does not always leave its errno in SQLite's handle.
  if ((code & 0xff) == SQLITE_IOERR && no_room(errno)) system_error = errno;
  const bool of_system = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_FULL;
  const base::Code kind = code_of(code, of_system ? system_error : 0);
  std::string_view cause = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  if (kind == base::Code::busy) cause = "another process has locked it";
  if (kind == base::Code::usage) cause = "it is not a SQLite file";
  if (kind == base::Code::full) {
    // The handle may hold an older errno here.
    cause = system_error == EDQUOT  ? "the quota is used up"
            : system_error == EFBIG ? "the limit of a file's size is reached (ulimit -f)"
                                    : "the disk is full";
  } else if (of_system && system_error != 0) {
    const char* description = ::strerrordesc_np(system_error);
    if (description != nullptr) cause = description;
  }
  base::Error error = base::fail(kind, "cannot {} '{}': {}", what, path, cause);
  if (kind == base::Code::usage) error.hint = "name a file that weir made, or a new file";
  return error;
}

}  // namespace weir::sqlite
