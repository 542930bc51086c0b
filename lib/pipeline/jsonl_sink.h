// The sink of every stage before a pipe: JSON lines to a file descriptor. 'Safe' means that the kernel has them.
//
// Writes are large. A record that no stage changed goes out as the bytes that came in. When the reader is gone (EPIPE), the
// sink returns Flow::done. The pipe is enlarged to 1 MiB where the kernel allows it.
#pragma once

#include "pipeline/stage.h"

namespace weir::pipeline {

struct JsonlSinkOptions {
  int fd = 1;
};

std::unique_ptr<Stage> make_jsonl_sink(const JsonlSinkOptions& options, const Context& context);

}  // namespace weir::pipeline
