// A descriptor that text goes out on. Blocks while its reader is slow, as back-pressure must, and yet leaves in time: when the chain is
// to be over (base::Stop::deadline), whichever thread writes and whichever got the signal.
#pragma once

#include "base/unique_fd.h"
#include "pipeline/stage.h"

#include <string_view>

namespace weir::pipeline {

// The descriptor stays the caller's and must stay open. write() from one thread; the rest from any.
class Output {
 public:
  Output(int fd, const Context& context);

  // Writes all of it. Flow::done: nobody reads any more (EPIPE). Code::interrupted: the chain was to be over while it waited.
  Result<Flow> write(std::string_view text);

  // For poll(2): POLLERR or POLLHUP say that the reader went away. -1 where nobody can: of files.
  [[nodiscard]] int reader_fd() const { return has_reader_ ? fd_ : -1; }
  [[nodiscard]] bool reader_left() const;

 private:
  [[nodiscard]] ssize_t write_some(std::string_view text) const;
  Result<void> wait();

  const int fd_;
  const Context context_;
  base::UniqueFd own_;       // the same pipe, opened again so that only we do not block on it
  bool has_reader_ = false;  // a pipe, a socket, a terminal
  bool terminal_ = false;
  bool socket_ = false;
};

}  // namespace weir::pipeline
