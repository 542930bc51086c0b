#include "record/age.h"

#include "base/count.h"

#include <array>
#include <limits>

namespace weir::record {
namespace {

struct Unit {
  base::Duration length;
  std::string_view name;
};
constexpr std::array<Unit, 5> kUnits = {{{365 * 24 * base::kHour, "year"},
                                         {24 * base::kHour, "day"},
                                         {base::kHour, "hour"},
                                         {base::kMinute, "minute"},
                                         {base::kSecond, "second"}}};
constexpr base::Duration kFew = 10;  // of the largest unit: beyond, the next one says nothing more

std::string number_of(base::Duration count, std::string_view name) {
  return base::count_of(static_cast<std::uint64_t>(count), name);
}

base::Duration between(base::Timestamp earlier, base::Timestamp later) {
  constexpr auto most = std::numeric_limits<base::Duration>::max();
  return earlier < 0 && later > most + earlier ? most : later - earlier;
}

}  // namespace

std::string in_words(base::Duration duration) {
  if (duration < 0)
    duration = duration == std::numeric_limits<base::Duration>::min() ? std::numeric_limits<base::Duration>::max() : -duration;
  for (std::size_t i = 0; i < kUnits.size(); ++i) {
    const base::Duration count = duration / kUnits[i].length;
    if (count == 0) continue;
    std::string text = number_of(count, kUnits[i].name);
    if (i + 1 == kUnits.size() || count >= kFew) return text;
    const base::Duration rest = duration % kUnits[i].length / kUnits[i + 1].length;
    return rest == 0 ? text : text + ' ' + number_of(rest, kUnits[i + 1].name);
  }
  return "0 seconds";
}

std::string age_in_words(base::Timestamp time, base::Timestamp now) {
  const base::Duration distance = time <= now ? between(time, now) : between(now, time);
  if (distance < base::kSecond) return "now";
  return time <= now ? in_words(distance) + " ago" : "in " + in_words(distance);
}

}  // namespace weir::record
