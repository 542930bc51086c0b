// -o, --color and what else is said about the output of every command that writes records.
#pragma once

#include "base/result.h"
#include "stages/output_sink.h"

#include <string>

namespace CLI {
class App;
}

namespace weir::cli {

// What a command's output is.
enum class OutputKind : std::uint8_t {
  stream,  // records for the next stage: JSON lines into a pipe; they may come for ever
  answer,  // records for whoever asked: text into a pipe, a histogram above it on a terminal
};

// `options` must outlive the parse.
void declare_output(CLI::App& app, stages::OutputOptions& options, OutputKind kind = OutputKind::stream);

// The value of TZ for a time zone by its name (`Europe/Berlin`, `UTC`; `Local` gives ""), which this system must know. Code::usage;
// the message is the cause alone.
[[nodiscard]] base::Result<std::string> read_zone(const std::string& name);

// Makes `zone` the time zone of the process: of all times that are read and shown. "" changes nothing. Before the first thread.
void use_zone(const std::string& zone);

}  // namespace weir::cli
