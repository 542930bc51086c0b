// What a tracked stream remembers: which records are safe. DeliveryLedger owns one and guards it by its lock.
//
// Three implementations: NoPositions (nothing is tracked), CheckpointPositions (`push --checkpoint`: positions of log files) and
// ConsumerPositions (a consumer of a spool: behind a buffer, `push --spool`).
//
// States of a record:
// - open: track() gave it a token. Its fate is unknown.
// - settled: the token came back by deliver(), reject() or settle(). A second time changes nothing.
// - repeat: an earlier run had settled it. track() gives no token, and the record must not be sent.
// - left (only of a spool): leave() said that it stays in the spool, unacknowledged. read_again() opens it later.
//
// Invariant: a position that commit() or note() keeps never passes a record whose fate is open.
#pragma once

#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/result.h"
#include "base/stop.h"
#include "delivery/delivery_token.h"
#include "record/record.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace weir::delivery {

// What every part of a ledger is made with. Outlives the parts.
struct LedgerContext {
  std::string url;  // shown in the rejected store
  base::Clock& clock;
  base::Diagnostics& diagnostics;
  const base::Stop* stop;  // may be null
};

// Not thread safe. The functions that return bool say whether there is something new to store.
class PositionLedger {
 public:
  virtual ~PositionLedger() = default;

  // Positions are kept, so a record that is not delivered comes again at the next start.
  [[nodiscard]] virtual bool tracks() const = 0;

  // Call it for every record that does not come from a rejected store, in order. Gives a token, or nullopt for a repeat.
  // kNoToken: the record is not tracked. Errors: those of spool::Keeper and spool::Consumer.
  virtual base::Result<std::optional<PushToken>> track(const record::Record& record) = 0;
  // Takes in what a marker says about positions. Its own place counts as safe once everything before it is safe.
  virtual base::Result<void> track_marker(const record::Record& record) = 0;

  // The fate of records. Tokens of other parts and kNoToken change nothing.
  virtual bool settle(PushToken token) = 0;
  virtual bool deliver(std::span<const PushToken> tokens) = 0;
  virtual bool reject(PushToken token, const loki::RejectedRecord& rejected) = 0;

  // The next four are for records of a spool. Records of other streams stay nowhere, so there they change nothing.
  // The record stays in the spool. `token` is what track() gave for it.
  virtual bool leave(const record::Record& record, PushToken token) {
    static_cast<void>(record), static_cast<void>(token);
    return false;
  }
  // A left record was read from the spool again and is sent. Gives its token.
  [[nodiscard]] virtual PushToken read_again(const record::Record& record) {
    static_cast<void>(record);
    return kNoToken;
  }
  // The stream has no left records.
  virtual bool resume(std::uint64_t stream) {
    static_cast<void>(stream);
    return false;
  }
  // The block that the record came from, while its fate is open; 0 for none.
  [[nodiscard]] virtual std::uint64_t block_of(PushToken token) {
    static_cast<void>(token);
    return 0;
  }

  // Keeps progress beside the file, where it survives our own death. Waits for no disk. False: commit soon.
  [[nodiscard]] virtual bool note() = 0;
  // Stores progress, so that it survives a power loss. An error leaves it to the next commit.
  virtual base::Result<void> commit() = 0;
  // Bytes of rejections that wait in memory for commit().
  [[nodiscard]] virtual std::size_t rejections_waiting() const = 0;
  // Rejected records that the store had no room for since the last call, the oldest ones.
  [[nodiscard]] virtual std::uint64_t take_evicted_rejected() = 0;
  // At the end, after commit(). Error io: the file was deleted in the meantime.
  virtual base::Result<void> close() = 0;
};

// Nothing is tracked.
class NoPositions : public PositionLedger {
 public:
  [[nodiscard]] bool tracks() const override { return false; }
  base::Result<std::optional<PushToken>> track(const record::Record&) override { return std::optional(kNoToken); }
  base::Result<void> track_marker(const record::Record&) override { return {}; }
  bool settle(PushToken) override { return false; }
  bool deliver(std::span<const PushToken>) override { return false; }
  bool reject(PushToken, const loki::RejectedRecord&) override { return false; }
  [[nodiscard]] bool note() override { return false; }
  base::Result<void> commit() override { return {}; }
  [[nodiscard]] std::size_t rejections_waiting() const override { return 0; }
  [[nodiscard]] std::uint64_t take_evicted_rejected() override { return 0; }
  base::Result<void> close() override { return {}; }
};

}  // namespace weir::delivery
