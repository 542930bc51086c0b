#include "loki/query_client.h"

#include "support/fake_query_loki.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace weir::loki {
namespace {

using base::Code;
using record::Batch;
using test::FakeQueryLoki;

class Collected : public base::Diagnostics {
 public:
  void say(std::string_view text) override { said.emplace_back(text); }
  void warn(std::string_view key, std::string_view text) override { said.emplace_back(fmt::format("{}: {}", key, text)); }
  std::vector<std::string> said;
};

class QueryClientTest : public ::testing::Test {
 protected:
  std::unique_ptr<QueryClient> make(const std::string& path = "", const std::string& tenant = "") {
    QueryClientConfig config;
    config.http.base.origin = loki.url();
    config.http.base.path = path;
    config.tenant = tenant;
    config.attempts = 3;
    config.backoff = {.base = base::kMillisecond, .ceiling = base::kMillisecond};
    auto client = QueryClient::create(std::move(config), base::Clock::system(), diagnostics, nullptr);
    if (!client) std::abort();
    return std::move(*client);
  }
  base::Result<QueryClient::Page> page(QueryClient& client, std::string_view query = "{}") {
    batch.clear();
    return client.page({.query = query, .window = {0, 1'000'000}}, batch);
  }

  FakeQueryLoki loki;
  Collected diagnostics;
  Batch batch;
};

TEST_F(QueryClientTest, AsksAsDocumented) {
  const auto client = make("", "team-a");
  ASSERT_TRUE(
      client->page({.query = "{a=\"b\"} |= \"&=\"", .window = {5, 7}, .limit = 12, .direction = Direction::backward}, batch).ok());
  EXPECT_EQ(loki.last_parameters(),
            (std::map<std::string, std::string>{
                {"query", "{a=\"b\"} |= \"&=\""}, {"start", "5"}, {"end", "7"}, {"limit", "12"}, {"direction", "backward"}}));
  EXPECT_EQ(loki.last_header("X-Scope-OrgID"), "team-a");
  EXPECT_EQ(loki.last_header("X-Loki-Response-Encoding-Flags"), "categorize-labels");
}

TEST_F(QueryClientTest, AsksForTheValuesAtOneTime) {
  const auto client = make("", "team-a");
  loki.reply_first({{200, R"({"status":"success","data":{"resultType":"vector","result":[)"
                          R"({"metric":{"app":"x"},"value":[7,"12"]},{"metric":{"app":"y"},"value":[7,"3"]}]}})"}});
  ASSERT_TRUE(client->instant("sum by (app) (rate({a=\"b\"}[1m]))", 7 * base::kSecond, batch));
  EXPECT_EQ(loki.last_parameters(),
            (std::map<std::string, std::string>{{"query", "sum by (app) (rate({a=\"b\"}[1m]))"}, {"time", "7000000000"}}));
  EXPECT_EQ(loki.last_header("X-Scope-OrgID"), "team-a");
  ASSERT_EQ(batch.records.size(), 2U);
  EXPECT_TRUE(batch.records[0].sample);
  EXPECT_EQ(batch.records[0].labels->get("app"), "x");
  EXPECT_EQ(batch.records[0].extra->value, "\"12\"");
  EXPECT_EQ(batch.records[1].timestamp, 7 * base::kSecond);
  EXPECT_EQ(batch.records[1].extra->value, "\"3\"");
}

TEST_F(QueryClientTest, ARefusedInstantQueryHasLokisWords) {
  const auto client = make();
  loki.reply_first({{400, "parse error at line 1, col 1: syntax error"}});
  const auto got = client->instant("sum(", 7, batch);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::config);
  EXPECT_NE(got.error().message.find("parse error at line 1, col 1"), std::string::npos);
}

TEST_F(QueryClientTest, AFullPushUrlMeansItsLoki) {
  const auto client = make("/loki/api/v1/push");
  EXPECT_TRUE(page(*client).ok());
}

TEST_F(QueryClientTest, LongQueriesGoIntoTheBody) {
  const auto client = make();
  const std::string query = "{a=\"b\"} |= \"" + std::string(6'000, 'x') + "\"";
  ASSERT_TRUE(page(*client, query).ok());
  EXPECT_EQ(loki.last_parameters()["query"], query);
}

TEST_F(QueryClientTest, RepeatsWhatMayPass) {
  for (const int status : {408, 429, 500, 502, 503}) {
    const auto client = make();
    const int before = loki.requests();
    loki.reply_first({{status, "busy"}, {status, "busy"}});
    EXPECT_TRUE(page(*client).ok()) << status;
    EXPECT_EQ(loki.requests() - before, 3) << status;
  }
  EXPECT_EQ(diagnostics.said.at(0), "query-retry: 408 busy: asking again (2 of 3)");
}

TEST_F(QueryClientTest, GivesUpWithLokisWords) {
  struct Case {
    int status;
    int requests;
    Code code;
    const char* body;
  };
  for (const Case& one :
       {Case{400, 1, Code::config, "the query time range exceeds the limit"}, Case{401, 1, Code::network, "no org id\n"},
        Case{404, 1, Code::network, "404 page not found"}, Case{503, 3, Code::network, "empty ring"}}) {
    const auto client = make();
    const int before = loki.requests();
    loki.reply_first(std::vector<test::FakeReply>(5, {one.status, one.body}));
    const auto got = page(*client);
    ASSERT_FALSE(got.ok()) << one.status;
    EXPECT_EQ(got.error().code, one.code) << one.status;
    std::string body = one.body;
    if (body.back() == '\n') body.pop_back();
    EXPECT_EQ(got.error().message, fmt::format("cannot query {}: {} {}", loki.url(), one.status, body));
    EXPECT_EQ(loki.requests() - before, one.requests) << one.status;
    loki.reply_first({});
  }
}

TEST_F(QueryClientTest, LongWordsOfAServerAreCut) {
  const auto client = make();
  loki.reply_first({{400, "parse error at line 1, col 1: " + std::string(1 << 20, 'x')}, {404, "<html>\n<body>no</body>"}});
  const auto error = page(*client).error();
  EXPECT_LT(error.message.size(), 1200u);
  EXPECT_TRUE(error.message.ends_with("…"));
  EXPECT_EQ(page(*client).error().message, fmt::format("cannot query {}: 404 (with an HTML page)", loki.url()));
}

TEST_F(QueryClientTest, NobodyThereIsSaidAtOnce) {
  QueryClientConfig config;
  config.http.base.origin = "http://127.0.0.1:1";
  auto client = QueryClient::create(std::move(config), base::Clock::system(), diagnostics, nullptr);
  ASSERT_TRUE(client.ok());
  const auto got = page(**client);
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().code, Code::unreachable);
  EXPECT_EQ((*client)->requests(), 1u);
  EXPECT_TRUE(diagnostics.said.empty());
}

TEST_F(QueryClientTest, TellsWhichLimitIsAllowed) {
  loki.max_entries = 300;
  const auto client = make();
  const auto got = page(*client);
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->allowed, 300u);
}

TEST_F(QueryClientTest, TellsHowLongAWindowMayBe) {
  const auto f = [&](const char* body, base::Duration longest, base::Timestamp to = base::kHour * 24 * 60) {
    const auto client = make();
    loki.reply_first({{400, body}});
    const auto got = client->page({.query = R"({a="b"})", .window = {0, to}}, batch);
    ASSERT_EQ(got.ok(), longest > 0) << body;
    if (!got) {
      EXPECT_TRUE(got.error().hint.starts_with("ask for less time")) << got.error().hint;
      return;
    }
    EXPECT_EQ(got->longest, longest) << body;
    ASSERT_TRUE(got->refusal.has_value());
    EXPECT_EQ(got->refusal->message, fmt::format("cannot query {}: 400 {}", loki.url(), body));
  };
  const char* of_loki = "the query time range exceeds the limit (query length: 1440h0m0s, limit: 30d1h)";
  f(of_loki, 721 * base::kHour);
  f("the query time range exceeds the limit (query length: 1440h0m0s, limit: 1h30m)", 90 * base::kMinute);
  f("the query time range exceeds the limit (query length: 10m30s, limit: 10m)", 570 * base::kSecond, 10 * base::kMinute);
  f(of_loki, 0, 24 * base::kHour);  // what is too long is the range of a metric query
  f("the query time range exceeds the limit (query length: 1440h0m0s, limit: none)", 0);
  f("the query time range exceeds the limit", 0);
}

TEST_F(QueryClientTest, SeveralTenantsThatAreRefusedAreNotAskedForAgain) {
  const auto client = make("", "A|B");
  loki.reply_first(std::vector<test::FakeReply>(5, {500, "multiple org IDs present\n"}));
  const auto got = page(*client);
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().message, fmt::format("cannot query {}: 500 multiple org IDs present", loki.url()));
  EXPECT_NE(got.error().hint.find("one tenant at a time"), std::string::npos) << got.error().hint;
  EXPECT_EQ(loki.requests(), 1);
  EXPECT_TRUE(diagnostics.said.empty());
}

TEST_F(QueryClientTest, AMessageTooLargeForTheFrontendAsksForLess) {
  const auto client = make();
  loki.reply_first({{500, "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (9 vs. 4)"}});
  const auto got = page(*client);
  ASSERT_TRUE(got.ok());
  EXPECT_TRUE(got->too_large);
}

TEST_F(QueryClientTest, LabelsValuesAndSeries) {
  loki.entries = {{{{"app", "x"}, {"pod", "b"}}, 1, ""},
                  {{{"app", "x"}, {"pod", "a"}}, 2, ""},
                  {{{"app", "x"}, {"pod", "a"}}, 3, ""},
                  {{{"__stream_shard__", "1"}, {"app", "x"}, {"pod", "a"}}, 4, ""}};
  const auto client = make();
  EXPECT_EQ(client->labels({0, 10}, "").value(), (std::vector<std::string>{"app", "pod"}));
  EXPECT_EQ(client->label_values("pod", {0, 10}, "{app=\"x\"}").value(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(loki.last_parameters()["query"], "{app=\"x\"}");
  const auto series = client->series({0, 10}, "{app=\"x\"}").value();
  ASSERT_EQ(series.size(), 2u);
  EXPECT_EQ(series[0]->json(), R"({"app":"x","pod":"a"})");
  EXPECT_EQ(loki.last_parameters()["match[]"], "{app=\"x\"}");
}

}  // namespace
}  // namespace weir::loki
