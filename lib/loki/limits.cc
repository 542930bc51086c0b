#include "loki/limits.h"

#include "names/label_name.h"
#include "record/timestamp.h"

#include <fmt/format.h>

namespace weir::loki {
namespace {

// Loki's messages show whole seconds.
std::string seconds(base::Timestamp time) {
  const base::Timestamp rest = ((time % base::kSecond) + base::kSecond) % base::kSecond;
  return record::to_rfc3339(time - rest);
}

}  // namespace

std::optional<Refusal> refuse_labels(std::span<const record::Label> labels, std::string_view name, const PushLimits& limits) {
  std::size_t counted = 0;
  for (const record::Label& label : labels) {
    if (!names::is_label_name(label.name))
      return Refusal{"bad_label_name", fmt::format("couldn't parse labels: stream '{}' has a label name that is not "
                                                   "[a-zA-Z_][a-zA-Z0-9_]*: '{}'",
                                                   name, label.name)};
    if (limits.max_label_name != 0 && label.name.size() > limits.max_label_name)
      return Refusal{"label_name_too_long", fmt::format("stream '{}' has label name too long: '{}'", name, label.name)};
    if (limits.max_label_value != 0 && label.value.size() > limits.max_label_value)
      return Refusal{"label_value_too_long", fmt::format("stream '{}' has label value too long: '{}'", name, label.value)};
    if (label.name != "service_name") ++counted;
  }
  if (limits.max_labels != 0 && counted > limits.max_labels)
    return Refusal{"max_label_names_per_series",
                   fmt::format("entry for stream '{}' has {} label names; limit {}", name, counted, limits.max_labels)};
  return std::nullopt;
}

TimeCheck check_time(base::Timestamp time, base::Timestamp now, const PushLimits& limits) {
  if (limits.max_age != 0 && time < now - limits.max_age) return TimeCheck::too_old;
  if (limits.max_ahead != 0 && time > now + limits.max_ahead) return TimeCheck::too_new;
  return TimeCheck::fine;
}

Refusal refuse_time(TimeCheck found, base::Timestamp time, std::string_view stream, base::Timestamp now, const PushLimits& limits) {
  if (found == TimeCheck::too_old)
    return {"greater_than_max_sample_age",
            fmt::format("entry for stream '{}' has timestamp too old: {}, oldest acceptable timestamp is: {}", stream,
                        seconds(time), seconds(now - limits.max_age))};
  return {"too_far_in_future", fmt::format("entry for stream '{}' has timestamp too new: {}", stream, seconds(time))};
}

std::optional<Refusal> refuse_record(const RecordFacts& facts, std::string_view stream, const PushLimits& limits) {
  if (limits.max_line != 0 && facts.line > limits.max_line)
    return Refusal{"line_too_long",
                   fmt::format("max entry size '{}' bytes exceeded for stream '{}' while adding an entry with length '{}' bytes",
                               limits.max_line, stream, facts.line)};
  if (limits.max_metadata_bytes != 0 && facts.metadata_bytes > limits.max_metadata_bytes)
    return Refusal{"structured_metadata_too_large",
                   fmt::format("stream '{}' has structured metadata too large: '{}' bytes, limit: '{}' bytes", stream,
                               facts.metadata_bytes, limits.max_metadata_bytes)};
  if (limits.max_metadata_count != 0 && facts.metadata_count > limits.max_metadata_count)
    return Refusal{"structured_metadata_too_many",
                   fmt::format("stream '{}' has too many structured metadata labels: '{}', limit: '{}'", stream,
                               facts.metadata_count, limits.max_metadata_count)};
  return std::nullopt;
}

}  // namespace weir::loki
