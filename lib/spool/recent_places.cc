#include "spool/recent_places.h"

#include "spool/recent_file.h"
#include "spool/wire.h"

namespace weir::spool {

std::string encode_recent(base::Timestamp updated, const PlaceSet& places) {
  std::string out;
  wire::put_word(out, static_cast<std::uint64_t>(updated));
  wire::put_varint(out, places.before().block);
  wire::put_varint(out, places.before().ordinal);
  out += places.encode_stretches();
  return out;
}

std::optional<RecentPlaces> read_recent_places(const std::string& path, std::uint64_t spool, std::string_view name) {
  const std::string content = RecentFile::read(consumer_recent_path(path, name), spool);
  if (content.empty()) return std::nullopt;
  wire::Cursor cursor(content);
  RecentPlaces recent;
  recent.updated = static_cast<base::Timestamp>(cursor.word());
  BlockPlace before;
  before.block = cursor.varint();
  before.ordinal = static_cast<std::uint32_t>(cursor.varint());
  if (cursor.failed()) return std::nullopt;
  auto places = PlaceSet::decode(before, cursor.take(cursor.left()));
  if (!places) return std::nullopt;
  recent.places = std::move(*places);
  return recent;
}

}  // namespace weir::spool
