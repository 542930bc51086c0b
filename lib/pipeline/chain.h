// Runs a source and its stages in one process: the shell's one stage between two pipes as well as all of `weir run`.
#pragma once

#include "pipeline/stage.h"

#include <span>
#include <utility>

namespace weir::pipeline {

struct ChainResult {
  Result<void> ended;         // the first error
  bool reader_gone = false;   // Flow::done came back from the last stage
  Counters source;
  std::vector<std::pair<std::string, Counters>> stages;
};

// Drives `source` to its end, then finishes every stage in order, also after an error: by the deadline of `context.stop`, with a
// second in any case, or whenever it is done when nobody asked for an end. What was counted is there after an error as well.
// Blocks.
ChainResult run_chain(Source& source, std::span<const std::unique_ptr<Stage>> stages, const Context& context);

// Folds stages[0..] into the Outlet that stands for all of them; for stages that own a thread (buffer's drain) and for tests.
// `stages` must outlive it. Emitting past the last stage is a bug (a sink emits nothing).
std::unique_ptr<Outlet> make_outlet(std::span<const std::unique_ptr<Stage>> stages);

}  // namespace weir::pipeline
