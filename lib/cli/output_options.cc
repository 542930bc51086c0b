#include "cli/output_options.h"

#include "base/visible.h"
#include "cli/value_options.h"

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace weir::cli {
namespace {

using base::Code;
using base::Result;

constexpr const char* kZones = "/usr/share/zoneinfo";

bool is_zone(const std::string& name) {
  constexpr std::string_view kBegin = "TZif";  // RFC 8536
  if (name.empty() || name.front() == '/' || name.find("..") != std::string::npos || name.find('\0') != std::string::npos)
    return false;
  const std::filesystem::path path = std::filesystem::path(kZones) / name;
  std::error_code none;
  if (!std::filesystem::is_regular_file(path, none)) return false;
  char begin[kBegin.size()] = {};
  std::ifstream(path, std::ios::binary).read(begin, sizeof begin);
  return std::string_view(begin, sizeof begin) == kBegin;
}

}  // namespace

Result<std::string> read_zone(const std::string& name) {
  std::string lower = name;
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (lower == "local") return std::string();
  if (lower == "utc") return std::string("UTC0");
  if (is_zone(name)) return ":" + name;
  return base::fail(Code::usage, "{} has no time zone of this name", kZones)
      .with_hint("use for example UTC, Local, Europe/Berlin or America/New_York");
}

void use_zone(const std::string& zone) {
  if (zone.empty()) return;
  ::setenv("TZ", zone.c_str(), 1);
  ::tzset();
}

void declare_output(CLI::App& app, stages::OutputOptions& options, OutputKind kind) {
  using Format = stages::OutputOptions::Format;
  using Color = stages::OutputOptions::Color;
  const bool answer = kind == OutputKind::answer;
  options.histogram = answer;
  options.ends = answer;
  add_choice<Format>(app, "-o,--output", options.format,
                     {{"auto", Format::automatic},
                      {"text", Format::text},
                      {"raw", Format::raw},
                      {"jsonl", Format::jsonl},
                      {"csv", Format::csv},
                      {"table", Format::table}},
                     answer ? "text, raw (bare lines), jsonl (JSON lines), csv or table; auto, the default, is text"
                            : "text, raw (bare lines), jsonl (JSON lines), csv or table; auto, the default, is text on a terminal "
                              "and jsonl into a pipe")
      ->type_name("FORMAT")
      ->default_str("");
  add_choice<Color>(
      app, "--color", options.color, {{"auto", Color::automatic}, {"always", Color::always}, {"never", Color::never}},
      "colour in text: never, always (also into a pipe, as to `less -R`; control bytes are then escaped), or auto, the default: "
      "on a terminal, unless NO_COLOR is set")
      ->type_name("WHEN")
      ->default_str("");
  app.add_flag_callback(
      "--no-wrap", [&options] { options.wrap = false; }, "leave long lines of text to the terminal to wrap");
  if (answer) {
    app.add_flag_callback(
        "--no-histogram", [&options] { options.histogram = false; }, "no histogram above text on a terminal");
  }
  add_value(
      app, "--timezone",
      [&options](const std::string& name) -> Result<void> {
        auto zone = read_zone(name);
        if (!zone) return std::move(zone).error();
        options.zone = *std::move(zone);
        return {};
      },
      "read and show times in this time zone: UTC, Local, or a name such as Europe/Berlin (default: Local, which TZ sets)")
      ->type_name("ZONE");
  app.add_flag_callback(
      "--utc", [&options] { options.zone = *read_zone("UTC"); }, "the same as --timezone UTC");
}

}  // namespace weir::cli
