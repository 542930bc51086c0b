#include "cli/output_options.h"

#include "cli/value_options.h"

#include <CLI/CLI.hpp>

namespace weir::cli {

void declare_output(CLI::App& app, stages::OutputOptions& options, bool text_into_pipes) {
  using Format = stages::OutputOptions::Format;
  using Color = stages::OutputOptions::Color;
  add_choice<Format>(
      app, "-o,--output", options.format,
      {{"auto", Format::automatic}, {"text", Format::text}, {"raw", Format::raw}, {"jsonl", Format::jsonl}},
      text_into_pipes
          ? "text, raw (bare lines) or jsonl (JSON lines); auto, the default, is text"
          : "text, raw (bare lines) or jsonl (JSON lines); auto, the default, is text on a terminal and jsonl into a pipe")
      ->type_name("FORMAT")
      ->default_str("");
  add_choice<Color>(
      app, "--color", options.color, {{"auto", Color::automatic}, {"always", Color::always}, {"never", Color::never}},
      "colour in text: never, always (also into a pipe, as to `less -R`; control bytes are then escaped), or auto, the default: "
      "on a terminal, unless NO_COLOR is set")
      ->type_name("WHEN")
      ->default_str("");
}

}  // namespace weir::cli
