// Loki's limits, checked before sending, with Loki's own words. So a bad record never costs the others of its request.
// https://grafana.com/docs/loki/latest/configure/#limits_config
#pragma once

#include "base/clock.h"
#include "record/label_set.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir::loki {

// The values are Loki's defaults. 0 switches a check off.
struct PushLimits {
  std::size_t max_line = 256 << 10;  // bytes of a line
  std::size_t max_labels = 15;       // without service_name
  std::size_t max_label_name = 1024;
  std::size_t max_label_value = 2048;
  std::size_t max_metadata_bytes = 64 << 10;  // names and values of one record
  std::size_t max_metadata_count = 128;
  base::Duration max_age = 7 * 24 * base::kHour;
  base::Duration max_ahead = 10 * base::kMinute;
};

// Why a record is refused: a short name for counters, and Loki's text for people.
struct Refusal {
  std::string_view reason;  // "line_too_long", "too_old", …; static text
  std::string text;
};

// Loki's complaint about the labels of a stream, if it would have one. `name` is the label string.
[[nodiscard]] std::optional<Refusal> refuse_labels(std::span<const record::Label> labels, std::string_view name,
                                                   const PushLimits& limits);

// Checks one record; cheap when the record passes. `metadata_bytes` and `metadata_count` count what is sent.
struct RecordFacts {
  std::size_t line = 0;
  std::size_t metadata_bytes = 0;
  std::size_t metadata_count = 0;
};
[[nodiscard]] std::optional<Refusal> refuse_record(const RecordFacts& facts, std::string_view stream, const PushLimits& limits);
// Checks only the time, before any other work. Returns no text, because a million records may be rejected for their time.
enum class TimeCheck : std::uint8_t { fine, too_old, too_new };
[[nodiscard]] TimeCheck check_time(base::Timestamp time, base::Timestamp now, const PushLimits& limits);
[[nodiscard]] Refusal refuse_time(TimeCheck found, base::Timestamp time, std::string_view stream, base::Timestamp now,
                                  const PushLimits& limits);

}  // namespace weir::loki
