// What a consumer has acknowledged since its last commit, as it lies in its recent file.
#pragma once

#include "base/clock.h"
#include "spool/place.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::spool {

struct RecentPlaces {
  base::Timestamp updated = 0;  // of the consumer's row that `places` builds on: with any other row they mean nothing
  PlaceSet places;
};

[[nodiscard]] std::string encode_recent(base::Timestamp updated, const PlaceSet& places);

// What consumer `name` of the spool at `path` with this identity has left; nullopt for nothing.
[[nodiscard]] std::optional<RecentPlaces> read_recent_places(const std::string& path, std::uint64_t spool, std::string_view name);

}  // namespace weir::spool
