#include "cli/output_options.h"

#include <CLI/CLI.hpp>

namespace weir::cli {

void declare_output(CLI::App& app, OutputFlags& flags, bool text_into_pipes) {
  app.add_option("-o,--output", flags.format,
                 text_into_pipes ? "auto (the default: text), text, raw (bare lines) or jsonl (JSON lines)"
                                 : "auto (the default: text on a terminal, JSON lines into a pipe), text, raw (bare lines) or jsonl")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"auto", "text", "raw", "jsonl"}));
  app.add_option("--color", flags.color,
                 "colour in text: auto (on a terminal without NO_COLOR), never, or always (also into a pipe that ends at a terminal, as of "
                 "`less -R`: control bytes are then shown escaped)")
      ->type_name("WHEN")
      ->check(CLI::IsMember({"auto", "always", "never"}));
}

}  // namespace weir::cli
