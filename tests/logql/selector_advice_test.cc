#include "logql/selector_advice.h"

#include <gtest/gtest.h>

namespace weir::logql {
namespace {

using record::LabelSet;

std::vector<record::LabelSetRef> there() {
  return {LabelSet::intern({{"namespace", "checkout"}, {"pod", "web-1"}, {"app", "shop"}}),
          LabelSet::intern({{"namespace", "payments"}, {"pod", "db-0"}})};
}

TEST(SelectorAdvice, NamesTheWrongPart) {
  const auto f = [](std::string_view query, std::string_view wanted) {
    EXPECT_EQ(explain_selector(query, there()), wanted) << query;
  };
  f(R"({namespace="chekout"})", "no namespace 'chekout' here; did you mean 'checkout'?");
  f(R"({namespace="nosuch"} |= "x")", "no namespace 'nosuch' here; there are checkout, payments");
  f(R"({namspace="checkout"})", "no label 'namspace' here; did you mean 'namespace'?");
  f(R"({x="checkout"})", "no label 'x' here; there are app, namespace, pod");
  f(R"({namespace=~"che.kout.+", pod="web-1"})", "no namespace here matches 'che.kout.+'; did you mean 'checkout'?");
  f(R"({app="cart"})", "no app 'cart' here; there is shop");
  f(R"({namespace="checkout", pod="db-0"})", R"(nothing here has all of {namespace="checkout", pod="db-0"})");
  f(R"({namespace!~".+"})", R"(nothing here has all of {namespace!~".+"})");
}

TEST(SelectorAdvice, SaysNothingWhereTheSelectorIsNotWrong) {
  for (const char* query : {R"({namespace="checkout"} |= "nothing has this")", "{}", "", R"(|= "x")", "{broken", R"({app!="x"})"}) {
    EXPECT_EQ(explain_selector(query, there()), "") << query;
  }
  EXPECT_EQ(explain_selector(R"({app="x"})", {}), "");
}

TEST(SelectorAdvice, OfLabelsAlone) {
  EXPECT_EQ(explain_labels(R"({namspace="x"})", there()), "no label 'namspace' here; did you mean 'namespace'?");
  EXPECT_EQ(explain_labels(R"({namespace="x"})", there()), "");
  EXPECT_EQ(explain_labels(R"({team!="x"})", there()), "");
}

TEST(SelectorAdvice, OfWhatExcludesNothing) {
  const auto f = [](std::string_view query, std::string_view text) { EXPECT_EQ(explain_exclusion(query, there()), text) << query; };
  f(R"({team!="x"})", R"(no label 'team' here, so {team!="x"} excludes nothing)");
  f(R"({namespace=~".+", team!~"x|y"} |= "z")", R"(no label 'team' here, so {team!~"x|y"} excludes nothing)");
  f(R"({detected_level!="debug"})",
    R"(no label 'detected_level' here, so {detected_level!="debug"} excludes nothing; `enrich --level` adds the level as )"
    R"(metadata, which `| detected_level!="debug"` asks for)");
  f(R"({namespace!="nobody"})", "");
  f(R"({team!=""})", "");
  f(R"({team="x"})", "");
  f(R"(|= "x")", "");
  EXPECT_EQ(explain_exclusion(R"({team!="x"})", {}), "");
}

TEST(SelectorAdvice, MatchersApart) {
  const auto f = [](std::string_view query, const std::vector<std::string>& wanted) {
    std::vector<std::string> found;
    for (const OneMatcher& one : matchers_apart(query)) found.push_back(one.label + " " + one.selector);
    EXPECT_EQ(found, wanted) << query;
  };
  f(R"({namespace="a", pod=~"w.+", app!="x", team=~".*"} |= "y")", {R"(namespace {namespace="a"})", R"(pod {pod=~"w.+"})"});
  f(R"(sum by (pod) (rate({app="x"}[1m])))", {R"(app {app="x"})"});
  f(R"(1 + count_over_time({app="x"}[1m]))", {R"(app {app="x"})"});
  f("nonsense", {});
}

}  // namespace
}  // namespace weir::logql
