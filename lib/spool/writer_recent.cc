// What a writer notes between commits, and what the next one makes of it.
#include "spool/writer_state.h"

#include "spool/tables/consumers.h"

#include <poll.h>

#include <algorithm>

namespace weir::spool {
namespace {

constexpr int kAskAgain = 50;                             // ms
constexpr base::Duration kLastWord = 10 * base::kSecond;  // that a consumer whose chain was killed may take to deliver the rest

}  // namespace

bool Writer::note(std::span<const Handed> handed) {
  return state_->recent.write(encode_noted(state_->numbers.next(), false, handed));
}

bool Writer::note_safe(std::string_view positions) {
  const Handed one{0, std::string(positions)};
  return state_->recent.write(encode_noted(state_->numbers.next(), true, {&one, 1}));
}

base::Result<void> Writer::State::store_recent(const base::Stop* stop) {
  auto noted = read_noted(options.path, file.id, numbers.next());
  if (!noted) return {};
  if (!noted->safe) {
    if (auto waited = wait_for_consumers(stop); !waited) return waited;
  }
  auto transaction = sqlite::Transaction::begin(file.database, sqlite::Transaction::Kind::write);
  if (!transaction) return std::move(transaction).error();
  auto safe = safe_positions(file.database, options.path, file.id, std::move(*noted), numbers.next());
  if (!safe) return std::move(safe).error();
  const base::Timestamp now = clock->wall();
  for (const Handed& handed : *safe) {
    if (auto done = insert(handed, now); !done) return done;
  }
  if (!safe->empty()) {
    if (auto done = delete_held_groups(file.database, safe->back().block); !done) return done;
  }
  if (auto done = transaction->commit(); !done) return done;
  return load_numbers();
}

base::Result<void> Writer::State::settle_held() {
  auto ties = read_held_groups(file.database);
  if (!ties) return std::move(ties).error();
  if (ties->empty()) return {};
  auto transaction = sqlite::Transaction::begin(file.database, sqlite::Transaction::Kind::write);
  if (!transaction) return std::move(transaction).error();
  std::vector<std::uint64_t> gone;
  for (const HeldGroup& tie : *ties) {
    // A release that does not know held groups may have stored these positions, or only later ones. Nobody can tell, so the records
    // stay: they may be nowhere else.
    auto safe = has_positions_from(file.database, tie.group);
    if (!safe) return std::move(safe).error();
    if (*safe) continue;
    if (auto done = evict(tie.block, false); !done) return done;
    gone.push_back(tie.block);
  }
  // An empty row keeps the last number in the file, because the note of the log names it.
  if (!gone.empty()) {
    if (auto done = insert(Handed{gone.back(), {}}, clock->wall()); !done) return done;
  }
  if (auto done = delete_held_groups(file.database, ~std::uint64_t{0}); !done) return done;
  if (auto done = transaction->commit(); !done) return done;
  std::erase_if(blocks, [&](const StoredBlock& block) { return std::ranges::binary_search(gone, block.id); });
  return {};
}

base::Result<void> Writer::State::wait_for_consumers(const base::Stop* stop) {
  auto names = consumer_names(file.database);
  if (!names) return std::move(names).error();
  const base::Monotonic deadline = base::after(clock->monotonic(), std::min(options.wait, kLastWord));
  for (const std::string& name : *names) {
    while (is_locked(consumer_lock_path(options.path, name)) && clock->monotonic() < deadline &&
           (stop == nullptr || !stop->stopped())) {
      struct pollfd input = {stop != nullptr ? stop->fd() : -1, POLLIN, 0};
      ::poll(&input, 1, kAskAgain);
    }
  }
  return {};
}

}  // namespace weir::spool
