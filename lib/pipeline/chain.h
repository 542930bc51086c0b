// Runs a source and its stages in one process: one stage of the shell between two pipes, or the whole of `weir run`.
#pragma once

#include "pipeline/stage.h"

#include <span>
#include <utility>

namespace weir::pipeline {

struct ChainResult {
  Result<void> ended;        // the first error
  bool reader_gone = false;  // the last stage returned Flow::done
  Counters source;
  std::vector<std::pair<std::string, Counters>> stages;
};

// Drives `source` to its end, then finishes every stage in order, even after an error. The stages finish by the deadline of
// `context.stop`, but have at least a second, except at Stop::leave. Without a request to stop there is no deadline. What was
// counted is there after an error as well. Blocks.
ChainResult run_chain(Source& source, std::span<const std::unique_ptr<Stage>> stages, const Context& context);

// Joins stages[0..] into one Outlet that stands for all of them. For stages that own a thread (buffer's drain), and for tests.
// `stages` must outlive it. Emitting past the last stage is a bug, because a sink emits nothing.
std::unique_ptr<Outlet> make_outlet(std::span<const std::unique_ptr<Stage>> stages);

}  // namespace weir::pipeline
