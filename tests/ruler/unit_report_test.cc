#include "ruler/unit_report.h"

#include <gtest/gtest.h>

namespace weir::ruler {
namespace {

const std::vector<UnitFileOutcome>& outcomes() {
  static const std::vector<UnitFileOutcome> all = {
      {"good.yml", {{"one", {3, 5}, 2, {}}, {"two", {9, 5}, 1, {}}}},
      {"bad.yml", {{"first", {3, 5}, 2, {}}, {"a <b>", {9, 5}, 1, {{{11, 7}, "alert A at 5m", {"firing \"x\"", "  y\x1b"}}}}}},
  };
  return all;
}

TEST(UnitReport, Text) {
  EXPECT_EQ(to_text(outcomes()[0]), "good.yml: 3 expectations in 2 tests: ok\n");
  EXPECT_EQ(to_text(outcomes()[1]),
            "bad.yml: 3 expectations in 2 tests: 1 failed\n  a <b> (line 9)\n    alert A at 5m (line 11)\n      firing \"x\"\n"
            "        y\\x1b\n");
}

TEST(UnitReport, Json) {
  EXPECT_EQ(to_json(outcomes()),
            R"({"passed":false,"files":[{"file":"good.yml","tests":[{"name":"one","line":3,"expectations":2,"failures":[]},)"
            R"({"name":"two","line":9,"expectations":1,"failures":[]}]},{"file":"bad.yml","tests":[{"name":"first","line":3,)"
            R"("expectations":2,"failures":[]},{"name":"a <b>","line":9,"expectations":1,"failures":[{"line":11,"subject":)"
            R"("alert A at 5m","differences":["firing \"x\"","  y\u001b"]}]}]}]})"
            "\n");
  EXPECT_TRUE(to_json({outcomes().data(), 1}).starts_with(R"({"passed":true,)"));
}

TEST(UnitReport, JUnit) {
  EXPECT_EQ(to_junit(outcomes()), R"xml(<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="good.yml" tests="2" failures="0" errors="0">
    <testcase classname="weir.rules" name="one"/>
    <testcase classname="weir.rules" name="two"/>
  </testsuite>
  <testsuite name="bad.yml" tests="2" failures="1" errors="0">
    <testcase classname="weir.rules" name="first"/>
    <testcase classname="weir.rules" name="a &lt;b&gt;">
      <failure message="alert A at 5m (line 11)">firing &quot;x&quot;
  y\x1b
</failure>
    </testcase>
  </testsuite>
</testsuites>
)xml");
}

}  // namespace
}  // namespace weir::ruler
