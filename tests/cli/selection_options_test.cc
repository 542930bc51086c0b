#include "cli/selection_options.h"

#include "logql/printer.h"

#include <gtest/gtest.h>

namespace weir::cli {
namespace {

TEST(Selection, Matches) {
  const auto f = [](const Selection& selection, std::string_view name_space, std::string_view pod, std::string_view container, bool expected) {
    EXPECT_EQ(selection.matches(name_space, pod, container), expected) << name_space << ' ' << pod << ' ' << container;
    const auto labels = record::LabelSet::intern({{"namespace", name_space}, {"pod", pod}, {"container", container}});
    EXPECT_EQ(selection.matches(*labels), expected) << name_space << ' ' << pod << ' ' << container;
  };
  f({}, "a", "b", "c", true);
  f({}, "", "", "", true);
  f({.namespaces = {"shop"}}, "shop", "x", "y", true);
  f({.namespaces = {"shop"}}, "shop-2", "x", "y", false);
  f({.namespaces = {"shop"}}, "", "x", "y", false);
  f({.namespaces = {"kube-*", "shop"}}, "kube-system", "x", "y", true);
  f({.pods = {"web"}}, "n", "web", "y", true);
  f({.pods = {"web"}}, "n", "web-5d8f7c9b4-x2x7k", "y", true);
  f({.pods = {"web"}}, "n", "website", "y", false);
  f({.pods = {"web*"}}, "n", "website", "y", true);
  f({.pods = {"web-[!a]"}}, "n", "web-b", "y", true);
  f({.pods = {"web-[!a]"}}, "n", "web-a", "y", false);
  f({.pods = {"web-?"}}, "n", "web-ab", "y", false);
  f({.containers = {"app"}}, "n", "p", "app", true);
  f({.containers = {"app"}}, "n", "p", "app-2", false);
  f({.namespaces = {"n"}, .pods = {"p"}}, "n", "q", "c", false);
}

TEST(Selection, Matchers) {
  const auto f = [](const Selection& selection, std::string_view expected) {
    EXPECT_EQ(logql::print_selector(selection.matchers()), expected);
  };
  f({}, "{}");
  f({.namespaces = {"shop"}}, R"({namespace="shop"})");
  f({.namespaces = {"shop", "pay"}}, R"({namespace=~"shop|pay"})");
  f({.namespaces = {"kube-*"}}, R"({namespace=~"kube-.*"})");
  f({.pods = {"web"}}, R"({pod=~"web(-.*)?"})");
  f({.pods = {"web*", "db"}}, R"({pod=~"web.*|db(-.*)?"})");
  f({.pods = {"a.b?"}}, R"({pod=~"a\\.b."})");
  f({.pods = {"x[!a-c]"}}, R"({pod=~"x[^a-c]"})");
  f({.pods = {"x[]a]"}}, R"({pod=~"x[\\]a]"})");
  f({.pods = {"x["}}, R"({pod=~"x\\["})");
  f({.containers = {R"(a"b\`)"}}, R"({container="a\"b\\`"})");
  f({.namespaces = {"n"}, .pods = {"p*"}, .containers = {"c"}}, R"({namespace="n", pod=~"p.*", container="c"})");
}

TEST(Selection, Narrow) {
  const Selection selection = {.namespaces = {"n"}};
  const auto f = [&](std::string_view logql, std::string_view expected) {
    auto narrowed = selection.narrow(logql);
    ASSERT_TRUE(narrowed.ok()) << logql;
    EXPECT_EQ(*narrowed, expected) << logql;
  };
  f("", R"({namespace="n"})");
  f(R"(|= "x")", R"({namespace="n"} |= "x")");
  f(R"(!= "{")", R"({namespace="n"} != "{")");
  f("{}", R"({namespace="n"})");
  f("{ }", R"({namespace="n"})");
  f(R"({app="x"} |= "{")", R"({namespace="n", app="x"} |= "{")");
  f("# {all}\n{app=`{`}", R"({namespace="n", app="{"})");
  f("/* { */ |= `x`", R"({namespace="n"} |= "x")");
  f(R"(sum(rate({a="b"}[1m])) / sum(rate({}[1m])))", R"((sum(rate({namespace="n", a="b"}[1m])) / sum(rate({namespace="n"}[1m]))))");
  f("vector(1)", "vector(1.000000)");
  f(R"({a="b\"{"})", R"({namespace="n", a="b\"{"})");
  EXPECT_EQ(Selection().narrow("{ }").value(), "{ }");
}

TEST(Selection, WhatDoesNotParseCannotBeNarrowed) {
  const auto narrowed = Selection{.namespaces = {"n"}}.narrow("nonsense");
  ASSERT_FALSE(narrowed.ok());
  EXPECT_EQ(narrowed.error().code, base::Code::config);
  EXPECT_EQ(Selection().narrow("nonsense").value(), "nonsense");
}

}  // namespace
}  // namespace weir::cli
