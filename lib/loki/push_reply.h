// What Loki's answer to a push request means. Pure functions of status and text.
#pragma once

#include "base/clock.h"
#include "http/client.h"
#include "loki/push_body.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::loki {

enum class Meaning : std::uint8_t {
  delivered,       // 2xx
  stored_but_for,  // 400 with validation texts: all the others are stored, and nothing of it must be sent again
  refused,         // 400 or 422 for the request as a whole, nothing stored: take it apart until the culprit is alone
  too_large,       // 413: send it in smaller pieces
  stream_limited,  // 429 for one stream: its rate, or one stream too many
  limited,         // 429 for the tenant
  unavailable,     // 408, 5xx: may pass
  no_metadata,     // 400: this Loki takes no structured metadata
  unknown_400,     // 400 in words that are not Loki's
  trouble,         // 3xx, 401, 403, 404, 405, …: the target or our access to it is wrong, the records are not
};

[[nodiscard]] Meaning meaning(int status, std::string_view body);

// The first line of the answer for messages: trimmed, at most 300 bytes.
[[nodiscard]] std::string first_line(std::string_view body);

// One complaint within a validation text.
struct Complaint {
  std::string_view reason;                   // short name for counters, lives for ever
  std::string text = {};                     // Loki's words
  std::string stream = {};                   // label string, "" when it names none
  std::uint64_t count = 1;                   // records it speaks of; meaningless with whole_stream
  bool whole_stream = false;                 // every record of the stream
  std::optional<base::Timestamp> timestamp = std::nullopt;  // of the record, whole seconds
  std::size_t line = 0;                      // its length, where that is the complaint
  std::size_t limit = 0;                     // bytes or number allowed, where the text gives it
};

[[nodiscard]] std::vector<Complaint> complaints(std::string_view body);

// The entries of `stream` that a complaint about this stream speaks of, by index, ascending.
[[nodiscard]] std::vector<std::size_t> offenders(const Complaint& complaint, const DecodedStream& stream);

}  // namespace weir::loki
