// The bytes of a log line in the form in which they arrived. So a line that no stage reads is neither decoded nor escaped.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir::record {

// A view; the batch owns the bytes. Passed by value.
struct Text {
  enum class Form : std::uint8_t {
    bytes,  // decoded; whether JSON must escape a byte is unknown
    clean,  // decoded and escaped at once: valid UTF-8 without a byte that JSON escapes
    json,   // the inside of a JSON string as it was there, with at least one backslash
  };
  std::string_view data;
  Form form = Form::clean;
  // For decoded bytes: the inside of the JSON string that they came from. The writer prints it. So the line after a stage does
  // not depend on whether an earlier stage in the same process had to decode it.
  std::string_view escaped = {};

  static Text bytes(std::string_view data) { return {data, Form::bytes}; }
  [[nodiscard]] bool decoded() const { return form != Form::json; }
};

}  // namespace weir::record
