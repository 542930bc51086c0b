// What became of a request, and what follows from it.
#include "loki/pusher_state.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace weir::loki {
namespace {

std::string_view status_text(int status) {
  switch (status) {
    case 200: return "OK";
    case 260: return "ingestion blocked";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Request Entity Too Large";
    case 429: return "Too Many Requests";
    case 500: return "Internal Server Error";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return "";
  }
}

std::string describe(int status, std::string_view body) {
  std::string out = std::to_string(status);
  if (const auto text = status_text(status); !text.empty()) out += fmt::format(" {}", text);
  // A page of HTML says nothing on one line.
  if (const std::string line = first_line(body); !line.empty() && line[0] != '<') out += ": " + line;
  return out;
}

std::string_view trouble_hint(int status) {
  if (status == 401) return "name a tenant (--tenant, LOKI_ORG_ID) or credentials (--username, --bearer-token-file, LOKI_USERNAME, …)";
  if (status == 403) return "the credentials are known but may not push, or not for this tenant";
  if (status == 404 || status == 405) return "is this a Loki? the URL is its base, http://host:3100, or its full push URL";
  if (status >= 300 && status < 400) return "redirects are not followed: give the URL that it redirects to (https instead of http?)";
  if (status == 400 || status == 200) return "the answer is not Loki's: is this the right URL?";
  return {};
}

// Loki shows a stream with the service_name that it may have added itself.
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

constexpr std::string_view kNoServer = "is a Loki there? `weir push URL` or LOKI_ADDR names another one";

}  // namespace

void Pusher::State::final_error(base::Error error) {
  if (!failed) failed = std::move(error);
  landed_one.notify_all();
}

void Pusher::State::landed(std::uint64_t id, base::Result<http::Response> result) {
  Lock lock(mutex);
  const auto found = flying.find(id);
  if (found == flying.end()) return;
  std::unique_ptr<Request> request = std::move(found->second);
  flying.erase(found);
  --slots_used;
  body_bytes -= request->body.size();
  for (Request::Piece& piece : request->pieces) piece.stream->flying = false;

  if (!result) {
    base::Error& error = result.error();
    if (error.code == base::Code::config && config.one_shot && successes == 0) {
      final_error(std::move(error));
      again(std::move(request));
    } else {
      const std::string hint = successes == 0 && error.hint.empty() ? std::string(kNoServer) : error.hint;
      again(std::move(request));
      target_failed(Meaning::unavailable, std::move(error.message), hint, 0);
    }
  } else {
    const int status = result->status;
    const base::Duration retry_after = result->retry_after(clock.wall());
    Meaning what = meaning(status, result->body);
    if (what == Meaning::unknown_400) what = successes == 0 ? Meaning::trouble : Meaning::refused;
    switch (what) {
      case Meaning::delivered:
        delivered(*request);
        break;
      case Meaning::stored_but_for:
        stored_but_for(std::move(request), status, result->body);
        break;
      case Meaning::no_metadata:
        without_metadata(std::move(request), status, result->body);
        break;
      case Meaning::too_large:
        request_bytes = std::max<std::size_t>(64 << 10, std::min(request_bytes, request->raw) / 2);
        take_apart(std::move(request), status, result->body);
        break;
      case Meaning::refused:
      case Meaning::unknown_400:
        take_apart(std::move(request), status, result->body);
        break;
      case Meaning::stream_limited:
        stream_limited(std::move(request), result->body, retry_after);
        break;
      case Meaning::limited:
        learn_tenant_rate(request->tenant, result->body);
        again(std::move(request));
        target_failed(what, fmt::format("cannot push to {}: {}", config.url, describe(status, result->body)), {}, retry_after);
        break;
      case Meaning::unavailable: {
        // While others pass, the trouble is this request's own: it waits alone and does not hold up the rest.
        const bool own = request->failures > 0 && successes > request->successes_then;
        const std::string cause = fmt::format("cannot push to {}: {}", config.url, describe(status, result->body));
        if (own) {
          stream_limited(std::move(request), cause, retry_after);
        } else {
          again(std::move(request));
          target_failed(what, cause, {}, retry_after);
        }
        break;
      }
      case Meaning::trouble: {
        auto error = base::fail(base::Code::network, "cannot push to {}: {}", config.url, describe(status, result->body))
                         .with_hint(std::string(trouble_hint(status)));
        again(std::move(request));
        if (config.one_shot && successes == 0) {
          final_error(std::move(error));
        } else {
          target_failed(what, std::move(error.message), error.hint, retry_after);
        }
        break;
      }
    }
  }
  pump(lock);
  landed_one.notify_all();
}

void Pusher::State::deliver_part(Request::Piece& piece, const std::vector<bool>* refused) {
  Stream& stream = *piece.stream;
  stream.trusted = refused == nullptr;
  stream.not_before = 0;
  stream.failing_since = 0;
  if (stream.backoff) stream.backoff->reset();
  stream.newest_sent = std::max(stream.newest_sent, piece.part.newest);
  const std::size_t bad = refused == nullptr ? 0 : static_cast<std::size_t>(std::count(refused->begin(), refused->end(), true));
  const std::uint64_t good = piece.part.records - bad;
  stats.pending -= piece.part.records;
  stats.records += good;
  if (config.tracked) {
    tracked_records -= piece.part.tokens.size();
    if (ledger != nullptr && bad == 0) {
      ledger->delivered(piece.part.tokens);
    } else if (ledger != nullptr) {
      std::vector<PushToken> tokens;
      for (std::size_t i = 0; i < piece.part.tokens.size(); ++i)
        if (i >= refused->size() || !(*refused)[i]) tokens.push_back(piece.part.tokens[i]);
      ledger->delivered(tokens);
    }
  }
}

void Pusher::State::delivered(Request& request) {
  ++successes;
  stats.sent_bytes += request.body.size();
  stats.bytes += request.raw;
  if (target.failing) {
    const base::Duration lasted = clock.monotonic() - target.since;
    if (lasted >= base::kSecond)
      diagnostics.say(fmt::format("{} takes records again after {}", config.url, record::print_duration(lasted / base::kSecond * base::kSecond)));
    target.failing = false;
  }
  backoff.reset();
  trouble_backoff.reset();
  for (Request::Piece& piece : request.pieces) deliver_part(piece, nullptr);
}

// Puts the request back in front of its streams. One of several streams is cut into one for each, since after an error a stream goes
// alone until one passed.
void Pusher::State::again(std::unique_ptr<Request> request) {
  ++request->failures;
  request->successes_then = successes;
  const auto put = [this](std::unique_ptr<Request> one) {
    Stream& stream = *one->pieces.front().stream;
    stream.trusted = false;
    body_bytes += one->body.size();
    stream.retry = std::move(one);
    activate(stream);
  };
  if (request->pieces.size() == 1) return put(std::move(request));
  auto decoded = decode_body(request->body);
  if (!decoded || decoded->streams.size() != request->pieces.size())
    return final_error(base::fail(base::Code::bug, "cannot read a request of our own: {}", decoded ? "streams are missing" : decoded.error().message));
  for (std::size_t i = 0; i < request->pieces.size(); ++i) {
    auto one = std::make_unique<Request>();
    PageBuffer entries(pool);
    for (const DecodedEntry& entry : decoded->streams[i].entries) entries.append(entry.field);
    const BodyStream stream{request->pieces[i].stream->name, &entries};
    one->body = encode_body({&stream, 1});
    one->tenant = request->tenant;
    one->raw = request->pieces[i].part.raw;
    one->records = request->pieces[i].part.records;
    one->failures = request->failures;
    one->successes_then = request->successes_then;
    one->pieces.push_back(std::move(request->pieces[i]));
    put(std::move(one));
  }
}

void Pusher::State::target_failed(Meaning what, std::string cause, std::string_view hint, base::Duration retry_after) {
  const base::Monotonic now = clock.monotonic();
  const base::Duration wait = what == Meaning::trouble ? trouble_backoff.next(retry_after) : backoff.next(retry_after);
  if (!target.failing) {
    target.failing = true;
    target.since = now;
  }
  // Requests that were in flight together fail together: that is one failure, and the longest wait counts.
  target.retry_at = std::max(target.retry_at, base::after(now, wait));
  target.cause = cause;
  std::string text = std::move(cause);
  text += config.give_up > 0 ? fmt::format("; trying again for {}", record::print_duration(config.give_up)) : std::string("; trying again");
  if (!hint.empty()) text += fmt::format(" ({})", hint);
  // What passes by itself within seconds is worth a word only when it lasts or when nothing ever worked.
  if (what == Meaning::limited && now - target.since < 10 * base::kSecond) return;
  diagnostics.warn("target", text);
}

void Pusher::State::learn_tenant_rate(const std::string& tenant, std::string_view text) {
  constexpr std::string_view before = "(limit: ";
  const auto at = text.find(before);
  if (at == std::string_view::npos) return;
  double rate = 0;
  std::from_chars(text.data() + at + before.size(), text.data() + text.size(), rate);
  if (rate >= 1024) tenant_pace[tenant].learn(rate, clock.monotonic());
}

void Pusher::State::stream_limited(std::unique_ptr<Request> request, std::string_view text, base::Duration retry_after) {
  const base::Monotonic now = clock.monotonic();
  // "(limit: 3MB/sec)"
  double rate = 0;
  if (const auto at = text.find("(limit: "); at != std::string_view::npos) {
    std::size_t end = text.find("/sec", at);
    if (end != std::string_view::npos) {
      std::string size(text.substr(at + 8, end - at - 8));
      if (size.ends_with("B") && size.size() > 1 && (size[size.size() - 2] < '0' || size[size.size() - 2] > '9')) size.pop_back();
      if (const auto bytes = record::parse_size(size)) rate = static_cast<double>(*bytes);
    }
  }
  for (Request::Piece& piece : request->pieces) {
    Stream& stream = *piece.stream;
    if (request->pieces.size() > 1 && text.find(stream.name) == std::string_view::npos) continue;
    if (rate >= 1024) stream.pace.learn(rate, now);
    if (!stream.backoff) stream.backoff.emplace(config.backoff, config.seed + next_id);
    stream.not_before = base::after(now, stream.backoff->next(retry_after));
    if (stream.failing_since == 0) stream.failing_since = now;
  }
  diagnostics.warn("parked", fmt::format("a stream waits: {}", first_line(text)));
  again(std::move(request));
}

Part Pusher::State::part_of(const Part& original, const DecodedStream& decoded, std::span<const std::size_t> indices) {
  Part part(pool);
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

// `guilty` pairs an entry with the complaint about it.
void Pusher::State::refuse_piece(Request::Piece& piece, const DecodedStream& decoded,
                                 const std::vector<std::pair<std::size_t, std::size_t>>& guilty, const std::vector<Complaint>& why, int status) {
  std::vector<bool> refused(decoded.entries.size());
  for (const auto& [entry, complaint] : guilty) {
    if (refused[entry]) continue;
    refused[entry] = true;
    record::Record record;
    record.labels = piece.stream->labels.get();
    record.timestamp = decoded.entries[entry].timestamp;
    record.line = record::Text::bytes(decoded.entries[entry].line);
    record.metadata = decoded.entries[entry].metadata;
    record.tenant = piece.stream->tenant;
    const PushToken token = entry < piece.part.tokens.size() ? piece.part.tokens[entry] : 0;
    reject(token, status, {why[complaint].reason, why[complaint].text}, *piece.stream, record);
  }
  for (std::size_t i = 0; i < refused.size(); ++i)
    if (!refused[i]) stats.bytes += decoded.entries[i].raw();
  deliver_part(piece, &refused);
}

// Everything that no complaint speaks of is stored; sending it again would only make repeats.
void Pusher::State::stored_but_for(std::unique_ptr<Request> request, int status, std::string_view text) {
  auto decoded = decode_body(request->body);
  if (!decoded || decoded->streams.size() != request->pieces.size())
    return final_error(base::fail(base::Code::bug, "cannot read a request of our own"));
  ++successes;  // the target works
  target.failing = false;
  stats.sent_bytes += request->body.size();
  const std::vector<Complaint> why = complaints(text);
  std::vector<bool> found(why.size());
  for (std::size_t i = 0; i < request->pieces.size(); ++i) {
    const DecodedStream& stream = decoded->streams[i];
    std::vector<std::pair<std::size_t, std::size_t>> guilty;
    for (std::size_t k = 0; k < why.size(); ++k) {
      if (request->pieces.size() > 1 && !same_stream(why[k].stream, stream.labels)) continue;
      for (const std::size_t entry : offenders(why[k], stream)) {
        guilty.emplace_back(entry, k);
        found[k] = true;
      }
    }
    refuse_piece(request->pieces[i], stream, guilty, why, status);
  }
  // Refused, but nobody can tell which: they are counted, and nothing is said to be delivered that is not.
  for (std::size_t k = 0; k < why.size(); ++k) {
    if (found[k]) continue;
    const std::uint64_t count = std::min<std::uint64_t>(why[k].count, stats.records);
    stats.records -= count;
    stats.rejected += count;
    stats.rejected_by_reason[std::string(why[k].reason)] += count;
  }
  diagnostics.warn("refused", fmt::format("Loki refused some records and took the rest: {}", first_line(text)));
}

// Entries without metadata were stored; the others go again without it, or are refused where it must be kept.
void Pusher::State::without_metadata(std::unique_ptr<Request> request, int status, std::string_view text) {
  auto decoded = decode_body(request->body);
  if (!decoded || decoded->streams.size() != request->pieces.size())
    return final_error(base::fail(base::Code::bug, "cannot read a request of our own"));
  ++successes;
  target.failing = false;
  const bool keep = config.metadata == PusherConfig::Metadata::keep;
  if (!keep && !std::exchange(metadata_said, true))
    diagnostics.say(fmt::format("{} takes no structured metadata: records go without it (--metadata keep rejects them instead)", config.url));
  if (!keep) encoder.set_metadata(false);
  std::vector<Complaint> why(1);
  why[0].reason = "disallowed_structured_metadata";
  why[0].text = first_line(text);
  for (std::size_t i = 0; i < request->pieces.size(); ++i) {
    Request::Piece& piece = request->pieces[i];
    const DecodedStream& stream = decoded->streams[i];
    std::vector<std::size_t> with;
    std::vector<std::size_t> without;
    std::vector<std::pair<std::size_t, std::size_t>> guilty;
    for (std::size_t k = 0; k < stream.entries.size(); ++k) {
      (stream.entries[k].metadata.empty() ? without : with).push_back(k);
      if (!stream.entries[k].metadata.empty()) guilty.emplace_back(k, 0);
    }
    if (keep) {
      refuse_piece(piece, stream, guilty, why, status);
      continue;
    }
    Request::Piece stored{piece.stream, part_of(piece.part, stream, without)};
    stored.part.bytes.clear();
    stats.bytes += stored.part.raw;
    deliver_part(stored, nullptr);
    piece.stream->trusted = false;
    if (with.empty()) continue;
    Part bare(pool);
    record::Batch scratch;
    for (const std::size_t k : with) {
      record::Record record;
      record.timestamp = stream.entries[k].timestamp;
      record.line = record::Text{stream.entries[k].line, record::Text::Form::clean};
      static_cast<void>(encoder.prepare(record, stream.labels, clock.wall()));
      encoder.append(bare.bytes);
      bare.raw += stream.entries[k].line.size();
    }
    const Part meta = part_of(piece.part, stream, with);
    bare.records = meta.records;
    bare.first = meta.first;
    bare.oldest = meta.oldest;
    bare.newest = meta.newest;
    bare.opened = meta.opened;
    bare.tokens = meta.tokens;
    piece.stream->closed.insert(piece.stream->closed.begin(), std::move(bare));
    activate(*piece.stream);
  }
}

void Pusher::State::take_apart(std::unique_ptr<Request> request, int status, std::string_view text) {
  if (request->pieces.size() > 1) {
    again(std::move(request));
    return;
  }
  auto decoded = decode_body(request->body);
  if (!decoded || decoded->streams.size() != 1) return final_error(base::fail(base::Code::bug, "cannot read a request of our own"));
  Request::Piece& piece = request->pieces.front();
  const DecodedStream& stream = decoded->streams.front();
  const std::size_t count = stream.entries.size();
  if (count <= 1) {
    std::vector<Complaint> why(1);
    why[0].reason = status == 413 ? "too_large" : "refused";
    why[0].text = fmt::format("{} {}", status, first_line(text));
    refuse_piece(piece, stream, {{0, 0}}, why, status);
    return;
  }
  std::vector<std::size_t> all(count);
  for (std::size_t i = 0; i < count; ++i) all[i] = i;
  const std::span<const std::size_t> indices(all);
  piece.stream->trusted = false;
  piece.stream->closed.insert(piece.stream->closed.begin(), part_of(piece.part, stream, indices.subspan(count / 2)));
  piece.stream->closed.insert(piece.stream->closed.begin(), part_of(piece.part, stream, indices.first(count / 2)));
  activate(*piece.stream);
}

}  // namespace weir::loki
