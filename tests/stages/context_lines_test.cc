#include "stages/context_lines.h"

#include "record/context_mark.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace weir::stages {
namespace {

using record::Batch;
using record::LabelSet;
using record::Record;

struct Line {
  std::string log, text;
  bool matches = false;
  std::string stream = "stdout";
};

// "1: a b- c+": group 1 with the match a, b before a match, and c behind one.
std::vector<std::string> groups_of(std::size_t before, std::size_t after, const std::vector<Line>& lines,
                                   std::size_t most = 1 << 20) {
  std::map<std::string, std::string> groups;
  std::vector<std::string> order;
  ContextLines context(
      before, after,
      [&](Batch& batch) -> base::Result<bool> {
        for (Record& record : batch.records) {
          const std::string number(record::find(record.metadata, record::kContextGroup));
          const std::string_view place = record::find(record.metadata, record::kContextPlace);
          if (order.empty() || order.back() != number) order.push_back(number);
          std::string& text = groups[number];
          text += fmt::format("{}{}{}", text.empty() ? "" : " ", batch.line(record),
                              place == "before"  ? "-"
                              : place == "after" ? "+"
                                                 : "");
        }
        return true;
      },
      most);
  base::Timestamp time = 0;
  for (const Line& line : lines) {
    Batch batch;
    Record record;
    record.timestamp = ++time;
    record.labels = batch.hold(LabelSet::intern({{"pod", line.log}, {"stream", line.stream}}));
    record.line = record::Text::bytes(batch.copy(line.text));
    batch.records.push_back(record);
    const auto more = context.add(batch, batch.records[0], line.matches);
    EXPECT_TRUE(more.ok() && *more);
  }
  EXPECT_TRUE(context.finish().ok());
  std::vector<std::string> found;
  for (const std::string& number : order) found.push_back(number + ": " + groups[number]);
  return found;
}

// A capital letter matches.
std::vector<Line> of(const std::string& log, const std::string& text) {
  std::vector<Line> lines;
  for (const char c : text) lines.push_back({log, std::string(1, c), c >= 'A' && c <= 'Z'});
  return lines;
}

using Groups = std::vector<std::string>;

TEST(ContextLines, AroundOneMatch) {
  EXPECT_EQ(groups_of(2, 1, of("p", "abcXdef")), (Groups{"1: b- c- X d+"}));
  EXPECT_EQ(groups_of(0, 2, of("p", "abcXdef")), (Groups{"1: X d+ e+"}));
  EXPECT_EQ(groups_of(9, 9, of("p", "aXb")), (Groups{"1: a- X b+"}));
  EXPECT_EQ(groups_of(1, 1, of("p", "abc")), (Groups{}));
}

TEST(ContextLines, OverlapsAndNeighboursAreOneGroup) {
  EXPECT_EQ(groups_of(1, 1, of("p", "XaYb")), (Groups{"1: X a+ Y b+"}));
  EXPECT_EQ(groups_of(1, 1, of("p", "XabYc")), (Groups{"1: X a+ b- Y c+"}));
  EXPECT_EQ(groups_of(1, 1, of("p", "XabcYd")), (Groups{"1: X a+", "2: c- Y d+"}));
  EXPECT_EQ(groups_of(0, 1, of("p", "XYabZ")), (Groups{"1: X Y a+", "2: Z"}));
  EXPECT_EQ(groups_of(2, 0, of("p", "aXYbcdZ")), (Groups{"1: a- X Y", "2: c- d- Z"}));
}

TEST(ContextLines, EachLogHasItsOwnAndStderrBelongsToStdout) {
  std::vector<Line> lines = {{"a", "1"}, {"b", "2"}, {"a", "X", true, "stderr"}, {"b", "3"}, {"a", "4"}, {"b", "5"}};
  EXPECT_EQ(groups_of(1, 1, lines), (Groups{"1: 1- X 4+"}));
}

TEST(ContextLines, GroupsComeInTheOrderOfTheirFirstRecords) {
  std::vector<Line> lines = {{"quiet", "X", true}, {"a", "Y", true}, {"a", "1"}, {"a", "2"}, {"a", "3"}, {"quiet", "late"}};
  EXPECT_EQ(groups_of(0, 1, lines), (Groups{"1: X late+", "2: Y 1+"}));
}

TEST(ContextLines, ContextOfALaterMatchMayBeginAnEarlierGroup) {
  std::vector<Line> lines = {{"slow", "1"}, {"a", "X", true}, {"a", "2"}, {"a", "3"}, {"slow", "Y", true}, {"b", "Z", true}};
  EXPECT_EQ(groups_of(1, 1, lines), (Groups{"1: 1- Y", "2: X 2+", "3: Z"}));
}

TEST(ContextLines, AGroupThatIsTooLargeComesInParts) {
  std::vector<Line> lines;
  for (int i = 0; i < 1000; ++i) lines.push_back({"p", fmt::format("{:0100}", i), true});
  const auto groups = groups_of(1, 1, lines, 10'000);
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(std::count(groups[0].begin(), groups[0].end(), ' '), 1000);
}

// grep -A -B of each log alone, by index.
TEST(ContextLines, EqualsTheObviousWay) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    const std::size_t before = random() % 4, after = random() % 4;
    std::vector<Line> lines;
    std::map<std::string, std::vector<std::size_t>> logs;
    for (std::size_t i = 0; i < 60; ++i) {
      lines.push_back({std::string(1, static_cast<char>('a' + random() % 3)), fmt::to_string(i), random() % 8 == 0});
      logs[lines.back().log].push_back(i);
    }
    std::map<std::size_t, std::string> expected;  // by the index of the first record
    for (const auto& [log, all] : logs) {
      std::string text;
      std::size_t first = 0, last = 0;
      for (std::size_t at = 0; at < all.size(); ++at) {
        bool match = lines[all[at]].matches, behind = false, ahead = false;
        for (std::size_t i = 0; i < all.size(); ++i) {
          if (!lines[all[i]].matches) continue;
          behind = behind || (i < at && at - i <= after);
          ahead = ahead || (i > at && i - at <= before);
        }
        if (!match && !behind && !ahead) continue;
        if (!text.empty() && last + 1 != at) expected[first] = text, text.clear();
        if (text.empty()) first = all[at];
        text += fmt::format("{}{}{}", text.empty() ? "" : " ", all[at], match ? "" : behind ? "+" : "-");
        last = at;
      }
      if (!text.empty()) expected[first] = text;
    }
    std::vector<std::string> found = groups_of(before, after, lines), wanted;
    for (const auto& [first, text] : expected) wanted.push_back(fmt::format("{}: {}", wanted.size() + 1, text));
    ASSERT_EQ(found, wanted) << "round " << round << ", -B " << before << " -A " << after;
  }
}

}  // namespace
}  // namespace weir::stages
