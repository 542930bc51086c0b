#include "base/xml.h"

#include "base/diagnostics.h"
#include "base/utf8.h"

namespace weir::base {

std::string escape_xml(std::string_view text) {
  std::size_t replaced = 0;
  std::string plain = replace_invalid_utf8(escape_control(text), replaced);
  // XML 1.0 has no U+FFFE and no U+FFFF. U+FFFD, which stands for them, is as long.
  for (std::size_t at = 0; (at = plain.find("\xef\xbf", at)) != std::string::npos; at += 3)
    if (plain[at + 2] == '\xbe' || plain[at + 2] == '\xbf') plain[at + 2] = '\xbd';
  std::string out;
  for (const char c : plain) {
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
