// A descriptor for text output. It blocks while its reader is slow, as back-pressure requires. But it returns in time when the
// chain must end (base::Stop::deadline), whichever thread writes and whichever thread got the signal.
#pragma once

#include "base/unique_fd.h"
#include "pipeline/stage.h"

#include <string_view>

namespace weir::pipeline {

// The caller owns the descriptor and must keep it open. Only one thread calls write(); any thread may call the rest.
class Output {
 public:
  Output(int fd, const Context& context);

  // Writes all of `text`. Flow::done: no reader is left (EPIPE). Code::interrupted: the chain had to end during the wait.
  Result<Flow> write(std::string_view text);

  // For poll(2): POLLERR or POLLHUP say that the reader is gone. -1 for a file, which has no reader.
  [[nodiscard]] int reader_fd() const { return has_reader_ ? fd_ : -1; }
  [[nodiscard]] bool reader_left() const;

 private:
  [[nodiscard]] ssize_t write_some(std::string_view text) const;
  Result<void> wait();

  const int fd_;
  const Context context_;
  base::UniqueFd own_;       // the same pipe, opened again, so that only our own descriptor is non-blocking
  bool has_reader_ = false;  // a pipe, a socket, a terminal
  bool terminal_ = false;
  bool socket_ = false;
};

}  // namespace weir::pipeline
