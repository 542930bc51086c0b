// Requests of which Loki stored a part or nothing: which records are guilty, and what is sent again.
#include "loki/pusher_machine.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace weir::loki {
namespace {

constexpr std::size_t kSmallestRequest = 4 << 10;

// Loki shows a stream with the label service_name, which it may have added itself.
bool same_stream(std::string_view named, std::string_view ours) {
  if (named == ours) return true;
  constexpr std::string_view label = "service_name=\"";
  const auto from = named.find(label);
  if (from == std::string_view::npos) return false;
  const auto end = named.find('"', from + label.size());
  if (end == std::string_view::npos) return false;
  std::string_view before = named.substr(0, from);
  std::string_view after = named.substr(end + 1);
  if (before.ends_with(", ")) {
    before.remove_suffix(2);
  } else if (after.starts_with(", ")) {
    after.remove_prefix(2);
  }
  return fmt::format("{}{}", before, after) == ours;
}

}  // namespace

std::optional<DecodedBody> PusherMachine::open_body(const PushRequest& request) {
  auto decoded = decode_body(request.body);
  if (decoded && decoded->streams.size() == request.pieces.size()) return std::move(*decoded);
  final_error(base::fail(base::Code::bug, "cannot read a request of our own: {}",
                         decoded ? "streams are missing" : decoded.error().message));
  return std::nullopt;
}

StreamPart PusherMachine::part_of(const StreamPart& original, const DecodedStream& decoded, std::span<const std::size_t> indices) {
  StreamPart part(pool);
  part.opened = original.opened;
  for (const std::size_t i : indices) {
    const DecodedEntry& entry = decoded.entries[i];
    part.bytes.append(entry.field);
    part.raw += entry.raw();
    if (part.records++ == 0) part.first = part.oldest = part.newest = entry.timestamp;
    part.oldest = std::min(part.oldest, entry.timestamp);
    part.newest = std::max(part.newest, entry.timestamp);
    if (i < original.tokens.size()) part.tokens.push_back(original.tokens[i]);
  }
  return part;
}

StreamPart PusherMachine::part_of_all(const StreamPart& original, const DecodedStream& decoded) {
  std::vector<std::size_t> all(decoded.entries.size());
  std::iota(all.begin(), all.end(), 0);
  StreamPart part = part_of(original, decoded, all);
  part.trial = original.trial;
  return part;
}

// Puts the part in front of what the stream holds.
void PusherMachine::put_back(StreamQueue& stream, StreamPart part) {
  add_waiting(stream, static_cast<std::ptrdiff_t>(part.raw));
  stream.closed.insert(stream.closed.begin(), std::move(part));
  activate(stream);
}

// Shortens what the stream sends next to one record, or to more up to `bytes`. The rest comes after that.
void PusherMachine::shorten_next(StreamQueue& stream, std::size_t bytes) {
  if (!stream.retry && stream.closed.empty()) close_open(stream);
  const bool resend = stream.retry != nullptr;
  const StreamPart& next = resend ? stream.retry->pieces.front().part : stream.closed.front();
  if (next.raw <= bytes || next.records == 1) return;
  if (!resend) {
    stream.retry = std::make_unique<PushRequest>();
    PushRequest& request = *stream.retry;
    const BodyStream entries{stream.name, &next.bytes};
    request.body = encode_body({&entries, 1});
    request.pieces.push_back({&stream, std::move(stream.closed.front())});
    stream.closed.erase(stream.closed.begin());
    add_waiting(stream, -static_cast<std::ptrdiff_t>(request.pieces.front().part.raw));
    body_bytes += request.body.size();
  }
  const std::unique_ptr<PushRequest> whole = std::move(stream.retry);
  body_bytes -= whole->body.size();
  const auto decoded = open_body(*whole);
  if (!decoded) return;
  const StreamPart& original = whole->pieces.front().part;
  const DecodedStream& entries = decoded->streams.front();
  std::vector<std::size_t> all(entries.entries.size());
  std::iota(all.begin(), all.end(), 0);
  std::size_t count = 1;
  for (std::size_t raw = entries.entries[0].raw(); count + 1 < all.size() && (raw += entries.entries[count].raw()) <= bytes;)
    ++count;
  const std::span<const std::size_t> indices(all);
  StreamPart rest = part_of(original, entries, indices.subspan(count));
  if (original.trial.answers > 0) rest.trial = original.trial.for_part();
  put_back(stream, std::move(rest));
  StreamPart head = part_of(original, entries, indices.first(count));
  head.trial = original.trial;
  if (!resend) return put_back(stream, std::move(head));
  auto request = std::make_unique<PushRequest>();
  const BodyStream body{stream.name, &head.bytes};
  request->body = encode_body({&body, 1});
  head.bytes.clear();
  request->raw = head.raw;
  request->records = head.records;
  request->backlog = whole->backlog;
  request->pieces.push_back({&stream, std::move(head)});
  body_bytes += request->body.size();
  stream.retry = std::move(request);
}

// One record keeps failing while nothing else passes. The record behind it is tried in its place, to find out whether the
// record or the target is the trouble.
void PusherMachine::put_aside(std::unique_ptr<PushRequest> request) {
  StreamQueue& stream = *request->pieces.front().stream;
  body_bytes += request->body.size();
  stream.aside = std::move(request);
  stream.trusted = false;
  if (stream.closed.empty()) close_open(stream);
  StreamPart next = std::move(stream.closed.front());
  stream.closed.erase(stream.closed.begin());
  add_waiting(stream, -static_cast<std::ptrdiff_t>(next.raw));
  const BodyStream entries{stream.name, &next.bytes};
  const auto decoded = decode_body(encode_body({&entries, 1}));
  if (!decoded || decoded->streams.size() != 1) return final_error(base::fail(base::Code::bug, "cannot read records of our own"));
  std::vector<std::size_t> all(decoded->streams.front().entries.size());
  std::iota(all.begin(), all.end(), 0);
  const std::span<const std::size_t> indices(all);
  if (all.size() > 1) put_back(stream, part_of(next, decoded->streams.front(), indices.subspan(1)));
  put_back(stream, part_of(next, decoded->streams.front(), indices.first(1)));
}

// `guilty` pairs the index of an entry with the index of the complaint about it.
void PusherMachine::refuse_piece(PushRequest::Piece& piece, const DecodedStream& decoded,
                                 const std::vector<std::pair<std::size_t, std::size_t>>& guilty, const std::vector<Complaint>& why,
                                 int status) {
  std::vector<bool> refused(decoded.entries.size());
  for (const auto& [entry, complaint] : guilty) {
    if (refused[entry]) continue;
    refused[entry] = true;
    record::Record record;
    record.labels = piece.stream->labels.get();
    record.timestamp = decoded.entries[entry].timestamp;
    record.line = record::Text::bytes(decoded.entries[entry].line);
    record.metadata = decoded.entries[entry].metadata;
    record.tenant = piece.stream->tenant->name;
    const PushToken token = entry < piece.part.tokens.size() ? piece.part.tokens[entry] : 0;
    reject(token, status, {why[complaint].reason, why[complaint].text}, *piece.stream, record);
  }
  for (std::size_t i = 0; i < refused.size(); ++i)
    if (!refused[i]) stats.bytes += decoded.entries[i].raw();
  deliver_part(piece, &refused);
}

void PusherMachine::refuse_whole(PushRequest::Piece& piece, const DecodedStream& decoded, std::string_view reason, int status,
                                 std::string_view text) {
  std::vector<Complaint> why(1);
  why[0].reason = reason;
  why[0].text = text;
  std::vector<std::pair<std::size_t, std::size_t>> guilty;
  for (std::size_t i = 0; i < decoded.entries.size(); ++i) guilty.emplace_back(i, 0);
  refuse_piece(piece, decoded, guilty, why, status);
}

// Every record that no complaint is about is stored. Sending it again would only make repeats.
void PusherMachine::stored_but_for(std::unique_ptr<PushRequest> request, const http::Response& response) {
  const auto decoded = open_body(*request);
  if (!decoded) return;
  passed(*request);
  stats.sent_bytes += request->body.size();
  const std::vector<Complaint> why = complaints(response.body);
  std::vector<bool> found(why.size());
  for (std::size_t i = 0; i < request->pieces.size(); ++i) {
    PushRequest::Piece& piece = request->pieces[i];
    const DecodedStream& stream = decoded->streams[i];
    std::vector<std::pair<std::size_t, std::size_t>> guilty;
    bool more_may_be = false;
    for (std::size_t k = 0; k < why.size(); ++k) {
      if (request->pieces.size() > 1 && !same_stream(why[k].stream, stream.labels)) continue;
      for (const std::size_t entry : offenders(why[k], stream, response.body_cut)) {
        guilty.emplace_back(entry, k);
        found[k] = true;
      }
      // The ingester's text hides what the distributor refused before it. Then fewer records reached the ingester than were
      // sent.
      more_may_be = more_may_be || (why[k].out_of != 0 && why[k].out_of < stream.entries.size());
    }
    if (!more_may_be || guilty.empty()) {
      refuse_piece(piece, stream, guilty, why, response.status);
      continue;
    }
    // The records that are not blamed go again, and the next answer shows who else is guilty. Of a request of this size Loki
    // drops the repeats.
    std::vector<std::size_t> reason_of(stream.entries.size(), why.size());
    for (const auto& [entry, k] : guilty) reason_of[entry] = std::min(reason_of[entry], k);
    std::vector<std::size_t> blamed, rest;
    DecodedStream only{stream.labels, {}};
    guilty.clear();
    for (std::size_t entry = 0; entry < stream.entries.size(); ++entry) {
      if (reason_of[entry] == why.size()) {
        rest.push_back(entry);
        continue;
      }
      guilty.emplace_back(blamed.size(), reason_of[entry]);
      blamed.push_back(entry);
      only.entries.push_back(stream.entries[entry]);
    }
    StreamPart unblamed = part_of(piece.part, stream, rest);
    piece.part = part_of(piece.part, stream, blamed);
    refuse_piece(piece, only, guilty, why, response.status);
    if (unblamed.records > 0) put_back(*piece.stream, std::move(unblamed));
  }
  // Some records were refused, but the text does not show which. They count as rejected, so the number of delivered records
  // stays true.
  for (std::size_t k = 0; k < why.size(); ++k) {
    if (found[k]) continue;
    const std::uint64_t count = std::min<std::uint64_t>(why[k].count, stats.records);
    stats.records -= count;
    stats.rejected += count;
    stats.rejected_by_reason[std::string(why[k].reason)] += count;
  }
  diagnostics.warn("refused", fmt::format("Loki refused some records and took the rest: {}", first_line(response.body)));
}

// Entries without metadata were stored, except those that another complaint is about. The others go again without metadata, or
// are rejected when metadata must be kept.
void PusherMachine::without_metadata(std::unique_ptr<PushRequest> request, const http::Response& response) {
  const auto decoded = open_body(*request);
  if (!decoded) return;
  passed(*request);
  const bool keep = config.metadata == PusherConfig::Metadata::keep;
  if (!keep && !std::exchange(metadata_reported, true))
    diagnostics.say(fmt::format(
        "{} takes no structured metadata: records are sent without it (--metadata keep rejects them instead)", config.url));
  if (!keep) encoder.set_metadata(false);
  std::vector<Complaint> why = complaints(response.body);
  Complaint& disallowed = why.emplace_back();
  disallowed.reason = "disallowed_structured_metadata";
  disallowed.text = first_line(response.body);
  for (std::size_t i = 0; i < request->pieces.size(); ++i) {
    PushRequest::Piece& piece = request->pieces[i];
    const DecodedStream& stream = decoded->streams[i];
    DecodedStream bare{stream.labels, {}};  // the entries that were sent without metadata
    std::vector<std::size_t> with, without;
    std::vector<std::pair<std::size_t, std::size_t>> guilty;
    for (std::size_t entry = 0; entry < stream.entries.size(); ++entry) {
      if (stream.entries[entry].metadata.empty()) {
        without.push_back(entry);
        bare.entries.push_back(stream.entries[entry]);
      } else {
        with.push_back(entry);
        guilty.emplace_back(entry, why.size() - 1);
      }
    }
    std::vector<std::pair<std::size_t, std::size_t>> guilty_of_bare;
    for (std::size_t k = 0; k + 1 < why.size(); ++k) {
      if (request->pieces.size() > 1 && !same_stream(why[k].stream, stream.labels)) continue;
      for (const std::size_t entry : offenders(why[k], bare, response.body_cut)) guilty_of_bare.emplace_back(entry, k);
    }
    if (keep) {
      for (const auto& [entry, k] : guilty_of_bare) guilty.emplace_back(without[entry], k);
      refuse_piece(piece, stream, guilty, why, response.status);
      continue;
    }
    StreamPart bare_part(pool);
    bare_part.opened = piece.part.opened;
    for (const std::size_t entry : with) {
      record::Record record;
      record.timestamp = stream.entries[entry].timestamp;
      record.line = record::Text::bytes(stream.entries[entry].line);
      static_cast<void>(encoder.prepare(record, piece.stream->name, std::nullopt));
      encoder.append(bare_part.bytes);
      bare_part.raw += stream.entries[entry].line.size();
    }
    const StreamPart facts = part_of(piece.part, stream, with);
    bare_part.records = facts.records;
    bare_part.first = facts.first;
    bare_part.oldest = facts.oldest;
    bare_part.newest = facts.newest;
    bare_part.tokens = facts.tokens;
    piece.part = part_of(piece.part, stream, without);
    if (!without.empty()) refuse_piece(piece, bare, guilty_of_bare, why, response.status);
    piece.stream->trusted = false;
    if (!with.empty()) put_back(*piece.stream, std::move(bare_part));
  }
}

// A 413 is about size, but it does not say whose limit that is: a proxy's limit may be a mistake. So requests become smaller. A
// single record that is too large is rejected once other requests pass. While nothing passes, the target counts as failing.
void PusherMachine::too_large(std::unique_ptr<PushRequest> request, std::string cause, std::string_view text,
                              base::Duration retry_after) {
  const base::Monotonic now = clock.monotonic();
  if (request->records > 1) {
    if (!larger_bytes) larger_bytes = request_bytes;
    request_bytes = std::max(kSmallestRequest, std::min(request_bytes, request->raw) / 2);
    too_large_at = now;
    diagnostics.warn("too large", fmt::format("{}; a request now has at most {}", cause, record::print_size(request_bytes)));
    take_apart(std::move(request), 413, text);
    return;
  }
  PushRequest::Piece& piece = request->pieces.front();
  PartTrial& trial = piece.part.trial;
  if (trial.neighbour_passed || (trial.failures > 0 && successes > trial.successes_then)) {
    // This record was too large; other sizes are fine.
    if (larger_bytes) request_bytes = *std::exchange(larger_bytes, std::nullopt);
    if (const auto decoded = open_body(*request))
      refuse_whole(piece, decoded->streams.front(), "too_large", 413, fmt::format("413 {}", first_line(text)));
    return;
  }
  trial.failed_among(successes);
  if (++too_large_alone > 1) {
    target_failed(*request, Gate::Trouble::passing,
                  fmt::format("{}, even for a request with one record of {}", cause, record::print_size(piece.part.raw)),
                  "no request passes: does a proxy before Loki limit the size, such as nginx's client_max_body_size?", retry_after);
  } else {
    park(*piece.stream, now, retry_after);
  }
  if (!piece.stream->aside && (!piece.stream->closed.empty() || piece.stream->open)) {
    piece.stream->not_before = 0;
    put_aside(std::move(request));
  } else {
    requeue(std::move(request));
  }
}

// Nothing was stored. Divides the request into streams, then into halves, until the guilty record is alone.
void PusherMachine::take_apart(std::unique_ptr<PushRequest> request, int status, std::string_view text) {
  if (request->pieces.size() > 1) {
    requeue(std::move(request));
    return;
  }
  const auto decoded = open_body(*request);
  if (!decoded) return;
  PushRequest::Piece& piece = request->pieces.front();
  const DecodedStream& stream = decoded->streams.front();
  const std::size_t count = stream.entries.size();
  // A fault in the labels is a fault of all records with these labels.
  const bool labels = status == 400 && (text.find("parse labels") != std::string_view::npos ||
                                        text.find("label string exceeds") != std::string_view::npos);
  if (count <= 1 || labels) {
    const std::string_view reason = labels ? "bad_labels" : status == 413 ? "too_large" : "refused";
    refuse_whole(piece, stream, reason, status, fmt::format("{} {}", status, first_line(text)));
    return;
  }
  std::vector<std::size_t> all(count);
  std::iota(all.begin(), all.end(), 0);
  const std::span<const std::size_t> indices(all);
  piece.stream->trusted = false;
  for (const auto& half : {indices.subspan(count / 2), indices.first(count / 2)}) {
    StreamPart part = part_of(piece.part, stream, half);
    part.trial = piece.part.trial.for_part();
    if (status == 413) part.trial.failed_among(successes);
    put_back(*piece.stream, std::move(part));
  }
}

}  // namespace weir::loki
