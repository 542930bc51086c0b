#include "spool/tables/losses.h"

#include "spool/tables/meta.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace weir::spool {
namespace {

using base::Result;

constexpr std::string_view kLog = "gap_log.";  // and behind it the name of the log

Result<void> add_log(sqlite::Database& database, std::string_view log, std::uint64_t bytes) {
  const std::string name = fmt::format("{}{}", kLog, log);
  // One that is known already, or as long as there are few.
  auto add = database.query(
      "INSERT INTO meta SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM meta WHERE name = ?1) OR "
      "(SELECT count(*) FROM meta WHERE name GLOB 'gap_log.*') < ?3 "
      "ON CONFLICT (name) DO UPDATE SET value = value + ?2");
  if (!add) return std::move(add).error();
  (*add)
      ->bind_text(1, name)
      .bind(2, static_cast<std::int64_t>(bytes))
      .bind(3, static_cast<std::int64_t>(record::LostData::kMostLogs));
  return (*add)->run();
}

}  // namespace

void Losses::add_gap(std::string_view log, std::optional<std::uint64_t> bytes, base::Timestamp now) {
  data.add(log, bytes);
  if (first_gap == 0) first_gap = now;
  last_gap = std::max(last_gap, now);
}

Result<void> add_losses(sqlite::Database& database, const Losses& more) {
  for (const auto& [key, count] :
       {std::pair(Meta::gaps, more.data.parts), std::pair(Meta::gap_bytes, more.data.bytes),
        std::pair(Meta::gaps_unknown, more.data.parts_unknown), std::pair(Meta::held_shed, more.held_shed)}) {
    if (count == 0) continue;
    if (auto done = add_to_meta(database, key, count); !done) return done;
  }
  if (more.data.parts == 0) return {};
  auto first = read_meta(database, Meta::first_gap);
  if (!first) return std::move(first).error();
  if (*first == 0) {
    if (auto done = set_meta(database, Meta::first_gap, more.first_gap); !done) return done;
  }
  if (auto done = set_meta(database, Meta::last_gap, more.last_gap); !done) return done;
  for (const auto& [log, bytes] : more.data.logs) {
    if (auto done = add_log(database, log, bytes); !done) return done;
  }
  return {};
}

Result<Losses> read_losses(sqlite::Database& database) {
  Losses losses;
  const std::array<std::pair<Meta, std::uint64_t*>, 4> counts = {{{Meta::gaps, &losses.data.parts},
                                                                  {Meta::gap_bytes, &losses.data.bytes},
                                                                  {Meta::gaps_unknown, &losses.data.parts_unknown},
                                                                  {Meta::held_shed, &losses.held_shed}}};
  for (const auto& [key, value] : counts) {
    auto read = read_meta(database, key);
    if (!read) return std::move(read).error();
    *value = static_cast<std::uint64_t>(*read);
  }
  for (const auto& [key, value] : {std::pair(Meta::first_gap, &losses.first_gap), std::pair(Meta::last_gap, &losses.last_gap)}) {
    auto read = read_meta(database, key);
    if (!read) return std::move(read).error();
    *value = *read;
  }
  auto rows = database.prepare("SELECT substr(name, 9), value FROM meta WHERE name GLOB 'gap_log.*' LIMIT 1000");
  if (!rows) return std::move(rows).error();
  auto done =
      rows->for_rows([&] { losses.data.logs.emplace(std::string(rows->text(0)), static_cast<std::uint64_t>(rows->integer(1))); });
  if (!done) return std::move(done).error();
  return losses;
}

}  // namespace weir::spool
