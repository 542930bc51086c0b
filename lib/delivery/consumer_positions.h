// What a consumer of a spool has acknowledged (behind a buffer, `push --spool`).
//
// Each record is acknowledged by its own place, in any order. A stream that Loki limits waits: WaitingStreams has its states.
#pragma once

#include "delivery/position_ledger.h"
#include "delivery/rejection_budget.h"
#include "delivery/waiting_streams.h"
#include "spool/consumer.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace weir::delivery {

class ConsumerPositions : public PositionLedger {
 public:
  // Waits up to `options.wait` for another process that holds the consumer, and without limit while the disk is full. Errors:
  // those of spool::Consumer::open().
  static base::Result<std::unique_ptr<ConsumerPositions>> open(const spool::ConsumerOptions& options, const LedgerContext& context);
  ConsumerPositions(const LedgerContext& context, std::unique_ptr<spool::Consumer> consumer);

  // What earlier runs have acknowledged, when nothing was tracked so far.
  [[nodiscard]] std::uint64_t spool() const { return consumer_->spool(); }
  [[nodiscard]] const spool::PlaceSet& acknowledged() const { return consumer_->acknowledged(); }

  [[nodiscard]] bool tracks() const override { return true; }
  base::Result<std::optional<PushToken>> track(const record::Record& record) override;
  base::Result<void> track_marker(const record::Record& record) override;
  bool settle(PushToken token) override;
  bool deliver(std::span<const PushToken> tokens) override;
  // A record that is not kept whole stays in its block, and a range in the rejected store says why.
  bool reject(PushToken token, const loki::RejectedRecord& rejected) override;
  bool leave(const record::Record& record, PushToken token) override;
  [[nodiscard]] PushToken read_again(const record::Record& record) override;
  bool resume(std::uint64_t stream) override;
  [[nodiscard]] std::uint64_t block_of(PushToken token) override;
  [[nodiscard]] bool note() override;
  base::Result<void> commit() override { return consumer_->commit(); }
  [[nodiscard]] std::size_t rejections_waiting() const override { return consumer_->rejections_waiting(); }
  [[nodiscard]] std::uint64_t take_evicted_rejected() override { return consumer_->take_evicted_rejected(); }
  base::Result<void> close() override { return {}; }

 private:
  bool settle_waiting(PushToken token);
  bool release_waiting();
  [[nodiscard]] std::optional<spool::BlockPlace> place(PushToken token);
  void reject_in_place(spool::BlockPlace place, const loki::RejectedRecord& rejected);

  const LedgerContext& context_;
  std::unique_ptr<spool::Consumer> consumer_;
  WaitingStreams waiting_;
  std::vector<spool::PlaceSet::Stretch> stretches_;  // scratch of deliver()
  RejectionBudget budget_;
  std::string common_of_, common_;  // the latest text, and its common_reason()
};

}  // namespace weir::delivery
