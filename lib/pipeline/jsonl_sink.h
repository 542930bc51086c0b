// The sink of every stage that stands before a pipe: JSON lines on a file descriptor. 'Safe' means: the kernel has it.
//
// Large writes; a record that nobody changed goes out as the bytes it came in. A reader that went away (EPIPE) is Flow::done.
// The pipe is enlarged to 1 MiB where the kernel allows it.
#pragma once

#include "pipeline/stage.h"

namespace weir::pipeline {

struct JsonlSinkOptions {
  int fd = 1;
};

std::unique_ptr<Stage> make_jsonl_sink(const JsonlSinkOptions& options, const Context& context);

}  // namespace weir::pipeline
