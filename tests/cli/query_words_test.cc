#include "cli/query_words.h"

#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <fstream>

namespace weir::cli {
namespace {

using What = stages::QuerySpec::What;
using Words = std::vector<std::string>;

TEST(QueryWords, WhatIsAsked) {
  const auto f = [](const Words& words, What what, std::string_view label, std::string_view logql) {
    const auto question = read_query_words(words, {}, {});
    ASSERT_TRUE(question.ok()) << question.error().message;
    EXPECT_EQ(question->what, what);
    EXPECT_EQ(question->label, label);
    EXPECT_EQ(question->logql, logql);
  };
  f({}, What::records, "", "");
  f({"logs"}, What::records, "", "");
  f({R"({a="b"})"}, What::records, "", R"({a="b"})");
  f({"logs", R"({a="b"})"}, What::records, "", R"({a="b"})");
  f({"labels"}, What::labels, "", "");
  f({"labels", "pod"}, What::labels, "pod", "");
  f({"labels", "pod", R"({a="b"})"}, What::labels, "pod", R"({a="b"})");
  f({"labels", R"({a="b"})"}, What::labels, "", R"({a="b"})");
  f({"series", R"({a="b"})"}, What::series, "", R"({a="b"})");
  f({"stats", R"({a="b"})"}, What::stats, "", R"({a="b"})");
  f({"volume"}, What::volume, "", "");
  f({"fields", R"({a="b"})"}, What::fields, "", R"({a="b"})");
  f({"values", "status", R"({a="b"})"}, What::values, "status", R"({a="b"})");
  f({"labels", "a.b"}, What::labels, "a.b", "");
  f({"labels", "ünï-x/y:z", R"({a="b"})"}, What::labels, "ünï-x/y:z", R"({a="b"})");
  f({"values", "http.status", R"({a="b"})"}, What::values, "http.status", R"({a="b"})");
}

TEST(QueryWords, AQueryToFormat) {
  const auto f = [](const Words& words, std::string_view logql, bool input) {
    const auto question = read_query_words(words, {}, {});
    ASSERT_TRUE(question.ok()) << question.error().message;
    EXPECT_EQ(question->what, What::format);
    EXPECT_EQ(question->logql, logql);
    EXPECT_EQ(question->input, input);
  };
  f({"fmt", R"({a="b"})"}, R"({a="b"})", false);
  f({"fmt", ""}, "", false);
  f({"fmt"}, "", true);
  f({"fmt", "-"}, "", true);
  EXPECT_FALSE(read_query_words({"fmt", "-", "{}"}, {}, {}).ok());
  const auto narrowed = read_query_words({"fmt", R"({a="b"})"}, {.namespaces = {"shop"}}, {});
  ASSERT_FALSE(narrowed.ok());
  EXPECT_EQ(narrowed.error().message, "cannot take -n, -p or -c with fmt");
}

TEST(QueryWords, AsLogcliHasThem) {
  EXPECT_EQ(read_query_words({"query", R"({a="b"})"}, {}, {})->logql, R"({a="b"})");
  EXPECT_TRUE(read_query_words({"instant-query", "vector(1)"}, {}, {})->instant);
  EXPECT_EQ(read_query_words({"detected-fields", R"({a="b"})"}, {}, {})->what, What::fields);
  const auto values = read_query_words({"detected-fields", R"({a="b"})", "status"}, {}, {});
  ASSERT_TRUE(values.ok());
  EXPECT_EQ(values->what, What::values);
  EXPECT_EQ(values->label, "status");
  EXPECT_EQ(values->logql, R"({a="b"})");
}

TEST(QueryWords, TheSelectionNarrows) {
  const auto question = read_query_words({R"(|= "x")"}, {.namespaces = {"shop"}}, {});
  ASSERT_TRUE(question.ok());
  EXPECT_EQ(question->logql, R"({namespace="shop"} |= "x")");
}

TEST(QueryWords, ANameIsNoQuery) {
  const auto f = [](const Words& words, const QueryWordsContext& context, std::string_view hint) {
    const auto question = read_query_words(words, {}, context);
    ASSERT_FALSE(question.ok());
    EXPECT_NE(question.error().hint.find(hint), std::string::npos) << question.error().hint;
  };
  f({"label"}, {}, "did you mean: weir query labels?");
  f({"namespaces"}, {}, "weir query labels namespace");
  f({"pod"}, {}, "weir query labels pod");
  f({"volume", "namespace"}, {}, "weir query volume --by namespace");
  f({"labels", "namespace", "pod"}, {}, "weir query labels pod");
  f({"10"}, {.follow = true}, "-f --limit 10");
  EXPECT_TRUE(read_query_words({"10"}, {}, {}).ok());
  EXPECT_TRUE(read_query_words({"checkout"}, {}, {}).ok());  // LogQL's own error says more
}

TEST(QueryWords, Mistakes) {
  const auto f = [](const Words& words, const QueryWordsContext& context, std::string_view message) {
    const auto question = read_query_words(words, {}, context);
    ASSERT_FALSE(question.ok());
    EXPECT_EQ(question.error().code, base::Code::usage);
    EXPECT_EQ(question.error().message, message);
    EXPECT_FALSE(question.error().hint.empty());
  };
  test::TempDir dir;
  const std::string spool = dir / "s.db";
  std::ofstream(spool) << std::string_view("SQLite format 3\0...", 19);
  f({R"({a="b"})", "error"}, {}, "cannot take 'error' as a second query");
  f({"values"}, {}, "cannot list values: the field is missing");
  f({"volume_range", "{}"}, {}, "cannot ask for a volume at several times");
  f({"delete", "list"}, {}, "cannot delete records here: weir query only reads");
  f({"ago"}, {.time_given = true}, "cannot take 'ago' as a query");
  f({spool, "{}"}, {}, "cannot take '" + spool + "' as a query: it is a spool");
  f({"labels", spool}, {.asks_loki = false}, "cannot take '" + spool + "' as a query: it is a spool");
  f({spool}, {}, "cannot take '" + spool + "' as a query: it is a spool");
}

}  // namespace
}  // namespace weir::cli
