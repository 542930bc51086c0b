#include "loki/pusher.h"

#include "base/count.h"
#include "loki/pusher_machine.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace weir::loki {
namespace {

// What a record costs beside its bytes while the ledger waits for its fate.
constexpr std::size_t kTrackedBytes = 64;

// A log that fills calm_bytes in less time may have larger requests, because it would need more than four requests a second.
constexpr base::Duration kHot = base::kSecond / 4;

constexpr base::Duration kIdleStream = 15 * base::kMinute;
constexpr std::size_t kManyStreams = 768;  // more than most nodes have at a time, so most of these streams have ended …
constexpr base::Duration kManyIdle = 2 * base::kSecond;  // … and are forgotten early; one that returns is made again
constexpr base::Duration kTrimEvery = 5 * base::kSecond;

}  // namespace

StreamQueue& PusherMachine::find_stream(std::string_view tenant, const record::LabelSetRef& labels) {
  PushedStream pushed(*labels, tenant);
  std::string key = pushed.tenant;
  key += '\0';
  key += pushed.name;
  // An escaped value may equal a value that was never escaped. The notes distinguish them.
  for (const auto& [name, value] : pushed.notes) (key += '\0') += value;
  std::unique_ptr<StreamQueue>& slot = streams[key];
  if (!slot) {
    std::unique_ptr<PushTenant>& of = tenants[pushed.tenant];
    if (!of) of = std::make_unique<PushTenant>(pushed.tenant, config.retry, config.seed + 7 + tenants.size());
    ++of->streams;
    slot = std::make_unique<StreamQueue>();
    slot->tenant = of.get();
    slot->labels = labels;
    slot->refusal = refuse_labels(pushed.labels, pushed.name, config.limits);
    if (!slot->refusal && !is_tenant(pushed.tenant))
      slot->refusal = Refusal{"bad_tenant", fmt::format("tenant ID '{}' contains unsupported characters or is too long", tenant)};
    slot->name = std::move(pushed.name);
    slot->notes = std::move(pushed.notes);
  }
  return *slot;
}

StreamQueue& PusherMachine::stream_of(const record::Record& record) {
  Recent& last = recent[(reinterpret_cast<std::uintptr_t>(record.labels) >> 4) * 0x9E3779B97F4A7C15U >> 57];
  if (record.labels == last.labels && record.tenant == last.tenant) return *last.stream;
  Key key{record.labels, std::string(record.tenant)};
  auto found = known.find(key);
  if (found == known.end()) {
    auto labels = record::LabelSetRef::share(record.labels);
    StreamQueue& stream = find_stream(record.tenant.empty() ? std::string_view(config.tenant) : record.tenant, labels);
    found = known.emplace(std::move(key), Known{std::move(labels), &stream}).first;
  }
  last.labels = record.labels;
  last.tenant = record.tenant;
  last.stream = found->second.stream;
  return *last.stream;
}

void PusherMachine::activate(StreamQueue& stream) {
  if (stream.active) return;
  stream.active = true;
  active.push_back(&stream);
}

std::size_t PusherMachine::memory() const {
  return pool.pages_in_use() * PagePool::kPage + body_bytes + tracked_records * kTrackedBytes;
}

void PusherMachine::reject(PushToken token, int status, const Refusal& refusal, const StreamQueue& stream,
                           const record::Record& record) {
  ++stats.rejected;
  auto of_reason = stats.rejected_by_reason.find(refusal.reason);
  if (of_reason == stats.rejected_by_reason.end()) of_reason = stats.rejected_by_reason.emplace(refusal.reason, 0).first;
  const auto count = ++of_reason->second;
  if (count == 1 || status != 0)
    diagnostics.warn(fmt::format("rejected {}", refusal.reason), fmt::format("rejected: {}", refusal.text));
  if (ledger != nullptr && config.tracked)
    ledger->rejected(token, {status, refusal.reason, refusal.text, stream.tenant->name, &record});
}

// A million records may be rejected for their time, so consecutive ones share one text.
void PusherMachine::reject_for_time(TimeCheck found, base::Timestamp now, PushToken token, const StreamQueue& stream,
                                    const record::Record& record) {
  const std::string_view reason = found == TimeCheck::too_old ? "greater_than_max_sample_age" : "too_far_in_future";
  if (time_refusal_of != &stream || time_refusal.reason != reason) {
    time_refusal = refuse_time(found, record.timestamp, stream.name, now, config.limits);
    time_refusal_of = &stream;
  }
  reject(token, 0, time_refusal, stream, record);
}

void PusherMachine::final_error(base::Error error) {
  if (!failure) failure = std::move(error);
  completed_one.notify_all();
}

void PusherMachine::note_error(std::string_view cause) {
  latest_error = cause;
  error_at = clock.wall();
}

void PusherMachine::check_give_up(base::Monotonic now) {
  if (config.give_up <= 0 || failure) return;
  const auto give_up = [&](std::string_view cause) {
    final_error(base::fail(base::Code::network, "cannot push to {}: gave up after {}: {}; not delivered: {}", config.url,
                           record::print_duration(config.give_up), cause, undelivered())
                    .with_hint("--give-up 0 tries for ever; a spool (weir buffer) keeps what cannot be delivered yet"));
  };
  if (target.failing()) {
    if (now - target.since() >= config.give_up) give_up(target_cause);
    return;
  }
  for (const auto& [name, tenant] : tenants)
    if (tenant->gate.failing() && now - tenant->gate.since() >= config.give_up) return give_up(tenant->cause);
  for (const StreamQueue* stream : active)
    if (stream->failing_since != 0 && now - stream->failing_since >= config.give_up)
      return give_up(fmt::format("Loki refuses every try for stream {}", stream->name));
}

void PusherMachine::forget_idle_streams(base::Monotonic now) {
  // When pods come and go quickly, the pods of the last fifteen minutes are many more than exist at one time.
  const bool many = streams.size() > kManyStreams;
  if (now - last_sweep < (many ? kManyIdle : base::kMinute)) return;
  last_sweep = now;
  const base::Duration longest = many ? kManyIdle : kIdleStream;
  const auto idle = [&](const StreamQueue& stream) {
    return !stream.in_flight && !stream.holds() && !stream.left && now - stream.last_used > longest;
  };
  std::erase_if(known, [&](const auto& entry) { return idle(*entry.second.stream); });
  std::erase_if(active, [&](StreamQueue* stream) { return idle(*stream); });
  std::erase_if(streams, [&](const auto& entry) {
    if (!idle(*entry.second)) return false;
    set_behind(*entry.second, false);
    --entry.second->tenant->streams;
    return true;
  });
  std::erase_if(tenants, [](const auto& entry) { return entry.second->streams == 0; });
  recent.fill({});
  time_refusal_of = nullptr;
}

// Returns the memory of a burst to the system. The result is when to call again.
base::Monotonic PusherMachine::trim(base::Monotonic now) {
  if (now >= next_trim) next_trim = pool.trim() ? base::after(now, kTrimEvery) : base::kNever;
  if (next_trim == base::kNever && pool.pages_in_use() > 0) next_trim = base::after(now, kTrimEvery);
  return next_trim;
}

base::Timestamp PusherMachine::oldest() const {
  base::Timestamp first = std::numeric_limits<base::Timestamp>::max();
  const auto include = [&first](const PushRequest& request) {
    for (const PushRequest::Piece& piece : request.pieces) first = std::min(first, piece.part.oldest);
  };
  for (const StreamQueue* stream : active) {
    if (stream->retry) include(*stream->retry);
    if (stream->aside) include(*stream->aside);
    for (const StreamPart& part : stream->closed) first = std::min(first, part.oldest);
    if (stream->open) first = std::min(first, stream->open->oldest);
  }
  for (const auto& [id, request] : in_flight) include(*request);
  return first;
}

std::string PusherMachine::undelivered() const {
  if (stats.pending == 0) return {};
  const base::Timestamp first = oldest();
  if (first == std::numeric_limits<base::Timestamp>::max()) return base::count_of(stats.pending, "record");
  return fmt::format("{}, the first of {}", base::count_of(stats.pending, "record"), record::to_rfc3339(first));
}

PusherWaits PusherMachine::waits() const {
  PusherWaits waits;
  if (const base::Timestamp first = oldest(); first != std::numeric_limits<base::Timestamp>::max()) waits.oldest = first;
  if (target.failing()) {
    waits.failing_since = target.since();
    waits.retry_at = target.retry_at();
    waits.cause = target_cause;
    return waits;
  }
  base::Monotonic since = 0;
  for (const StreamQueue* stream : active) {
    if (!stream->holds()) continue;
    if (!stream->tenant->gate.failing()) return waits;
    const base::Monotonic retry_at = stream->tenant->gate.retry_at();
    if (waits.cause.empty() || retry_at < waits.retry_at) {
      waits.retry_at = retry_at;
      waits.cause = stream->tenant->cause;
    }
    since = std::max(since, stream->tenant->gate.since());
  }
  if (!waits.cause.empty()) waits.failing_since = since;
  return waits;
}

// A slow stream whose records can be left is bounded by must_leave() instead. The other streams get some memory on top while
// slow ones hold theirs. A single stream may have filled the memory before Loki's first answer.
bool PusherMachine::has_room(const StreamQueue& stream) const {
  const bool leaves = can_leave && !target.failing();
  if (leaves && stream.slow) return true;
  if (memory() > (leaves && slow_bytes > 0 ? config.memory + slow_share() : config.memory)) return false;
  return !stream.slow || can_leave || slow_bytes <= slow_share();
}

base::Result<void> PusherMachine::wait_for_room(Lock& lock, StreamQueue& stream) {
  while (!has_room(stream)) {
    if (failure) return base::Error(*failure);
    input_waits = true;
    send_due(lock);
    input_waits = false;
    if (has_room(stream)) break;
    const base::Monotonic now = clock.monotonic();
    last_wait = now;
    check_give_up(now);
    if (stream.slow && memory() <= config.memory && !catch_up.active()) {
      diagnostics.warn(
          "stream-full",
          fmt::format(
              "stream {} holds up the input: Loki takes its records more slowly than they come, and {} of slow streams wait",
              stream.name, record::print_size(slow_bytes)));
    }
    if (stop != nullptr && now >= stop->deadline(now)) {
      const std::string_view why = stop->stopped() ? "stopped" : "the process in front of this one died";
      // Of a tracked stream push itself says what becomes of the rest.
      return base::fail(base::Code::interrupted, "cannot push the rest to {}: {}{}", config.url, why,
                        config.tracked ? "" : "; not delivered: " + undelivered());
    }
    // Only a full pusher comes here, so these few wake-ups to check clock and stop cost nothing.
    completed_one.wait_for(lock, std::chrono::milliseconds(50));
    report_waiting(lock);
  }
  return {};
}

void PusherMachine::report_waiting(Lock& lock) {
  if (ledger == nullptr && !config.while_waiting) return;
  lock.unlock();
  if (ledger != nullptr) ledger->input_waits();
  if (config.while_waiting) config.while_waiting();
  lock.lock();
}

// How many bytes of the stream may go in one request. `next` is the time of the record that comes. When this process is killed,
// the requests in flight are sent again, and of a small request Loki drops the repeats. A stream that logs fast gets larger
// requests, so that it is not slower than its log. Old data gets larger ones too, so that fewer streams are in flight: old data
// shares no request.
std::size_t PusherMachine::part_limit(const StreamQueue& stream, base::Timestamp next, base::Timestamp now) const {
  std::size_t most = std::min(config.stream_bytes, request_bytes);
  if (stream.open) {
    const base::Timestamp oldest = std::min(stream.open->oldest, next);
    const std::size_t calm = oldest < now - config.old ? 2 * config.calm_bytes : config.calm_bytes;
    if (std::max(stream.open->newest, next) - oldest >= kHot) most = std::min(most, calm);
  }
  return stream.behind ? std::min(most, catch_up.request_bytes()) : most;
}

void PusherMachine::close_open(StreamQueue& stream) {
  stream.closed.push_back(std::move(*stream.open));
  stream.open.reset();
}

base::Result<void> PusherMachine::take(StreamQueue& stream, const record::Record& record, PushToken token, bool& full) {
  full = false;
  ++stats.taken;
  if (stream.refusal) {
    reject(token, 0, *stream.refusal, stream, record);
    return {};
  }
  const base::Timestamp now = rough_time();
  if (may_judge_time) {
    if (const TimeCheck found = check_time(record.timestamp, now, config.limits); found != TimeCheck::fine) {
      reject_for_time(found, now, token, stream, record);
      return {};
    }
  }
  if (const auto refusal = encoder.prepare(record, stream.name, std::nullopt, stream.notes)) {
    reject(token, 0, *refusal, stream, record);
    return {};
  }
  const EncodedEntry& entry = encoder.prepared();
  if (entry.invalid != 0) ++stats.repaired;
  if (entry.renamed != 0) ++stats.renamed;
  const std::size_t most = part_limit(stream, record.timestamp, now);
  if (stream.open && stream.open->raw + entry.raw > most) {
    close_open(stream);
    full = true;
  }
  if (!stream.open) {
    stream.open.emplace(pool);
    stream.open->opened = clock.monotonic();
    stream.open->first = stream.open->oldest = stream.open->newest = record.timestamp;
    stream.last_used = stream.open->opened;
    activate(stream);
  }
  StreamPart& part = *stream.open;
  encoder.append(part.bytes);
  ++part.records;
  part.raw += entry.raw;
  part.oldest = std::min(part.oldest, record.timestamp);
  part.newest = std::max(part.newest, record.timestamp);
  if (config.tracked) {
    part.tokens.push_back(token);
    ++tracked_records;
  }
  ++stats.pending;
  add_waiting(stream, static_cast<std::ptrdiff_t>(entry.raw));
  if (part.records >= config.request_records || part.raw >= most) {
    close_open(stream);
    full = true;
  }
  return {};
}

Pusher::Pusher(PusherConfig config, base::Clock& clock, base::Diagnostics& diagnostics, const base::Stop* stop, PushLedger* ledger)
    : machine_(std::make_unique<PusherMachine>(std::move(config), clock, diagnostics, stop, ledger)) {}

Pusher::~Pusher() = default;

void Pusher::attach(http::Transport& transport) {
  const std::lock_guard lock(machine_->mutex);
  machine_->transport = &transport;
}

base::Result<StreamNumber> Pusher::add(const record::Record& record, PushToken token, bool backlog) {
  PusherMachine& s = *machine_;
  PusherMachine::Lock lock(s.mutex);
  if (s.failure) return base::Error(*s.failure);
  StreamQueue& stream = s.stream_of(record);
  if (stream.left) return stream.number;
  if ((backlog || s.all_backlog) && s.catch_up.active()) s.set_behind(stream, true);
  if (stream.slow && s.must_leave(stream)) {
    if (stream.number == 0) stream.number = s.next_number++;
    stream.left = true;
    stream.last_used = s.clock.monotonic();
    s.left.emplace(stream.number, &stream);
    return stream.number;
  }
  bool full = false;
  if (auto taken = s.take(stream, record, token, full); !taken) return std::move(taken).error();
  if (full) s.send_due(lock);
  if (!s.has_room(stream)) {
    if (auto room = s.wait_for_room(lock, stream); !room) return std::move(room).error();
  }
  return StreamNumber{0};
}

base::Result<void> Pusher::add_again(const record::Record& record, PushToken token) {
  PusherMachine& s = *machine_;
  PusherMachine::Lock lock(s.mutex);
  if (s.failure) return base::Error(*s.failure);
  bool full = false;
  if (auto taken = s.take(s.stream_of(record), record, token, full); !taken) return taken;
  if (full) s.send_due(lock);
  return {};
}

base::Result<base::Monotonic> Pusher::tick(base::Monotonic now, bool more_follows) {
  PusherMachine& s = *machine_;
  PusherMachine::Lock lock(s.mutex);
  s.clock_calls = 0;
  if (more_follows && !s.more_follows) s.rested = now - std::exchange(s.last_input, now) >= s.config.wait;
  s.more_follows = more_follows;
  s.check_give_up(now);
  s.forget_idle_streams(now);
  s.measure_usual_rate(now);
  s.end_catch_up(now);
  s.send_due(lock);
  if (s.failure) return base::Error(*s.failure);
  return s.wait_deadline(now);
}

base::Monotonic Pusher::timer(base::Monotonic now) {
  PusherMachine& s = *machine_;
  PusherMachine::Lock lock(s.mutex);
  s.check_give_up(now);
  s.send_due(lock);
  return std::min(s.retry_deadline(now), s.trim(now));
}

base::Result<bool> Pusher::drain(base::Monotonic deadline) {
  PusherMachine& s = *machine_;
  PusherMachine::Lock lock(s.mutex);
  s.draining = true;
  const bool last = deadline == base::kNever;
  bool drained = true;
  while (s.stats.pending > 0 && !s.failure) {
    s.send_due(lock);
    if (s.stats.pending == 0) break;
    const base::Monotonic now = s.clock.monotonic();
    s.check_give_up(now);
    if (last && s.target.failing() && (s.stop == nullptr || !s.stop->stopped())) s.report_end();
    // The input may have ended by itself, without a deadline, before the signal came.
    if (s.stop != nullptr && deadline == base::kNever) deadline = s.stop->deadline(now);
    // Records that wait for a failing target or a parked stream come again at the next start.
    if (s.stop != nullptr && s.stop->stopped() && !s.config.one_shot && s.slots_used == 0) {
      drained = false;
      break;
    }
    if (now >= deadline || (s.stop != nullptr && s.stop->level() == base::Stop::leave)) {
      drained = false;
      break;
    }
    s.completed_one.wait_for(lock, std::chrono::milliseconds(100));
    s.report_waiting(lock);
  }
  s.draining = false;
  if (s.failure) return base::Error(*s.failure);
  return drained;
}

PusherStats Pusher::stats() const {
  const std::lock_guard lock(machine_->mutex);
  return machine_->stats;
}

PusherHealth Pusher::health() const {
  const PusherMachine& machine = *machine_;
  const std::lock_guard lock(machine.mutex);
  PusherHealth health{.success = machine.stats.last_success, .error = machine.latest_error, .error_at = machine.error_at};
  const auto blocked = [&](const Gate& gate, const std::string& cause) {
    health.blocked = cause;
    health.blocked_since = machine.clock.wall() - (machine.clock.monotonic() - gate.since());
  };
  if (machine.target.failing()) {
    blocked(machine.target, machine.target_cause);
    return health;
  }
  for (const auto& [name, tenant] : machine.tenants) {
    if (!tenant->gate.failing()) continue;
    blocked(tenant->gate, tenant->cause);
    break;
  }
  return health;
}

PusherWaits Pusher::waits() const {
  const std::lock_guard lock(machine_->mutex);
  return machine_->waits();
}

std::size_t Pusher::memory_in_use() const {
  const std::lock_guard lock(machine_->mutex);
  return machine_->memory();
}

std::string Pusher::undelivered() const {
  const std::lock_guard lock(machine_->mutex);
  return machine_->undelivered();
}

void Pusher::each_pending(const std::function<void(PushToken)>& visit) const {
  const std::lock_guard lock(machine_->mutex);
  const auto of_part = [&visit](const auto& part) {
    for (const PushToken token : part.tokens) visit(token);
  };
  const auto of_request = [&](const auto& request) {
    for (const auto& piece : request.pieces) of_part(piece.part);
  };
  for (const auto* stream : machine_->active) {
    if (stream->retry) of_request(*stream->retry);
    if (stream->aside) of_request(*stream->aside);
    for (const auto& part : stream->closed) of_part(part);
    if (stream->open) of_part(*stream->open);
  }
  for (const auto& [id, request] : machine_->in_flight) of_request(*request);
}

}  // namespace weir::loki
