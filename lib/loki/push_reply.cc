// Loki's texts are those of pkg/validation/validate.go, pkg/distributor/validator.go and pkg/ingester/stream.go of Loki 3.
#include "loki/push_reply.h"

#include "record/timestamp.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>

namespace weir::loki {
namespace {

struct Phrase {
  std::string_view text;
  std::string_view reason;
  bool whole_stream;
};

// Texts that occur only in an answer whose other records were stored.
constexpr Phrase kPhrases[] = {
    {"has timestamp too old", "greater_than_max_sample_age", false},
    {"has timestamp too new", "too_far_in_future", false},
    {"max entry size", "line_too_long", false},
    {"has structured metadata too large", "structured_metadata_too_large", false},
    {"has too many structured metadata labels", "structured_metadata_too_many", false},
    {"entry too far behind", "too_far_behind", false},
    {"entry out of order", "out_of_order", false},
    {"label names; limit", "max_label_names_per_series", true},
    {"has label name too long", "label_name_too_long", true},
    {"has label value too long", "label_value_too_long", true},
    {"has duplicate label name", "duplicate_label_names", true},
    {"error at least one label pair is required per stream", "missing_labels", true},
    {"error parsing labels", "bad_labels", true},
    {"missing required labels", "missing_enforced_labels", true},
    {"missing labels", "missing_enforced_labels", true},
};

constexpr std::string_view kNoMetadata = "includes structured metadata, but this feature is disallowed";

// A 400 that refuses the whole request: a part of it could not be read, so nothing was stored.
constexpr std::string_view kWhole[] = {"couldn't parse labels",
                                       "snappy",
                                       "proto:",
                                       "unexpected EOF",
                                       "Content-Encoding",
                                       "wiretype",
                                       "at least one valid stream is required",
                                       "label string exceeds",
                                       "error parsing timestamp",
                                       "timestamp:",
                                       "invalid UTF-8"};

// A 500 with these texts is about servers behind the one that answers, for all the streams they hold. No record is guilty.
constexpr std::string_view kServersMissing[] = {
    "live replicas required", "unhealthy instances", "empty ring",   "code = Unavailable",
    "connection refused",     "no such host",        "i/o timeout",  "deadline exceeded",
    "context canceled",       "shutting down",       "no space left"};

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// The text between `before` and the next `after`; "" when there is none.
std::string_view between(std::string_view text, std::string_view before, std::string_view after) {
  const auto from = text.find(before);
  if (from == std::string_view::npos) return {};
  text.remove_prefix(from + before.size());
  return text.substr(0, text.find(after));
}

template <typename T>
T number(std::string_view text) {
  T value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The label string that begins at the first `{`. Respects quotes.
std::string_view label_text(std::string_view text) {
  const auto from = text.find('{');
  if (from == std::string_view::npos) return {};
  bool quoted = false;
  for (std::size_t i = from; i < text.size(); ++i) {
    if (quoted && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && text[i] == '}') {
      return text.substr(from, i - from + 1);
    }
  }
  return {};
}

// Splits at `; ` outside of quotes.
std::vector<std::string_view> pieces(std::string_view body) {
  std::vector<std::string_view> out;
  bool quoted = false;
  std::size_t from = 0;
  for (std::size_t i = 0; i < body.size(); ++i) {
    if (quoted && body[i] == '\\') {
      ++i;
    } else if (body[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && body[i] == ';' && i + 1 < body.size() && body[i + 1] == ' ' && !body.substr(i).starts_with("; limit")) {
      out.push_back(body.substr(from, i - from));
      from = i + 2;
    }
  }
  out.push_back(body.substr(from));
  return out;
}

std::string_view status_text(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 260:
      return "ingestion blocked";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Request Entity Too Large";
    case 429:
      return "Too Many Requests";
    case 500:
      return "Internal Server Error";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "";
  }
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

Meaning meaning(int status, std::string_view body) {
  if (has(body, "ingestion blocked for user") && has(body, "(policy: '")) return Meaning::stream_limited;
  // A page of HTML comes from some other server, which answers 200 to everything. 260 is Loki's status for 'blocked by policy'.
  if (status >= 200 && status < 300) return status == 260 || trim(body).starts_with('<') ? Meaning::trouble : Meaning::delivered;
  if (status == 400) {
    if (has(body, kNoMetadata)) return Meaning::no_metadata;
    for (const Phrase& phrase : kPhrases)
      if (has(body, phrase.text)) return Meaning::stored_but_for;
    for (const std::string_view text : kWhole)
      if (has(body, text)) return Meaning::refused;
    return Meaning::unknown_400;
  }
  if (status == 422) return Meaning::refused;
  if (status == 413) return Meaning::too_large;
  if (status == 429) {
    if (has(body, "Per stream rate limit") || has(body, "maximum active stream limit") || has(body, "total ignored:"))
      return Meaning::stream_limited;
    return Meaning::limited;
  }
  if (status == 500) {
    const bool missing = std::ranges::any_of(kServersMissing, [&](std::string_view text) { return has(body, text); });
    return missing ? Meaning::unavailable : Meaning::failed;
  }
  if (status == 408 || status > 500) return Meaning::unavailable;
  return Meaning::trouble;
}

std::string first_line(std::string_view body, std::size_t most) {
  body = trim(body);
  body = trim(body.substr(0, body.find('\n')));
  if (body.size() <= most) return std::string(body);
  std::size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(body[end]) & 0xc0) == 0x80) --end;
  return std::string(body.substr(0, end)) + "…";
}

std::string describe(int status, std::string_view body) {
  std::string out = std::to_string(status);
  if (const auto text = status_text(status); !text.empty()) out += fmt::format(" {}", text);
  // The first line of an HTML page says nothing.
  if (const std::string line = first_line(body); !line.empty() && line[0] != '<') out += ": " + line;
  return out;
}

std::string_view trouble_hint(int status, std::string_view url) {
  if (status == 401)
    return "name a tenant (--tenant, LOKI_ORG_ID) or credentials (--username, --bearer-token-file, LOKI_USERNAME, …)";
  if (status == 403) return "the credentials are known but may not push, or not for this tenant";
  if (status == 404 || status == 405) return "is this a Loki? the URL is its base, http://host:3100, or its full push URL";
  if (status >= 300 && status < 400)
    return "redirects are not followed: give the URL that it redirects to (https instead of http?)";
  if (status == 400 && url.starts_with("http:"))
    return "the answer is not Loki's: is this the right URL, and https:// instead of http://?";
  if (status == 400 || status == 200) return "the answer is not Loki's: is this the right URL?";
  return {};
}

std::vector<Complaint> complaints(std::string_view body) {
  std::vector<Complaint> out;
  for (std::string_view piece : pieces(body)) {
    piece = trim(piece);
    const Phrase* known = nullptr;
    for (const Phrase& phrase : kPhrases) {
      if (known == nullptr && has(piece, phrase.text)) known = &phrase;
    }
    if (known == nullptr) continue;
    Complaint complaint;
    complaint.reason = known->reason;
    complaint.whole_stream = known->whole_stream;
    if (const auto like = piece.find(" errors like: "); like != std::string_view::npos && like < 12) {
      complaint.count = std::max<std::uint64_t>(1, number<std::uint64_t>(piece));
      piece.remove_prefix(like + 14);
    }
    complaint.text = first_line(piece);
    if (const auto ignored = piece.find("total ignored: "); ignored != std::string_view::npos) {
      complaint.count = std::max<std::uint64_t>(1, number<std::uint64_t>(piece.substr(ignored + 15)));
      complaint.out_of = number<std::uint64_t>(between(piece.substr(ignored), " out of ", " "));
      complaint.stream = label_text(piece.substr(ignored));
    } else {
      complaint.stream = label_text(piece);
      std::string_view time = between(piece, "has timestamp too old: ", ",");
      if (time.empty()) time = between(piece, "has timestamp too new: ", " ");
      complaint.timestamp = record::parse_rfc3339(trim(time));
      complaint.oldest = record::parse_rfc3339(trim(between(piece, "oldest acceptable timestamp is: ", ";")));
      if (known->reason == "line_too_long") {
        complaint.line = number<std::size_t>(between(piece, "entry with length '", "'"));
        complaint.limit = number<std::size_t>(between(piece, "max entry size '", "'"));
      } else if (known->reason.starts_with("structured_metadata")) {
        complaint.limit = number<std::size_t>(between(piece, "limit: '", "'"));
      }
    }
    out.push_back(std::move(complaint));
  }
  return out;
}

std::vector<std::size_t> offenders(const Complaint& complaint, const DecodedStream& stream, bool and_alike) {
  std::vector<std::size_t> all(stream.entries.size());
  std::iota(all.begin(), all.end(), 0);
  if (complaint.whole_stream) return all;
  std::vector<std::size_t> found;
  const auto take = [&](auto&& guilty) {
    for (std::size_t i = 0; i < stream.entries.size(); ++i)
      if (guilty(stream.entries[i])) found.push_back(i);
  };
  if (complaint.timestamp && and_alike) {
    const bool old = complaint.reason == "greater_than_max_sample_age";
    const base::Timestamp bound =
        old ? std::max(complaint.oldest.value_or(0), *complaint.timestamp + base::kSecond) : *complaint.timestamp;
    take([&](const DecodedEntry& entry) { return old ? entry.timestamp < bound : entry.timestamp >= bound; });
  } else if (complaint.timestamp) {
    take([&](const DecodedEntry& entry) {
      return entry.timestamp >= *complaint.timestamp && entry.timestamp < *complaint.timestamp + base::kSecond;
    });
    // Other records of that second may be within the limit. The outermost ones are over it.
    if (found.size() > complaint.count) {
      const bool old = complaint.reason == "greater_than_max_sample_age";
      std::stable_sort(found.begin(), found.end(), [&](std::size_t a, std::size_t b) {
        const base::Timestamp x = stream.entries[a].timestamp;
        const base::Timestamp y = stream.entries[b].timestamp;
        return old ? x < y : x > y;
      });
      found.resize(complaint.count);
      std::sort(found.begin(), found.end());
    }
  } else if (complaint.reason == "line_too_long") {
    take([&](const DecodedEntry& entry) {
      if (complaint.line != 0 && !and_alike) return entry.line.size() == complaint.line;
      return complaint.limit != 0 && entry.line.size() > complaint.limit;
    });
  } else if (complaint.reason == "structured_metadata_too_large") {
    take([&](const DecodedEntry& entry) { return entry.raw() - entry.line.size() > complaint.limit; });
  } else if (complaint.reason == "structured_metadata_too_many") {
    take([&](const DecodedEntry& entry) { return entry.metadata.size() > complaint.limit; });
  } else if (complaint.reason == "too_far_behind" || complaint.reason == "out_of_order") {
    // The text lists at most ten records. 'Behind' is about time, so the oldest records are the guilty ones.
    std::stable_sort(all.begin(), all.end(),
                     [&](std::size_t a, std::size_t b) { return stream.entries[a].timestamp < stream.entries[b].timestamp; });
    all.resize(std::min<std::size_t>(all.size(), complaint.count));
    std::sort(all.begin(), all.end());
    return all;
  }
  return found;
}

}  // namespace weir::loki
