#include "spool/block_checksum.h"

#include "spool/checksum.h"
#include "spool/wire.h"

namespace weir::spool {

std::uint64_t block_checksum(const BlockInfo& info, std::string_view streams, std::string_view positions, std::string_view body) {
  std::string numbers;
  for (const std::uint64_t number : {info.id, static_cast<std::uint64_t>(info.stored), static_cast<std::uint64_t>(info.min_timestamp),
                                     static_cast<std::uint64_t>(info.max_timestamp), std::uint64_t{info.records}, std::uint64_t{info.held},
                                     info.line_bytes, info.body_bytes}) {
    wire::put_word(numbers, number);
  }
  return xxh64(body, xxh64(positions, xxh64(streams, xxh64(numbers, 0))));
}

base::Result<void> load_positions(sqlite::Database& database, Keeper& keeper) {
  std::int64_t through = 0;
  auto snapshot = database.prepare("SELECT through_block, body FROM positions");
  if (!snapshot) return std::move(snapshot).error();
  auto row = snapshot->step();
  if (!row) return std::move(row).error();
  if (*row) {
    through = snapshot->integer(0);
    if (auto loaded = keeper.load(snapshot->blob(1)); !loaded) return loaded;
    snapshot->reset();
  }
  auto deltas = database.prepare("SELECT positions FROM blocks WHERE id > ? AND length(positions) > 0 ORDER BY id");
  if (!deltas) return std::move(deltas).error();
  deltas->bind(1, through);
  while (true) {
    auto next = deltas->step();
    if (!next) return std::move(next).error();
    if (!*next) return {};
    if (auto loaded = keeper.load(deltas->blob(0)); !loaded) return loaded;
  }
}

}  // namespace weir::spool
