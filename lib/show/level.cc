#include "show/level.h"

#include "names/level.h"

#include <array>
#include <utility>

namespace weir::show {

Level level_named(std::string_view word) {
  constexpr std::array<std::pair<std::string_view, Level>, 7> kWords = {{{"trace", Level::debug},
                                                                         {"debug", Level::debug},
                                                                         {"info", Level::info},
                                                                         {"warn", Level::warning},
                                                                         {"error", Level::error},
                                                                         {"critical", Level::fatal},
                                                                         {"fatal", Level::fatal}}};
  const std::string_view known = names::normalize_level(word);
  for (const auto& [name, level] : kWords) {
    if (known == name) return level;
  }
  return Level::unknown;
}

Level level_of(record::Batch& batch, record::Record& record, Level of_labels) {
  if (of_labels != Level::unknown) return of_labels;
  if (!record.metadata.empty()) {
    const Level detected = level_named(record::find(record.metadata, names::kDetectedLevel));
    if (detected != Level::unknown) return detected;
    const Level given = level_named(names::level_of_metadata(record.metadata));
    if (given != Level::unknown) return given;
  }
  return level_named(names::level_of_line(batch.line(record)));
}

Style style_of(Level level) {
  switch (level) {
    case Level::fatal:
      return Style::bold_red;
    case Level::error:
      return Style::red;
    case Level::warning:
      return Style::yellow;
    case Level::debug:
      return Style::dim;
    case Level::info:
    case Level::unknown:
      break;
  }
  return Style::plain;
}

}  // namespace weir::show
