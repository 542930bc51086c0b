#include "cli/query_store_options.h"

#include "cli/loki_options.h"
#include "stages/query.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include <filesystem>
#include <fstream>
#include <string_view>

namespace weir::cli {
namespace {

using Spools = std::vector<std::string>;
using Environment = const char* (*)(const char*);

constexpr Environment kNone = [](const char*) -> const char* { return nullptr; };
constexpr Environment kSpool = [](const char* name) { return std::string_view(name) == "WEIR_SPOOL" ? "env.db" : nullptr; };
constexpr Environment kBoth = [](const char* name) { return std::string_view(name) == "WEIR_SPOOL" ? "env.db" : "http://loki"; };

TEST(QueryStore, TheEnvironmentStandsInWhereNothingSaysWhomToAsk) {
  const auto f = [](QueryStoreOptions options, const std::string& url, Environment environment, const Spools& spools) {
    LokiOptions loki;
    loki.url = url;
    fill_in(options, loki, environment);
    EXPECT_EQ(options.spools, spools);
    EXPECT_EQ(options.asks_loki(), spools.empty() && !options.input);
  };
  f({}, "", kNone, {});
  f({}, "", kSpool, {"env.db"});
  f({}, "http://loki", kSpool, {});
  f({}, "", kBoth, {});
  f({.spools = {"a.db"}}, "", kSpool, {"a.db"});
  f({.with_spool = "a.db"}, "", kSpool, {});
  f({.input = true}, "", kSpool, {});
}

TEST(QueryStore, OneOfThem) {
  const auto f = [](const QueryStoreOptions& options, bool good) { EXPECT_EQ(check(options, {}).ok(), good); };
  f({}, true);
  f({.spools = {"a", "b"}}, true);
  f({.with_spool = "a"}, true);
  f({.input = true}, true);
  f({.spools = {"a"}, .with_spool = "b"}, false);
  f({.spools = {"a"}, .input = true}, false);
  f({.with_spool = "a", .input = true}, false);
}

TEST(QueryStore, ALokiThatIsNotAsked) {
  LokiOptions loki;
  loki.url = "http://loki";
  EXPECT_TRUE(check({}, loki).ok());
  EXPECT_TRUE(check({.with_spool = "a"}, loki).ok());
  EXPECT_NE(check({.spools = {"a"}}, loki).error().hint.find("--with-spool"), std::string::npos);
  EXPECT_FALSE(check({.input = true}, loki).ok());
}

TEST(QueryStore, OneSpoolTwice) {
  test::TempDir dir;
  const std::string a = dir / "a.db", b = dir / "b.db", link = dir / "c.db";
  std::ofstream(a) << 'a';
  std::ofstream(b) << 'b';
  std::filesystem::create_hard_link(a, link);
  EXPECT_TRUE(check({.spools = {a, b}}, {}).ok());
  EXPECT_FALSE(check({.spools = {a, b, a}}, {}).ok());
  EXPECT_FALSE(check({.spools = {a, link}}, {}).ok());
}

TEST(QueryStore, Options) {
  CLI::App app;
  QueryStoreOptions options;
  declare(app, options);
  for (auto* option : app.get_options()) option->allow_extra_args(false);
  app.parse("--spool a.db --spool b.db --memory 64MiB", false);
  stages::QuerySpec spec;
  apply(options, spec);
  EXPECT_EQ(spec.spools, (Spools{"a.db", "b.db"}));
  EXPECT_EQ(spec.scan.memory, 64U << 20U);
  EXPECT_FALSE(spec.input.has_value());
}

}  // namespace
}  // namespace weir::cli
