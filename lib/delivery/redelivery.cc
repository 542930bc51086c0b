#include "delivery/redelivery.h"

#include "delivery/full_disk.h"
#include "delivery/spool_stream.h"

#include <utility>

namespace weir::delivery {
namespace {

constexpr base::Duration kWaitForOthers = 30 * base::kSecond;
constexpr std::size_t kMostWaiting = 1000;  // rows

}  // namespace

base::Result<std::unique_ptr<spool::RejectedRedelivery>> Redelivery::open(const std::string& path, std::uint64_t spool,
                                                                          const LedgerContext& context) {
  return open_when_there_is_room(
      [&] { return spool::RejectedRedelivery::open(path, spool, kWaitForOthers, context.clock, context.stop); }, context);
}

void Redelivery::use(std::unique_ptr<spool::RejectedRedelivery> store, std::uint64_t spool) {
  store_ = std::move(store);
  spool_ = spool;
}

bool Redelivery::settle(PushToken token) {
  if (store_ == nullptr || !is_row(token)) return false;
  store_->delivered(token & ~kRowMark);
  return true;
}

bool Redelivery::deliver(std::span<const PushToken> tokens) {
  if (store_ == nullptr) return false;
  bool moved = false;
  for (const PushToken token : tokens) moved = settle(token) || moved;
  return moved;
}

bool Redelivery::reject(PushToken token, const loki::RejectedRecord& rejected) {
  if (store_ == nullptr || !is_row(token)) return false;
  const spool::Rejection rejection{rejected.status, rejected.text, context_.url, rejected.tenant, {}};
  store_->rejected(token & ~kRowMark, rejection, rejected_object(rejection, context_.clock.wall()));
  return true;
}

bool Redelivery::must_commit() const { return store_ != nullptr && store_->waiting() >= kMostWaiting; }

}  // namespace weir::delivery
