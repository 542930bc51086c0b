// -o and --color of every command that writes records.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace weir::cli {

struct OutputFlags {
  std::string format;  // "", "default", "raw", "jsonl"
  std::string color;   // "", "auto", "always", "never"
};

// `flags` must outlive the parse. CLI11 refuses other values.
void declare_output(CLI::App& app, OutputFlags& flags);

}  // namespace weir::cli
