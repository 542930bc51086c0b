#include "base/result.h"

#include <cerrno>
#include <cstring>

namespace weir::base {

Error fail_with(Code code, fmt::string_view text, fmt::format_args args) {
  return Error{.code = code, .message = fmt::vformat(text, args), .hint = {}};
}

Error cannot(Code code, std::string_view what, std::string_view cause) {
  Error error = fail(code, "cannot {}: {}", what, cause);
  error.cause_size = static_cast<std::uint32_t>(cause.size());
  return error;
}

Error io_error(int error_number, std::string_view what) {
  // EFBIG: the limit of a file's size (ulimit -f) is reached, which is no room either.
  const bool no_room = error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
  // strerror's descriptions never change at run time for the numbers a system call returns; strerrordesc_np is thread safe.
  const char* description = ::strerrordesc_np(error_number);
  Error error = cannot(no_room ? Code::full : Code::io, what, description != nullptr ? description : "unknown error");
  error.system = error_number;
  return error;
}

}  // namespace weir::base
