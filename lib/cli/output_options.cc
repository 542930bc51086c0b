#include "cli/output_options.h"

#include <CLI/CLI.hpp>

namespace weir::cli {

void declare_output(CLI::App& app, OutputFlags& flags, bool text_into_pipes) {
  app.add_option(
         "-o,--output", flags.format,
         text_into_pipes
             ? "text, raw (bare lines) or jsonl (JSON lines); auto, the default, is text"
             : "text, raw (bare lines) or jsonl (JSON lines); auto, the default, is text on a terminal and jsonl into a pipe")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"auto", "text", "raw", "jsonl"}));
  app.add_option(
         "--color", flags.color,
         "colour in text: never, always (also into a pipe, as to `less -R`; control bytes are then escaped), or auto, the default: "
         "on a terminal, unless NO_COLOR is set")
      ->type_name("WHEN")
      ->check(CLI::IsMember({"auto", "always", "never"}));
}

}  // namespace weir::cli
