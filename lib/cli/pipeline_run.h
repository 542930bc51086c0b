// The pipelines of a text, run together: `weir run`.
#pragma once

#include "cli/assemble.h"
#include "cli/pipeline_set.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace weir::cli {

// What `weir run` was given: -c TEXT, `-`, or a word. The word is the name of a file if that file exists, and otherwise a text if
// it has a `|` or begins with a stage.
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

// The files in which they keep positions: spools and checkpoints.
[[nodiscard]] std::vector<std::string> keepers_of(const std::vector<PipelineEntry>& entries,
                                                  std::span<const Command* const> commands, const pipeline::Context& context);

}  // namespace weir::cli
