#include "delivery/checkpoint_positions.h"

#include "delivery/full_disk.h"
#include "delivery/spool_stream.h"
#include "record/gap.h"

#include <utility>

namespace weir::delivery {

base::Result<std::unique_ptr<CheckpointPositions>> CheckpointPositions::open(const std::string& path, base::Duration wait,
                                                                             const LedgerContext& context) {
  auto store =
      open_when_there_is_room([&] { return spool::PositionStore::open(path, wait, context.clock, context.stop); }, context);
  if (!store) return std::move(store).error();
  auto keeper = (*store)->load();
  if (!keeper) return std::move(keeper).error();
  return std::make_unique<CheckpointPositions>(context, std::move(*store), std::move(*keeper));
}

PushToken CheckpointPositions::enter(const record::Source& source, bool barrier) {
  return PushToken{source.log} << kIndexBits | (lanes_[source.log].enter(source, barrier) & kIndexMask);
}

base::Result<std::optional<PushToken>> CheckpointPositions::track(const record::Record& record) {
  auto verdict = keeper_.track(record);
  if (!verdict) return std::move(verdict).error();
  if (*verdict == spool::Verdict::repeat) return std::optional<PushToken>();
  if (record::is_gap(record)) {
    const record::GapReport gap = record::gap_report(record);
    store_->note_gap(gap.log, gap.bytes);
  }
  return std::optional(record.source.kind == record::Source::Kind::file ? enter(record.source, false) : kNoToken);
}

base::Result<void> CheckpointPositions::track_marker(const record::Record& record) {
  auto verdict = keeper_.track(record);
  if (!verdict) return std::move(verdict).error();
  if (*verdict == spool::Verdict::repeat || record.source.kind != record::Source::Kind::file) return {};
  const record::Marker::Type type = record.marker->type;
  if (type != record::Marker::Type::position && type != record::Marker::Type::done) return {};
  static_cast<void>(settle(enter(record.source, type == record::Marker::Type::done)));
  return {};
}

bool CheckpointPositions::settle(PushToken token) {
  if (!is_place(token)) return false;
  const auto found = lanes_.find(static_cast<std::uint32_t>(token >> kIndexBits));
  if (found == lanes_.end()) return false;
  DeliveryLane& lane = found->second;
  bool moved = lane.settle(token & kIndexMask);
  if (moved) lane.take_settled([this](const record::Source& source) { keeper_.advance(source); });
  lane.take_ahead([&](const record::Source& source) {
    keeper_.advance_alone(source);
    moved = true;
  });
  if (lane.empty() && !keeper_.follows(found->first)) lanes_.erase(found);
  return moved;
}

bool CheckpointPositions::deliver(std::span<const PushToken> tokens) {
  bool moved = false;
  // Backwards, so that a lane advances once over all of them.
  for (std::size_t i = tokens.size(); i-- > 0;) moved = settle(tokens[i]) || moved;
  return moved;
}

bool CheckpointPositions::reject(PushToken token, const loki::RejectedRecord& rejected) {
  if (budget_.admits(rejected, context_.clock.monotonic())) {
    spool::Rejection rejection{rejected.status, rejected.text, context_.url, rejected.tenant, {}};
    const std::string line = whole_record(rejected, rejected_object(rejection, context_.clock.wall()));
    rejection.record = line;
    store_->reject(rejection);
  } else if (!std::exchange(not_kept_reported_, true)) {
    context_.diagnostics.say(
        "records that Loki refuses for their time, or in large numbers, are counted but not stored: they stay in their log files");
  }
  settle(token);
  return true;
}

}  // namespace weir::delivery
