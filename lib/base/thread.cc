#include "base/thread.h"

#include <system_error>
#include <utility>

namespace weir::base {

Result<std::thread> start_thread(std::string_view purpose, std::function<void()> body) {
  try {
    return std::thread(std::move(body));
  } catch (const std::system_error& error) {
    return io_error(error.code().value(), fmt::format("start a thread to {}", purpose))
        .with_hint("are there too many processes (ulimit -u, pids.max of the container) or too little memory?");
  }
}

}  // namespace weir::base
