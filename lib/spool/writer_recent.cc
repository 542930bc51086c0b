// What a writer notes between commits, and what the next one makes of it.
//
// The content: the number that the next block would have had (a word: with any other the note is of another time and void), a byte
// that is 1 when the positions are safe as they are, and for each block its number (varint, ignored when safe) and positions
// (string).
#include "spool/writer_state.h"
#include "spool/wire.h"

#include <poll.h>

namespace weir::spool {
namespace {

constexpr int kAskAgain = 50;                            // ms
constexpr base::Duration kLastWord = 10 * base::kSecond;  // that a consumer whose chain was killed may take to deliver the rest

}  // namespace

bool Writer::note(std::span<const Handed> handed) { return state_->note(handed, false); }

bool Writer::note_safe(std::string_view positions) {
  const Handed one{0, std::string(positions)};
  return state_->note({&one, 1}, true);
}

bool Writer::State::note(std::span<const Handed> handed, bool safe) {
  std::string content;
  wire::put_word(content, next_block);
  content.push_back(safe ? 1 : 0);
  for (const Handed& one : handed) {
    wire::put_varint(content, one.block);
    wire::put_bytes(content, one.positions);
  }
  return recent.write(content);
}

base::Result<void> Writer::State::settle_recent(const base::Stop* stop) {
  const std::string content = RecentFile::read(writer_recent_path(options.path), file.id);
  wire::Cursor cursor(content);
  if (content.empty() || cursor.word() != next_block) return {};
  const bool safe = cursor.byte() == 1;
  std::vector<RecentPlaces> acknowledged;
  if (!safe) {
    if (auto waited = wait_for_consumers(stop); !waited) return waited;
    auto places = recently_acknowledged();
    if (!places) return std::move(places).error();
    acknowledged = std::move(*places);
  }
  auto there = file.database.prepare("SELECT 1 FROM blocks WHERE id = ?");
  if (!there) return std::move(there).error();
  auto transaction = sqlite::Transaction::begin(file.database, sqlite::Transaction::Kind::write);
  if (!transaction) return std::move(transaction).error();
  const base::Timestamp now = clock->wall();
  while (cursor.left() > 0) {
    Handed handed{cursor.varint(), {}};
    handed.positions = cursor.bytes();
    if (cursor.failed()) break;
    if (safe) handed.block = next_block++;
    if (handed.block <= through_block) continue;  // stored, and since then part of the snapshot
    there->bind(1, static_cast<std::int64_t>(handed.block));
    auto stored = there->step();
    if (!stored) return std::move(stored).error();
    there->reset();
    if (*stored) continue;
    const auto passed = [&](const RecentPlaces& one) { return one.places.contains({handed.block, 0}, {handed.block + 1, 0}); };
    // The first that somebody still lacks ends it: what comes behind is read again with it.
    if (!safe && (acknowledged.empty() || !std::ranges::all_of(acknowledged, passed))) break;
    if (handed.positions.empty()) continue;
    if (auto done = insert(handed, now); !done) return done;
  }
  if (auto done = transaction->commit(); !done) return done;
  return load_numbers();
}

base::Result<void> Writer::State::wait_for_consumers(const base::Stop* stop) {
  std::vector<std::string> names;
  auto rows = file.database.prepare("SELECT name FROM consumers");
  if (!rows) return std::move(rows).error();
  while (true) {
    auto row = rows->step();
    if (!row) return std::move(row).error();
    if (!*row) break;
    names.emplace_back(rows->text(0));
  }
  const base::Monotonic deadline = base::after(clock->monotonic(), std::min(options.wait, kLastWord));
  for (const std::string& name : names) {
    while (is_locked(consumer_lock_path(options.path, name)) && clock->monotonic() < deadline && (stop == nullptr || !stop->stopped())) {
      struct pollfd input = {stop != nullptr ? stop->fd() : -1, POLLIN, 0};
      ::poll(&input, 1, kAskAgain);
    }
  }
  return {};
}

}  // namespace weir::spool
