// What became of a request, and what follows from it.
#include "base/count.h"
#include "loki/pusher_machine.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <utility>

namespace weir::loki {
namespace {

// A request that keeps failing while others pass is taken apart. A record that then keeps failing alone is rejected in the end.
constexpr int kStrikesToSplit = 2;
constexpr int kAnswersToSplit = 4;        // when nothing else passes: halving does no harm, and one half may pass
constexpr int kStrikesAmongSiblings = 8;  // other records of the same request have passed
constexpr int kStrikesAlone = 12;         // no record of its stream has passed: one of Loki's servers may be in trouble
constexpr int kAnswersAside = 12;         // nothing else passes: it is put aside, to see whether the record behind it passes
constexpr base::Duration kTrialTime = 5 * base::kMinute;

constexpr base::Duration kSmallFor = base::kMinute;  // the wait after a 413, before requests of twice the size are tried

constexpr base::Duration kWorthAMessage = 10 * base::kSecond;
// The time between two messages about a failing target. It doubles each time.
constexpr base::Duration kFirstMessage = 31 * base::kSecond;
constexpr base::Duration kRarestMessage = 10 * base::kMinute;

constexpr std::string_view kNoServer = "is a Loki there? `weir push URL` or LOKI_ADDR names another one";

// The number after "(limit: ", written as "3MB/sec" or "4194304 bytes/sec"; 0 without one.
double limit_in(std::string_view text) {
  constexpr std::string_view before = "(limit: ";
  const auto at = text.find(before);
  if (at == std::string_view::npos) return 0;
  text.remove_prefix(at + before.size());
  const auto end = text.find("/sec");
  if (end == std::string_view::npos) return 0;
  std::string size(text.substr(0, end));
  if (const auto words = size.find(" bytes"); words != std::string::npos) size.resize(words);
  if (size.ends_with("B") && size.size() > 1 && (size[size.size() - 2] < '0' || size[size.size() - 2] > '9')) size.pop_back();
  const auto bytes = record::parse_size(size);
  return bytes ? static_cast<double>(*bytes) : 0;
}

}  // namespace

void PusherMachine::completed(std::uint64_t id, base::Result<http::Response> result) {
  Lock lock(mutex);
  const auto found = in_flight.find(id);
  if (found == in_flight.end()) return;
  std::unique_ptr<PushRequest> request = std::move(found->second);
  in_flight.erase(found);
  --slots_used;
  --request->pieces.front().stream->tenant->in_flight;
  body_bytes -= request->body.size();
  for (PushRequest::Piece& piece : request->pieces) piece.stream->in_flight = false;
  count_answer(*request, result ? result->status : 0);
  if (result) {
    answered(std::move(request), *result);
  } else {
    no_answer(std::move(request), std::move(result).error());
  }
  send_due(lock);
  completed_one.notify_all();
}

void PusherMachine::count_answer(const PushRequest& request, int status) {
  ++stats.answers[status];
  const auto took = static_cast<std::uint64_t>(std::max<base::Duration>(0, clock.monotonic() - request.sent));
  ++stats.request_times[static_cast<std::size_t>(std::ranges::lower_bound(kRequestTimes, took) - kRequestTimes.begin())];
  stats.request_time += took;
}

void PusherMachine::no_answer(std::unique_ptr<PushRequest> request, base::Error error) {
  if (error.code == base::Code::config && config.one_shot && successes == 0) {
    final_error(std::move(error));
    requeue(std::move(request));
    return;
  }
  // Trouble on this machine is not a question of who listens there.
  const bool local = error.code == base::Code::config || error.code == base::Code::io;
  const std::string hint = successes == 0 && error.hint.empty() && !local ? std::string(kNoServer) : error.hint;
  failed(std::move(request), std::move(error.message), hint, 0, 0,
         error.code == base::Code::unreachable ? Gate::Trouble::unreachable : Gate::Trouble::passing);
}

void PusherMachine::answered(std::unique_ptr<PushRequest> request, const http::Response& response) {
  const int status = response.status;
  learn_time(response);
  const base::Duration retry_after = response.retry_after(clock.wall());
  const std::string cause = fmt::format("cannot push to {}: {}", config.url, describe(status, response.body));
  switch (meaning(status, response.body)) {
    case Meaning::delivered:
      delivered(*request);
      break;
    case Meaning::stored_but_for:
      stored_but_for(std::move(request), response);
      break;
    case Meaning::no_metadata:
      without_metadata(std::move(request), response);
      break;
    case Meaning::too_large:
      too_large(std::move(request), cause, response.body, retry_after);
      break;
    case Meaning::unknown_400:
      if (successes > 0) {
        take_apart(std::move(request), status, response.body);
        break;
      }
      [[fallthrough]];
    case Meaning::trouble: {
      auto error = base::fail(base::Code::network, "{}", cause).with_hint(std::string(trouble_hint(status, config.url)));
      if (config.one_shot && successes == 0) {
        final_error(std::move(error));
      } else {
        target_failed(*request, Gate::Trouble::wrong, std::move(error.message), error.hint, retry_after);
      }
      requeue(std::move(request));
      break;
    }
    case Meaning::refused:
      take_apart(std::move(request), status, response.body);
      break;
    case Meaning::stream_limited:
      stream_limited(std::move(request), response.body, retry_after);
      break;
    case Meaning::limited:
      tenant_limited(std::move(request), cause, response.body, retry_after);
      break;
    case Meaning::unavailable:
      failed(std::move(request), cause, {}, retry_after, 0);
      break;
    case Meaning::failed:
      failed(std::move(request), cause, {}, retry_after, status);
      break;
  }
}

void PusherMachine::learn_time(const http::Response& response) {
  const auto date = response.date();
  if (!date) return;
  trust.answered(clock.monotonic(), clock.wall(), *date);
  clock_calls = 0;
  if (trust.off_by() == 0 || std::exchange(clock_reported, true)) return;
  const base::Duration off = std::abs(trust.off_by()) / base::kSecond * base::kSecond;
  diagnostics.say(
      fmt::format("the clock of this machine is {} {} that of {}: only Loki decides now which records are too old or too new",
                  record::print_duration(off), trust.off_by() > 0 ? "behind" : "ahead of", config.url));
}

// The target takes records, so its trouble is over.
void PusherMachine::passed(const PushRequest& request) {
  const base::Monotonic now = clock.monotonic();
  ++successes;
  stats.last_success = clock.wall();
  too_large_alone = 0;
  if (larger_bytes && now - too_large_at >= kSmallFor) {
    // Larger requests may pass again.
    request_bytes = std::min(2 * request_bytes, config.request_bytes);
    if (request_bytes == config.request_bytes) larger_bytes.reset();
    too_large_at = now;
  }
  if (request.backlog) catch_up.passed(now - request.sent, now);
  PushTenant& tenant = *request.pieces.front().stream->tenant;
  if (tenant.gate.passed(now, request.sent) > 0) {
    for (StreamQueue* stream : active)
      if (stream->tenant == &tenant) update_slow(*stream);
  }
  const base::Duration lasted = target.passed(now, request.sent);
  if (lasted >= base::kSecond)
    diagnostics.say(
        fmt::format("{} takes records again after {}", config.url, record::print_duration(lasted / base::kSecond * base::kSecond)));
  if (lasted < catch_up.shortest_outage() || !catch_up.limits()) return;
  recovery_unreported = all_backlog = true;
  begin_catch_up(now, fmt::format("{} takes records again", config.url));
}

void PusherMachine::deliver_part(PushRequest::Piece& piece, const std::vector<bool>* refused) {
  StreamQueue& stream = *piece.stream;
  if (stream.aside) {
    // The target works, so from here on the trouble is the record's own. The record put aside has its turn again. If it passes
    // after all, one record has overtaken another.
    PartTrial& trial = stream.aside->pieces.front().part.trial;
    trial.sibling_passed = trial.neighbour_passed = true;
    stream.retry = std::move(stream.aside);
    activate(stream);
  }
  stream.trusted = refused == nullptr;
  stream.not_before = 0;
  stream.failing_since = 0;
  if (stream.backoff) stream.backoff->reset();
  if (piece.part.trial.failures > 0) {
    for (StreamPart& sibling : stream.closed)
      sibling.trial.sibling_passed = sibling.trial.sibling_passed || sibling.trial.failures > 0;
  }
  update_slow(stream);
  if (stream.behind && !stream.holds() && !stream.left) set_behind(stream, false);
  stream.newest_sent = std::max(stream.newest_sent, piece.part.newest);
  const std::size_t bad = refused == nullptr ? 0 : static_cast<std::size_t>(std::count(refused->begin(), refused->end(), true));
  const std::uint64_t good = piece.part.records - bad;
  stats.pending -= piece.part.records;
  stats.records += good;
  if (!config.tracked) return;
  tracked_records -= piece.part.tokens.size();
  if (ledger == nullptr) return;
  if (bad == 0) {
    ledger->delivered(piece.part.tokens);
    return;
  }
  std::vector<PushToken> tokens;
  for (std::size_t i = 0; i < piece.part.tokens.size(); ++i)
    if (i >= refused->size() || !(*refused)[i]) tokens.push_back(piece.part.tokens[i]);
  ledger->delivered(tokens);
}

void PusherMachine::delivered(PushRequest& request) {
  passed(request);
  stats.sent_bytes += request.body.size();
  stats.bytes += request.raw;
  for (PushRequest::Piece& piece : request.pieces) deliver_part(piece, nullptr);
}

// Puts the request back in front of its streams. A request of several streams is divided into one for each, because after an
// error a stream goes alone until a request of it passes.
void PusherMachine::requeue(std::unique_ptr<PushRequest> request) {
  const auto put = [this](std::unique_ptr<PushRequest> one) {
    StreamQueue& stream = *one->pieces.front().stream;
    stream.trusted = false;
    if (stream.aside) {
      // The record in its place did not pass either, so the order is as before.
      if (const auto decoded = open_body(*one)) put_back(stream, part_of_all(one->pieces.front().part, decoded->streams.front()));
      stream.retry = std::move(stream.aside);
    } else {
      body_bytes += one->body.size();
      stream.retry = std::move(one);
    }
    activate(stream);
  };
  if (request->pieces.size() == 1) return put(std::move(request));
  const auto decoded = open_body(*request);
  if (!decoded) return;
  for (std::size_t i = 0; i < request->pieces.size(); ++i) {
    auto one = std::make_unique<PushRequest>();
    PageBuffer entries(pool);
    for (const DecodedEntry& entry : decoded->streams[i].entries) entries.append(entry.field);
    const BodyStream stream{request->pieces[i].stream->name, &entries};
    one->body = encode_body({&stream, 1});
    one->raw = request->pieces[i].part.raw;
    one->records = request->pieces[i].part.records;
    one->backlog = request->backlog;
    one->pieces.push_back(std::move(request->pieces[i]));
    put(std::move(one));
  }
}

std::string PusherMachine::waiting_text() const {
  if (config.in_spool) {
    const auto count = config.in_spool();
    return count ? fmt::format("{} in the spool", base::count_of(*count, "record waits", "records wait"))
                 : "the records wait in the spool";
  }
  const std::string here = fmt::format("{} here", base::count_of(stats.pending, "record waits", "records wait"));
  return here + (config.one_shot ? ", the rest in the input" : ", the rest in the log files");
}

void PusherMachine::report_end() {
  if (std::exchange(end_reported, true)) return;
  const auto count = config.in_spool ? config.in_spool() : std::nullopt;
  const std::string records = base::count_of(count.value_or(stats.pending), "record waits", "records wait");
  const std::string ends = config.give_up > 0 ? fmt::format(", for up to {} (--give-up)", record::print_duration(config.give_up))
                                              : std::string(" without a time limit (--give-up sets one)");
  diagnostics.say(fmt::format("the input has ended; {} for the target{}", records, ends));
}

void PusherMachine::target_failed(const PushRequest& request, Gate::Trouble trouble, std::string cause, std::string_view hint,
                                  base::Duration retry_after) {
  const base::Monotonic now = clock.monotonic();
  const bool first = !target.failing();
  target.failed(request.sent, now, trouble, retry_after);
  target_cause = cause;
  note_error(cause);
  target_tries = first ? 1 : target_tries + 1;
  if (first) {
    message_after = kFirstMessage;
  } else if (now < next_message) {
    return;
  }
  next_message = base::after(now, message_after);
  message_after = std::min(2 * message_after, kRarestMessage);
  std::string text = std::move(cause);
  if (first) {
    text += config.give_up > 0 ? fmt::format("; trying again for {}", record::print_duration(config.give_up))
                               : std::string("; trying again");
    if (!hint.empty()) text += fmt::format(" ({})", hint);
  } else {
    const base::Duration lasted = now - target.since();
    const base::Duration unit = lasted < 2 * base::kMinute ? base::kSecond : base::kMinute;
    text += fmt::format("; {} for {} ({}); {}", trouble == Gate::Trouble::unreachable ? "unreachable" : "takes nothing",
                        record::print_duration(lasted / unit * unit), base::count_of(target_tries, "try", "tries"), waiting_text());
  }
  diagnostics.warn("target", text);
}

void PusherMachine::tenant_limited(std::unique_ptr<PushRequest> request, std::string cause, std::string_view text,
                                   base::Duration retry_after) {
  const base::Monotonic now = clock.monotonic();
  PushTenant& tenant = *request->pieces.front().stream->tenant;
  if (const double rate = limit_in(text); rate >= 1024) tenant.pace.learn(rate, now);
  tenant.gate.failed(request->sent, now, Gate::Trouble::passing, retry_after);
  tenant.cause = cause;
  note_error(cause);
  catch_up.refused(now);
  // A limit that ends by itself within seconds is not worth a message.
  if (now - tenant.gate.since() >= kWorthAMessage) diagnostics.warn("limited " + tenant.name, cause + "; trying again");
  requeue(std::move(request));
  for (StreamQueue* stream : active)
    if (stream->tenant == &tenant) update_slow(*stream);
}

void PusherMachine::park(StreamQueue& stream, base::Monotonic now, base::Duration retry_after) {
  if (!stream.backoff) stream.backoff.emplace(config.retry.usual, config.seed + next_id);
  stream.not_before = base::after(now, stream.backoff->next(retry_after));
  if (stream.failing_since == 0) stream.failing_since = now;
  update_slow(stream);
}

void PusherMachine::stream_limited(std::unique_ptr<PushRequest> request, std::string_view text, base::Duration retry_after) {
  const base::Monotonic now = clock.monotonic();
  const double rate = limit_in(text);
  for (PushRequest::Piece& piece : request->pieces) {
    StreamQueue& stream = *piece.stream;
    if (request->pieces.size() > 1 && text.find(stream.name) == std::string_view::npos) continue;
    if (rate >= 1024) stream.pace.learn(rate, now);
    park(stream, now, retry_after);
  }
  diagnostics.warn("parked", fmt::format("a stream waits: {}", first_line(text)));
  requeue(std::move(request));
}

// The least time for which a failing record is tried.
base::Duration PusherMachine::trial_time() const {
  return config.give_up > 0 ? std::min(kTrialTime, config.give_up / 2) : kTrialTime;
}

// Whether to give up a record that is alone in its request and keeps failing while others pass.
bool PusherMachine::trial_over(const PartTrial& trial, base::Monotonic now) const {
  if (trial.sibling_passed && trial.strikes >= kStrikesAmongSiblings) return true;
  return trial.strikes >= kStrikesAlone && now - trial.first_strike >= trial_time();
}

// Nothing else passes that would show whether the record or the target is the trouble.
bool PusherMachine::may_put_aside(const PushRequest& request, int status, base::Monotonic now) const {
  const PushRequest::Piece& piece = request.pieces.front();
  const PartTrial& trial = piece.part.trial;
  return status != 0 && request.records == 1 && trial.answers >= kAnswersAside && now - trial.first_answer >= trial_time() &&
         (!piece.stream->closed.empty() || piece.stream->open);
}

// There was no answer, or one that may differ the next time. `status` is that of an answer that a record may have caused,
// otherwise 0. While other requests pass, the trouble is this request's own: its stream waits alone and does not hold up the
// rest.
void PusherMachine::failed(std::unique_ptr<PushRequest> request, std::string cause, std::string_view hint,
                           base::Duration retry_after, int status, Gate::Trouble trouble) {
  const base::Monotonic now = clock.monotonic();
  bool own = false;
  bool split = false;
  bool over = false;
  for (PushRequest::Piece& piece : request->pieces) {
    PartTrial& trial = piece.part.trial;
    own = trial.neighbour_passed || (trial.failures > 0 && successes > trial.successes_then);
    if (own && trial.strikes++ == 0) trial.first_strike = now;
    ++trial.failures;
    if (status != 0 && trial.answers++ == 0) trial.first_answer = now;
    trial.successes_then = successes;
    split = trial.strikes >= kStrikesToSplit || (status != 0 && trial.answers >= kAnswersToSplit);
    over = status != 0 && trial_over(trial, now);
  }
  if (request->pieces.size() > 1) own = split = over = false;
  if (!own) {
    catch_up.refused(now);
    target_failed(*request, trouble, cause, hint, retry_after);
  }
  if (split && request->records > 1) {
    diagnostics.warn("taken apart", fmt::format("a request fails while others pass, so it is sent again in halves: {}", cause));
    take_apart(std::move(request), status, {});
  } else if (over && request->records == 1) {
    if (const auto decoded = open_body(*request))
      refuse_whole(request->pieces.front(), decoded->streams.front(), "server_error", status, cause);
  } else if (may_put_aside(*request, status, now)) {
    put_aside(std::move(request));
  } else {
    if (own) {
      park(*request->pieces.front().stream, now, retry_after);
      diagnostics.warn("parked", fmt::format("a stream waits: {}", cause));
    }
    requeue(std::move(request));
  }
}

}  // namespace weir::loki
