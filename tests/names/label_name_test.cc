#include "names/label_name.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace weir::names {
namespace {

TEST(MetadataName, IsWhatLokiMakesOfIt) {
  const auto f = [](std::string_view name, std::string_view want) {
    EXPECT_EQ(metadata_name(name), want) << name;
    EXPECT_EQ(is_metadata_name(name), name == want) << name;
    EXPECT_TRUE(is_metadata_name(metadata_name(name))) << name;
    std::array<char, 8> small{};
    const std::string_view written = metadata_name(name, small);
    EXPECT_TRUE(written == want || (written.empty() && want.size() > small.size())) << name;
  };
  f("trace_id", "trace_id");
  f("a.b", "a_b");
  f("a.-b", "a_b");
  f("a__b", "a_b");
  f("__x__", "__x__");
  f("__res__", "__res__");
  f("___x___", "___x___");
  f("__a..b__", "__a_b__");
  f("__x", "_x");
  f("x__", "x_");
  f("9lives", "key_9lives");
  f("größe", "gr_e");
  f("", "weir_unnamed");
  f("_", "weir_unnamed_5f");
  f("____", "weir_unnamed_5f5f5f5f");
  f("...", "weir_unnamed_2e2e2e");
  f(" ", "weir_unnamed_20");
  f("é", "weir_unnamed_c3a9");
  f("日本", "weir_unnamed_e697a5e69cac");
  f("_a", "_a");
  f("__a__b__", "__a_b__");
  f(
      std::string(300, '.'), "weir_unnamed_" + [] {
        std::string hex;
        for (int i = 0; i < 100; ++i) hex += "2e";
        return hex;
      }());
}

TEST(LabelName, IsAnIdentifier) {
  for (const auto* name : {"a", "_", "__x__", "A9_z"}) EXPECT_TRUE(is_label_name(name)) << name;
  for (const auto* name : {"", "9a", "a.b", "a b", "\u00e9", "a-b"}) EXPECT_FALSE(is_label_name(name)) << name;
}

TEST(LabelName, KeywordsCountInAnyCase) {
  for (const auto* name : {"by", "BY", "of", "Line_Format"}) EXPECT_TRUE(is_keyword(name)) << name;
  for (const auto* name : {"", "b", "byy", "rate", "ip"}) EXPECT_FALSE(is_keyword(name)) << name;
}

}  // namespace
}  // namespace weir::names
