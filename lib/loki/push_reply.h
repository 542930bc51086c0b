// The meaning of Loki's answer to a push request. Pure functions of status and text.
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
  stored_but_for,  // 400 with validation texts: all other records are stored, and none must be sent again
  refused,         // 400 or 422 for the whole request, nothing is stored: take it apart until the guilty record is alone
  too_large,       // 413: send it in smaller pieces
  stream_limited,  // one stream is refused for now: 429 for its rate or for one stream too many, or its policy is blocked
  limited,         // 429 for the tenant
  unavailable,     // 408, 5xx: may pass by itself
  failed,          // 500 that names no missing server: may pass, or a record is more than Loki can handle
  no_metadata,     // 400: this Loki takes no structured metadata
  unknown_400,     // 400 with a text that is not Loki's
  trouble,         // 3xx, 401, 403, 404, 405, …: the target or our access is wrong, the records are not
};

[[nodiscard]] Meaning meaning(int status, std::string_view body);

// The first line of an answer, for messages: trimmed, at most `most` bytes and an ellipsis.
[[nodiscard]] std::string first_line(std::string_view body, std::size_t most = 300);

// "401 Unauthorized: no org id", for messages.
[[nodiscard]] std::string describe(int status, std::string_view body);
// What a user can do about this status from this URL; "" when there is no hint.
[[nodiscard]] std::string_view trouble_hint(int status, std::string_view url);

// One complaint in a validation text.
struct Complaint {
  std::string_view reason;    // a short name for counters; static text
  std::string text = {};      // Loki's words
  std::string stream = {};    // the label string; "" when the text names no stream
  std::uint64_t count = 1;    // how many records it is about; meaningless with whole_stream
  std::uint64_t out_of = 0;   // how many records of the stream reached this check, when the text says so
  bool whole_stream = false;  // it is about every record of the stream
  std::optional<base::Timestamp> timestamp = std::nullopt;  // the record's time, whole seconds
  std::optional<base::Timestamp> oldest = std::nullopt;     // the oldest time that Loki accepts, whole seconds
  std::size_t line = 0;                                     // the length of the line, when that is the complaint
  std::size_t limit = 0;                                    // the allowed bytes or number, when the text gives it
};

[[nodiscard]] std::vector<Complaint> complaints(std::string_view body);

// The entries of `stream` that this complaint about the stream is about: indices, ascending. With `and_alike` also the entries
// that break the same limit, for an answer of which only the beginning is known.
[[nodiscard]] std::vector<std::size_t> offenders(const Complaint& complaint, const DecodedStream& stream, bool and_alike = false);

}  // namespace weir::loki
