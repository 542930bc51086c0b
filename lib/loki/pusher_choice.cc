// What to send next, and when.
#include "loki/pusher_machine.h"

#include <algorithm>

namespace weir::loki {
namespace {

// Data so far behind the newest that its stream has sent goes alone. Loki's own window is an hour, or half of max_chunk_age.
constexpr base::Duration kBehind = base::kMinute;

constexpr std::size_t kMostOfAnAnswer = 1 << 20;  // holds a complaint for each of thousands of records
constexpr std::size_t kKeptForPacking = 512 << 10;

}  // namespace

bool PusherMachine::ready(const StreamQueue& stream, base::Monotonic now) const {
  if (draining || stream.retry || !stream.closed.empty()) return true;
  return stream.open && now >= company_until(*stream.open);
}

// Requests are the cost, so the wait is counted from the latest request. Input after a quiet time goes at once, because no
// company will come or it has been gathered before.
base::Monotonic PusherMachine::company_until(const StreamPart& part) const {
  if (rested && !more_follows) return part.opened;
  return base::after(more_follows ? part.opened : std::min(part.opened, last_request), config.wait);
}

// When the waits of the stream are over. kNever when an answer must come first.
base::Monotonic PusherMachine::ready_at(StreamQueue& stream, base::Monotonic now) {
  if (stream.in_flight) return base::kNever;
  PushTenant& tenant = *stream.tenant;
  base::Monotonic at = std::max({now, stream.not_before, stream.pace.ready_at(now), tenant.pace.ready_at(now)});
  if (tenant.gate.failing()) at = tenant.in_flight > 0 ? base::kNever : std::max(at, tenant.gate.retry_at());
  if (stream.behind) at = std::max(at, catch_up.ready_at(now));
  return at;
}

bool PusherMachine::parked(StreamQueue& stream, base::Monotonic now) { return ready_at(stream, now) > now; }

bool PusherMachine::goes_alone(StreamQueue& stream, base::Monotonic now, base::Timestamp wall) {
  if (!stream.trusted || stream.retry) return true;
  const StreamPart& part = stream.closed.empty() ? *stream.open : stream.closed.front();
  if (part.oldest < wall - config.old) return true;
  if (stream.newest_sent != std::numeric_limits<base::Timestamp>::min() && part.oldest < stream.newest_sent - kBehind) return true;
  return stream.pace.near_limit(now);
}

void PusherMachine::take_part(PushRequest& request, StreamQueue& stream, base::Monotonic now) {
  StreamPart part(pool);
  if (!stream.closed.empty()) {
    part = std::move(stream.closed.front());
    stream.closed.erase(stream.closed.begin());
  } else {
    part = std::move(*stream.open);
    stream.open.reset();
  }
  add_waiting(stream, -static_cast<std::ptrdiff_t>(part.raw));
  stream.in_flight = true;
  stream.pace.spend(part.raw, now);
  stream.tenant->pace.spend(part.raw, now);
  if (stream.behind) {
    request.backlog = true;
    catch_up.spend(part.raw, now);
  }
  request.raw += part.raw;
  request.records += part.records;
  request.pieces.push_back({&stream, std::move(part)});
}

std::unique_ptr<PushRequest> PusherMachine::gather(StreamQueue& first, base::Monotonic now) {
  if (target.failing()) {
    shorten_next(first, config.probe_bytes);
    if (failure) return nullptr;
  }
  if (first.retry) {
    first.in_flight = true;
    if (first.behind) catch_up.spend(first.retry->raw, now);
    return std::move(first.retry);
  }
  auto request = std::make_unique<PushRequest>();
  const base::Timestamp wall = clock.wall();
  const bool alone = goes_alone(first, now, wall) || target.failing() || first.tenant->gate.failing();
  take_part(*request, first, now);
  if (alone) return request;
  // The first stream is due. Every other stream of the tenant that holds something comes along, due or not. That makes one
  // request of many.
  for (std::size_t i = 0; i < active.size(); ++i) {
    StreamQueue& stream = *active[(turn + i) % active.size()];
    if (!stream.holds() || stream.retry || stream.tenant != first.tenant || parked(stream, now)) continue;
    const StreamPart& part = stream.closed.empty() ? *stream.open : stream.closed.front();
    if (request->raw + part.raw > request_bytes || request->records + part.records > config.request_records) continue;
    if (goes_alone(stream, now, wall)) continue;
    take_part(*request, stream, now);
  }
  return request;
}

// Streams take turns. The order of preference: a stream that is due, a full request of streams that may share one, and when
// add() waits for room, the stream that holds the most.
std::unique_ptr<PushRequest> PusherMachine::choose(base::Monotonic now) {
  std::size_t kept = 0;
  std::size_t kept_before_turn = 0;
  for (std::size_t i = 0; i < active.size(); ++i) {
    StreamQueue* stream = active[i];
    stream->active = stream->holds();
    if (i < turn && stream->active) ++kept_before_turn;
    if (stream->active) active[kept++] = stream;
  }
  active.resize(kept);
  if (active.empty()) return nullptr;
  turn = kept_before_turn % active.size();
  const base::Timestamp wall = clock.wall();
  StreamQueue* due = nullptr;
  StreamQueue* largest = nullptr;
  StreamQueue* shared = nullptr;
  std::size_t largest_bytes = 0;
  std::size_t shared_bytes = 0;
  std::size_t due_at = 0;
  for (std::size_t i = 0; i < active.size() && due == nullptr; ++i) {
    StreamQueue& stream = *active[(turn + i) % active.size()];
    if (parked(stream, now)) continue;
    if (ready(stream, now)) {
      due = &stream;
      due_at = i;
      break;
    }
    const std::size_t bytes = stream.waiting;
    if (bytes > largest_bytes) {
      largest_bytes = bytes;
      largest = &stream;
    }
    if (goes_alone(stream, now, wall)) continue;
    if (shared == nullptr) shared = &stream;
    if (stream.tenant == shared->tenant) shared_bytes += bytes;
  }
  if (due != nullptr) {
    turn = turn + due_at + 1;
    if (turn >= active.size()) turn -= active.size();
  } else if (shared != nullptr && shared_bytes >= request_bytes) {
    due = shared;
  } else if (input_waits) {
    due = largest;
  }
  return due == nullptr ? nullptr : gather(*due, now);
}

void PusherMachine::send(std::unique_ptr<PushRequest> request, Lock& lock) {
  PushTenant& tenant = *request->pieces.front().stream->tenant;
  ++slots_used;
  ++tenant.in_flight;
  if (request->body.empty()) {
    std::string scratch = std::exchange(packing, {});
    lock.unlock();
    std::vector<BodyStream> streams_of_body;
    for (const PushRequest::Piece& piece : request->pieces) streams_of_body.push_back({piece.stream->name, &piece.part.bytes});
    request->body = encode_body(streams_of_body, scratch);
    for (PushRequest::Piece& piece : request->pieces) piece.part.bytes.clear();
    lock.lock();
    if (scratch.capacity() <= kKeptForPacking) packing = std::move(scratch);
    body_bytes += request->body.size();
  } else {
    ++stats.retries;
  }
  ++stats.requests;
  http::Request http;
  http.method = "POST";
  http.path = config.path;
  http.query = config.query;
  http.headers.push_back({"Content-Type", "application/x-protobuf"});
  if (!tenant.name.empty()) http.headers.push_back({"X-Scope-OrgID", tenant.name});
  http.max_response = kMostOfAnAnswer;
  http.body_view = request->body;
  request->sent = last_request = clock.monotonic();
  const std::uint64_t id = next_id++;
  in_flight.emplace(id, std::move(request));
  transport->submit(std::move(http), [this, id](base::Result<http::Response> result) { completed(id, std::move(result)); });
}

void PusherMachine::send_due(Lock& lock) {
  while (transport != nullptr && !failure) {
    const base::Monotonic now = clock.monotonic();
    if (slots_used >= config.parallel || !target.admits(now, slots_used)) return;
    auto request = choose(now);
    if (!request) return;
    send(std::move(request), lock);
  }
}

base::Monotonic PusherMachine::retry_deadline(base::Monotonic now) {
  if (failure || active.empty()) return base::kNever;
  base::Monotonic deadline = base::kNever;
  if (target.failing()) {
    if (slots_used == 0) deadline = target.retry_at();
    if (config.give_up > 0) deadline = std::min(deadline, target.since() + config.give_up);
    return deadline;
  }
  for (StreamQueue* stream : active) {
    if (stream->in_flight || !stream->holds()) continue;
    const base::Monotonic at = ready_at(*stream, now);
    if (at > now) deadline = std::min(deadline, at);
    if (config.give_up > 0 && stream->failing_since != 0) deadline = std::min(deadline, stream->failing_since + config.give_up);
    if (config.give_up > 0 && stream->tenant->gate.failing())
      deadline = std::min(deadline, stream->tenant->gate.since() + config.give_up);
  }
  return deadline;
}

base::Monotonic PusherMachine::wait_deadline(base::Monotonic now) const {
  base::Monotonic deadline = base::kNever;
  for (const StreamQueue* stream : active) {
    if (!stream->open) continue;
    if (const base::Monotonic until = company_until(*stream->open); until > now) deadline = std::min(deadline, until);
  }
  return deadline;
}

}  // namespace weir::loki
