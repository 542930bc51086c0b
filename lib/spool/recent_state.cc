// What a writer notes: the number that the next block would have had (a word: with any other the note is of another time and void),
// a byte that is 1 when the positions are safe as they are, and for each block its number (varint, ignored when safe) and positions
// (string).
#include "spool/recent_state.h"

#include "spool/recent_file.h"
#include "spool/stored_positions.h"
#include "spool/tables/blocks.h"
#include "spool/tables/consumers.h"
#include "spool/tables/positions.h"
#include "spool/wire.h"

#include <algorithm>

namespace weir::spool {

std::string encode_noted(std::uint64_t next_block, bool safe, std::span<const Handed> handed) {
  std::string content;
  wire::put_word(content, next_block);
  content.push_back(safe ? 1 : 0);
  for (const Handed& one : handed) {
    wire::put_varint(content, one.block);
    wire::put_bytes(content, one.positions);
  }
  return content;
}

base::Result<std::vector<RecentPlaces>> recently_acknowledged(sqlite::Database& database, const std::string& path,
                                                              std::uint64_t spool) {
  std::vector<RecentPlaces> all;
  auto consumers = read_consumers(database);
  if (!consumers) return std::move(consumers).error();
  for (ConsumerRow& row : *consumers) {
    RecentPlaces one{row.updated, std::move(row.places)};
    if (const auto recently = read_recent_places(path, spool, row.name); recently && recently->updated == one.updated) {
      one.places = recently->places;
    }
    all.push_back(std::move(one));
  }
  return all;
}

base::Result<std::uint64_t> next_number(sqlite::Database& database, const std::string& path, std::uint64_t spool) {
  auto highest = highest_number(database);
  if (!highest) return std::move(highest).error();
  if (*highest < 0 || *highest > INT64_MAX / 2)
    return base::fail(base::Code::corrupt, "cannot use '{}': its numbers are damaged", path);
  auto next = static_cast<std::uint64_t>(*highest) + 1;
  auto acknowledged = recently_acknowledged(database, path, spool);
  if (!acknowledged) return std::move(acknowledged).error();
  for (const RecentPlaces& recently : *acknowledged) {
    next = std::max(next, recently.places.before().block);
    for (const PlaceSet::Stretch& stretch : recently.places.stretches()) next = std::max(next, stretch.to.block + 1);
  }
  return next;
}

std::optional<Noted> read_noted(const std::string& path, std::uint64_t spool, std::uint64_t next_block) {
  const std::string content = RecentFile::read(writer_recent_path(path), spool);
  wire::Cursor cursor(content);
  if (content.empty() || cursor.word() != next_block) return std::nullopt;
  Noted noted{.safe = cursor.byte() == 1, .handed = {}};
  while (cursor.left() > 0) {
    Handed handed{cursor.varint(), {}};
    handed.positions = cursor.bytes();
    if (cursor.failed()) break;
    noted.handed.push_back(std::move(handed));
  }
  return noted;
}

base::Result<std::vector<Handed>> safe_positions(sqlite::Database& database, const std::string& path, std::uint64_t spool,
                                                 Noted noted, std::uint64_t next_block) {
  std::vector<Handed> safe;
  std::vector<RecentPlaces> acknowledged;
  if (!noted.safe) {
    auto places = recently_acknowledged(database, path, spool);
    if (!places) return std::move(places).error();
    acknowledged = std::move(*places);
  }
  auto through = read_through_block(database);
  if (!through) return std::move(through).error();
  for (Handed& handed : noted.handed) {
    if (noted.safe) handed.block = next_block++;
    if (handed.block <= *through) continue;  // stored, and since then part of the snapshot
    auto stored = has_block(database, handed.block);
    if (!stored) return std::move(stored).error();
    if (*stored) continue;
    const auto passed = [&](const RecentPlaces& one) { return one.places.contains({handed.block, 0}, {handed.block + 1, 0}); };
    // The first that somebody still lacks ends it: what comes behind is read again with it.
    if (!noted.safe && (acknowledged.empty() || !std::ranges::all_of(acknowledged, passed))) break;
    if (!handed.positions.empty()) safe.push_back(std::move(handed));
  }
  return safe;
}

base::Result<void> load_recent_positions(sqlite::Database& database, const std::string& path, std::uint64_t spool, Keeper& keeper) {
  auto next = next_number(database, path, spool);
  if (!next) return std::move(next).error();
  auto noted = read_noted(path, spool, *next);
  if (!noted) return load_positions(database, keeper);
  auto safe = safe_positions(database, path, spool, std::move(*noted), *next);
  if (!safe) return std::move(safe).error();
  return load_positions(database, keeper, *safe);
}

}  // namespace weir::spool
