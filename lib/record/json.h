// Escaping and unescaping of JSON strings, and bytes that are not UTF-8.
//
// Inside weir a line is bytes. In JSON a byte that is not part of valid UTF-8 is written as \udcXX, a lone low surrogate
// (as Python's surrogateescape), and read back as that byte; a well-formed reader of others shows U+FFFD. Other lone
// surrogates are read as the three bytes of their code point, which are not UTF-8 and so are written back as \udcXX each.
// Every byte string thus survives any number of hops. RFC 8259 section 8.2 allows such escapes in JSON text.
#pragma once

#include "record/text.h"

#include <string>
#include <string_view>

namespace weir::record {

// Appends the escaped form, without quotes. Escapes `"`, `\` and bytes below 0x20 (short forms where JSON has them), and
// bytes that are not UTF-8. Nothing else: not `/`, not `<>&`, not 0x7f.
void append_escaped(std::string& out, std::string_view bytes);
// The same with quotes around it: a JSON string.
void append_json_string(std::string& out, std::string_view bytes);
// append_escaped() into a buffer of at least max_escaped(bytes.size()); returns the end.
char* write_escaped(char* out, std::string_view bytes);
inline std::size_t max_escaped(std::size_t size) { return size * 6; }

// Decodes the inside of a JSON string that has been checked by the reader. `out` has room for escaped.size() bytes; returns
// how many were written.
std::size_t unescape(char* out, std::string_view escaped);

// True when nothing would have to be escaped.
[[nodiscard]] bool is_clean(std::string_view bytes);

}  // namespace weir::record
