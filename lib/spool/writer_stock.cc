// What the spool holds, for people and monitors.
#include "spool/writer_state.h"

#include <sys/stat.h>

#include <algorithm>

namespace weir::spool {

base::Result<Stock> Writer::stock() {
  const State& state = *state_;
  auto acknowledged = recently_acknowledged(state_->file.database, state.options.path, state.file.id);
  if (!acknowledged) return std::move(acknowledged).error();
  const auto is_awaited = [&](const StoredBlock& block) {
    const bool passed = !state.options.forwards_to.empty() && block.id < state.next_to_pass;
    if (acknowledged->empty()) return !state.options.forwards_to.empty() && !passed;
    return !std::ranges::all_of(*acknowledged, [&](const RecentPlaces& one) {
      return one.places.contains({block.id, 0}, {block.id, block.records});
    });
  };
  auto pages = state_->count_pages();
  if (!pages) return std::move(pages).error();
  Stock stock;
  const RoomFacts facts = state.room_facts(pages->all, true, true);
  stock.allowed = allowed_room(facts).bytes;
  stock.limit = reachable_room(facts);
  stock.full = state.out_of_room;
  for (const StoredBlock& block : state.blocks) {
    if (block.held_alone()) {
      stock.held_bytes += block.body_bytes;
      if (stock.oldest_held == 0) stock.oldest_held = block.stored;
    } else if (is_awaited(block)) {
      stock.undelivered_bytes += block.body_bytes;
      stock.undelivered_records += block.records - block.held;
      if (stock.oldest_undelivered == 0) stock.oldest_undelivered = block.stored;
    }
  }
  const std::string path = real_path(state.options.path);
  for (const char* const suffix : {"", "-wal"}) {
    struct stat status = {};
    if (::stat((path + suffix).c_str(), &status) == 0) stock.file_bytes += static_cast<std::uint64_t>(status.st_size);
  }
  return stock;
}

}  // namespace weir::spool
