// What the process's standard streams are.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::cli {

// Makes 0, 1 and 2 open descriptors, so that no file opened later takes the place of a closed standard stream. Reading or writing
// one that was closed fails with EBADF.
void reserve_standard_streams();

[[nodiscard]] bool is_terminal(int fd);

// Columns of the terminal on `fd`, kPlainWidth when it is none or does not say; `columns_variable` ($COLUMNS, may be null) wins.
[[nodiscard]] std::size_t terminal_width(int fd, const char* columns_variable);

// Lines of the terminal on `fd`; 24 when it is none or does not say.
[[nodiscard]] std::size_t terminal_lines(int fd);

// The text in place of what the terminal shows.
[[nodiscard]] std::string in_place(std::string_view text);

// A program that stays on a terminal: reads single keys of standard input, without showing them, and hears when the window has
// another size. Gives the terminal back when it ends. Ctrl-C stays a signal. Where standard input is no terminal, or the process
// is in the background, nothing is read. One a process, made before the first thread.
class Screen {
 public:
  Screen();
  ~Screen();
  Screen(const Screen&) = delete;  // owns the terminal's mode
  Screen& operator=(const Screen&) = delete;

  // Readable when there is a key, or a new size; -1 for none.
  [[nodiscard]] int keys_fd() const { return keys_; }
  [[nodiscard]] int size_fd() const { return size_.get(); }
  // The next key, if one was pressed; 'q' also when the terminal has gone.
  [[nodiscard]] std::optional<char> key() const;
  // True when the size has changed since the last call.
  [[nodiscard]] bool resized() const;

 private:
  struct Mode;
  int keys_ = -1;
  base::UniqueFd size_;
  std::unique_ptr<Mode> before_;
};

// Writes all of it. True when a reader took it, false when the reader went away (EPIPE).
base::Result<bool> write_all(int fd, std::string_view text);

}  // namespace weir::cli
