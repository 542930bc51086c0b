// Strings in answers of the API, and bytes in them that are not UTF-8.
//
// weir's own JSON writes such a byte as a lone surrogate, \udcXX (record/json.h). Clients of Loki's API get U+FFFD instead, as from
// Loki (Go: encoding/json).
#pragma once

#include <string>
#include <string_view>

namespace weir::serve {

// Replaces each lone surrogate in the strings of this JSON text, which may be several values behind each other.
void replace_lone_surrogates(std::string& json);

// Appends a JSON string in which `<`, `>`, `&` and two line separators are escaped, too, as Loki writes the lines of a tail (Go:
// encoding/json). What is not UTF-8 becomes lone surrogates.
void append_html_safe_string(std::string& out, std::string_view text);

}  // namespace weir::serve
