// Escaping and unescaping of JSON strings, and of bytes that are not UTF-8.
//
// Inside weir a line is bytes. In JSON, a byte that is not part of valid UTF-8 is written as \udcXX, a lone low surrogate (as
// Python's surrogateescape does), and read back as that byte. A standard JSON reader shows it as U+FFFD. Any other lone
// surrogate is read as the three bytes of its code point. These are not UTF-8, so each of them is written back as \udcXX. So
// every byte string survives any number of hops. RFC 8259 section 8.2 allows such escapes in JSON text.
#pragma once

#include "record/text.h"

#include <string>
#include <string_view>

namespace weir::record {

// Appends the escaped form, without quotes. Escapes `"`, `\`, bytes below 0x20 (in JSON's short forms where they exist), and
// bytes that are not UTF-8. Escapes nothing else: not `/`, not `<>&`, not 0x7f.
void append_escaped(std::string& out, std::string_view bytes);
// The same with quotes around it: a JSON string.
void append_json_string(std::string& out, std::string_view bytes);
[[nodiscard]] std::string json_string(std::string_view bytes);
// append_escaped() into a buffer of at least max_escaped(bytes.size()). Returns the end.
char* write_escaped(char* out, std::string_view bytes);
inline std::size_t max_escaped(std::size_t size) { return size * 6; }

// Decodes the inside of a JSON string that the reader has checked. `out` has room for escaped.size() bytes. Returns how many
// were written.
std::size_t unescape(char* out, std::string_view escaped);

// Whether the inside of a JSON string may hold these bytes otherwise than as they are, by an escape other than \u.
[[nodiscard]] bool may_be_escaped(std::string_view bytes);

// True when no byte needs an escape.
[[nodiscard]] bool is_clean(std::string_view bytes);

}  // namespace weir::record
