// The positions of log files in a checkpoint file (`push --checkpoint`).
//
// Each log has a lane of open records. The position of a log moves over settled records at the front of its lane; stdout and
// stderr move apart.
#pragma once

#include "delivery/delivery_lane.h"
#include "delivery/position_ledger.h"
#include "delivery/rejection_budget.h"
#include "spool/keeper.h"
#include "spool/position_store.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

namespace weir::delivery {

class CheckpointPositions : public PositionLedger {
 public:
  // Creates the file. Waits up to `wait` for another process that holds it, and without limit while the disk is full. Errors:
  // those of spool::PositionStore::open().
  static base::Result<std::unique_ptr<CheckpointPositions>> open(const std::string& path, base::Duration wait,
                                                                 const LedgerContext& context);
  CheckpointPositions(const LedgerContext& context, std::unique_ptr<spool::PositionStore> store, spool::Keeper keeper)
      : context_(context), store_(std::move(store)), keeper_(std::move(keeper)) {}

  // Calls `done` as Keeper::on_done does.
  void on_file_done(std::function<void(const record::Source&)> done) { keeper_.on_done(std::move(done)); }

  [[nodiscard]] std::uint64_t spool() const { return store_->spool(); }  // the identity of the file
  [[nodiscard]] bool tracks() const override { return true; }
  base::Result<std::optional<PushToken>> track(const record::Record& record) override;
  base::Result<void> track_marker(const record::Record& record) override;
  bool settle(PushToken token) override;
  bool deliver(std::span<const PushToken> tokens) override;
  // A record that is not kept whole is counted and not stored: it stays in its log file.
  bool reject(PushToken token, const loki::RejectedRecord& rejected) override;
  [[nodiscard]] bool note() override { return store_->note(keeper_); }
  base::Result<void> commit() override { return store_->commit(keeper_); }
  [[nodiscard]] std::size_t rejections_waiting() const override { return store_->rejections_waiting(); }
  [[nodiscard]] std::uint64_t take_evicted_rejected() override { return store_->take_evicted_rejected(); }
  base::Result<void> close() override { return store_->close(); }

 private:
  [[nodiscard]] PushToken enter(const record::Source& source, bool barrier);

  const LedgerContext& context_;
  std::unique_ptr<spool::PositionStore> store_;
  spool::Keeper keeper_;
  std::unordered_map<std::uint32_t, DeliveryLane> lanes_;  // by log
  RejectionBudget budget_;
  bool not_kept_reported_ = false;
};

}  // namespace weir::delivery
