// Bytes that are not UTF-8, in answers of the API.
//
// weir's own JSON writes such a byte as a lone surrogate, \udcXX (record/json.h). Clients of Loki's API get U+FFFD instead, as from
// Loki (Go: encoding/json).
#pragma once

#include <string>

namespace weir::serve {

// Replaces each lone surrogate in the strings of this JSON text, which may be several values behind each other.
void replace_lone_surrogates(std::string& json);

}  // namespace weir::serve
