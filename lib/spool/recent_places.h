// The acknowledgements of a consumer since its last commit, in the form of its recent file.
#pragma once

#include "base/clock.h"
#include "spool/place.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::spool {

struct RecentPlaces {
  base::Timestamp updated = 0;  // of the consumer's row; `places` are valid only with that row
  PlaceSet places;
};

[[nodiscard]] std::string encode_recent(base::Timestamp updated, const PlaceSet& places);

// Reads the recent file of the consumer `name` of the spool with this path and identity; nullopt when there is none.
[[nodiscard]] std::optional<RecentPlaces> read_recent_places(const std::string& path, std::uint64_t spool, std::string_view name);

}  // namespace weir::spool
