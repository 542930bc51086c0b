// Just enough of JSON for log lines, as lenient as the reader that Loki uses: a number is whatever begins like one, brackets of
// arrays are only counted, and what stands behind the end of the object is not looked at. So a line that is cut off still gives
// the fields that stand before the cut.
#pragma once

#include "base/result.h"
#include "gotext/scratch.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::gotext {

struct JsonValue {
  enum class Type : std::uint8_t { string, number, boolean, null, object, array };
  Type type = Type::null;
  std::string_view text;     // without the quotes of a string
  bool has_escapes = false;  // string
};

inline constexpr std::string_view kJsonNoObject = "Value looks like object, but can't find closing '}' symbol";
inline constexpr std::string_view kJsonNoArray = "Value is array, but can't find closing ']' symbol";
inline constexpr std::string_view kJsonNoString = "Value is string, but can't find closing '\"' symbol";
inline constexpr std::string_view kJsonUnknownValue = "Unknown value type";
inline constexpr std::string_view kJsonMalformed = "Malformed JSON error";
inline constexpr std::string_view kJsonBadEscape = "Encountered an invalid escape sequence in a string";

// A place in JSON text. Methods return false with `error` set.
class JsonCursor {
 public:
  explicit JsonCursor(std::string_view text) : text_(text) {}

  // Past `{`.
  bool enter_object();
  // The next member: its raw key and the cursor before its value, or `done` behind the `}`.
  bool next_member(std::string_view& key, bool& key_has_escapes, bool& done);
  // The value here; objects and arrays as whole texts.
  bool value(JsonValue& out);
  // Between members: past a comma, or to the `}`.
  bool separator();

  [[nodiscard]] bool at_end();  // nothing but white space follows
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

// The inside of a JSON string, decoded into `scratch` when it has escapes; nullopt when one of them is invalid.
[[nodiscard]] std::optional<std::string_view> json_unescape(std::string_view text, bool has_escapes, Scratch& scratch);

// The same for a quoted value of logfmt, whose escapes are Go's idea of JSON: `\'` is one, and a surrogate without its other half
// is U+FFFD.
[[nodiscard]] std::optional<std::string_view> logfmt_unescape(std::string_view text, bool has_escapes, Scratch& scratch);

// `a.b[0]["c d"]`.
class JsonPath {
 public:
  // The error is Loki's, `cannot parse expression [x-y]: unexpected char -`, with Code::parse.
  static base::Result<JsonPath> compile(std::string_view text);
  enum class Outcome { found, missing, broken };
  // Looks for the value in `line`, reading no further than needed; `error` says what is broken.
  Outcome find(std::string_view line, JsonValue& out, std::string_view& error, Scratch& scratch) const;

 private:
  struct Step {
    std::string key;
    std::size_t index = 0;
    bool is_index = false;
  };
  // The steps from `step` on within `text`.
  Outcome find_from(std::size_t step, std::string_view text, JsonValue& out, std::string_view& error, Scratch& scratch) const;
  Outcome find_element(std::size_t step, std::string_view text, JsonValue& out, std::string_view& error, Scratch& scratch) const;
  Outcome find_member(std::size_t step, std::string_view text, JsonValue& out, std::string_view& error, Scratch& scratch) const;
  std::vector<Step> steps_;
};

}  // namespace weir::gotext
