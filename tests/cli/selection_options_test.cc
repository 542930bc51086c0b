#include "cli/selection_options.h"

#include "logql/printer.h"

#include <gtest/gtest.h>

namespace weir::cli {
namespace {

using tail::Selection;

TEST(Selection, Matchers) {
  const auto f = [](const Selection& selection, std::string_view expected) {
    EXPECT_EQ(logql::print_selector(matchers(selection)), expected);
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
    auto narrowed = narrow(selection, logql);
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
  f("{} | json | size > 0KiB", R"({namespace="n"} | json | size>0KB)");
  EXPECT_EQ(narrow(Selection(), "{ }").value(), "{ }");
}

TEST(Selection, WhatDoesNotParseCannotBeNarrowed) {
  const auto narrowed = narrow(Selection{.namespaces = {"n"}}, "nonsense");
  ASSERT_FALSE(narrowed.ok());
  EXPECT_EQ(narrowed.error().code, base::Code::config);
  EXPECT_EQ(narrow(Selection(), "nonsense").value(), "nonsense");
}

}  // namespace
}  // namespace weir::cli
