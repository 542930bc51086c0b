#include "cli/version_text.h"

#include "base/result.h"
#include "http/library_version.h"
#include "tail/journal_library.h"

#include <fmt/format.h>

#include <array>

namespace weir::cli {
namespace {

std::string or_nothing(base::Result<std::string> found) { return found ? *std::move(found) : std::string(); }

}  // namespace

std::string version_text(const BuildFacts& facts, std::span<const LateLibrary> late) {
  std::string out = fmt::format("weir {}\n", facts.version);
  out += fmt::format("commit: {}\n", facts.commit);
  out += fmt::format("built for: {}, with {}\n", facts.architecture, facts.compiler);
  out += fmt::format("linked: {}\n", facts.linked);
  out += fmt::format("compiled in: {}\n", facts.compiled_in);
  out += "loaded when needed:";
  for (const auto& library : late) {
    out += fmt::format("{} {} ({})", &library == late.data() ? "" : ",", library.name,
                       library.found.empty() ? "not found" : library.found.c_str());
  }
  out += '\n';
  return out;
}

std::span<const LateLibrary> late_libraries() {
  static const std::array<LateLibrary, 2> libraries = {{
      {"libcurl", or_nothing(http::library_version())},
      {"libsystemd", or_nothing(tail::JournalLibrary::file_name())},
  }};
  return libraries;
}

}  // namespace weir::cli
