// -o and --color of every command that writes records.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace weir::cli {

struct OutputFlags {
  std::string format;  // "", "auto", "text", "raw", "jsonl"
  std::string color;   // "", "auto", "always", "never"
};

// `flags` must outlive the parse. CLI11 refuses other values.
// `text_into_pipes`: what `auto` means where standard output is no terminal.
void declare_output(CLI::App& app, OutputFlags& flags, bool text_into_pipes = false);

}  // namespace weir::cli
