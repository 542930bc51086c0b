#include "spool/rejected_store.h"

namespace weir::spool {

void RejectedStore::add(base::Timestamp time, std::string_view consumer, BlockPlace place, const Rejection& rejection) {
  waiting_.push_back({time, std::string(consumer), place, rejection.status, std::string(rejection.reason), std::string(rejection.url),
                      std::string(rejection.tenant), std::string(rejection.record)});
}

base::Result<void> RejectedStore::write(sqlite::Database& database) {
  if (waiting_.empty()) return {};
  auto insert = database.prepare(
      "INSERT INTO rejected (time, consumer, block, ordinal, status, reason, url, tenant, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (!insert) return std::move(insert).error();
  for (const Waiting& one : waiting_) {
    insert->bind(1, one.time).bind_text(2, one.consumer).bind(3, static_cast<std::int64_t>(one.place.block)).bind(4, one.place.ordinal);
    insert->bind(5, one.status).bind_text(6, one.reason).bind_text(7, one.url).bind_text(8, one.tenant).bind_text(9, one.record);
    if (auto done = insert->run(); !done) return done;
  }
  return {};
}

}  // namespace weir::spool
