#include "stages/push_metrics.h"

#include "base/count.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weir::stages {
namespace {

using metrics::Account;

constexpr auto kRecordsIn = metrics::counter("weir_push_input_records_total", "records", "Records that push got.", Account::in);
constexpr auto kBytesIn =
    metrics::counter("weir_push_input_bytes_total", "bytes", "Bytes of the lines that push got.", Account::in);
constexpr auto kDelivered =
    metrics::counter("weir_push_delivered_records_total", "records", "Records that Loki took.", Account::out);
constexpr auto kDeliveredBytes = metrics::counter("weir_push_delivered_bytes_total", "bytes",
                                                  "Bytes of the lines and the metadata that Loki took.", Account::out);
constexpr auto kDropped = metrics::counter("weir_push_dropped_records_total", "records",
                                           "Records that push did not send, by reason.", Account::dropped, "reason");
constexpr auto kRejected =
    metrics::counter("weir_push_rejected_records_total", "records",
                     "Records that Loki, or a check by its limits, refused for good, by reason.", Account::rejected, "reason");
constexpr auto kPending = metrics::gauge("weir_push_pending_records", "records",
                                         "Records that wait for a request or for its answer.", Account::in_flight);
constexpr auto kLeft = metrics::gauge("weir_push_left_records", "records",
                                      "Records that wait in the spool, since Loki limits their streams.", Account::in_flight);
constexpr auto kLost = metrics::counter("weir_push_lost_records_total", "records",
                                        "Records that were evicted from the spool, or could not be read there, before they were "
                                        "delivered, and held records that no spool keeps.",
                                        Account::lost);
constexpr auto kRequests = metrics::counter("weir_push_sent_requests_total", "requests", "Push requests that were sent to Loki.");
constexpr auto kRetries = metrics::counter("weir_push_repeated_requests_total", "requests", "Push requests that were sent again.");
constexpr auto kSentBytes =
    metrics::counter("weir_push_sent_bytes_total", "bytes", "Bytes of the compressed requests that Loki took.");
constexpr auto kRepaired =
    metrics::counter("weir_push_repaired_records_total", "records", "Records whose line held bytes that are not UTF-8.");
constexpr auto kRenamed = metrics::counter("weir_push_renamed_records_total", "records",
                                           "Records with metadata that has a name which Loki does not take.");
constexpr auto kAnswers =
    metrics::counter("weir_push_responses_total", "responses",
                     "Push requests by the status of their answer; error: there was none.", Account::none, "code");
constexpr auto kRateLimited = metrics::counter("weir_push_rate_limited_requests_total", "requests",
                                               "Push requests that Loki refused for a rate limit (429).");
constexpr auto kCheckpointFailures =
    metrics::counter("weir_push_checkpoint_failures_total", "failures",
                     "Times that push could not store which records are delivered. It tries again.");
constexpr auto kTimes = metrics::histogram("weir_push_request_duration_seconds", "seconds",
                                           "Time from sending a push request to its answer.", loki::kRequestTimes);
constexpr auto kLastSuccess = metrics::gauge("weir_push_last_success_timestamp_seconds", "seconds",
                                             "When Loki last took a request, in seconds since 1970; 0 before the first.");
constexpr auto kOldest = metrics::gauge("weir_push_oldest_unsent_seconds", "seconds",
                                        "Age of the oldest record that push holds and Loki has not taken.");
constexpr auto kBackoff =
    metrics::gauge("weir_push_backoff_seconds", "seconds", "Time until Loki is tried again, while nothing passes.");
constexpr int kTooManyRequests = 429;

// Reasons of our own.
constexpr std::string_view kSample = "sample";  // rejected: it is no log line
constexpr std::string_view kSentBefore = "sent_before";
constexpr std::string_view kHeld = "held";
constexpr std::string_view kNotMatched = "not_matched";
constexpr std::string_view kGone = "gone";  // left in the spool, and evicted or unreadable when its turn came

}  // namespace

PushMetrics::PushMetrics(const pipeline::Context& context)
    : block_(context.metrics, context.driver),
      records_in_(block_.counter(kRecordsIn)),
      bytes_in_(block_.counter(kBytesIn)),
      delivered_(block_.counter(kDelivered)),
      delivered_bytes_(block_.counter(kDeliveredBytes)),
      dropped_(block_.family(kDropped)),
      rejected_(block_.family(kRejected)),
      pending_(block_.gauge(kPending)),
      left_(block_.gauge(kLeft)),
      lost_(block_.counter(kLost)),
      requests_(block_.counter(kRequests)),
      retries_(block_.counter(kRetries)),
      sent_bytes_(block_.counter(kSentBytes)),
      repaired_(block_.counter(kRepaired)),
      renamed_(block_.counter(kRenamed)),
      answers_(block_.family(kAnswers)),
      rate_limited_(block_.counter(kRateLimited)),
      checkpoint_failures_(block_.counter(kCheckpointFailures)),
      times_(block_.histogram(kTimes)),
      last_success_(block_.gauge(kLastSuccess)),
      oldest_(block_.gauge(kOldest)),
      backoff_(block_.gauge(kBackoff)),
      delivery_(context.metrics, metrics::Trouble::delivery),
      positions_(context.metrics, metrics::Trouble::positions) {}

void PushMetrics::publish() {
  records_in_.reach(in.records);
  bytes_in_.reach(in.bytes);
  for (const auto& [reason, count] : {std::pair(kSentBefore, sent_before), std::pair(kHeld, held),
                                      std::pair(kNotMatched, not_matched), std::pair(kGone, spool.gone)}) {
    if (count > 0) dropped_.at(reason).reach(count);
  }
  if (samples > 0) rejected_.at(kSample).reach(samples);
  lost_.reach(spool.lost + spool.evicted_pending + spool.evicted_left + held_nowhere);
  left_.set(spool.left);
}

void PushMetrics::publish(const loki::PusherStats& stats) {
  publish();
  delivered_.reach(stats.records);
  delivered_bytes_.reach(stats.bytes);
  pending_.set(stats.pending);
  requests_.reach(stats.requests);
  retries_.reach(stats.retries);
  sent_bytes_.reach(stats.sent_bytes);
  repaired_.reach(stats.repaired);
  renamed_.reach(stats.renamed);
  for (const auto& [reason, count] : stats.rejected_by_reason) {
    std::uint64_t& published = published_rejected_[reason];
    rejected_.at(reason).add(count - std::exchange(published, count));
  }
  for (const auto& [status, count] : stats.answers) {
    std::uint64_t& published = published_answers_[status];
    if (count == published) continue;
    answers_.at(status == 0 ? "error" : std::to_string(status)).add(count - published);
    published = count;
    if (status == kTooManyRequests) rate_limited_.reach(count);
  }
  times_.reach(stats.request_times, stats.request_time);
  last_success_.set(static_cast<std::uint64_t>(std::max<base::Timestamp>(0, stats.last_success)));
}

void PushMetrics::note(const loki::PusherWaits& waits, const delivery::DeliveryLedger::Storing& storing, base::Monotonic now,
                       base::Timestamp wall) {
  const bool fails = waits.failing_since != base::kNever;
  oldest_.set(waits.oldest == 0 || waits.oldest >= wall ? 0 : static_cast<std::uint64_t>(wall - waits.oldest));
  backoff_.set(fails && waits.retry_at > now ? static_cast<std::uint64_t>(waits.retry_at - now) : 0);
  checkpoint_failures_.reach(storing.failures);
  if (fails && now - waits.failing_since >= kTroubleAfter) {
    delivery_.raise(waits.cause);
  } else {
    delivery_.clear();
  }
  if (storing.failing_since != base::kNever && now - storing.failing_since >= kTroubleAfter) {
    positions_.raise(storing.cause);
  } else {
    positions_.clear();
  }
}

std::string PushMetrics::summary(bool started, base::Duration took) const {
  const pipeline::Counters counted = counters();
  if (!started)
    return counted.records_in == 0 ? "nothing to push: no records came (--check tests whether the target takes records)"
                                   : std::string();
  const double seconds = static_cast<double>(std::max<base::Duration>(1, took)) / static_cast<double>(base::kSecond);
  std::string text = fmt::format("pushed {} ({}) in {}, {:.1f} s", base::count_of(counted.records_out, "record"),
                                 record::print_size(counted.bytes_out), base::count_of(requests_.value(), "request"), seconds);
  if (retries_.value() > 0) text += fmt::format(", {} sent again", base::grouped(retries_.value()));
  if (counted.rejected > 0) {
    text += fmt::format("; {} rejected", base::grouped(counted.rejected));
    const char* separator = " (";
    for (const auto& [reason, count] : counted.rejected_by_reason) {
      if (reason == kSample) continue;
      text += fmt::format("{}{} {}", separator, base::grouped(count), reason);
      separator = ", ";
    }
    if (const auto found = counted.rejected_by_reason.find(kSample); found != counted.rejected_by_reason.end())
      text += fmt::format("{}{}", separator, base::count_of(found->second, kSample));
    text += ")";
  }
  for (const auto& [reason, count] : counted.dropped) {
    if (reason == kGone) continue;  // they are named below
    std::string words = reason;
    std::ranges::replace(words, '_', ' ');
    text += fmt::format("; {} {}", base::grouped(count), words);
  }
  if (renamed_.value() > 0)
    text += fmt::format("; {} had metadata with a name that Loki does not take (sent as weir_unnamed_…)",
                        base::grouped(renamed_.value()));
  const std::uint64_t left = left_.value() - std::min(left_.value(), spool.evicted_left);
  if (left > 0) text += fmt::format("; {} in the spool", base::count_of(left, "waits", "wait"));
  const std::uint64_t evicted = spool.evicted_pending + spool.evicted_left;
  if (evicted > 0) {
    text += fmt::format("; {} lost",
                        base::count_of(evicted, "was evicted before delivery and is", "were evicted before delivery and are"));
  }
  if (spool.lost > 0) {
    text += fmt::format("; {} lost", base::count_of(spool.lost, "record of a damaged block is", "records of damaged blocks are"));
  }
  if (held_nowhere > 0) {
    text +=
        fmt::format("; {} lost, because no spool keeps them", base::count_of(held_nowhere, "held record is", "held records are"));
  }
  return text;
}

}  // namespace weir::stages
