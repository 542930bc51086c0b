// Starting threads. The system may refuse one more: too many processes of the user or of the container, no memory for a stack.
#pragma once

#include "base/result.h"

#include <functional>
#include <string_view>
#include <thread>

namespace weir::base {

// A thread that runs `body`, or Code::io with "cannot start a thread to <purpose>: <cause>". The caller joins it.
[[nodiscard]] Result<std::thread> start_thread(std::string_view purpose, std::function<void()> body);

}  // namespace weir::base
