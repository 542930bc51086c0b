// The pipelines of a text, run together: `weir run`.
#pragma once

#include "cli/assemble.h"
#include "cli/pipeline_set.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace weir::cli {

// What `weir run` was given: -c TEXT, `-`, or a word that is a file if there is one and a text if it has a `|` or begins with a
// stage.
struct PipelineChoice {
  std::string word;
  std::string text;  // of -c
  bool text_given = false;
};

// Reads it. Code::usage when it is neither a file nor a text, Code::io when it cannot be read.
base::Result<PipelineSource> load_pipelines(const PipelineChoice& choice, std::span<const Command* const> commands);

// Parses and checks everything without building anything, and without I/O.
base::Result<std::vector<PipelineEntry>> read_pipelines(PipelineSource source, std::span<const Command* const> commands,
                                                        const pipeline::Context& context);

// The links of one of them, parsed and checked again. Errors name the place in its text.
base::Result<std::vector<Link>> read_links(const PipelineEntry& entry, std::span<const Command* const> commands,
                                           const pipeline::Context& context);

// Builds all of them before the first record moves, runs each on a thread of its own, and returns when all have ended. The first
// that fails stops the others and is what is returned. `reload` as in PipelineSet.
base::Result<Exit> run_pipelines(const std::vector<PipelineEntry>& entries, std::span<const Command* const> commands,
                                 const pipeline::Context& context, PipelineSet::Reload reload = nullptr);

}  // namespace weir::cli
