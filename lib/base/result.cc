#include "base/result.h"

#include <cerrno>
#include <cstring>

namespace weir::base {

Error io_error(int error_number, std::string_view what) {
  // EFBIG: the limit of a file's size (ulimit -f) is reached, which is no room either.
  const bool no_room = error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
  // strerror's descriptions never change at run time for the numbers a system call returns; strerrordesc_np is thread safe.
  const char* description = ::strerrordesc_np(error_number);
  return fail(no_room ? Code::full : Code::io, "cannot {}: {}", what, description != nullptr ? description : "unknown error");
}

}  // namespace weir::base
