#include "base/last_words.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <new>

namespace weir::base {
namespace {

constexpr int kExitCode = 4;
// "weir push: ", filled once.
std::array<char, 64> prefix_bytes;
std::size_t prefix_size = 0;

void append_prefix(std::string_view text) {
  const std::size_t size = std::min(text.size(), prefix_bytes.size() - prefix_size);
  std::memcpy(prefix_bytes.data() + prefix_size, text.data(), size);
  prefix_size += size;
}

[[noreturn]] void end_with(std::string_view why, std::string_view detail = {}) {
  say_in_signal_handler({"cannot go on: ", why, detail});
  ::_exit(kExitCode);
}

void unexpected_end() {
  if (const std::exception_ptr thrown = std::current_exception()) {
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& error) {
      end_with("an unexpected error, which is a bug of weir: ", error.what());
    } catch (...) {
      end_with("an unexpected error, which is a bug of weir");
    }
  }
  end_with("a broken invariant, which is a bug of weir");
}

}  // namespace

void say_in_signal_handler(std::initializer_list<std::string_view> pieces) {
  constexpr std::size_t kMost = 8;
  std::array<iovec, kMost + 2> parts{};
  std::size_t count = 0;
  const auto add = [&](std::string_view text) { parts[count++] = {const_cast<char*>(text.data()), text.size()}; };
  add({prefix_bytes.data(), prefix_size});
  for (const std::string_view piece : pieces) {
    if (count <= kMost) add(piece);
  }
  add("\n");
  static_cast<void>(!::writev(STDERR_FILENO, parts.data(), static_cast<int>(count)));
}

void end_out_of_memory() { end_with("there is no more memory (ulimit -v, memory limit of the container)"); }

void arrange_last_words(std::string_view command) {
  prefix_size = 0;
  append_prefix("weir");
  if (!command.empty()) append_prefix(" ");
  append_prefix(command);
  append_prefix(": ");
  std::set_new_handler(end_out_of_memory);
  std::set_terminate(unexpected_end);
}

}  // namespace weir::base
