// The level of a log line, found the way Loki finds `detected_level`, so that a record that carries it from here on is what
// Loki would have made of it, and local queries see it before Loki does.
//
// Loki 3.x: pkg/distributor (field detection); https://grafana.com/docs/loki/latest/get-started/labels/#log-level
// Words are `trace debug info warn error critical fatal`, else `unknown`. All functions are pure and allocate nothing on the
// way that lines usually take; a word they return lives for ever, any other view is one into the argument.
#pragma once

#include "record/label_set.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace weir::names {

// The name of the metadata that Loki keeps the level in.
inline constexpr std::string_view kDetectedLevel = "detected_level";

// `value` as one of the words above when it is a known spelling of one in any case (`ERR`, `Warning`, `inf`), else itself.
[[nodiscard]] std::string_view normalize_level(std::string_view value);

// The level that labels give, "" for none: the value of the first of Loki's field names (`level`, `severity`, `lvl`, …) that
// is there, normalised.
[[nodiscard]] std::string_view level_of_labels(std::span<const record::Label> labels);

// The same for metadata, and then by `severity_number` as OpenTelemetry counts. Names count as Loki normalises them
// (`severity.text` is `severity_text`); `detected_level` is not looked at.
[[nodiscard]] std::string_view level_of_metadata(std::span<const record::Label> metadata);

// The level in the text of a line, always one of the words above: the fields of a JSON object (to depth 2), logfmt keys, then the
// earliest keyword that stands alone.
[[nodiscard]] std::string_view level_of_line(std::string_view line);

}  // namespace weir::names
