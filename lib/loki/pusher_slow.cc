// Slow streams: how many of their records are kept, which are left to be read again, and the pace of a backlog.
#include "loki/pusher_machine.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::loki {
namespace {

constexpr std::size_t kMostOfOneStream = 512 << 10;  // bytes of one slow stream
constexpr std::size_t kWantsMoreBelow = 128 << 10;
constexpr base::Duration kUsualWindow = 10 * base::kSecond;
constexpr double kUsualWeight = 0.3;                    // of the latest window
constexpr base::Duration kFlowing = 5 * base::kSecond;  // the input has not waited for so long, so nothing is queued before it

}  // namespace

// Updates whether the stream counts as slow. Call it after any change of what decides that.
void PusherMachine::update_slow(StreamQueue& stream) {
  const bool tenant_waits = tenants.size() > 1 && stream.tenant->gate.failing();
  const bool slow = stream.behind || stream.failing_since != 0 || stream.pace.learnt() || tenant_waits;
  if (slow == stream.slow) return;
  stream.slow = slow;
  if (slow) {
    slow_bytes += stream.waiting;
  } else {
    slow_bytes -= stream.waiting;
  }
}

void PusherMachine::add_waiting(StreamQueue& stream, std::ptrdiff_t bytes) {
  stream.waiting += static_cast<std::size_t>(bytes);
  if (stream.slow) slow_bytes += static_cast<std::size_t>(bytes);
}

void PusherMachine::set_behind(StreamQueue& stream, bool behind) {
  if (stream.behind == behind) return;
  stream.behind = behind;
  streams_behind += behind ? 1 : -1;
  update_slow(stream);
}

bool PusherMachine::must_leave(const StreamQueue& stream) const {
  return can_leave && !target.failing() && (stream.waiting >= kMostOfOneStream || slow_bytes >= slow_share());
}

// A stream that Loki refuses has a request to retry, and that is enough.
bool PusherMachine::wants_more(const StreamQueue& stream) {
  if (stream.failing_since != 0 && stream.holds()) return false;
  return stream.waiting < kWantsMoreBelow && !stream.tenant->gate.failing();
}

std::vector<StreamNumber> Pusher::streams_wanting_more() {
  PusherMachine& s = *machine_;
  const PusherMachine::Lock lock(s.mutex);
  std::vector<StreamNumber> numbers;
  if (s.failure || s.target.failing() || s.slow_bytes >= s.slow_share()) return numbers;
  for (const auto& [number, stream] : s.left)
    if (PusherMachine::wants_more(*stream)) numbers.push_back(number);
  return numbers;
}

void Pusher::resume(StreamNumber number) {
  PusherMachine& s = *machine_;
  const PusherMachine::Lock lock(s.mutex);
  const auto found = s.left.find(number);
  if (found == s.left.end()) return;
  StreamQueue& stream = *found->second;
  s.left.erase(found);
  stream.left = false;
  stream.last_used = s.clock.monotonic();
  if (!stream.holds() && !stream.in_flight) s.set_behind(stream, false);
}

void Pusher::stop_leaving() {
  const PusherMachine::Lock lock(machine_->mutex);
  machine_->can_leave = false;
}

// Measures the usual rate while nothing is in the way. It is a hint for the pace of a backlog.
void PusherMachine::measure_usual_rate(base::Monotonic now) {
  if (target.failing() || catch_up.active() || usual_since == 0) {
    usual_since = now;
    usual_bytes = stats.bytes;
  } else if (now - usual_since >= kUsualWindow) {
    const double rate = static_cast<double>(stats.bytes - usual_bytes) * base::kSecond / static_cast<double>(now - usual_since);
    usual_rate = usual_rate == 0 ? rate : usual_rate * (1 - kUsualWeight) + rate * kUsualWeight;
    usual_since = now;
    usual_bytes = stats.bytes;
  }
}

// The inflow, estimated from the times of the waiting records. For a process that started during the outage and has sent
// nothing so far.
double PusherMachine::estimated_inflow() const {
  double rate = 0;
  for (const StreamQueue* stream : active) {
    std::size_t raw = stream->waiting;
    base::Timestamp oldest = std::numeric_limits<base::Timestamp>::max();
    base::Timestamp newest = std::numeric_limits<base::Timestamp>::min();
    const auto include = [&](const StreamPart& part) {
      oldest = std::min(oldest, part.oldest);
      newest = std::max(newest, part.newest);
    };
    if (stream->retry) {
      raw += stream->retry->raw;
      include(stream->retry->pieces.front().part);
    }
    for (const StreamPart& part : stream->closed) include(part);
    if (stream->open) include(*stream->open);
    if (raw > 0) rate += static_cast<double>(raw) * base::kSecond / static_cast<double>(std::max(newest - oldest, base::kSecond));
  }
  return rate;
}

void PusherMachine::begin_catch_up(base::Monotonic now, std::string_view why) {
  if (!catch_up.limits()) return;
  catch_up.begin(now, usual_rate > 0 ? usual_rate : estimated_inflow());
  const base::Duration wait = catch_up.wait_at_start() / base::kSecond * base::kSecond;
  diagnostics.say(fmt::format("{}: the backlog is delivered at up to {}/s above the inflow{} (--drain-rate, --start-jitter)", why,
                              record::print_size(static_cast<std::uint64_t>(config.catch_up.rate)),
                              wait > 0 ? fmt::format(", starting in {}", record::print_duration(wait)) : std::string()));
  for (StreamQueue* stream : active)
    if (stream->holds()) set_behind(*stream, true);
}

void PusherMachine::end_catch_up(base::Monotonic now) {
  if (!catch_up.active()) return;
  if (config.can_leave) {
    if (all_backlog || backlog_to_come || streams_behind > 0) return;
  } else {
    if (now - std::max(last_wait, catch_up.began()) < kFlowing) return;
    all_backlog = backlog_to_come = false;
    for (const auto& [key, stream] : streams) set_behind(*stream, false);
  }
  catch_up.end();
  diagnostics.say("the backlog is delivered");
}

void Pusher::begin_backlog() {
  PusherMachine& s = *machine_;
  const PusherMachine::Lock lock(s.mutex);
  s.begin_catch_up(s.clock.monotonic(), "the spool holds records from before this start");
  s.backlog_to_come = true;
}

bool Pusher::recovered() {
  const PusherMachine::Lock lock(machine_->mutex);
  return std::exchange(machine_->recovery_unreported, false);
}

void Pusher::backlog_known() {
  const PusherMachine::Lock lock(machine_->mutex);
  machine_->all_backlog = false;
  machine_->backlog_to_come = true;
}

void Pusher::backlog_passed() {
  const PusherMachine::Lock lock(machine_->mutex);
  machine_->backlog_to_come = false;
}

bool Pusher::catching_up() const {
  const PusherMachine::Lock lock(machine_->mutex);
  return machine_->catch_up.active();
}

void Pusher::set_inflow(double bytes_per_second) {
  PusherMachine& s = *machine_;
  const PusherMachine::Lock lock(s.mutex);
  s.catch_up.set_inflow(bytes_per_second, s.clock.monotonic());
}

}  // namespace weir::loki
