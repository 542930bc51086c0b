// The pipelines of a text, run together: `weir run`.
#pragma once

#include "cli/assemble.h"
#include "cli/pipeline_text.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace weir::cli {

// What `weir run` was given: -c TEXT, `-`, or a word that is a file if there is one and a text if it has a `|` or begins with a stage.
struct PipelineChoice {
  std::string word;
  std::string text;        // of -c
  bool text_given = false;
};

// Reads it. Code::usage when it is neither a file nor a text, Code::io when it cannot be read.
base::Result<PipelineSource> load_pipelines(const PipelineChoice& choice, std::span<const Command* const> commands);

struct PipelineLinks {
  std::vector<Link> links;
  TextPlace place;
};

// Parses and checks everything without building anything. `source` must outlive what is returned.
base::Result<std::vector<PipelineLinks>> read_pipelines(const PipelineSource& source, std::span<const Command* const> commands,
                                                        const pipeline::Context& context);

// Finds what a start would find wrong with the files and variables that the pipelines name, one after the other, without writing anything or
// keeping anybody out.
base::Result<void> rehearse_pipelines(std::vector<PipelineLinks> pipelines, const PipelineSource& source, const pipeline::Context& context);

// Builds all of them before the first record moves, runs each on a thread of its own, and returns when all have ended. The first that
// fails stops the others and is what is returned.
base::Result<Exit> run_pipelines(std::vector<PipelineLinks> pipelines, const PipelineSource& source, const pipeline::Context& context);

}  // namespace weir::cli
