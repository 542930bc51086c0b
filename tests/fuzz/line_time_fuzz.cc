// --timestamp-from: any value in any format is a time of the years 2000 to 2262 or none, the same each time.
#include "fuzz/fuzz.h"
#include "stages/time_format.h"

#include <algorithm>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  if (size > 4 << 10) return 0;
  const std::string_view text = fuzz::text_of(data, size);
  const std::size_t end = std::min(text.find('\n'), text.size());
  auto format = stages::TimeFormat::parse(text.substr(0, end));
  if (!format) {
    WEIR_HOLDS(!format.error().message.empty());
    return 0;
  }
  const std::string_view value = text.substr(std::min(end + 1, text.size()));
  constexpr base::Timestamp kNear = 1'700'000'000 * base::kSecond;
  const auto time = format->read(value, kNear);
  WEIR_HOLDS(!time || *time >= 946'684'800 * base::kSecond);
  WEIR_HOLDS(format->read(value, kNear) == time);
  return 0;
}
