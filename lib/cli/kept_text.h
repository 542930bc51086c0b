// The text of `weir run FILE` that ran last, kept beside each file in which its pipelines keep positions. A node whose FILE is
// broken at a start, by a bad ConfigMap perhaps, goes on with what is kept.
#pragma once

#include "base/diagnostics.h"
#include "cli/pipeline_text.h"

#include <optional>
#include <string>
#include <vector>

namespace weir::cli {

// Writes KEEPER-pipeline for each keeper (a spool or a checkpoint): a line that names the file, then its text. A text that is there
// already is not written again. A failure is reported: it costs only what a later start may need.
void keep_text(const PipelineSource& source, const std::vector<std::string>& keepers, base::Diagnostics& diagnostics);

// What is kept of `source`, which is a file: looked for beside every word of its text that may be a path, and beside the spool that
// $WEIR_SPOOL names. Nothing when there is none, or when it is the text itself.
[[nodiscard]] std::optional<PipelineSource> find_kept_text(const PipelineSource& source,
                                                           const char* (*environment)(const char* name));

}  // namespace weir::cli
