#include "spool/stored_positions.h"

#include "spool/tables/blocks.h"
#include "spool/tables/positions.h"

#include <limits>

namespace weir::spool {
namespace {

base::Result<void> load_some(sqlite::Database& database, Keeper& keeper, std::span<const Handed> noted, bool all, bool& left_out) {
  auto snapshot = read_snapshot(database);
  if (!snapshot) return std::move(snapshot).error();
  std::uint64_t through = 0;
  if (*snapshot) {
    if (!(*snapshot)->sound())
      return base::fail(base::Code::corrupt, "cannot read positions of '{}': their checksum is wrong", database.path());
    if (auto loaded = keeper.load((*snapshot)->body); !loaded) return loaded;
    through = (*snapshot)->through_block;
    snapshot->reset();  // its memory, too
  }
  const auto load_noted_before = [&](std::uint64_t block) -> base::Result<void> {
    for (; !noted.empty() && noted.front().block < block; noted = noted.subspan(1)) {
      if (auto loaded = keeper.load(noted.front().positions); !loaded) return loaded;
    }
    return {};
  };
  auto done = for_each_delta(database, through, [&](const BlockView& block) -> base::Result<void> {
    if (auto loaded = load_noted_before(block.info.id); !loaded) return loaded;
    if (!all && !block.sound()) {
      left_out = true;
      return {};
    }
    return keeper.load(block.positions);
  });
  return done ? load_noted_before(std::numeric_limits<std::uint64_t>::max()) : done;
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
