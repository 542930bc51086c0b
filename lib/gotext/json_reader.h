// Reads as much JSON as log lines need, and is as lenient as Loki's reader. A number is any text that begins like one. Brackets
// of arrays are only counted. Text after the end of the object is not read. So a line that is cut off still gives the fields
// before the cut.
#pragma once

#include "gotext/scratch.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::gotext {

struct JsonValue {
  enum class Type : std::uint8_t { string, number, boolean, null, object, array };
  Type type = Type::null;
  std::string_view text;     // a string without its quotes
  bool has_escapes = false;  // for a string
};

inline constexpr std::string_view kJsonNoObject = "Value looks like object, but can't find closing '}' symbol";
inline constexpr std::string_view kJsonNoArray = "Value is array, but can't find closing ']' symbol";
inline constexpr std::string_view kJsonNoString = "Value is string, but can't find closing '\"' symbol";
inline constexpr std::string_view kJsonUnknownValue = "Unknown value type";
inline constexpr std::string_view kJsonMalformed = "Malformed JSON error";
inline constexpr std::string_view kJsonBadEscape = "Encountered an invalid escape sequence in a string";

// A place in JSON text. A method that returns false has set `error`.
class JsonCursor {
 public:
  explicit JsonCursor(std::string_view text) : text_(text) {}

  // Moves past `{`.
  bool enter_object();
  // Moves to the next member. Gives its raw key, with the cursor before its value. Sets `done` after the `}`.
  bool next_member(std::string_view& key, bool& key_has_escapes, bool& done);
  // Reads the value here. An object or array is given as its whole text.
  bool value(JsonValue& out);
  // Between members: moves past a comma, or to the `}`.
  bool separator();

  [[nodiscard]] bool at_end();  // only white space follows
  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] std::string_view error() const { return error_; }

 private:
  void skip_space();
  bool fail(std::string_view why) {
    error_ = why;
    return false;
  }
  bool string(std::string_view& out, bool& has_escapes);
  bool block(char open, char close, std::string_view& out);
  std::string_view text_;
  std::size_t position_ = 0;
  bool first_ = true;
  std::string_view error_;
};

// The inside of a JSON string. Decoded into `scratch` when it has escapes; nullopt when an escape is invalid.
[[nodiscard]] std::optional<std::string_view> json_unescape(std::string_view text, bool has_escapes, Scratch& scratch);

// The same for a quoted value of logfmt, whose escapes are those of Go's JSON: `\'` is valid, and half of a surrogate pair
// becomes U+FFFD.
[[nodiscard]] std::optional<std::string_view> logfmt_unescape(std::string_view text, bool has_escapes, Scratch& scratch);

}  // namespace weir::gotext
