#include "logql/habit_advice.h"

#include "logql/advice_rows.h"
#include "logql/log_query.h"

namespace weir::logql {
namespace {

using test::advice;
using test::Mistake;

TEST(HabitAdvice, LeadsToAQueryThatParses) {
  const Mistake mistakes[] = {
      {R"({namespace in ("shop")})", R"(12: LogQL has no in; for several values: {namespace=~"shop"})", R"({namespace=~"shop"})"},
      {R"({namespace in ("shop", "cart")} |= "x")", R"(12: LogQL has no in; for several values: {namespace=~"shop|cart"})",
       R"({namespace=~"shop|cart"} |= "x")"},
      {R"({a="b", pod not in ("a.b")})", R"(13: LogQL has no in; for several values: {pod!~"A|B"})", R"({a="b", pod!~"A|B"})"},
      {R"({a="b"} | level in ("warn","error"))", R"(17: LogQL has no in; for several values: | level=~"warn|error")",
       R"({a="b"} | level=~"warn|error")"},
      {R"({a="b"} |=~ "a.*")", R"(9: a line filter with a regular expression: |~ "a.*")", R"({a="b"} |~ "a.*")"},
      {R"({a="b"} ~ "x")", R"(9: a line filter with a regular expression: |~ "x")", R"({a="b"} |~ "x")"},
      {R"({namespace~="x"})", R"(11: a label is matched with =~: {namespace=~"x"})", R"({namespace=~"x"})"},
      {R"({a="b"} | level ~ "x")", R"(17: a label is matched with =~: | level=~"x")", R"({a="b"} | level=~"x")"},
      {R"({a="b"} !| "x")", R"(9: a line filter that excludes: != "x")", R"({a="b"} != "x")"},
      {R"({a="b"} | where level="x")", R"(11: a filter on labels has no where in front: | level="x")", R"({a="b"} | level="x")"},
      {R"({a="b"} | json | where level == "x" | line_format "y")", R"(18: a filter on labels has no where in front: | level="x")",
       R"({a="b"} | json | level="x")"},
      {R"({a="b"} | where status > 5 and a="b")", R"(11: a filter on labels has no where in front: | status > 5 and a="b")",
       R"({a="b"} | status > 5 and a="b")"},
      {R"({a="b"} | !(level="error"))", R"(11: LogQL has no !; turn the comparison around: | level!="error")",
       R"({a="b"} | level!="error")"},
      {R"({a="b"} | json | !status >= 500)", R"(18: LogQL has no !; turn the comparison around: | status<500)",
       R"({a="b"} | json | status<500)"},
      {R"({a="b"} | !(a="1" or b="2"))", "11: LogQL has no !; it compares with != and !~", R"({a="b"} | a!="1" and b!="2")"},
      {R"({a="b"} | sort by time)", "11: there is no stage sort; records come in the order of time", R"({a="b"})"},
      {R"({a="b"} | keep_labels a, b)", "11: there is no stage keep_labels; the stage is keep: | keep a, b",
       R"({a="b"} | keep a, b)"},
      {R"({a="b"} | drop_labels a)", "11: there is no stage drop_labels; the stage is drop: | drop a", R"({a="b"} | drop a)"},
      {R"({a="b"} |= "a" || |= "b")", R"(16: the operator of a line filter is written once: |= "a" or "b")",
       R"({a="b"} |= "a" or "b")"},
      {R"({a="b"} |~ "a" or |~ "b")", R"(16: the operator of a line filter is written once: |~ "a" or "b")",
       R"({a="b"} |~ "a" or "b")"},
      {R"({a="b"} |= "error" AND |= "x")", R"(20: line filters follow each other, with nothing between: |= "error" |= "x")",
       R"({a="b"} |= "error" |= "x")"},
      {R"({a="b"} |= "error" and != "x")", R"(20: line filters follow each other, with nothing between: |= "error" != "x")",
       R"({a="b"} |= "error" != "x")"},
      {R"({a="b",})", "7: one , is too many", R"({a="b"})"},
      {R"({a="b"}})", "8: one } is too many", R"({a="b"})"},
      {R"({a="b"} ))", "9: one ) is too many", R"({a="b"})"},
      {R"({a="b")})", "7: one ) is too many", R"({a="b"})"},
      {R"(sum(rate({a="b"}[5m]))))", "23: one ) is too many", R"(sum(rate({a="b"}[5m])))"},
      {R"({"namespace"="x"})", R"(2: the name of a label has no quotes: {namespace="x"})", R"({namespace="x"})"},
      {R"({a="b", "my.app"=~"x"})", R"(9: the name of a label has no quotes: {my_app=~"x"})", R"({a="b", my_app=~"x"})"},
      {R"({app-name="x"})", "2: only letters, digits and _ are used in the name of a label: app_name", R"({app_name="x"})"},
      {R"({a="b"} | json | req-id="x")", "18: only letters, digits and _ are used in the name of a field: req_id",
       R"({a="b"} | json | req_id="x")"},
      {R"({a="b"} | line_format {{.msg}})", R"(23: put the template in quotes: | line_format "{{.msg}}")",
       R"({a="b"} | line_format "{{.msg}}")"},
      {R"({a="b"} | line_format {{.a | trim}} {{.b}} | json)",
       R"(23: put the template in quotes: | line_format "{{.a | trim}} {{.b}}")",
       R"({a="b"} | line_format "{{.a | trim}} {{.b}}" | json)"},
      {R"({a="b"} | line_format .msg)", R"(23: put the template in quotes: | line_format "{{.msg}}")",
       R"({a="b"} | line_format "{{.msg}}")"},
      {R"({a="b"} | label_format x={{.msg}})", R"(26: put the template in quotes: | label_format x="{{.msg}}")",
       R"({a="b"} | label_format x="{{.msg}}")"},
      {R"({a="b"} | label_format level)",
       "24: label_format says what the label gets, a field or a template: | label_format level=FIELD",
       R"({a="b"} | label_format level=FIELD)"},
      {R"(rate({a="b"}[$__interval]))", "14: $__interval is a variable of Grafana; write a duration: [5m]", R"(rate({a="b"}[5m]))"},
      {R"(topk 5 (rate({a="b"}[5m])))", "6: the number stands in the parentheses: topk(5, …)", R"(topk(5, rate({a="b"}[5m])))"},
      {"*", R"(1: a selector names a label; for all records that have the label app: {app=~".+"})", R"({app=~".+"})"},
      {"{*}", R"(2: a selector names a label; for all records that have the label app: {app=~".+"})", R"({app=~".+"})"},
  };
  for (const Mistake& one : mistakes) {
    EXPECT_EQ(advice(one.query, false), one.expected) << one.query;
    EXPECT_EQ(advice(one.meant, false), "valid") << one.meant;
  }
}

TEST(HabitAdvice, OfEverythingWhereTheSelectorMayBeLeftOut) {
  EXPECT_EQ(advice("*", true), "1: for all records: {}");
  EXPECT_EQ(advice("{}", true), "valid");
}

TEST(HabitAdvice, OfFunctionsOfTemplates) {
  const auto hint = [](std::string_view query) {
    const auto compiled = LogQuery::compile(query, {});
    return compiled ? std::string("valid") : compiled.error().hint;
  };
  EXPECT_EQ(hint(R"({a="b"} | line_format "{{.msg | uper}}")"),
            "{a=\"b\"} | line_format \"{{.msg | uper}}\"\n"
            "                                ^\n"
            "templates have no function uper; did you mean upper?");
  EXPECT_EQ(hint(R"({a="b"} | line_format "{{.msg | upper}}")"), "valid");
  EXPECT_EQ(hint(R"({a="b"} | line_format "{{xyzzy}}")").find("templates have"), std::string::npos);
}

// What may be meant in several ways gets nothing of this.
TEST(HabitAdvice, KeepsSilent) {
  for (const std::string_view query :
       {R"({a="b"} |= "a" or |~ "b")", R"({a="b"} != "a" or != "b")", R"(rate({a="b"})[5m])", R"({a="b"} | label_format =x)"}) {
    const auto parsed = parse_expr(query, {});
    ASSERT_TRUE(std::holds_alternative<ParseError>(parsed)) << query;
    EXPECT_EQ(advise_on_habits(query, std::get<ParseError>(parsed), {}).text, "") << query;
  }
}

}  // namespace
}  // namespace weir::logql
