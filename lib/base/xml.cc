#include "base/xml.h"

#include "base/diagnostics.h"
#include "base/utf8.h"

namespace weir::base {

std::string escape_xml(std::string_view text) {
  std::size_t replaced = 0;
  std::string out;
  for (const char c : replace_invalid_utf8(escape_control(text), replaced)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace weir::base
