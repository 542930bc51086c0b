// Text in double quotes as Go's strconv.Quote writes it, which Go, LogQL and Loki's label strings read back as the same bytes: the
// escapes of C, \xHH for other ASCII control characters and for bytes that are not UTF-8, \uHHHH and \UHHHHHHHH for characters that
// are not printable. For what a terminal shows there is base/visible.h, for JSON record/json.h.
#pragma once

#include <string>
#include <string_view>

namespace weir::base {

// Whether a character, given as its two bytes or more of UTF-8, stands for itself.
using Printable = bool (*)(std::string_view character);

void append_quoted(std::string& out, std::string_view text, Printable printable);
// With what Go's strconv.IsPrint refuses and logs are seen to hold: control characters, the soft hyphen, separators and formatting
// characters, private use, noncharacters. A reader takes any of these escapes, so a character that is missing here costs nothing
// but a form that Go itself would write in another way; gotext::append_quoted() knows them all.
void append_quoted(std::string& out, std::string_view text);
[[nodiscard]] std::string quoted(std::string_view text);

}  // namespace weir::base
