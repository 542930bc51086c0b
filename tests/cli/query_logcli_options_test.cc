#include "cli/query_logcli_options.h"

#include "stages/query.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include <string_view>

namespace weir::cli {
namespace {

constexpr auto kNone = [](const char*) -> const char* { return nullptr; };

stages::QuerySpec spec_of(const std::string& arguments, const char* (*environment)(const char*) = kNone) {
  CLI::App app;
  QueryLogcliOptions options;
  declare(app, options);
  for (auto* option : app.get_options()) option->allow_extra_args(false);
  app.parse(arguments, false);
  stages::QuerySpec spec;
  const auto applied = apply(options, environment, spec);
  EXPECT_TRUE(applied.ok());
  return spec;
}

TEST(QueryLogcli, WhatWorks) {
  const auto spec = spec_of(
      "-q --no-labels --include-label a --include-label b --exclude-label c --query-tags Source=x --nocache --retries 2 "
      "--min-backoff 3 "
      "--max-backoff 9");
  EXPECT_TRUE(spec.quiet);
  EXPECT_TRUE(spec.labels.none);
  EXPECT_EQ(spec.labels.include, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(spec.labels.exclude, std::vector<std::string>{"c"});
  ASSERT_EQ(spec.loki.http.headers.size(), 2U);
  EXPECT_EQ(spec.loki.http.headers[0].value, "Source=x");
  EXPECT_EQ(spec.loki.http.headers[1].name, "Cache-Control");
  EXPECT_EQ(spec.loki.attempts, 3);
  EXPECT_EQ(spec.loki.backoff.base, 3 * base::kSecond);
  EXPECT_EQ(spec.loki.backoff.ceiling, 9 * base::kSecond);
}

TEST(QueryLogcli, WhatHasNoEffect) {
  const auto spec = spec_of(
      "--log.level error --labels-length 10 --colored-output --compress --envproxy --include-common-labels "
      "--parallel-duration 1h --parallel-max-workers 4");
  EXPECT_FALSE(spec.quiet);
  EXPECT_TRUE(spec.labels.all());
  EXPECT_TRUE(spec.loki.http.headers.empty());
}

TEST(QueryLogcli, TheEnvironment) {
  const auto spec = spec_of("", [](const char* name) -> const char* {
    const std::string_view text = name;
    if (text == "LOKI_QUERY_TAGS") return "Source=env";
    if (text == "LOKI_NO_CACHE") return "true";
    return text == "LOKI_CLIENT_RETRIES" ? "0" : nullptr;
  });
  EXPECT_EQ(spec.loki.http.headers.size(), 2U);
  EXPECT_EQ(spec.loki.attempts, 1);
  stages::QuerySpec wrong;
  EXPECT_FALSE(apply(
                   {}, [](const char*) { return "soon"; }, wrong)
                   .ok());
}

TEST(QueryLogcli, WhatIsNotThereSaysWhatToWriteInstead) {
  for (const ForeignOption& option : logcli_options()) EXPECT_FALSE(option.hint.empty()) << option.name;
}

}  // namespace
}  // namespace weir::cli
