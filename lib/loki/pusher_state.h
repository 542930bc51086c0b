// The inside of Pusher, shared by its files: one takes records, one chooses what to send, one reads the answers, one takes requests
// apart.
//
// A record lives in a Part (encoded, in pages) of its Stream; when the part is sent it becomes the compressed body of a Request,
// which stays until its fate is known. What has to be sent again is the same bytes, so that Loki recognises repeats.
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

// What records have been through in requests that failed.
struct Trial {
  int failures = 0;
  int answers = 0;                   // of these, those with an answer that a record may have brought about
  base::Monotonic first_answer = 0;
  std::uint64_t successes_then = 0;  // of all requests, at the time of the last failure
  int strikes = 0;                   // failures while others passed
  base::Monotonic first_strike = 0;
  bool kin_passed = false;           // another piece of what was taken apart has passed
  bool accused = false;              // so did what was tried in its place

  // A failure when so many of all requests had passed.
  void failed_among(std::uint64_t successes) {
    ++failures;
    successes_then = successes;
  }

  // That of a part of these records, which may be innocent.
  [[nodiscard]] Trial of_a_piece() const {
    Trial trial = *this;
    trial.failures = std::min(failures, 1);
    trial.answers = std::min(answers, 1);
    trial.strikes = std::min(strikes, 1);
    return trial;
  }
};

struct Part {
  explicit Part(PagePool& pool) : bytes(pool) {}
  PageBuffer bytes;                 // empty once compressed
  std::uint32_t records = 0;
  std::size_t raw = 0;
  base::Timestamp first = 0;        // of the first record taken
  base::Timestamp oldest = 0, newest = 0;
  base::Monotonic opened = 0;
  std::vector<PushToken> tokens;    // one a record, when tracked
  Trial trial;
};

struct Stream;

struct Request {
  struct Piece {
    Stream* stream;
    Part part;
  };
  std::vector<Piece> pieces;
  std::string body;
  std::size_t raw = 0;
  std::uint32_t records = 0;
  bool backlog = false;
  base::Monotonic sent = 0;
};

struct Tenant {
  explicit Tenant(std::string name_, const Gate::Limits& limits, std::uint64_t seed) : name(std::move(name_)), gate(limits, seed) {}
  std::string name;
  Pace pace;
  Gate gate;          // failing while Loki limits the tenant
  std::string cause;
  int flying = 0;     // requests
  int streams = 0;
};

struct Stream {
  Tenant* tenant = nullptr;
  std::string name;                    // label string
  record::LabelSetRef labels;
  std::vector<std::pair<std::string, std::string>> notes;  // metadata that its records get (PushedStream)
  std::optional<Refusal> refusal;      // no record of this stream can be sent
  std::unique_ptr<Request> retry;      // goes before everything else, alone
  std::unique_ptr<Request> aside;      // one record that fails, while the one behind it is tried
  std::vector<Part> closed;            // full, in order; few
  std::optional<Part> open;
  std::size_t waiting = 0;             // raw bytes in `closed` and `open`
  StreamNumber number = 0;             // given when records of it were left for the first time
  bool left = false;                   // its further records come by add_again()
  bool behind = false;                 // what it holds is a backlog
  bool slow = false;                   // its bytes count as slow_bytes
  bool flying = false;                 // a request with a part of it is in flight
  bool active = false;                 // in the list of streams that hold something
  bool trusted = false;                // its last request passed
  base::Timestamp newest_sent = std::numeric_limits<base::Timestamp>::min();
  base::Monotonic not_before = 0;      // parked until then
  base::Monotonic failing_since = 0;   // parked by refusals of its own; 0: it is not
  std::optional<base::Backoff> backoff;
  base::Monotonic last_used = 0;
  Pace pace;

  [[nodiscard]] bool holds() const { return retry || !closed.empty() || open; }
};

struct Pusher::State {
  State(PusherConfig config_, base::Clock& clock_, base::Diagnostics& diagnostics_, const base::Stop* stop_, PushLedger* ledger_)
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
  Stream& stream_of(const record::Record& record);
  Stream& find_stream(std::string_view tenant, const record::LabelSetRef& labels);
  base::Result<void> take(Stream& stream, const record::Record& record, PushToken token, bool& full);
  void activate(Stream& stream);
  void close_open(Stream& stream);
  [[nodiscard]] std::size_t most_of(const Stream& stream, base::Timestamp next, base::Timestamp now) const;
  [[nodiscard]] std::size_t memory() const;
  base::Result<void> wait_for_room(Lock& lock, Stream& stream);
  void tell_waiting(Lock& lock);
  [[nodiscard]] bool has_room(const Stream& stream) const;
  void forget_idle_streams(base::Monotonic now);
  [[nodiscard]] base::Monotonic trim(base::Monotonic now);
  [[nodiscard]] std::string undelivered() const;
  [[nodiscard]] std::string where_they_wait() const;
  void tell_end();
  void reject(PushToken token, int status, const Refusal& refusal, const Stream& stream, const record::Record& record);
  void reject_for_time(TimeCheck found, base::Timestamp now, PushToken token, const Stream& stream, const record::Record& record);
  void final_error(base::Error error);
  void check_give_up(base::Monotonic now);

  // pusher_slow.cc
  [[nodiscard]] std::size_t slow_share() const { return config.memory / 2; }
  void weigh(Stream& stream);
  void grow(Stream& stream, std::ptrdiff_t bytes);
  void set_behind(Stream& stream, bool behind);
  [[nodiscard]] bool must_leave(const Stream& stream) const;
  void watch_usual(base::Monotonic now);
  [[nodiscard]] double logged_rate() const;
  void begin_catch_up(base::Monotonic now, std::string_view why);
  void end_catch_up(base::Monotonic now);
  [[nodiscard]] static bool wants_more(const Stream& stream);

  // pusher_choice.cc
  void pump(Lock& lock);
  std::unique_ptr<Request> choose(base::Monotonic now);
  std::unique_ptr<Request> gather(Stream& first, base::Monotonic now);
  void take_part(Request& request, Stream& stream, base::Monotonic now);
  [[nodiscard]] bool goes_alone(Stream& stream, base::Monotonic now, base::Timestamp wall);
  [[nodiscard]] bool ready(const Stream& stream, base::Monotonic now) const;
  // When a part that is not full goes.
  [[nodiscard]] base::Monotonic company_until(const Part& part) const;
  [[nodiscard]] base::Monotonic ready_at(Stream& stream, base::Monotonic now);
  [[nodiscard]] bool parked(Stream& stream, base::Monotonic now);
  void fly(std::unique_ptr<Request> request, Lock& lock);
  [[nodiscard]] base::Monotonic retry_deadline(base::Monotonic now);
  [[nodiscard]] base::Monotonic wait_deadline(base::Monotonic now) const;

  // pusher_reply.cc
  void landed(std::uint64_t id, base::Result<http::Response> result);
  void answered(std::unique_ptr<Request> request, const http::Response& response);
  void no_answer(std::unique_ptr<Request> request, base::Error error);
  void learn_time(const http::Response& response);
  void delivered(Request& request);
  void passed(const Request& request);
  void deliver_part(Request::Piece& piece, const std::vector<bool>* refused);
  void again(std::unique_ptr<Request> request);
  void target_failed(const Request& request, Gate::Trouble trouble, std::string cause, std::string_view hint, base::Duration retry_after);
  void tenant_limited(std::unique_ptr<Request> request, std::string cause, std::string_view text, base::Duration retry_after);
  void stream_limited(std::unique_ptr<Request> request, std::string_view text, base::Duration retry_after);
  void park(Stream& stream, base::Monotonic now, base::Duration retry_after);
  void failed(std::unique_ptr<Request> request, std::string cause, std::string_view hint, base::Duration retry_after, int status,
              Gate::Trouble trouble = Gate::Trouble::passing);
  void put_aside(std::unique_ptr<Request> request);
  [[nodiscard]] base::Duration hope() const;
  [[nodiscard]] bool past_hope(const Trial& trial, base::Monotonic now) const;
  [[nodiscard]] bool may_be_put_aside(const Request& request, int status, base::Monotonic now) const;

  // pusher_repair.cc
  void stored_but_for(std::unique_ptr<Request> request, const http::Response& response);
  void without_metadata(std::unique_ptr<Request> request, const http::Response& response);
  void too_large(std::unique_ptr<Request> request, std::string cause, std::string_view text, base::Duration retry_after);
  void take_apart(std::unique_ptr<Request> request, int status, std::string_view text);
  void refuse_whole(Request::Piece& piece, const DecodedStream& decoded, std::string_view reason, int status, std::string_view text);
  void refuse_piece(Request::Piece& piece, const DecodedStream& decoded, const std::vector<std::pair<std::size_t, std::size_t>>& guilty,
                    const std::vector<Complaint>& why, int status);
  void put_back(Stream& stream, Part part);
  void shorten_next(Stream& stream, std::size_t bytes);
  [[nodiscard]] std::optional<DecodedBody> open_body(const Request& request);
  [[nodiscard]] Part part_of(const Part& original, const DecodedStream& decoded, std::span<const std::size_t> indices);
  [[nodiscard]] Part part_of_all(const Part& original, const DecodedStream& decoded);

  const PusherConfig config;
  base::Clock& clock;
  base::Diagnostics& diagnostics;
  const base::Stop* stop;
  PushLedger* ledger;
  http::Transport* transport = nullptr;

  mutable std::mutex mutex;
  std::condition_variable landed_one;

  // The wall clock, looked at once in a while: limits are days and minutes. And whether it may judge the time of a record.
  [[nodiscard]] base::Timestamp roughly_now() {
    if (looks++ % 64 == 0) {
      wall_seen = clock.wall();
      judges = trust.may_judge(clock.monotonic(), wall_seen);
    }
    return wall_seen;
  }
  base::Timestamp wall_seen = 0;
  bool judges = false;
  std::uint32_t looks = 0;
  ClockTrust trust;
  bool clock_said = false;
  Refusal time_refusal;                          // the latest: its text is that of the first of its stream
  const Stream* time_refusal_of = nullptr;

  PagePool pool;
  PushEncoder encoder;
  std::size_t request_bytes;  // shrinks when the target says 413, and grows again
  std::optional<std::size_t> larger_bytes;  // what it was before
  base::Monotonic too_large_at = 0;         // the latest 413, or the latest growth
  int too_large_alone = 0;                  // requests of one record since something passed

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
  std::unordered_map<std::string, std::unique_ptr<Tenant>> tenants;
  // Several label sets may be one stream to Loki (they differ in what is never sent), so streams go by what is sent.
  std::unordered_map<std::string, std::unique_ptr<Stream>> streams;  // by tenant, NUL, label string
  struct Known {
    record::LabelSetRef labels;  // keeps the pointer in the key unique
    Stream* stream;
  };
  std::unordered_map<Key, Known, KeyHash> known;
  // What was looked for last, by a part of the labels' address: of few records after a pause, each step into `known` is a step into
  // memory that no cache holds any more.
  struct Recent {
    const record::LabelSet* labels = nullptr;
    std::string tenant;
    Stream* stream = nullptr;
  };
  std::array<Recent, 128> recent;

  std::vector<Stream*> active;  // hold something; in turn from `turn`
  std::size_t turn = 0;
  bool draining = false;
  bool end_told = false;  // that all is read and waits for the target
  bool starved = false;         // add() waits for room: send what there is
  base::Monotonic last_request = clock.monotonic();  // when the latest was sent, or this began
  base::Monotonic last_input = clock.monotonic();    // when the latest input began
  bool more_follows = false;                         // as tick() was told
  bool rested = false;                               // nothing had come for as long as `wait` when it did
  base::Monotonic last_wait = 0;  // when it did

  bool can_leave;
  std::map<StreamNumber, Stream*> left;  // by number
  StreamNumber next_number = 1;
  std::size_t slow_bytes = 0;   // waiting, of slow streams
  int streams_behind = 0;
  bool all_backlog = false;     // whatever comes
  bool backlog_to_come = false; // as add() marks it
  bool recovery_untold = false;
  base::Monotonic usual_since = 0;
  std::uint64_t usual_bytes = 0;
  double usual_rate = 0;        // bytes a second

  std::unordered_map<std::uint64_t, std::unique_ptr<Request>> flying;
  std::uint64_t next_id = 1;
  int slots_used = 0;           // flying, or being compressed
  std::size_t body_bytes = 0;   // of all requests
  std::string packing;          // memory for compressing one

  Gate target;
  std::string target_cause;
  std::uint64_t target_tries = 0;  // since it fails
  base::Monotonic next_word = 0;   // about that
  base::Duration word_after = 0;
  CatchUp catch_up;
  std::uint64_t successes = 0;
  base::Monotonic last_sweep = 0, next_trim = 0;
  std::optional<base::Error> failure;
  bool metadata_said = false;

  PusherStats stats;
  std::uint64_t tracked_records = 0;  // with tokens, fate not known
};

}  // namespace weir::loki
