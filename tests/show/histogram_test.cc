#include "show/histogram.h"

#include "show/answer.h"
#include "show/screen.h"

#include <gtest/gtest.h>

#include <random>

namespace weir::show {
namespace {

using base::kMinute;
using base::kSecond;
using test::kMorning;

TEST(Histogram, ShowsWhenAndWhatLevel) {
  const test::ZoneOf here("UTC0");
  Histogram histogram;
  // A record a second for a minute, eight in the tenth; errors in the last two, one warning at the beginning.
  for (int i = 0; i < 60; ++i)
    histogram.add(kMorning + i * kSecond, i >= 58 ? Level::error : i == 0 ? Level::warning : Level::info);
  for (int i = 0; i < 7; ++i) histogram.add(kMorning + 9 * kSecond + i * base::kMillisecond, Level::unknown);
  EXPECT_EQ(histogram.text({.width = 80}),
            "error                                                           ██   2\n"
            "warn  █                                                              1\n"
            "all   ▁▁▁▁▁▁▁▁▁█▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁  67\n"
            "      10:00:00                                            10:00:59  1s a column\n");
  EXPECT_EQ(histogram.text({.width = 40, .unicode = false}),
            "error                              #   2\n"
            "warn  #                                1\n"
            "all   ....#.........................  67\n"
            "      10:00:00              10:00:59\n");
  EXPECT_EQ(histogram.text({.width = 15}), "");
}

TEST(Histogram, NothingForFewOrForOneTime) {
  Histogram few, same;
  for (int i = 0; i < 4; ++i) few.add(kMorning + i * kSecond, Level::info);
  for (int i = 0; i < 400; ++i) same.add(kMorning, Level::info);
  EXPECT_EQ(few.text({.width = 80}), "");
  EXPECT_EQ(same.text({.width = 80}), "");
}

TEST(Histogram, ColumnsAreRound) {
  const test::ZoneOf here("UTC0");
  const auto f = [](base::Duration time, const std::string& column) {
    Histogram histogram;
    for (int i = 0; i <= 200; ++i) histogram.add(kMorning + time / 200 * i, Level::info);
    const std::string text = histogram.text({.width = 100});
    EXPECT_NE(text.find("  " + column + " a column\n"), std::string::npos) << text;
  };
  f(10 * base::kMillisecond, "1ms");
  f(kSecond, "20ms");
  f(15 * kMinute, "15s");
  f(base::kHour, "1m");
  f(5 * 24 * base::kHour, "2h");
  f(400 * 24 * base::kHour, "7d");
}

// Any number of records, at any times, in any order: all are counted, in bounded memory, within the width.
TEST(Histogram, CountsEverything) {
  const test::ZoneOf here("UTC0");
  std::mt19937_64 random(17);
  for (const base::Duration span : {base::Duration{1000}, kSecond, 5 * base::kHour, 90'000 * base::kHour}) {
    Histogram histogram;
    for (int i = 0; i < 20'000; ++i) {
      histogram.add(kMorning + static_cast<base::Duration>(random() % static_cast<std::uint64_t>(span)),
                    static_cast<Level>(random() % 6));
    }
    for (const std::size_t width : {30U, 80U, 200U}) {
      const std::string text = histogram.text({.width = width, .color = true});
      test::expect_fits(text, width);
      EXPECT_NE(text.find("20,000"), std::string::npos) << text;
    }
  }
}

}  // namespace
}  // namespace weir::show
