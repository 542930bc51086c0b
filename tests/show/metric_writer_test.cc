#include "show/metric_writer.h"

#include "show/answer.h"
#include "show/screen.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace weir::show {
namespace {

using base::kSecond;
using test::kMorning;

TEST(MetricWriter, OneTimeIsATable) {
  const test::ZoneOf here("UTC0");
  test::Answer answer;
  answer.add_sample(kMorning, "12.5", {{"namespace", "shop"}, {"pod", "web-1"}});
  answer.add_sample(kMorning, "0.066666666666666667", {{"namespace", "shop"}, {"pod", "web-2"}});
  MetricWriter screen({.screen = true, .canvas = {.width = 80}});
  EXPECT_EQ(answer.text(screen),
            "2026-05-01 10:00:00 UTC  {namespace=\"shop\"}\n"
            "   VALUE pod\n"
            "12.5     web-1\n"
            " 0.06667 web-2\n");
  MetricWriter pipe({});
  EXPECT_EQ(answer.text(pipe),
            "                VALUE namespace pod\n"
            "12.5                  shop      web-1\n"
            " 0.066666666666666667 shop      web-2\n");
}

TEST(MetricWriter, OverTimeIsAChartOrARowASeries) {
  const test::ZoneOf here("UTC0");
  test::Answer answer;
  for (int i = 0; i < 4; ++i) answer.add_sample(kMorning + i * kSecond, std::to_string(i), {{"pod", "web-1"}});
  MetricWriter screen({.screen = true, .rows = 8, .canvas = {.width = 60}});
  const std::string chart = answer.text(screen);
  test::expect_fits(chart, 60);
  EXPECT_TRUE(chart.starts_with("2026-05-01 10:00:00 – 10:00:03 UTC  {pod=\"web-1\"}\n")) << chart;
  MetricWriter pipe({});
  EXPECT_EQ(answer.text(pipe),
            "POINTS LAST MEAN MIN MAX pod\n"
            "     4    3  1.5   0   3 web-1\n");
}

TEST(MetricWriter, TooManyPointsBecomeLines) {
  const test::ZoneOf here("UTC0");
  MetricWriter writer({.screen = true, .canvas = {.width = 80}});
  std::string out;
  for (std::size_t i = 0; i < SeriesSet::kMostPoints; ++i) {
    if (i % 1024 != 0) continue;
    test::Answer answer;
    for (int k = 0; k < 1024; ++k) answer.add_sample(kMorning, "2.50", {{"pod", "a"}});
    for (record::Record& record : answer.batch.records) writer.add(out, answer.batch, record);
  }
  EXPECT_EQ(out, "");
  test::Answer last;
  last.add_sample(kMorning + kSecond, "7", {{"pod", "a"}});
  const std::string text = last.text(writer);
  EXPECT_TRUE(text.starts_with("2026-05-01 10:00:00.000 2.5 {pod=\"a\"}\n"));
  EXPECT_TRUE(text.ends_with("\n2026-05-01 10:00:01.000 7 {pod=\"a\"}\n"));
  EXPECT_EQ(std::ranges::count(text, '\n'), static_cast<std::ptrdiff_t>(SeriesSet::kMostPoints) + 1);
  EXPECT_FALSE(writer.holds());
}

}  // namespace
}  // namespace weir::show
