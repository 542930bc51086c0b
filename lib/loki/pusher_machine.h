// The inside of Pusher: a state machine over streams, shared by five files. pusher.cc takes records, pusher_choice.cc chooses
// what to send, pusher_reply.cc reads the answers, pusher_repair.cc takes refused requests apart, pusher_slow.cc bounds slow
// streams and paces a backlog.
//
// The way of a record. It is encoded into the open StreamPart of its StreamQueue. A full part moves to `closed`. Sending a part
// makes it the compressed body of a PushRequest, in `in_flight`. The answer ends the record's way (delivered or rejected), or the
// request is kept as `retry` or `aside`, or its records go back to the front of `closed`.
//
// States of a stream:
// - idle: it holds nothing. It is forgotten after a while.
// - filling: it has an open part that waits for company, for at most `wait`.
// - ready: it has a closed part or a retry, the open part has waited long enough, or drain() is at work.
// - in flight (`in_flight`): one request holds a part of it.
// - parked: ready, but it must wait for `not_before`, its pace, its tenant's pace or gate, or the pace of the backlog.
// - putting aside: `aside` holds one record that fails while nothing else passes. The record behind it is tried in its place.
//
// Four marks go beside the state. `trusted`: its last request passed, so it may share a request with other streams. `behind`:
// it holds a backlog. `slow`: its bytes count against the share of slow streams. `left`: its records stay in the spool until
// resume().
//
// Events: add() and add_again() bring records. tick() and timer() bring the time. completed() brings an answer. drain() ends the
// waits for company. add(), add_again(), tick() and drain() run on the caller's thread, timer() and completed() on the
// transport's. `mutex` guards all of it. send() lets the mutex go while it compresses a body, so it counts the slot first.
//
// What an answer does (`Meaning` in push_reply.h):
// - delivered: all records are delivered.
// - stored_but_for: the records that the answer names are rejected, the others are delivered.
// - no_metadata: the records with metadata are sent again without it, or rejected.
// - too_large: requests become smaller. A single record is rejected once other records pass.
// - refused, unknown_400 after a success: one request for each stream, then halves, until the guilty record is alone and
//   rejected.
// - stream_limited: the stream is parked. limited: the tenant's gate closes.
// - unavailable, failed, no answer: the target's gate closes; but when other requests passed since its last failure, only this
//   stream is parked. A request that keeps failing is cut into halves. A single record that keeps failing with `failed` is
//   rejected in the end.
// - trouble, unknown_400 before the first success: the target's gate closes. With `one_shot`, before the first success, it is a
//   final error, and so is a fault of our configuration (no answer, Code::config).
//
// Invariants:
// - At most one request of a stream is in flight, and no records of the stream overtake it. Two exceptions: when the record in
//   `aside` passes after all, the record behind it has overtaken it; and records that go again from a partly stored request
//   come after its stored records.
// - The ledger hears of every tracked record once. `stats.pending` counts the records whose fate is open.
// - A record is sent again as the same bytes, because Loki recognises a repeat by them. Only without_metadata() encodes again.
// - All parts of a request are of one tenant.
// - `slots_used` is at most `parallel`. While the target fails, one request at a time tries it, with one record or up to
//   `probe_bytes`.
// - `slow_bytes` is the sum of `waiting` over the slow streams. memory() stays within `config.memory`, or half as much again
//   while records of slow streams can be left. One record, and what add_again() brings, may go over that.
// - A stream with `left` is in the map `left` and is not forgotten.
// - Once `failure` is set nothing is sent, and add(), tick() and drain() return it.
//
// Why one machine: an answer changes streams, tenants, the target and the pace at the same time, and the delivery promise
// depends on their agreement. What can be decided apart from the rest is apart: Gate, CatchUp, Pace, ClockTrust, push_reply.h.
#pragma once

#include "loki/clock_trust.h"
#include "loki/push_body.h"
#include "loki/push_encoder.h"
#include "loki/push_pace.h"
#include "loki/push_pages.h"
#include "loki/push_reply.h"
#include "loki/pusher.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::loki {

// The failed requests that a group of records has been in.
struct PartTrial {
  int failures = 0;
  int answers = 0;  // failures with an answer that a record may have caused
  base::Monotonic first_answer = 0;
  std::uint64_t successes_then = 0;  // successful requests of all streams, as of the last failure
  int strikes = 0;                   // failures while other requests passed
  base::Monotonic first_strike = 0;
  bool sibling_passed = false;    // another piece of the same divided request has passed
  bool neighbour_passed = false;  // another record, tried in place of this one, has passed

  // A failure, after `successes` successful requests of all streams.
  void failed_among(std::uint64_t successes) {
    ++failures;
    successes_then = successes;
  }

  // The trial that a part of these records starts with: it may be innocent.
  [[nodiscard]] PartTrial for_part() const {
    PartTrial trial = *this;
    trial.failures = std::min(failures, 1);
    trial.answers = std::min(answers, 1);
    trial.strikes = std::min(strikes, 1);
    return trial;
  }
};

struct StreamPart {
  explicit StreamPart(PagePool& pool) : bytes(pool) {}
  PageBuffer bytes;  // empty once the body is compressed
  std::uint32_t records = 0;
  std::size_t raw = 0;
  base::Timestamp first = 0;  // the time of the first record taken
  base::Timestamp oldest = 0, newest = 0;
  base::Monotonic opened = 0;
  std::vector<PushToken> tokens;  // one for each record, when records are tracked
  PartTrial trial;
};

struct StreamQueue;

struct PushRequest {
  struct Piece {
    StreamQueue* stream;
    StreamPart part;
  };
  std::vector<Piece> pieces;
  std::string body;
  std::size_t raw = 0;
  std::uint32_t records = 0;
  bool backlog = false;
  base::Monotonic sent = 0;
};

struct PushTenant {
  explicit PushTenant(std::string name_, const Gate::Limits& limits, std::uint64_t seed)
      : name(std::move(name_)), gate(limits, seed) {}
  std::string name;
  Pace pace;
  Gate gate;  // fails while Loki limits the tenant
  std::string cause;
  int in_flight = 0;  // requests in flight
  int streams = 0;
};

struct StreamQueue {
  PushTenant* tenant = nullptr;
  std::string name;  // the label string
  record::LabelSetRef labels;
  std::vector<std::pair<std::string, std::string>> notes;  // metadata added to its records (PushedStream)
  std::optional<Refusal> refusal;                          // set: no record of this stream can be sent
  std::unique_ptr<PushRequest> retry;                      // sent before everything else, alone
  std::unique_ptr<PushRequest> aside;                      // one record that fails, while the record behind it is tried
  std::vector<StreamPart> closed;                          // full parts, in order; few
  std::optional<StreamPart> open;
  std::size_t waiting = 0;  // raw bytes in `closed` and `open`
  StreamNumber number = 0;  // assigned when records of the stream are first left; 0 before
  bool left = false;        // further records come through add_again()
  bool behind = false;      // the stream holds a backlog
  bool slow = false;        // its bytes count in slow_bytes
  bool in_flight = false;   // a request with a part of the stream is in flight
  bool active = false;      // the stream is in `active`
  bool trusted = false;     // the last request passed
  base::Timestamp newest_sent = std::numeric_limits<base::Timestamp>::min();
  base::Monotonic not_before = 0;     // parked until then
  base::Monotonic failing_since = 0;  // parked by refusals of its own since then; 0: not parked
  std::optional<base::Backoff> backoff;
  base::Monotonic last_used = 0;
  Pace pace;

  [[nodiscard]] bool holds() const { return retry || !closed.empty() || open; }
};

struct PusherMachine {
  PusherMachine(PusherConfig config_, base::Clock& clock_, base::Diagnostics& diagnostics_, const base::Stop* stop_,
                PushLedger* ledger_)
      : config(std::move(config_)),
        clock(clock_),
        diagnostics(diagnostics_),
        stop(stop_),
        ledger(ledger_),
        trust(clock_.monotonic(), clock_.wall()),
        encoder(config.limits, config.metadata != PusherConfig::Metadata::drop),
        request_bytes(config.request_bytes),
        can_leave(config.can_leave),
        target(config.retry, config.seed),
        catch_up(config.catch_up, config.seed + 3) {
    if (config.doubt_clock) trust.doubt();
  }

  using Lock = std::unique_lock<std::mutex>;

  // pusher.cc
  StreamQueue& stream_of(const record::Record& record);
  StreamQueue& find_stream(std::string_view tenant, const record::LabelSetRef& labels);
  base::Result<void> take(StreamQueue& stream, const record::Record& record, PushToken token, bool& full);
  void activate(StreamQueue& stream);
  void close_open(StreamQueue& stream);
  [[nodiscard]] std::size_t part_limit(const StreamQueue& stream, base::Timestamp next, base::Timestamp now) const;
  [[nodiscard]] std::size_t memory() const;
  base::Result<void> wait_for_room(Lock& lock, StreamQueue& stream);
  void report_waiting(Lock& lock);
  [[nodiscard]] bool has_room(const StreamQueue& stream) const;
  void forget_idle_streams(base::Monotonic now);
  [[nodiscard]] base::Monotonic trim(base::Monotonic now);
  // The earliest time of a record that is not acknowledged; the greatest time for none.
  [[nodiscard]] base::Timestamp oldest() const;
  [[nodiscard]] std::string undelivered() const;
  [[nodiscard]] PusherWaits waits() const;
  void count_answer(const PushRequest& request, int status);
  [[nodiscard]] std::string waiting_text() const;
  void report_end();
  void reject(PushToken token, int status, const Refusal& refusal, const StreamQueue& stream, const record::Record& record);
  void reject_for_time(TimeCheck found, base::Timestamp now, PushToken token, const StreamQueue& stream,
                       const record::Record& record);
  void final_error(base::Error error);
  void check_give_up(base::Monotonic now);
  void note_error(std::string_view cause);

  // pusher_slow.cc
  [[nodiscard]] std::size_t slow_share() const { return config.memory / 2; }
  void update_slow(StreamQueue& stream);
  void add_waiting(StreamQueue& stream, std::ptrdiff_t bytes);
  void set_behind(StreamQueue& stream, bool behind);
  [[nodiscard]] bool must_leave(const StreamQueue& stream) const;
  void measure_usual_rate(base::Monotonic now);
  [[nodiscard]] double estimated_inflow() const;
  void begin_catch_up(base::Monotonic now, std::string_view why);
  void end_catch_up(base::Monotonic now);
  [[nodiscard]] static bool wants_more(const StreamQueue& stream);

  // pusher_choice.cc
  void send_due(Lock& lock);
  std::unique_ptr<PushRequest> choose(base::Monotonic now);
  std::unique_ptr<PushRequest> gather(StreamQueue& first, base::Monotonic now);
  void take_part(PushRequest& request, StreamQueue& stream, base::Monotonic now);
  [[nodiscard]] bool goes_alone(StreamQueue& stream, base::Monotonic now, base::Timestamp wall);
  [[nodiscard]] bool ready(const StreamQueue& stream, base::Monotonic now) const;
  // When a part that is not full may be sent.
  [[nodiscard]] base::Monotonic company_until(const StreamPart& part) const;
  [[nodiscard]] base::Monotonic ready_at(StreamQueue& stream, base::Monotonic now);
  [[nodiscard]] bool parked(StreamQueue& stream, base::Monotonic now);
  void send(std::unique_ptr<PushRequest> request, Lock& lock);
  [[nodiscard]] base::Monotonic retry_deadline(base::Monotonic now);
  [[nodiscard]] base::Monotonic wait_deadline(base::Monotonic now) const;

  // pusher_reply.cc
  void completed(std::uint64_t id, base::Result<http::Response> result);
  void answered(std::unique_ptr<PushRequest> request, const http::Response& response);
  void no_answer(std::unique_ptr<PushRequest> request, base::Error error);
  void learn_time(const http::Response& response);
  void delivered(PushRequest& request);
  void passed(const PushRequest& request);
  void deliver_part(PushRequest::Piece& piece, const std::vector<bool>* refused);
  void requeue(std::unique_ptr<PushRequest> request);
  void target_failed(const PushRequest& request, Gate::Trouble trouble, std::string cause, std::string_view hint,
                     base::Duration retry_after);
  void tenant_limited(std::unique_ptr<PushRequest> request, std::string cause, std::string_view text, base::Duration retry_after);
  void stream_limited(std::unique_ptr<PushRequest> request, std::string_view text, base::Duration retry_after);
  void park(StreamQueue& stream, base::Monotonic now, base::Duration retry_after);
  void failed(std::unique_ptr<PushRequest> request, std::string cause, std::string_view hint, base::Duration retry_after,
              int status, Gate::Trouble trouble = Gate::Trouble::passing);
  void put_aside(std::unique_ptr<PushRequest> request);
  [[nodiscard]] base::Duration trial_time() const;
  [[nodiscard]] bool trial_over(const PartTrial& trial, base::Monotonic now) const;
  [[nodiscard]] bool may_put_aside(const PushRequest& request, int status, base::Monotonic now) const;

  // pusher_repair.cc
  void stored_but_for(std::unique_ptr<PushRequest> request, const http::Response& response);
  void without_metadata(std::unique_ptr<PushRequest> request, const http::Response& response);
  void too_large(std::unique_ptr<PushRequest> request, std::string cause, std::string_view text, base::Duration retry_after);
  void take_apart(std::unique_ptr<PushRequest> request, int status, std::string_view text);
  void refuse_whole(PushRequest::Piece& piece, const DecodedStream& decoded, std::string_view reason, int status,
                    std::string_view text);
  void refuse_piece(PushRequest::Piece& piece, const DecodedStream& decoded,
                    const std::vector<std::pair<std::size_t, std::size_t>>& guilty, const std::vector<Complaint>& why, int status);
  void put_back(StreamQueue& stream, StreamPart part);
  void shorten_next(StreamQueue& stream, std::size_t bytes);
  [[nodiscard]] std::optional<DecodedBody> open_body(const PushRequest& request);
  [[nodiscard]] StreamPart part_of(const StreamPart& original, const DecodedStream& decoded, std::span<const std::size_t> indices);
  [[nodiscard]] StreamPart part_of_all(const StreamPart& original, const DecodedStream& decoded);

  const PusherConfig config;
  base::Clock& clock;
  base::Diagnostics& diagnostics;
  const base::Stop* stop;
  PushLedger* ledger;
  http::Transport* transport = nullptr;

  mutable std::mutex mutex;
  std::condition_variable completed_one;

  // The wall clock, read once in 64 calls, because limits are days and minutes. Also sets `may_judge_time`: may it judge the time
  // of a record?
  [[nodiscard]] base::Timestamp rough_time() {
    if (clock_calls++ % 64 == 0) {
      rough_wall = clock.wall();
      may_judge_time = trust.may_judge(clock.monotonic(), rough_wall);
    }
    return rough_wall;
  }
  base::Timestamp rough_wall = 0;
  bool may_judge_time = false;
  std::uint32_t clock_calls = 0;
  ClockTrust trust;
  bool clock_reported = false;
  Refusal time_refusal;  // the latest one; its text is that of the first refusal of the stream
  const StreamQueue* time_refusal_of = nullptr;

  PagePool pool;
  PushEncoder encoder;
  std::size_t request_bytes;                // halved when the target answers 413, doubled later
  std::optional<std::size_t> larger_bytes;  // the size before the first 413
  base::Monotonic too_large_at = 0;         // the time of the latest 413 or of the latest growth
  int too_large_alone = 0;                  // 413 answers to single records since a request passed

  struct Key {
    const record::LabelSet* labels;
    std::string tenant;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return std::hash<const void*>()(key.labels) * 31 + std::hash<std::string>()(key.tenant);
    }
  };
  std::unordered_map<std::string, std::unique_ptr<PushTenant>> tenants;
  // Streams are keyed by what is sent, because label sets that differ only in labels that are never sent are one stream to
  // Loki.
  std::unordered_map<std::string, std::unique_ptr<StreamQueue>> streams;  // tenant, NUL, label string, values of the notes
  struct Known {
    record::LabelSetRef labels;  // keeps the pointer in the key valid and unique
    StreamQueue* stream;
  };
  std::unordered_map<Key, Known, KeyHash> known;
  // The streams found last, indexed by a hash of the labels' address. After a pause `known` is in no CPU cache, and for a few
  // records each step of its look-up would be a cache miss.
  struct Recent {
    const record::LabelSet* labels = nullptr;
    std::string tenant;
    StreamQueue* stream = nullptr;
  };
  std::array<Recent, 128> recent;

  std::vector<StreamQueue*> active;  // streams that hold something; they take turns from `turn`
  std::size_t turn = 0;
  bool draining = false;
  bool end_reported = false;                         // the message that all input is read was given
  bool input_waits = false;                          // add() waits for room, so parts that are not full are sent
  base::Monotonic last_request = clock.monotonic();  // when the latest request left, or when this pusher was made
  base::Monotonic last_input = clock.monotonic();    // when the latest input began
  bool more_follows = false;                         // the argument of the latest tick()
  bool rested = false;                               // before the latest input, none came for as long as `wait`
  base::Monotonic last_wait = 0;                     // when add() last waited for room

  bool can_leave;
  std::map<StreamNumber, StreamQueue*> left;  // streams with `left`
  StreamNumber next_number = 1;
  std::size_t slow_bytes = 0;  // waiting bytes of slow streams
  int streams_behind = 0;
  bool all_backlog = false;      // every record that comes belongs to the backlog
  bool backlog_to_come = false;  // more backlog comes; add() marks its records
  bool recovery_unreported = false;
  base::Monotonic usual_since = 0;
  std::uint64_t usual_bytes = 0;
  double usual_rate = 0;  // bytes per second

  std::unordered_map<std::uint64_t, std::unique_ptr<PushRequest>> in_flight;
  std::uint64_t next_id = 1;
  int slots_used = 0;          // requests in flight or being compressed
  std::size_t body_bytes = 0;  // of all requests
  std::string packing;         // memory for compressing a body, used again

  Gate target;
  std::string target_cause;
  std::string latest_error;  // of the target or of a tenant
  base::Timestamp error_at = 0;
  std::uint64_t target_tries = 0;    // since the target began to fail
  base::Monotonic next_message = 0;  // when the next message about the failing target is due
  base::Duration message_after = 0;
  CatchUp catch_up;
  std::uint64_t successes = 0;
  base::Monotonic last_sweep = 0, next_trim = 0;
  std::optional<base::Error> failure;
  bool metadata_reported = false;

  PusherStats stats;
  std::uint64_t tracked_records = 0;  // records with tokens whose fate is open
};

}  // namespace weir::loki
