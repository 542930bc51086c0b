#include "show/chart.h"

#include "show/answer.h"
#include "show/screen.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace weir::show {
namespace {

using base::kSecond;
using test::kMorning;

TEST(Chart, ScalesAreRound) {
  const auto f = [](double least, double most, std::size_t marks, double low, double high, double step) {
    const Scale scale = scale_for(least, most, marks);
    EXPECT_DOUBLE_EQ(scale.low, low) << least << " to " << most;
    EXPECT_DOUBLE_EQ(scale.high, high) << least << " to " << most;
    EXPECT_DOUBLE_EQ(scale.step, step) << least << " to " << most;
  };
  f(0, 10, 4, 0, 10, 2.5);
  f(3, 17, 4, 0, 20, 5);
  f(95, 105, 4, 95, 105, 2.5);  // 0 would cost most of the room
  f(-5, 5, 4, -5, 5, 2.5);
  f(-10, -1, 4, -10, 0, 2.5);
  f(7, 7, 4, 0, 8, 2);
  f(0, 0, 4, 0, 1, 0.25);
  f(0.001, 0.0042, 4, 0, 0.006, 0.002);
  f(0, 1e12, 4, 0, 1e12, 2.5e11);
}

SeriesSet rising(int series) {
  SeriesSet set;
  test::Answer answer;
  for (int s = 0; s < series; ++s) {
    const std::string pod = "web-" + std::to_string(s);
    for (int i = 0; i <= 20; ++i) {
      answer.add_sample(kMorning + i * 15 * kSecond, std::to_string(i * (s + 1)), {{"app", "x"}, {"pod", pod}});
    }
  }
  for (const record::Record& record : answer.batch.records) set.add(record);
  return set;
}

TEST(Chart, OneSeries) {
  const test::ZoneOf here("UTC0");
  EXPECT_EQ(chart_text(rising(1), {.width = 40}, 6),
            "20 ┤                              ⣀⡠⠤⠒⠒⠉\n"
            "   │                        ⢀⣀⠤⠤⠒⠉\n"
            "   │                  ⢀⡠⠤⠒⠊⠉⠁\n"
            "10 ┤            ⣀⡠⠤⠔⠒⠊⠁\n"
            "   │      ⣀⠤⠔⠒⠉⠉\n"
            " 0 ┤⣀⡠⠤⠒⠒⠉\n"
            "   └────────────────────────────────────\n"
            "    10:00:00      10:02:30      10:05:00\n"
            "  LAST MEAN MAX\n"
            "━   20   10  20\n");
}

TEST(Chart, SeriesHaveMarksWithoutColour) {
  const test::ZoneOf here("UTC0");
  const std::string text = chart_text(rising(7), {.width = 40, .unicode = false}, 6);
  test::expect_fits(text, 40);
  EXPECT_NE(text.find("* "), std::string::npos);
  EXPECT_NE(text.find("#"), std::string::npos);
  EXPECT_NE(text.find("\n*  140   70 140 web-6\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\n    20   10  20 web-0\n"), std::string::npos) << text;  // named, not drawn
}

TEST(Chart, ManySeriesAreCounted) {
  const std::string text = chart_text(rising(400), {.width = 80, .color = true}, 10);
  test::expect_fits(text, 80);
  EXPECT_NE(text.find("and 385 more series"), std::string::npos) << text;
}

TEST(Chart, WithoutAnyNumberTheLegendIsAll) {
  SeriesSet set;
  test::Answer answer;
  answer.add_sample(kMorning, "NaN", {{"pod", "a"}});
  answer.add_sample(kMorning + kSecond, "+Inf", {{"pod", "a"}});
  for (const record::Record& record : answer.batch.records) set.add(record);
  EXPECT_EQ(chart_text(set, {.width = 80}, 10), "  LAST MEAN MAX\n     -    -   -\n");
}

TEST(Chart, IsNeverTooWide) {
  std::mt19937 random(17);
  for (int i = 0; i < 300; ++i) {
    SeriesSet set;
    test::Answer answer;
    const double size = std::pow(10.0, static_cast<double>(random() % 24) - 8);
    for (std::size_t s = 0; s < 1 + random() % 8; ++s) {
      const std::string name = s % 2 == 0 ? "中文" + std::to_string(s) : std::string(random() % 200, 'p') + std::to_string(s);
      for (int point = 0; point < 40; ++point) {
        if (random() % 4 == 0) continue;
        const double value = (static_cast<double>(random() % 1000) - (i % 3 == 0 ? 500 : 0)) * size;
        answer.add_sample(kMorning + point * kSecond, std::to_string(value), {{"pod", name}, {"x\x1b[1m", "\x7f"}});
      }
    }
    answer.add_sample(kMorning, "1", {{"pod", "last"}});
    for (const record::Record& record : answer.batch.records) set.add(record);
    const std::size_t width = 10 + random() % 120;
    test::expect_fits(chart_text(set, {.width = width, .color = i % 2 == 0, .unicode = i % 5 != 0}, 8 + random() % 8), width);
  }
}

}  // namespace
}  // namespace weir::show
