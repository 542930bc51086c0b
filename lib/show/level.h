// The level of a record, as people tell records apart: what is coloured, and the rows of a histogram.
#pragma once

#include "record/record.h"
#include "show/style.h"

#include <cstdint>
#include <string_view>

namespace weir::show {

enum class Level : std::uint8_t { unknown, debug, info, warning, error, fatal };  // from the least to the worst

// By a word that names/level.h knows, in any spelling. `trace` counts as debug, `critical` as fatal.
[[nodiscard]] Level level_named(std::string_view word);

// As Loki finds it: by the labels, the metadata, and then by the text of the line. `of_labels` is the level that the record's
// labels give, which is the same for many records: level_named(names::level_of_labels(…)). Decodes the line into the batch.
[[nodiscard]] Level level_of(record::Batch& batch, record::Record& record, Level of_labels);

[[nodiscard]] Style style_of(Level level);

}  // namespace weir::show
