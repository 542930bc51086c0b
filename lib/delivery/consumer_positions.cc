#include "delivery/consumer_positions.h"

#include "delivery/full_disk.h"
#include "delivery/spool_stream.h"

#include <algorithm>
#include <utility>

namespace weir::delivery {

base::Result<std::unique_ptr<ConsumerPositions>> ConsumerPositions::open(const spool::ConsumerOptions& options,
                                                                         const LedgerContext& context) {
  auto consumer = open_when_there_is_room([&] { return spool::Consumer::open(options, context.clock, context.stop); }, context);
  if (!consumer) return std::move(consumer).error();
  return std::make_unique<ConsumerPositions>(context, std::move(*consumer));
}

ConsumerPositions::ConsumerPositions(const LedgerContext& context, std::unique_ptr<spool::Consumer> consumer)
    : context_(context), consumer_(std::move(consumer)) {
  // These streams waited when the last run ended. The spool's stream brings their records again, up to the place that all other
  // streams have reached.
  const spool::PlaceSet& before = consumer_->acknowledged();
  for (const spool::PlaceSet::Waiting& one : before.waiting()) waiting_.restore(one.stream, one.from, before.end());
}

base::Result<std::optional<PushToken>> ConsumerPositions::track(const record::Record& record) {
  auto verdict = consumer_->track(record);
  if (!verdict) return std::move(verdict).error();
  if (*verdict == spool::Verdict::repeat) return std::optional<PushToken>();
  if (record.source.kind != record::Source::Kind::block) return std::optional(kNoToken);
  if (record.source.ordinal > kOrdinalMask)
    return base::fail(base::Code::bug, "a block of a spool has more than {} records", kOrdinalMask);
  const spool::BlockPlace place{record.source.block, record.source.ordinal};
  if (!waiting_.empty()) {
    const std::uint64_t stream = spool::stream_key(*record.labels, record.tenant);
    if (const auto token = waiting_.arrive(stream, record.source)) {
      consumer_->leave(stream, place);
      return token;
    }
  }
  return std::optional(token_of_place(place));
}

base::Result<void> ConsumerPositions::track_marker(const record::Record& record) {
  auto verdict = consumer_->track(record);
  if (!verdict) return std::move(verdict).error();
  release_waiting();
  return {};
}

bool ConsumerPositions::leave(const record::Record& record, PushToken token) {
  const std::uint64_t stream = spool::stream_key(*record.labels, record.tenant);
  if (!waiting_.leave(stream, record.source, token)) return false;
  consumer_->leave(stream, {record.source.block, record.source.ordinal});
  return true;
}

PushToken ConsumerPositions::read_again(const record::Record& record) {
  const auto token = waiting_.read_again(spool::stream_key(*record.labels, record.tenant), record.source);
  return token.value_or(token_of_place({record.source.block, record.source.ordinal}));
}

bool ConsumerPositions::resume(std::uint64_t stream) {
  const auto reached = waiting_.resume(stream, consumer_->position());
  if (!reached) return false;
  consumer_->wait_from(reached->stream, reached->from);
  release_waiting();
  return true;
}

bool ConsumerPositions::release_waiting() {
  if (waiting_.empty()) return false;
  const auto released = waiting_.release(consumer_->position());
  for (const std::uint64_t stream : released) consumer_->stop_waiting(stream);
  return !released.empty();
}

bool ConsumerPositions::settle_waiting(PushToken token) {
  const auto reached = waiting_.settle(token);
  if (reached) consumer_->wait_from(reached->stream, reached->from);
  return reached.has_value();
}

bool ConsumerPositions::settle(PushToken token) {
  if (is_of_waiting_stream(token)) return settle_waiting(token);
  if (!is_place(token)) return false;
  const spool::BlockPlace place = place_of(token);
  consumer_->acknowledge(place.block, place.ordinal, place.ordinal);
  return true;
}

bool ConsumerPositions::deliver(std::span<const PushToken> tokens) {
  // The records of one stream lie between those of others, so a request may be many stretches. One call acknowledges all.
  stretches_.clear();
  for (const PushToken token : tokens) {
    if (!is_place(token)) continue;
    const spool::BlockPlace place = place_of(token);
    const spool::BlockPlace after{place.block, place.ordinal + 1};
    if (!stretches_.empty() && stretches_.back().to == place) {
      stretches_.back().to = after;
    } else {
      stretches_.push_back({place, after});
    }
  }
  const auto by_place = [](const spool::PlaceSet::Stretch& a, const spool::PlaceSet::Stretch& b) { return a.from < b.from; };
  if (!std::ranges::is_sorted(stretches_, by_place)) std::ranges::sort(stretches_, by_place);
  consumer_->acknowledge(stretches_);
  bool moved = !stretches_.empty();
  // Backwards, so that a lane advances once over all of them.
  for (std::size_t i = tokens.size(); i-- > 0;)
    if (is_of_waiting_stream(tokens[i])) moved = settle_waiting(tokens[i]) || moved;
  return release_waiting() || moved;
}

std::optional<spool::BlockPlace> ConsumerPositions::place(PushToken token) {
  if (is_of_waiting_stream(token)) return waiting_.place(token);
  return is_place(token) ? std::optional(place_of(token)) : std::nullopt;
}

std::uint64_t ConsumerPositions::block_of(PushToken token) {
  const auto found = place(token);
  return found ? found->block : 0;
}

void ConsumerPositions::reject_in_place(spool::BlockPlace place, const loki::RejectedRecord& rejected) {
  // A million records may come with one text.
  if (common_of_ != rejected.text) {
    common_of_ = rejected.text;
    common_ = common_reason(rejected);
  }
  consumer_->reject_in_place(place.block, place.ordinal, rejected.reason,
                             {rejected.status, common_, context_.url, rejected.tenant, {}});
}

bool ConsumerPositions::reject(PushToken token, const loki::RejectedRecord& rejected) {
  const bool whole = budget_.admits(rejected, context_.clock.monotonic());
  const auto found = place(token);
  if (!found) return false;
  if (whole) {
    spool::Rejection rejection{rejected.status, rejected.text, context_.url, rejected.tenant, {}};
    const std::string line = whole_record(rejected, rejected_object(rejection, context_.clock.wall()));
    rejection.record = line;
    consumer_->reject(found->block, found->ordinal, rejection);
  } else {
    reject_in_place(*found, rejected);
  }
  if (is_of_waiting_stream(token)) settle_waiting(token);
  return true;
}

bool ConsumerPositions::note() {
  if (consumer_->note()) return true;
  consumer_->note_delivered();
  return false;
}

}  // namespace weir::delivery
