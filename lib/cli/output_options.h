// -o and --color of every command that writes records.
#pragma once

#include "stages/output_sink.h"

namespace CLI {
class App;
}

namespace weir::cli {

// `options` must outlive the parse. `text_into_pipes`: what `auto` means where standard output is no terminal.
void declare_output(CLI::App& app, stages::OutputOptions& options, bool text_into_pipes = false);

}  // namespace weir::cli
