#include "cli/query_store_options.h"

#include "cli/loki_options.h"

#include <gtest/gtest.h>

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
    EXPECT_EQ(options.asks_loki(), spools.empty());
  };
  f({}, "", kNone, {});
  f({}, "", kSpool, {"env.db"});
  f({}, "http://loki", kSpool, {});
  f({}, "", kBoth, {});
  f({.spools = {"a.db"}}, "", kSpool, {"a.db"});
}

}  // namespace
}  // namespace weir::cli
