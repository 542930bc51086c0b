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
  stream_limited,  // one stream is refused for now: 429 for its rate or for one stream too many, or its policy is blocked
  limited,         // 429 for the tenant
  unavailable,     // 408, 5xx: may pass
  failed,          // 500 in words that speak of no server that is missing: may pass, or something in the request is more than Loki bears
  no_metadata,     // 400: this Loki takes no structured metadata
  unknown_400,     // 400 in words that are not Loki's
  trouble,         // 3xx, 401, 403, 404, 405, …: the target or our access to it is wrong, the records are not
};

[[nodiscard]] Meaning meaning(int status, std::string_view body);

// The first line of the answer for messages: trimmed, at most so many bytes and an ellipsis.
[[nodiscard]] std::string first_line(std::string_view body, std::size_t most = 300);

// "401 Unauthorized: no org id", for messages.
[[nodiscard]] std::string describe(int status, std::string_view body);
// What a user can do about trouble of this status with this URL; "" for nothing.
[[nodiscard]] std::string_view trouble_hint(int status, std::string_view url);

// One complaint within a validation text.
struct Complaint {
  std::string_view reason;                   // short name for counters, lives for ever
  std::string text = {};                     // Loki's words
  std::string stream = {};                   // label string, "" when it names none
  std::uint64_t count = 1;                   // records it speaks of; meaningless with whole_stream
  std::uint64_t out_of = 0;                  // records of the stream that got as far as this check, where the text says so
  bool whole_stream = false;                 // every record of the stream
  std::optional<base::Timestamp> timestamp = std::nullopt;  // of the record, whole seconds
  std::optional<base::Timestamp> oldest = std::nullopt;     // that would have been taken, whole seconds
  std::size_t line = 0;                      // its length, where that is the complaint
  std::size_t limit = 0;                     // bytes or number allowed, where the text gives it
};

[[nodiscard]] std::vector<Complaint> complaints(std::string_view body);

// The entries of `stream` that a complaint about this stream speaks of, by index, ascending. With `and_alike` also those that break the
// same limit, for an answer of which only the beginning is known.
[[nodiscard]] std::vector<std::size_t> offenders(const Complaint& complaint, const DecodedStream& stream, bool and_alike = false);

}  // namespace weir::loki
