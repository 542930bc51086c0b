// What `weir --version` prints.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace weir::cli {

// One build of weir, as the build system found it. A list names libraries with their versions: "fmt 9.1.0, zstd 1.5.4".
struct BuildFacts {
  std::string_view version;       // "0.1.0"
  std::string_view commit;        // twelve digits, " with changes" behind them where the tree was changed; "unknown" without git
  std::string_view architecture;  // "x86_64-linux-gnu"
  std::string_view compiler;      // "GNU 12.2.0"
  std::string_view linked;        // libraries that the loader brings
  std::string_view compiled_in;   // libraries that are part of the binary
};

// A library that is loaded when a stage first needs it.
struct LateLibrary {
  std::string_view name;
  std::string found;  // what this machine has, "7.88.1, OpenSSL/3.0.15"; empty: nothing, or nothing that can be used
};

// The first line is "weir VERSION", for scripts; the others are for people and bug reports.
[[nodiscard]] std::string version_text(const BuildFacts& facts, std::span<const LateLibrary> late);

// Those of this machine. Loads them, which takes some milliseconds.
[[nodiscard]] std::span<const LateLibrary> late_libraries();

}  // namespace weir::cli
