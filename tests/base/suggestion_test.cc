#include "base/suggestion.h"

#include <gtest/gtest.h>

#include <vector>

namespace weir::base {
namespace {

TEST(Suggestion, Distance) {
  const auto f = [](std::string_view a, std::string_view b, std::size_t wanted) {
    EXPECT_EQ(edit_distance(a, b), wanted) << a << ' ' << b;
    EXPECT_EQ(edit_distance(b, a), wanted) << b << ' ' << a;
  };
  f("", "", 0);
  f("", "abc", 3);
  f("tail", "tail", 0);
  f("tail", "tial", 1);  // a swap is one mistake
  f("filter", "fliter", 1);
  f("push", "puhs", 1);
  f("query", "quarry", 2);
}

TEST(Suggestion, Nearest) {
  const std::vector<std::string> known = {"tail", "enrich", "filter", "push", "--checkpoint"};
  const auto f = [&](std::string_view word, std::string_view wanted) { EXPECT_EQ(nearest(word, known), wanted) << word; };
  f("tial", "tail");
  f("fliter", "filter");
  f("fil", "filter");  // what it begins
  f("--check-point", "--checkpoint");
  f("xyz", "");
  f("", "");
  f(std::string(1000, 'a'), "");
  EXPECT_EQ(suggestion("tial", known, "no idea"), "did you mean 'tail'?");
  EXPECT_EQ(suggestion("xyz", known, "no idea"), "no idea");
}

}  // namespace
}  // namespace weir::base
