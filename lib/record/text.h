// The bytes of a log line in the form in which they arrived, so that a line nobody looks into is neither decoded nor escaped.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir::record {

// A view; the bytes belong to the batch. Passed by value.
struct Text {
  enum class Form : std::uint8_t {
    bytes,  // decoded; whether JSON would have to escape any of it is not known
    clean,  // decoded and escaped at once: valid UTF-8 with nothing in it that JSON escapes
    json,   // the inside of a JSON string as it stood there, with at least one backslash
  };
  std::string_view data;
  Form form = Form::clean;
  // Of bytes that were decoded from it: the inside of the JSON string, which the writer prints. Thus what a line looks like
  // behind a stage does not depend on whether a stage before it, in the same process, had to look into the line.
  std::string_view escaped = {};

  static Text bytes(std::string_view data) { return {data, Form::bytes}; }
  [[nodiscard]] bool decoded() const { return form != Form::json; }
};

}  // namespace weir::record
