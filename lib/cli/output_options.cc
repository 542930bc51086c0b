#include "cli/output_options.h"

#include <CLI/CLI.hpp>

namespace weir::cli {

void declare_output(CLI::App& app, OutputFlags& flags, bool text_into_pipes) {
  app.add_option("-o,--output", flags.format,
                 text_into_pipes ? "default (text), raw (bare lines) or jsonl (JSON lines)"
                                 : "default (text on a terminal, JSON lines into a pipe), raw (bare lines) or jsonl")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"default", "raw", "jsonl"}));
  app.add_option("--color", flags.color, "colour in text: auto (on a terminal without NO_COLOR), always or never")
      ->type_name("WHEN")
      ->check(CLI::IsMember({"auto", "always", "never"}));
}

}  // namespace weir::cli
