// The last stage of every command that writes records: JSON lines for programs, text for people, or the bare lines.
//
// Text is, per record: local time in milliseconds, pod/container (or the file name, or the most telling label), the line, and
// those labels that differ between the records shown. Labels that are the same for all are said once, on stderr. Into a pipe
// nothing is cut, wrapped, coloured or escaped; on a terminal control bytes are shown escaped, so that a log cannot drive
// it, and the further lines of a record of several lines are indented. So is text where colour is asked for (`always`), since a terminal stands
// at the end of that pipe. Markers are shown in JSON lines only.
//
// 'Safe' means: the kernel has it. A reader that went away is Flow::done.
#pragma once

#include "pipeline/stage.h"

#include <cstdint>
#include <memory>
#include <string_view>

namespace weir::stages {

struct OutputOptions {
  enum class Format : std::uint8_t {
    automatic,  // a terminal: text; otherwise jsonl
    text,
    raw,        // lines only
    jsonl,
  };
  enum class Color : std::uint8_t {
    automatic,  // on a terminal, unless NO_COLOR is set or TERM is `dumb`
    always,
    never,
  };
  Format format = Format::automatic;
  Color color = Color::automatic;
  int fd = 1;
};

// The values of `-o` and `--color`: "", "auto", "text", "raw", "jsonl"; "", "auto", "always", "never". Anything else is Code::usage.
[[nodiscard]] base::Result<OutputOptions> parse_output(std::string_view format, std::string_view color);

// Asks once what `options.fd` is. The environment (NO_COLOR, TERM) comes from the context.
std::unique_ptr<pipeline::Stage> make_output_sink(const OutputOptions& options, const pipeline::Context& context);

}  // namespace weir::stages
