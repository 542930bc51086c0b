// The members of a JSON object that stands in a record, such as `parsed` and `rejected`.
#pragma once

#include "gotext/json_reader.h"
#include "gotext/scratch.h"

#include <string_view>
#include <utility>

namespace weir::show {

// Calls take(name, value) for each member; the value of a string without its escapes, of anything else its JSON. The views hold for
// the time of the call. False when `object` is malformed; then some were taken.
template <typename Take>
bool for_each_member(std::string_view object, Take take) {
  gotext::JsonCursor cursor(object);
  gotext::Scratch scratch;
  std::string_view key;
  bool escapes = false;
  bool done = false;
  if (!cursor.enter_object()) return false;
  while (true) {
    gotext::JsonValue value;
    if (!cursor.next_member(key, escapes, done)) return false;
    if (done) return true;
    if (!cursor.value(value) || !cursor.separator()) return false;
    const std::string_view name = gotext::json_unescape(key, escapes, scratch).value_or(key);
    const bool is_string = value.type == gotext::JsonValue::Type::string;
    take(name, is_string ? gotext::json_unescape(value.text, value.has_escapes, scratch).value_or(value.text) : value.text);
  }
}

}  // namespace weir::show
