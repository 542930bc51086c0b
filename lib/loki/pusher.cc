#include "loki/pusher.h"

#include "loki/pusher_state.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace weir::loki {
namespace {

// What a record costs beside its bytes while the ledger waits for it.
constexpr std::size_t kTrackedBytes = 64;

// Data this far behind what its stream has sent goes alone; Loki's own window is an hour, or half of max_chunk_age.
constexpr base::Duration kBehind = base::kMinute;

constexpr base::Duration kIdleStream = 15 * base::kMinute;
constexpr base::Duration kTrimEvery = 5 * base::kSecond;

// Loki's rule, and the colon that VictoriaLogs writes between account and project. Nothing else may reach a header.
bool valid_tenant(std::string_view tenant) {
  if (tenant.size() > 150 || tenant == "." || tenant == "..") return false;
  return std::all_of(tenant.begin(), tenant.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!-_.*'():").find(c) != std::string_view::npos;
  });
}

}  // namespace

Stream& Pusher::State::find_stream(std::string_view tenant, const record::LabelSetRef& labels) {
  const std::vector<record::Label> pushed = pushed_labels(*labels);
  std::string name = label_string(pushed);
  std::string key(tenant);
  key += '\0';
  key += name;
  std::unique_ptr<Stream>& slot = streams[key];
  if (!slot) {
    slot = std::make_unique<Stream>();
    slot->tenant = tenant;
    slot->labels = labels;
    slot->refusal = refuse_labels(pushed, name, config.limits);
    if (!slot->refusal && !valid_tenant(tenant))
      slot->refusal = Refusal{"bad_tenant", fmt::format("tenant ID '{}' contains unsupported characters or is too long", tenant)};
    slot->name = std::move(name);
  }
  return *slot;
}

Stream& Pusher::State::stream_of(const record::Record& record) {
  if (record.labels == last_labels && record.tenant == last_tenant && last_stream != nullptr) return *last_stream;
  Key key{record.labels, std::string(record.tenant)};
  auto found = known.find(key);
  if (found == known.end()) {
    auto labels = record::LabelSetRef::share(record.labels);
    Stream& stream = find_stream(record.tenant.empty() ? std::string_view(config.tenant) : record.tenant, labels);
    found = known.emplace(std::move(key), Known{std::move(labels), &stream}).first;
  }
  last_labels = record.labels;
  last_tenant = record.tenant;
  last_stream = found->second.stream;
  return *last_stream;
}

void Pusher::State::activate(Stream& stream) {
  if (stream.active) return;
  stream.active = true;
  active.push_back(&stream);
}

std::size_t Pusher::State::memory() const {
  return pool.pages_in_use() * PagePool::kPage + body_bytes + tracked_records * kTrackedBytes;
}

void Pusher::State::reject(PushToken token, int status, const Refusal& refusal, const Stream& stream, const record::Record& record) {
  ++stats.rejected;
  const auto count = ++stats.rejected_by_reason[std::string(refusal.reason)];
  if (count == 1 || status != 0) diagnostics.warn(fmt::format("rejected {}", refusal.reason), fmt::format("rejected: {}", refusal.text));
  if (ledger != nullptr && config.tracked) ledger->rejected(token, {status, refusal.reason, refusal.text, stream.tenant, &record});
}

std::size_t Pusher::State::waiting_bytes(const Stream& stream) const {
  std::size_t bytes = stream.open ? stream.open->raw : 0;
  for (const Part& part : stream.closed) bytes += part.raw;
  return bytes;
}

bool Pusher::State::ready(const Stream& stream, base::Monotonic now) const {
  if (draining || stream.retry || !stream.closed.empty()) return true;
  return stream.open && now - stream.open->opened >= config.wait;
}

bool Pusher::State::parked(Stream& stream, base::Monotonic now) {
  if (stream.flying || now < stream.not_before || stream.pace.ready_at(now) > now) return true;
  if (tenant_pace.empty()) return false;
  const auto pace = tenant_pace.find(stream.tenant);
  return pace != tenant_pace.end() && pace->second.ready_at(now) > now;
}

bool Pusher::State::goes_alone(Stream& stream, base::Monotonic now, base::Timestamp wall) {
  if (!stream.trusted || stream.retry) return true;
  const Part& part = stream.closed.empty() ? *stream.open : stream.closed.front();
  if (part.oldest < wall - config.old) return true;
  if (stream.newest_sent != std::numeric_limits<base::Timestamp>::min() && part.oldest < stream.newest_sent - kBehind) return true;
  return stream.pace.near_limit(now);
}

void Pusher::State::take_part(Request& request, Stream& stream, base::Monotonic now) {
  Part part(pool);
  if (!stream.closed.empty()) {
    part = std::move(stream.closed.front());
    stream.closed.erase(stream.closed.begin());
  } else {
    part = std::move(*stream.open);
    stream.open.reset();
  }
  stream.flying = true;
  stream.pace.spend(part.raw, now);
  if (const auto pace = tenant_pace.find(stream.tenant); pace != tenant_pace.end()) pace->second.spend(part.raw, now);
  request.raw += part.raw;
  request.records += part.records;
  request.pieces.push_back({&stream, std::move(part)});
}

std::unique_ptr<Request> Pusher::State::gather(Stream& first, base::Monotonic now) {
  if (first.retry) {
    first.flying = true;
    return std::move(first.retry);
  }
  auto request = std::make_unique<Request>();
  request->tenant = first.tenant;
  const base::Timestamp wall = clock.wall();
  const bool alone = goes_alone(first, now, wall) || target.failing;
  take_part(*request, first, now);
  if (alone) return request;
  // One stream is due: whoever has something for the same tenant comes along, due or not, which makes one request of many.
  for (std::size_t i = 0; i < active.size(); ++i) {
    Stream& stream = *active[(turn + i) % active.size()];
    if (!stream.holds() || stream.retry || stream.tenant != request->tenant || parked(stream, now)) continue;
    const Part& part = stream.closed.empty() ? *stream.open : stream.closed.front();
    if (request->raw + part.raw > request_bytes || request->records + part.records > config.request_records) continue;
    if (goes_alone(stream, now, wall)) continue;
    take_part(*request, stream, now);
  }
  return request;
}

// Streams take turns. In the order of preference: what is due, a full request of streams that may share one, and under pressure
// the largest.
std::unique_ptr<Request> Pusher::State::choose(base::Monotonic now) {
  std::size_t kept = 0;
  std::size_t kept_before_turn = 0;
  for (std::size_t i = 0; i < active.size(); ++i) {
    Stream* stream = active[i];
    stream->active = stream->holds();
    if (i < turn && stream->active) ++kept_before_turn;
    if (stream->active) active[kept++] = stream;
  }
  active.resize(kept);
  if (active.empty()) return nullptr;
  turn = kept_before_turn % active.size();
  const base::Timestamp wall = clock.wall();
  Stream* due = nullptr;
  Stream* largest = nullptr;
  Stream* shared = nullptr;
  std::size_t largest_bytes = 0;
  std::size_t shared_bytes = 0;
  std::size_t due_at = 0;
  for (std::size_t i = 0; i < active.size() && due == nullptr; ++i) {
    Stream& stream = *active[(turn + i) % active.size()];
    if (parked(stream, now)) continue;
    if (ready(stream, now)) {
      due = &stream;
      due_at = i;
      break;
    }
    const std::size_t bytes = waiting_bytes(stream);
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
  } else if (starved) {
    due = largest;
  }
  return due == nullptr ? nullptr : gather(*due, now);
}

void Pusher::State::fly(std::unique_ptr<Request> request, Lock& lock) {
  ++slots_used;
  if (request->body.empty()) {
    lock.unlock();
    std::vector<BodyStream> streams_of_body;
    for (const Request::Piece& piece : request->pieces) streams_of_body.push_back({piece.stream->name, &piece.part.bytes});
    request->body = encode_body(streams_of_body);
    for (Request::Piece& piece : request->pieces) piece.part.bytes.clear();
    lock.lock();
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
  if (!request->tenant.empty()) http.headers.push_back({"X-Scope-OrgID", request->tenant});
  http.body_view = request->body;
  const std::uint64_t id = next_id++;
  flying.emplace(id, std::move(request));
  transport->submit(std::move(http), [this, id](base::Result<http::Response> result) { landed(id, std::move(result)); });
}

void Pusher::State::pump(Lock& lock) {
  while (transport != nullptr && !failed) {
    const base::Monotonic now = clock.monotonic();
    if (slots_used >= (target.failing ? 1 : config.parallel)) return;
    if (target.failing && now < target.retry_at) return;
    auto request = choose(now);
    if (!request) return;
    fly(std::move(request), lock);
  }
}

base::Monotonic Pusher::State::retry_deadline(base::Monotonic now) {
  if (failed || active.empty()) return base::kNever;
  base::Monotonic deadline = base::kNever;
  if (target.failing) {
    if (slots_used == 0) deadline = target.retry_at;
    if (config.give_up > 0) deadline = std::min(deadline, target.since + config.give_up);
    return deadline;
  }
  for (Stream* stream : active) {
    if (stream->flying || !stream->holds()) continue;
    base::Monotonic at = std::max(stream->not_before, stream->pace.ready_at(now));
    if (const auto pace = tenant_pace.find(stream->tenant); pace != tenant_pace.end()) at = std::max(at, pace->second.ready_at(now));
    if (at > now) deadline = std::min(deadline, at);
    if (config.give_up > 0 && stream->failing_since != 0) deadline = std::min(deadline, stream->failing_since + config.give_up);
  }
  return deadline;
}

base::Monotonic Pusher::State::wait_deadline(base::Monotonic now) const {
  base::Monotonic deadline = base::kNever;
  for (const Stream* stream : active) {
    if (stream->open && stream->open->opened + config.wait > now) deadline = std::min(deadline, stream->open->opened + config.wait);
  }
  return deadline;
}

void Pusher::State::check_give_up(base::Monotonic now) {
  if (config.give_up <= 0 || failed) return;
  const auto give_up = [&](std::string_view cause) {
    final_error(base::fail(base::Code::network, "cannot push to {}: gave up after {}: {}; not delivered: {}", config.url,
                           record::print_duration(config.give_up), cause, undelivered())
                    .with_hint("--give-up 0 tries for ever; a spool (weir buffer) keeps what cannot be delivered yet"));
  };
  if (target.failing) {
    if (now - target.since >= config.give_up) give_up(target.cause);
    return;
  }
  for (const Stream* stream : active)
    if (stream->failing_since != 0 && now - stream->failing_since >= config.give_up)
      return give_up(fmt::format("stream {} is refused all the time", stream->name));
}

void Pusher::State::forget_idle_streams(base::Monotonic now) {
  if (now - last_sweep < base::kMinute) return;
  last_sweep = now;
  const auto idle = [&](const Stream& stream) { return !stream.flying && !stream.holds() && now - stream.last_used > kIdleStream; };
  std::erase_if(known, [&](const auto& entry) { return idle(*entry.second.stream); });
  std::erase_if(active, [&](Stream* stream) { return idle(*stream); });
  std::erase_if(streams, [&](const auto& entry) { return idle(*entry.second); });
  last_stream = nullptr;
  last_labels = nullptr;
}

// After a burst its memory goes. When to call again.
base::Monotonic Pusher::State::trim(base::Monotonic now) {
  if (now >= next_trim) next_trim = pool.trim() ? base::after(now, kTrimEvery) : base::kNever;
  if (next_trim == base::kNever && pool.pages_in_use() > 0) next_trim = base::after(now, kTrimEvery);
  return next_trim;
}

std::string Pusher::State::undelivered() const {
  if (stats.pending == 0) return {};
  base::Timestamp first = std::numeric_limits<base::Timestamp>::max();
  const auto see = [&first](const Request& request) {
    for (const Request::Piece& piece : request.pieces) first = std::min(first, piece.part.oldest);
  };
  for (const Stream* stream : active) {
    if (stream->retry) see(*stream->retry);
    for (const Part& part : stream->closed) first = std::min(first, part.oldest);
    if (stream->open) first = std::min(first, stream->open->oldest);
  }
  for (const auto& [id, request] : flying) see(*request);
  if (first == std::numeric_limits<base::Timestamp>::max()) return fmt::format("{} records", stats.pending);
  return fmt::format("{} record{}, the first of {}", stats.pending, stats.pending == 1 ? "" : "s", record::to_rfc3339(first));
}

base::Result<void> Pusher::State::wait_for_room(Lock& lock) {
  while (memory() > config.memory) {
    if (failed) return base::Error(*failed);
    starved = true;
    pump(lock);
    starved = false;
    if (memory() <= config.memory) break;
    const base::Monotonic now = clock.monotonic();
    check_give_up(now);
    if (stop != nullptr && now >= stop->deadline(now)) {
      return base::fail(base::Code::interrupted, "cannot push the rest to {}: {}; not delivered: {}", config.url,
                        stop->stopped() ? "stopped" : "the process in front of this one died", undelivered());
    }
    // Only a full pusher comes here, so the few wake-ups that look at clock and stop cost nothing.
    landed_one.wait_for(lock, std::chrono::milliseconds(50));
  }
  return {};
}

Pusher::Pusher(PusherConfig config, base::Clock& clock, base::Diagnostics& diagnostics, const base::Stop* stop, PushLedger* ledger)
    : state_(std::make_unique<State>(std::move(config), clock, diagnostics, stop, ledger)) {}

Pusher::~Pusher() = default;

void Pusher::attach(http::Transport& transport) {
  const std::lock_guard lock(state_->mutex);
  state_->transport = &transport;
}

base::Result<void> Pusher::add(const record::Record& record, PushToken token) {
  State& s = *state_;
  State::Lock lock(s.mutex);
  if (s.failed) return base::Error(*s.failed);
  Stream& stream = s.stream_of(record);
  if (stream.refusal) {
    s.reject(token, 0, *stream.refusal, stream, record);
    return {};
  }
  if (const auto refusal = s.encoder.prepare(record, stream.name, s.roughly_now())) {
    s.reject(token, 0, *refusal, stream, record);
    return {};
  }
  const EncodedEntry& entry = s.encoder.prepared();
  if (entry.invalid != 0) ++s.stats.repaired;
  bool full = false;
  if (stream.open && stream.open->raw + entry.raw > s.config.stream_bytes) {
    stream.closed.push_back(std::move(*stream.open));
    stream.open.reset();
    full = true;
  }
  if (!stream.open) {
    stream.open.emplace(s.pool);
    stream.open->opened = s.clock.monotonic();
    stream.open->first = stream.open->oldest = stream.open->newest = record.timestamp;
    stream.last_used = stream.open->opened;
    s.activate(stream);
  }
  Part& part = *stream.open;
  s.encoder.append(part.bytes);
  ++part.records;
  part.raw += entry.raw;
  part.oldest = std::min(part.oldest, record.timestamp);
  part.newest = std::max(part.newest, record.timestamp);
  if (s.config.tracked) {
    part.tokens.push_back(token);
    ++s.tracked_records;
  }
  ++s.stats.pending;
  if (part.records >= s.config.request_records || part.raw >= s.config.stream_bytes) {
    stream.closed.push_back(std::move(part));
    stream.open.reset();
    full = true;
  }
  if (full) s.pump(lock);
  if (s.memory() > s.config.memory) return s.wait_for_room(lock);
  return {};
}

base::Result<base::Monotonic> Pusher::tick(base::Monotonic now) {
  State& s = *state_;
  State::Lock lock(s.mutex);
  s.looks = 0;
  s.check_give_up(now);
  s.forget_idle_streams(now);
  s.pump(lock);
  if (s.failed) return base::Error(*s.failed);
  return s.wait_deadline(now);
}

base::Monotonic Pusher::timer(base::Monotonic now) {
  State& s = *state_;
  State::Lock lock(s.mutex);
  s.check_give_up(now);
  s.pump(lock);
  return std::min(s.retry_deadline(now), s.trim(now));
}

base::Result<bool> Pusher::drain(base::Monotonic deadline) {
  State& s = *state_;
  State::Lock lock(s.mutex);
  s.draining = true;
  bool drained = true;
  while (s.stats.pending > 0 && !s.failed) {
    s.pump(lock);
    if (s.stats.pending == 0) break;
    const base::Monotonic now = s.clock.monotonic();
    s.check_give_up(now);
    // The input may have ended by itself, without a deadline, before the signal came.
    if (s.stop != nullptr && deadline == base::kNever) deadline = s.stop->deadline(now);
    if (now >= deadline || (s.stop != nullptr && s.stop->level() == base::Stop::leave)) {
      drained = false;
      break;
    }
    s.landed_one.wait_for(lock, std::chrono::milliseconds(100));
  }
  s.draining = false;
  if (s.failed) return base::Error(*s.failed);
  return drained;
}

PusherStats Pusher::stats() const {
  const std::lock_guard lock(state_->mutex);
  return state_->stats;
}

std::size_t Pusher::memory_in_use() const {
  const std::lock_guard lock(state_->mutex);
  return state_->memory();
}

std::string Pusher::undelivered() const {
  const std::lock_guard lock(state_->mutex);
  return state_->undelivered();
}

}  // namespace weir::loki
