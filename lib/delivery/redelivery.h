// Records that come out of a rejected store to be sent again (`weir replay --rejected | weir push`). A delivered record leaves
// the store. A record that is refused again stays there with the new reason.
//
// It stands beside any PositionLedger: a `rejected` marker opens it, at any time. DeliveryLedger guards it by its lock.
#pragma once

#include "base/result.h"
#include "delivery/delivery_token.h"
#include "delivery/position_ledger.h"
#include "record/record.h"
#include "spool/rejected_store.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace weir::delivery {

// Not thread safe. Until use() it tracks nothing, and every function is cheap.
class Redelivery {
 public:
  explicit Redelivery(const LedgerContext& context) : context_(context) {}

  // Opens the rejected store of a spool. Waits up to 30 s for another redelivery, and without limit while the disk is full.
  // Errors: those of spool::RejectedRedelivery::open().
  static base::Result<std::unique_ptr<spool::RejectedRedelivery>> open(const std::string& path, std::uint64_t spool,
                                                                       const LedgerContext& context);
  // From here on records of `store` are tracked. Records of another store must have a fate, and be committed, before.
  void use(std::unique_ptr<spool::RejectedRedelivery> store, std::uint64_t spool);
  [[nodiscard]] bool is_open() const { return store_ != nullptr; }
  // This store is open already, and this process holds its lock.
  [[nodiscard]] bool is_open_for(std::uint64_t spool) const { return store_ != nullptr && spool == spool_; }

  // The token of a record from a rejected store. kNoToken: it is not of the open store.
  [[nodiscard]] PushToken track(const record::Record& record) const {
    return store_ != nullptr && record.source.spool == spool_ ? kRowMark | record.source.block : kNoToken;
  }

  // The fate of records. Tokens that are no rows change nothing. True: there is something new to store.
  bool settle(PushToken token);
  bool deliver(std::span<const PushToken> tokens);
  bool reject(PushToken token, const loki::RejectedRecord& rejected);

  // So many changes wait that it is time to store them.
  [[nodiscard]] bool must_commit() const;
  // An error leaves the changes to the next commit.
  base::Result<void> commit() { return store_ != nullptr ? store_->commit() : base::Result<void>(); }

 private:
  const LedgerContext& context_;
  std::unique_ptr<spool::RejectedRedelivery> store_;
  std::uint64_t spool_ = 0;
};

}  // namespace weir::delivery
