#include "spool/block_checksum.h"

#include "spool/checksum.h"
#include "spool/wire.h"

#include <limits>

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

bool BlockRow::sound() const { return block_checksum(info, streams, positions, body) == checksum; }

std::uint64_t snapshot_checksum(std::uint64_t through_block, std::string_view body) { return xxh64(body, through_block); }

namespace {

base::Result<void> load_some(sqlite::Database& database, Keeper& keeper, std::span<const Handed> noted, bool all, bool& left_out) {
  std::int64_t through = 0;
  auto snapshot = database.prepare("SELECT through_block, body, (SELECT value FROM meta WHERE name = 'positions_checksum') FROM positions");
  if (!snapshot) return std::move(snapshot).error();
  auto row = snapshot->step();
  if (!row) return std::move(row).error();
  if (*row) {
    through = snapshot->integer(0);
    const std::uint64_t checksum = snapshot_checksum(static_cast<std::uint64_t>(through), snapshot->blob(1));
    if (!snapshot->is_null(2) && static_cast<std::uint64_t>(snapshot->integer(2)) != checksum) {
      return base::fail(base::Code::corrupt, "cannot read positions of '{}': their checksum is wrong", database.path());
    }
    if (auto loaded = keeper.load(snapshot->blob(1)); !loaded) return loaded;
    snapshot->reset();
  }
  auto deltas = database.prepare(
      "SELECT id, stored, min_time, max_time, records, held, line_bytes, body_bytes, checksum, streams, positions, body FROM blocks "
      "LEFT JOIN bodies ON bodies.block = blocks.id WHERE id > ? AND length(positions) > 0 ORDER BY id");
  if (!deltas) return std::move(deltas).error();
  deltas->bind(1, through);
  BlockRow block;
  while (true) {
    auto next = deltas->step();
    if (!next) return std::move(next).error();
    block.info.id = *next ? static_cast<std::uint64_t>(deltas->integer(0)) : std::numeric_limits<std::uint64_t>::max();
    for (; !noted.empty() && noted.front().block < block.info.id; noted = noted.subspan(1)) {
      if (auto loaded = keeper.load(noted.front().positions); !loaded) return loaded;
    }
    if (!*next) return {};
    block.info.stored = deltas->integer(1);
    block.info.min_timestamp = deltas->integer(2);
    block.info.max_timestamp = deltas->integer(3);
    block.info.records = static_cast<std::uint32_t>(deltas->integer(4));
    block.info.held = static_cast<std::uint32_t>(deltas->integer(5));
    block.info.line_bytes = static_cast<std::uint64_t>(deltas->integer(6));
    block.info.body_bytes = static_cast<std::uint64_t>(deltas->integer(7));
    block.checksum = static_cast<std::uint64_t>(deltas->integer(8));
    block.streams = deltas->blob(9);
    block.positions = deltas->blob(10);
    block.body = deltas->blob(11);
    if (!all && !block.sound()) {
      left_out = true;
      continue;
    }
    if (auto loaded = keeper.load(block.positions); !loaded) return loaded;
  }
}

}  // namespace

base::Result<void> load_positions(sqlite::Database& database, Keeper& keeper, std::span<const Handed> noted) {
  bool left_out = false;
  auto loaded = load_some(database, keeper, noted, false, left_out);
  if (loaded || !left_out || loaded.error().code != base::Code::corrupt) return loaded;
  keeper = Keeper(database.path());
  return load_some(database, keeper, noted, true, left_out);
}

}  // namespace weir::spool
