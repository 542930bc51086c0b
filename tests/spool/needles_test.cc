#include "spool/needles.h"

#include "spool/line_values.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace weir::spool {
namespace {

bool has_all(std::string_view line, const std::vector<Needles>& groups) {
  for (const Needles& group : groups) {
    bool any = false;
    for (const std::string& needle : group) any = any || line.find(needle) != std::string_view::npos;
    if (!any) return false;
  }
  return true;
}

TEST(NeedleSearch, FindsTheLinesThatHaveThem) {
  std::mt19937 random(5);
  for (int round = 0; round < 2000; ++round) {
    const auto text = [&](std::size_t most) {
      std::string out;
      for (std::size_t size = random() % most + 1; size > 0; --size) out += static_cast<char>('a' + random() % 3);
      return out;
    };
    std::vector<std::string> lines;
    std::string all;
    const bool separated = random() % 2 == 0;
    for (int i = 0; i < 20; ++i) {
      lines.push_back(random() % 5 == 0 ? "" : text(12));
      all += lines.back();
      if (separated) all += '\n';
    }
    std::vector<Needles> groups(random() % 3);
    for (Needles& group : groups) {
      for (std::size_t i = random() % 3 + 1; i > 0; --i) group.push_back(text(4));
    }
    NeedleSearch search(groups);
    std::size_t offset = 0, wanted = 0;
    const bool any = search.begin(all);
    for (const std::string& line : lines) {
      const bool expected = has_all(line, groups);
      wanted += expected ? 1 : 0;
      if (any && random() % 4 != 0) {
        ASSERT_EQ(search.wanted(offset, line.size()), expected) << line << " at " << offset << " of " << all;
      }
      offset += line.size() + (separated ? 1 : 0);
    }
    if (wanted > 0) {
      EXPECT_TRUE(any);
    }
  }
}

TEST(NeedleSearch, PartsThatNoValueReachesInto) {
  const auto part = [](std::string_view text) { return std::string(part_outside_values(text)); };
  EXPECT_EQ(part("needle"), "needl");
  EXPECT_EQ(part("error"), "rror");
  EXPECT_EQ(part("deadbeef"), "");
  EXPECT_EQ(part("2025-11-30T10:00"), "");
  EXPECT_EQ(part("status=503"), "status=");
  EXPECT_EQ(part("x0123456789abcdefx yy"), "x yy");  // a value may stand between
  EXPECT_EQ(part("x0123456789abcdex"), "x0123456789abcdex");
  EXPECT_EQ(part(""), "");
}

// Whatever is taken out of lines, the part of a needle is found where the needle was.
TEST(NeedleSearch, IsPossibleWhereverANeedleStands) {
  std::mt19937 random(9);
  for (int round = 0; round < 3000; ++round) {
    std::string lines;
    for (int i = 0; i < 6; ++i) {
      switch (random() % 5) {
        case 0:
          for (std::size_t n = random() % 40; n > 0; --n) lines += "0123456789abcdef"[random() % 16];
          break;
        case 1:
          lines += "123e4567-e89b-12d3-a456-426614174000";
          break;
        case 2:
          lines += "2025-11-30T10:00:07.049Z";
          break;
        case 3:
          lines += " id=";
          break;
        default:
          lines += "trace fee";
      }
    }
    std::string left = lines;
    LineValues values;
    left.resize(take_values(left.data(), left.size(), 0, values));
    const std::size_t begin = random() % lines.size();
    const std::vector<Needles> groups = {{lines.substr(begin, random() % 30 + 1)}};
    EXPECT_TRUE(NeedleSearch(groups).possible(left)) << groups[0][0] << " in " << lines;
  }
}

}  // namespace
}  // namespace weir::spool
