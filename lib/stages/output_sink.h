// The end of a chain without a sink: writes records to standard output, for people or for programs. JSON lines are written by
// pipeline::make_jsonl_sink, everything else by one of the writers of lib/show.
//
// Into a pipe nothing is wrapped, cut or coloured, unless `color` is `always`. Text and tables have one line for each record, with
// escapes (base/visible.h); raw bytes, JSON lines and CSV come as they are. When the reader is gone, the sink returns Flow::done.
#pragma once

#include "pipeline/stage.h"

#include <cstdint>
#include <memory>
#include <string>

namespace weir::stages {

struct OutputOptions {
  enum class Format : std::uint8_t {
    automatic,  // on a terminal: text; otherwise jsonl
    text,       // on a terminal: samples as a table or a chart
    raw,        // only the lines
    jsonl,
    csv,
    table,
  };
  enum class Color : std::uint8_t {
    automatic,  // on a terminal, unless NO_COLOR is set or TERM is `dumb`
    always,
    never,
  };
  Format format = Format::automatic;
  Color color = Color::automatic;
  int fd = 1;
  bool wrap = true;        // long lines on a terminal
  bool histogram = false;  // above text on a terminal
  bool header = true;      // of text: labels that all records share, in a message; a terminal shows them beside the day
  bool ends = false;       // all records belong to one answer, so what needs many of them may wait for them
  std::string zone = {};   // the time zone that was asked for, as TZ takes it; "" for none. The sink shows the process's own
};

// Checks once what kind of file `options.fd` is. The environment (NO_COLOR, TERM, LC_ALL, LC_CTYPE, LANG) comes from the context.
std::unique_ptr<pipeline::Stage> make_output_sink(const OutputOptions& options, const pipeline::Context& context);

}  // namespace weir::stages
