// The source of every stage that stands behind a pipe: JSON lines on a file descriptor.
//
// Emits as soon as the input is empty; wakes for its nudge deadlines. If the very first line is no record it ends with
// Code::usage before anything was taken. A stream that began with a `begin` marker must close with an `end` marker: without
// one a neighbour died, the unterminated last line is dropped (it will be read again) and run() ends with Code::interrupted
// after everything before it was emitted. Signals do not end it: it reads on to end of file; at Stop::leave it returns at once, and at
// Stop::deadline with Code::interrupted. Whoever is blocked below it learns from there, too, when the neighbour has died.
#pragma once

#include "pipeline/stage.h"

namespace weir::pipeline {

struct JsonlSourceOptions {
  int fd = 0;
  bool strict = false;             // stop at the first line that is no record
  std::size_t block = 256 << 10;   // bytes a read; a batch is at most that
};

std::unique_ptr<Source> make_jsonl_source(const JsonlSourceOptions& options, const Context& context);

}  // namespace weir::pipeline
