#include "spool/positions_file.h"

#include "spool/recent_state.h"
#include "spool/spool_file.h"

#include <poll.h>

namespace weir::spool {
namespace {

constexpr base::Duration kTry = 250 * base::kMillisecond;

base::Result<record::Positions> try_read(const std::string& path) {
  auto file = open_for_reading(path, kTry);
  if (!file) return std::move(file).error();
  if (!file->has_value()) return record::Positions();
  sqlite::Database& database = (*file)->database;
  auto transaction = sqlite::Transaction::begin(database, sqlite::Transaction::Kind::read);
  if (!transaction) return std::move(transaction).error();
  Keeper keeper(path);
  // With what was noted since the last commit: who starts from older positions reads files again that the keeper has done with, and
  // looks for those that are gone.
  if (auto loaded = load_recent_positions(database, path, (*file)->id, keeper); !loaded) {
    return std::move(loaded).error().within(fmt::format("cannot start from the positions in '{}'", path));
  }
  return keeper.positions(true);
}

}  // namespace

base::Result<record::Positions> read_positions(const std::string& wanted, base::Duration wait, const base::Stop* stop) {
  const std::string path = real_path(wanted);
  const base::Clock& clock = base::Clock::system();
  const base::Monotonic deadline = base::after(clock.monotonic(), wait);
  while (true) {
    auto positions = try_read(path);
    // A damaged file is waited for, too: the stage that keeps the positions may be repairing it at this moment.
    const bool damaged = !positions && positions.error().code == base::Code::corrupt;
    if (positions || (!damaged && positions.error().code != base::Code::busy)) return positions;
    if (damaged) {
      struct pollfd input = {stop != nullptr ? stop->fd() : -1, POLLIN, 0};
      ::poll(&input, 1, static_cast<int>(kTry / base::kMillisecond));
    }
    if (clock.monotonic() >= deadline) return positions;
    if (stop != nullptr && stop->stopped())
      return base::fail(base::Code::interrupted, "cannot read positions from '{}': stopped while it was busy", path);
  }
}

}  // namespace weir::spool
