// The source of every stage after a pipe: JSON lines from a file descriptor.
//
// It emits as soon as the input is empty, and wakes for its nudge deadlines. When the very first line is not a record, it ends
// with Code::usage, before anything was taken. A stream that began with a `begin` marker must end with an `end` marker. Without
// it a neighbour has died: the unterminated last line is dropped (it will be read again), everything before it is emitted, and
// run() ends with Code::interrupted.
//
// Signals do not end it, unless `leave_at_signal`: it reads on to the end of the file. At Stop::leave it returns at once, and at
// Stop::deadline with Code::interrupted. It also reports a dead neighbour to Stop, so that a stage that is blocked below learns of
// it.
#pragma once

#include "pipeline/stage.h"

namespace weir::pipeline {

struct JsonlSourceOptions {
  int fd = 0;
  bool strict = false;            // stop at the first line that is not a record
  bool leave_at_signal = false;   // return at once then, as at Stop::leave: for who needs the whole input or nothing
  std::size_t block = 256 << 10;  // bytes of one read; a batch is at most that large
};

std::unique_ptr<Source> make_jsonl_source(const JsonlSourceOptions& options, const Context& context);

}  // namespace weir::pipeline
