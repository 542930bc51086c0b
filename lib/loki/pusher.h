// Delivers records to Loki. The pusher encodes records on arrival, gathers them into requests, keeps their order, retries,
// takes refused requests apart, and reports what became of each record.
//
//   Pusher pusher(config, clock, diagnostics, stop, &ledger);
//   auto http = AsyncClient::create(…, {.timer = [&](auto now) { return pusher.timer(now); }});
//   pusher.attach(**http);
//   pusher.add(record, token); …          // blocks while the memory bound is reached
//   pusher.drain(deadline);
//
// Order is strict within a stream: at most one request of a stream is in flight. Several requests are in flight at once, and
// streams take turns. A 204 can hide that Loki lost a stream that shared its request with others, because Loki's ingester keeps
// only the error of the last stream. So a stream goes alone while Loki could refuse it: the first time, with old data, near its
// rate limit, and after an error.
//
// A stream is slow while Loki limits it, or while a backlog of it is delivered at the pace of CatchUp. Slow streams may use
// half of the memory, so that the others go on. When slow streams need more, the input blocks. When the records can be read
// again (can_leave), the input does not block: add() answers that the record is left where it is, and the stream takes records
// only through add_again() until resume().
#pragma once

#include "base/backoff.h"
#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/result.h"
#include "base/stop.h"
#include "http/client.h"
#include "loki/catch_up.h"
#include "loki/gate.h"
#include "loki/limits.h"
#include "record/record.h"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::loki {

// Identifies a record to the ledger. Only the ledger knows its meaning.
using PushToken = std::uint64_t;

// Identifies a stream whose records were left. Counts from 1.
using StreamNumber = std::uint32_t;

struct RejectedRecord {
  int status = 0;           // HTTP status; 0 for a check of our own
  std::string_view reason;  // a short name for counters
  std::string_view text;    // Loki's words
  std::string_view tenant;
  const record::Record* record = nullptr;  // without source; labels and metadata as they were sent
};

// Hears the fate of every record exactly once. Calls come under the pusher's lock, from any thread, one at a time: they must be
// quick and must not call the pusher.
class PushLedger {
 public:
  virtual ~PushLedger() = default;
  virtual void delivered(std::span<const PushToken> tokens) = 0;
  virtual void rejected(PushToken token, const RejectedRecord& rejected) = 0;
  // The input waits for room, or for the end. Called several times a second without the lock, on the input's thread. It may
  // block.
  virtual void input_waits() {}
};

struct PusherConfig {
  std::string url;                         // for messages; without credentials
  std::string path = "/loki/api/v1/push";  // appended to the transport's base
  std::string query;                       // further query parameters
  std::string tenant;                      // for records without a tenant; "" sends no header
  PushLimits limits;
  std::size_t request_bytes = 1 << 20;   // lines and metadata of one request
  std::size_t stream_bytes = 256 << 10;  // lines and metadata of one stream in a request
  // The same for a log that needs over 250 ms to write so much; doubled for old data.
  std::size_t calm_bytes = 256 << 10;
  // The size of a request to a failing target; small, because thousands of agents send one, and all at once when the target is
  // back.
  std::size_t probe_bytes = 16 << 10;
  std::size_t request_records = 20'000;
  // How long a record waits for company when input or a request came shortly before.
  base::Duration wait = base::kSecond;
  int parallel = 4;                         // requests in flight
  std::size_t memory = 4 << 20;             // bytes of records that are not acknowledged yet, encoded or compressed
  base::Duration old = 10 * base::kMinute;  // data older than this goes alone
  Gate::Limits retry;
  CatchUp::Limits catch_up{.rate = 0};
  bool can_leave = false;                      // records can be read again, so too many records of a slow stream are left
  base::Duration give_up = 5 * base::kMinute;  // gives up after so long without success; 0: never
  bool one_shot = true;                        // nothing is tracked, so trouble with the first request is final
  bool tracked = false;                        // keep tokens and call the ledger
  // The wall clock may be wrong: the target judges the age of records until it has given its own time.
  bool doubt_clock = false;
  enum class Metadata : std::uint8_t { automatic, keep, drop } metadata = Metadata::automatic;
  std::uint64_t seed = 0;  // for the jitter
  // How many records wait in the spool that is read; nullopt when the spool cannot be read. Asked rarely, while the target
  // fails, on any thread, one call at a time. Empty when there is no spool.
  std::function<std::optional<std::uint64_t>()> in_spool;
  // Called about ten times a second on the thread of add() and drain() while these wait. Empty: nobody wants to know.
  std::function<void()> while_waiting;
};

// Of the times from sending a request to its answer, or to giving it up: upper bounds in nanoseconds.
inline constexpr std::array<std::uint64_t, 11> kRequestTimes = [] {
  std::array<std::uint64_t, 11> bounds = {5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10'000, 30'000};  // ms
  for (std::uint64_t& bound : bounds) bound *= base::kMillisecond;
  return bounds;
}();

// taken = records + rejected + pending, at any time.
struct PusherStats {
  std::uint64_t taken = 0;               // by add() and add_again()
  std::uint64_t records = 0, bytes = 0;  // delivered records; bytes of their lines and metadata
  std::uint64_t sent_bytes = 0;          // compressed bodies of requests that Loki stored
  std::uint64_t requests = 0, retries = 0;
  std::uint64_t pending = 0;  // taken, fate still open
  std::uint64_t rejected = 0;
  std::uint64_t repaired = 0;  // lines with bytes that are not UTF-8
  std::uint64_t renamed = 0;   // records with a metadata name that Loki never accepts
  std::map<std::string, std::uint64_t, std::less<>> rejected_by_reason;
  std::map<int, std::uint64_t> answers;                                    // requests by status; 0: without an answer
  std::array<std::uint64_t, kRequestTimes.size() + 1> request_times = {};  // requests that took up to so long; the last: longer
  std::uint64_t request_time = 0;                                          // of all requests, in nanoseconds
  base::Timestamp last_success = 0;                                        // wall clock; 0: none yet
};

// What keeps records from being delivered.
struct PusherWaits {
  // Since when nothing passes: the target fails, or Loki limits every tenant of which something waits. kNever: requests pass.
  base::Monotonic failing_since = base::kNever;
  base::Monotonic retry_at = 0;  // while nothing passes: when it is tried again
  std::string cause;             // of the latest failure
  base::Timestamp oldest = 0;    // the earliest time of a record that is not acknowledged; 0: there is none
};

// How it goes with the target.
struct PusherHealth {
  base::Timestamp success = 0;  // when it last took a request; 0: not yet
  std::string error;            // the latest trouble, also if it is over
  base::Timestamp error_at = 0;
  std::string blocked;  // why nothing goes to it, or nothing of one tenant; "" while requests go
  base::Timestamp blocked_since = 0;
};

// add(), add_again(), tick() and drain() belong to one thread. The timer and the completions run on the transport's thread.
struct PusherMachine;  // pusher_machine.h

// Destroy the transport before the pusher.
class Pusher {
 public:
  // `stop` and `ledger` may be null. All arguments must outlive the pusher.
  Pusher(PusherConfig config, base::Clock& clock, base::Diagnostics& diagnostics, const base::Stop* stop, PushLedger* ledger);
  ~Pusher();

  void attach(http::Transport& transport);

  // Takes a record with a line. `backlog`: the record is older than this run, or older than the end of an outage. Returns 0
  // when the record was taken. Otherwise the record is left, with all later ones of its stream, and the result is the stream's
  // number. May block. Errors are final: gave up, trouble with the target, interrupted.
  base::Result<StreamNumber> add(const record::Record& record, PushToken token, bool backlog = false);

  // The next four functions are for can_leave only. streams_wanting_more(): streams with left records that
  // want more of them, in no order.
  [[nodiscard]] std::vector<StreamNumber> streams_wanting_more();
  // Takes a record of such a stream. Call it in the stream's order. Never blocks.
  base::Result<void> add_again(const record::Record& record, PushToken token);
  // The stream has no left records: its records come through add() again.
  void resume(StreamNumber stream);
  // The records cannot be read again after all. Streams that have none left keep all their records, and add() blocks instead.
  void stop_leaving();

  // There is a backlog from before the start. add() marks all of its records.
  void begin_backlog();
  // True once after an outage. From then on every record counts as backlog, until backlog_known() says that the mark of add()
  // decides.
  [[nodiscard]] bool recovered();
  void backlog_known();
  // The whole backlog has come in.
  void backlog_passed();
  [[nodiscard]] bool catching_up() const;
  void set_inflow(double bytes_per_second);

  // Sends what is due. Returns when to call again because of `wait`. Never blocks. `more_follows`: the records added last may
  // belong to a larger piece of input that a request should not cut; tick() is called again at its end.
  base::Result<base::Monotonic> tick(base::Monotonic now, bool more_follows = false);
  // For the transport's timer: sends what is due. Returns when to call again because of retries.
  base::Monotonic timer(base::Monotonic now);

  // Sends everything and waits until every record's fate is known; then true. False when the deadline came first, or a second
  // signal. Without a deadline, the deadline of Stop counts.
  base::Result<bool> drain(base::Monotonic deadline);

  [[nodiscard]] PusherStats stats() const;
  // From any thread.
  [[nodiscard]] PusherHealth health() const;
  // Costs a look at each stream that holds something: not once a batch.
  [[nodiscard]] PusherWaits waits() const;
  // Bytes of records that wait or are in flight. `memory` bounds this.
  [[nodiscard]] std::size_t memory_in_use() const;
  // "12 records, the first of 2024-05-01T10:00:00Z", about the pending records; "" when there are none.
  [[nodiscard]] std::string undelivered() const;
  // Calls `visit` with the tokens of the pending records, in no order. No calls when records are not tracked.
  void each_pending(const std::function<void(PushToken)>& visit) const;

 private:
  std::unique_ptr<PusherMachine> machine_;
};

}  // namespace weir::loki
