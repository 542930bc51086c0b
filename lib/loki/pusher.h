// Delivers records to Loki: encodes on arrival, batches, keeps order, retries, takes apart what is refused, and says what became of
// each record.
//
//   Pusher pusher(config, clock, diagnostics, stop, &ledger);
//   auto http = AsyncClient::create(…, {.timer = [&](auto now) { return pusher.timer(now); }});
//   pusher.attach(**http);
//   pusher.add(record, token); …          // blocks while the memory bound is reached
//   pusher.drain(deadline);
//
// Order is strict within a stream: one request of it is in flight. Several requests fly at once, and streams take turns. A 204
// can hide the loss of a stream that shared its request with others (Loki's ingester keeps the error of the last stream only), so
// a stream goes alone as long as it could be refused: the first time, with old data, near its rate limit, and after an error.
//
// A stream is slow while Loki limits it, or while a backlog of it is delivered at the pace of CatchUp. Slow streams have half of the memory
// to themselves and no more, so that the others go on. What comes beyond that blocks the input; or, where the records can be read
// again (can_leave), it is left where it is: add() says so, and from then on the stream takes records by add_again() only, until resume().
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

// Names a record to the ledger; its meaning is the ledger's.
using PushToken = std::uint64_t;

// Names a stream whose records were left; counts from 1.
using StreamNumber = std::uint32_t;

struct RejectedRecord {
  int status = 0;           // HTTP status, 0 for a check of ours
  std::string_view reason;  // short name
  std::string_view text;    // Loki's words
  std::string_view tenant;
  const record::Record* record = nullptr;  // without source; labels and metadata as they were sent
};

// Told the fate of every record exactly once. Called under the pusher's lock, from any thread, one call at a time: it must be quick and
// must not call back.
class PushLedger {
 public:
  virtual ~PushLedger() = default;
  virtual void delivered(std::span<const PushToken> tokens) = 0;
  virtual void rejected(PushToken token, const RejectedRecord& rejected) = 0;
  // The input waits for room or for the end: called some times a second, without the lock, on the thread of the input. It may take its time.
  virtual void waiting() {}
};

struct PusherConfig {
  std::string url;                                   // for messages: no credentials in it
  std::string path = "/loki/api/v1/push";            // appended to the transport's base
  std::string query;                                 // further parameters
  std::string tenant;                                // for records that name none; "" sends no header
  PushLimits limits;
  std::size_t request_bytes = 1 << 20;               // lines and metadata of one request
  std::size_t stream_bytes = 256 << 10;              // the same of one stream in it
  std::size_t calm_bytes = 256 << 10;                // and of a log that takes over a quarter of a second for these; twice as much of old data
  std::size_t probe_bytes = 16 << 10;                // what tries a target that fails: thousands do, and all at once when it is there again
  std::size_t request_records = 20'000;
  base::Duration wait = base::kSecond;               // how long a record may wait for company, where others came or went not long before
  int parallel = 4;                                  // requests in flight
  std::size_t memory = 4 << 20;                      // of records not yet acknowledged, encoded or compressed
  base::Duration old = 10 * base::kMinute;           // older data goes alone
  Gate::Limits retry;
  CatchUp::Limits catch_up{.rate = 0};
  bool can_leave = false;                            // records can be read again: what is too much of a slow stream is left
  base::Duration give_up = 5 * base::kMinute;        // after that long without success; 0: never
  bool one_shot = true;                              // nothing is tracked: trouble with the very first request is final
  bool tracked = false;                              // keep tokens and tell the ledger
  bool doubt_clock = false;                          // the wall clock may be wrong: the target judges the age of records until it has told its time
  enum class Metadata : std::uint8_t { automatic, keep, drop } metadata = Metadata::automatic;
  std::uint64_t seed = 0;                            // of the jitter
  // How many records wait in the spool that these come out of, nullopt when it cannot be read; asked while the target fails,
  // rarely, on any thread, one call at a time. Empty where there is no spool.
  std::function<std::optional<std::uint64_t>()> in_spool;
};

// taken = records + rejected + pending, at any time.
struct PusherStats {
  std::uint64_t taken = 0;                           // by add() and add_again()
  std::uint64_t records = 0, bytes = 0;              // delivered; lines and metadata
  std::uint64_t sent_bytes = 0;                      // compressed bodies of requests that were answered with 2xx
  std::uint64_t requests = 0, retries = 0;
  std::uint64_t pending = 0;                         // taken, fate not known yet
  std::uint64_t rejected = 0;
  std::uint64_t repaired = 0;                        // lines that held bytes that are not UTF-8
  std::uint64_t renamed = 0;                         // records with metadata whose name Loki takes in no form
  std::map<std::string, std::uint64_t, std::less<>> rejected_by_reason;
};

// add(), add_again(), tick() and drain() are for one thread; the timer and completions come on the transport's. The transport must be
// destroyed first.
class Pusher {
 public:
  // `stop` and `ledger` may be null; all must outlive the pusher.
  Pusher(PusherConfig config, base::Clock& clock, base::Diagnostics& diagnostics, const base::Stop* stop, PushLedger* ledger);
  ~Pusher();

  void attach(http::Transport& transport);

  // A record with a line. `backlog`: it is older than this run or than the end of an outage. 0 when it was taken; else it was left, with
  // all that follows of its stream, and this is the stream's number. Errors are final: given up, trouble with the target, interrupted.
  base::Result<StreamNumber> add(const record::Record& record, PushToken token, bool backlog = false);

  // From here on only with can_leave.
  // Streams that were left and want more, in no order.
  [[nodiscard]] std::vector<StreamNumber> hungry();
  // A record of such a stream, in the stream's order. Never blocks.
  base::Result<void> add_again(const record::Record& record, PushToken token);
  // Nothing is left of it any more: its records come by add().
  void resume(StreamNumber stream);
  // The records cannot be read again after all: from now on add() leaves none of a stream of which none is left yet, and blocks.
  void leave_no_more();

  // A backlog is there from before the start; all of it comes with its mark.
  void begin_backlog();
  // True once after an outage: what comes up to now is a backlog, and counts as such until backlog_known() says that add()'s mark tells.
  [[nodiscard]] bool recovered();
  void backlog_known();
  // All of it has come.
  void backlog_passed();
  [[nodiscard]] bool catching_up() const;
  void set_inflow(double bytes_per_second);

  // Sends what is due; when to call again for the sake of `wait`. Never blocks. `more_follows`: what was added last may belong to something
  // larger, which a request should not cut; tick() is called again when it is over.
  base::Result<base::Monotonic> tick(base::Monotonic now, bool more_follows = false);
  // The transport's timer: sends what is due; when to call again for the sake of retries.
  base::Monotonic timer(base::Monotonic now);

  // Sends everything and waits until the fate of all is known: true; false when the deadline, where there is none that
  // of Stop, or a second signal came first.
  base::Result<bool> drain(base::Monotonic deadline);

  [[nodiscard]] PusherStats stats() const;
  // Bytes of records that wait or fly, as bounded by `memory`.
  [[nodiscard]] std::size_t memory_in_use() const;
  // "12 records, the first of 2024-05-01T10:00:00Z", of what is pending; "" for nothing.
  [[nodiscard]] std::string undelivered() const;
  // The tokens of what is pending, in no order; none when they are not kept.
  void each_pending(const std::function<void(PushToken)>& see) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace weir::loki
