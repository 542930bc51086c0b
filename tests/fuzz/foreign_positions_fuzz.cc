// Positions of Promtail and Alloy: any text is read or refused, and what is read can be written and read again.
#include "fuzz/fuzz.h"
#include "tail/foreign_positions.h"

#include <fmt/format.h>

#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  const std::string_view input = fuzz::text_of(data, size);
  const auto parsed = tail::parse_foreign_positions(input, "positions.yaml");
  if (!parsed) {
    WEIR_HOLDS(parsed.error().code == base::Code::config);
    return 0;
  }
  const auto quoted = [](std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\')
        out.append(1, '\\').append(1, c);
      else if (c == '\n')
        out += "\\n";
      else if (c == '\r')
        out += "\\r";
      else
        out += c;
    }
    return out + '"';
  };
  std::string text = "positions:\n";
  for (const tail::ForeignEntry& entry : *parsed)
    text += fmt::format("  ? path: {}\n  : {}\n", quoted(entry.path), quoted(entry.value));
  const auto again = tail::parse_foreign_positions(text, "positions.yaml");
  WEIR_HOLDS(again.ok());
  WEIR_HOLDS(again->size() == parsed->size());
  for (std::size_t i = 0; i < again->size(); ++i) {
    WEIR_HOLDS((*again)[i].path == (*parsed)[i].path);
    WEIR_HOLDS((*again)[i].value == (*parsed)[i].value);
  }
  tail::ForeignPositions positions;
  if (auto added = positions.add(input, "positions.yaml", 1); !added) WEIR_HOLDS(added.error().code == base::Code::config);
  return 0;
}
