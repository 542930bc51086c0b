// What Loki refuses, checked before it does, in its own words, so that one bad record never costs the others of its request.
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

// Loki's defaults; 0 switches a check off.
struct PushLimits {
  std::size_t max_line = 256 << 10;             // bytes of a line
  std::size_t max_labels = 15;                  // service_name not counted
  std::size_t max_label_name = 1024;
  std::size_t max_label_value = 2048;
  std::size_t max_metadata_bytes = 64 << 10;    // names and values of one record
  std::size_t max_metadata_count = 128;
  base::Duration max_age = 7 * 24 * base::kHour;
  base::Duration max_ahead = 10 * base::kMinute;
};

// A short name for counters and Loki's text for people.
struct Refusal {
  std::string_view reason;  // "line_too_long", "too_old", …; lives for ever
  std::string text;
};

// What Loki would say about the labels of a stream; `name` is its label string.
[[nodiscard]] std::optional<Refusal> refuse_labels(std::span<const record::Label> labels, std::string_view name,
                                                   const PushLimits& limits);

// The checks of one record. Cheap when it passes. `metadata_bytes` and `metadata_count` are of what is sent.
struct RecordFacts {
  std::size_t line = 0;
  std::size_t metadata_bytes = 0;
  std::size_t metadata_count = 0;
};
[[nodiscard]] std::optional<Refusal> refuse_record(const RecordFacts& facts, std::string_view stream, const PushLimits& limits);
// Its time alone, before anything else is looked at. Who rejects a million for it needs no text for each.
enum class TimeCheck : std::uint8_t { fine, too_old, too_new };
[[nodiscard]] TimeCheck check_time(base::Timestamp time, base::Timestamp now, const PushLimits& limits);
[[nodiscard]] Refusal refuse_time(TimeCheck found, base::Timestamp time, std::string_view stream, base::Timestamp now, const PushLimits& limits);

}  // namespace weir::loki
