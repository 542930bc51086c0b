#include "cli/option_facts.h"

#include "fake_commands.h"

#include <gtest/gtest.h>

namespace weir::cli {
namespace {

TEST(OptionFacts, AreReadOffTheTree) {
  const auto facts = facts_of(test::pass_command);
  EXPECT_EQ(facts.synopsis(), "weir pass [OPTION]... [WORDS]...");
  ASSERT_EQ(facts.positionals.size(), 1U);
  EXPECT_TRUE(facts.positionals[0].repeatable);
  std::vector<std::string> headings;
  for (const auto& option : facts.options) headings.push_back(option.heading());
  EXPECT_EQ(headings,
            (std::vector<std::string>{"    --keep FILE", "-l, --label NAME=VALUE", "    --format auto|cri|raw",
                                      "-v, --invert, --no-invert", "    --strict", "    --exit-zero-on-term", "-h, --help [all]",
                                      "    --lost N", "    --metrics ADDR", "    --metrics-file FILE"}));
  const auto& keep = facts.options[0];
  EXPECT_TRUE(keep.file);
  EXPECT_FALSE(keep.repeatable);
  const auto& label = facts.options[1];
  EXPECT_TRUE(label.repeatable);
  EXPECT_FALSE(label.file);
  const auto& format = facts.options[2];
  EXPECT_EQ(format.choices, (std::vector<std::string>{"auto", "cri", "raw"}));
  EXPECT_EQ(format.default_value, "auto");
  EXPECT_FALSE(facts.options[3].takes_value());
  EXPECT_EQ(facts.find("--lost")->group, "Trouble");
}

TEST(OptionFacts, RequiredArguments) { EXPECT_EQ(facts_of(test::count_command).synopsis(), "weir count [OPTION]... NUMBER"); }

}  // namespace
}  // namespace weir::cli
