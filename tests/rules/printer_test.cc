#include "rules/printer.h"

#include "rules/parser.h"

#include <gtest/gtest.h>

#include <utility>

namespace weir::rules {
namespace {

TEST(RulesPrinter, CanonicalText) {
  const std::pair<const char*, const char*> cases[] = {
      {"drop", "drop"},
      {"drop {}  # all", "drop"},
      {"name  x :  drop{app='x'}", nullptr},
      {"name  x :  drop{app=\"x\",b=`y`}|=`z`", "name x: drop {app=\"x\", b=\"y\"} |= \"z\""},
      {"redact \"\\\\d+\" with \"*\" {app=\"x\"}", "redact `\\d+` with \"*\" {app=\"x\"}"},
      {"redact \"`+\" with `\"`", "redact \"`+\" with `\"`"},
      {"redact \"a\\n\" with \"\"", "redact \"a\\n\" with \"\""},
      {"keep for 90m from 2026-11-29T13:00:00+01:00", "keep for 1h30m from 2026-11-29T12:00:00Z"},
      {"release from 2026-11-29T11:40:00.5Z to 2026-11-29T12:00:00Z {a=\"b\"}",
       "release from 2026-11-29T11:40:00.5Z to 2026-11-29T12:00:00Z {a=\"b\"}"},
      {"sample 010%", "sample 10%"},
      {"sample 0.5000%", "sample 0.5%"},
      {"sample 33.3333% |= \"x\"", "sample 33.3333% |= \"x\""},
      {"limit 10000/h", "limit 10k/h"},
      {"limit 1000/s", "limit 1000/s"},
      {"limit 1024KiB/s by (a) burst 2MiB", "limit 1MiB/s burst 2MiB by (a)"},
      {"limit 1MB/m burst 1MB", "limit 1MB/m"},
      {"dedup 60s by (a,b)", "dedup 1m by (a, b)"},
      {"tenant a:b | json | x>5", "tenant a:b | json | x>5"},
      {"drop | x=~\"a\\nb[0-9]\"", "drop | x=~\"a\\nb[0-9]\""},
  };
  for (const auto& [text, printed] : cases) {
    const auto rules = parse(text, "r");
    ASSERT_EQ(rules.ok(), printed != nullptr) << text;
    if (printed == nullptr) continue;
    EXPECT_EQ(print(rules->front()), printed) << text;
    const auto again = parse(print(rules->front()), "r");
    ASSERT_TRUE(again.ok()) << printed;
    EXPECT_EQ(again->front(), rules->front()) << text;
  }
}

TEST(RulesPrinter, IdsAreNamesOrHashesOfTheText) {
  const auto rules = parse("drop {app=\"x\"}\n  drop{app=`x`} # the same\nname n: drop {app=\"x\"}\ndrop {app=\"y\"}", "r");
  ASSERT_TRUE(rules.ok());
  EXPECT_EQ((*rules)[0].id(), (*rules)[1].id());
  EXPECT_EQ((*rules)[2].id(), "n");
  EXPECT_EQ((*rules)[2].text_id(), (*rules)[0].id());
  EXPECT_NE((*rules)[0].id(), (*rules)[3].id());
  EXPECT_TRUE(is_rule_hash((*rules)[0].id()));
  // Stored in spools and asked for in dashboards: never to change.
  EXPECT_EQ((*rules)[0].id(), "rule-a90fe655");
}

}  // namespace
}  // namespace weir::rules
