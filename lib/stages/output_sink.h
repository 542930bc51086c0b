// The last stage of every command that writes records: JSON lines for programs, text for people, or the bare lines.
//
// The text of a record is: local time in milliseconds, pod/container (or the file name, or the most telling label), the line,
// and the labels that differ between the records shown. Labels that are the same for all records are shown once, on stderr. In
// a pipe nothing is cut, wrapped, coloured or escaped. On a terminal, control bytes are escaped, so that a log cannot control
// the terminal, and the further lines of a record are indented. The same holds for a pipe when colour is forced (`always`),
// because a terminal is at the end of that pipe. Only JSON lines show markers.
//
// 'Safe' means that the kernel has the bytes. When the reader is gone, the sink returns Flow::done.
#pragma once

#include "pipeline/stage.h"

#include <cstdint>
#include <memory>

namespace weir::stages {

struct OutputOptions {
  enum class Format : std::uint8_t {
    automatic,  // on a terminal: text; otherwise jsonl
    text,
    raw,  // only the lines
    jsonl,
  };
  enum class Color : std::uint8_t {
    automatic,  // on a terminal, unless NO_COLOR is set or TERM is `dumb`
    always,
    never,
  };
  Format format = Format::automatic;
  Color color = Color::automatic;
  int fd = 1;
};

// Checks once what kind of file `options.fd` is. The environment (NO_COLOR, TERM) comes from the context.
std::unique_ptr<pipeline::Stage> make_output_sink(const OutputOptions& options, const pipeline::Context& context);

}  // namespace weir::stages
