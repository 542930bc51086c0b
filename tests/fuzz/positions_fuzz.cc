// Positions and acknowledged places as they stand in a spool, beside it and in `source`: what is read is written back the same.
#include "fuzz/fuzz.h"
#include "record/source.h"
#include "spool/place.h"
#include "spool/recent_file.h"
#include "spool/recent_places.h"
#include "support/temp_dir.h"

#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  const std::string_view input = fuzz::text_of(data, size);
  if (const auto source = record::Source::parse(input)) {
    const std::string text = source->to_string();
    const auto again = record::Source::parse(text);
    WEIR_HOLDS(again && again->to_string() == text);
  }
  std::string_view places = input;
  const spool::BlockPlace before = {1 + fuzz::take_byte(places), fuzz::take_byte(places)};
  if (const auto set = spool::PlaceSet::decode(before, places)) {
    const auto again = spool::PlaceSet::decode(set->before(), set->encode_stretches());
    WEIR_HOLDS(again.ok());
    WEIR_HOLDS(*again == *set);
  }
  static const test::TempDir folder;
  const std::string spool = folder / "spool.db", recent = spool::consumer_recent_path(spool, "main");
  folder.write(std::string_view(recent).substr(folder.path().string().size() + 1), input);
  if (!spool::RecentFile::read(recent, 1).empty()) return 0;  // a slot with its checksum
  static spool::RecentFile file(recent, 1);
  if (!file.write(input)) return 0;
  if (const auto read = spool::read_recent_places(spool, 1, "main")) {
    WEIR_HOLDS(file.write(spool::encode_recent(read->updated, read->places)));
    const auto again = spool::read_recent_places(spool, 1, "main");
    WEIR_HOLDS(again && again->updated == read->updated && again->places == read->places);
  }
  return 0;
}
