#include "serve/tail_request.h"

#include <gtest/gtest.h>

namespace weir::serve {
namespace {

constexpr base::Timestamp kNow = 1'796'072'842LL * base::kSecond;

httpd::Request request_of(std::string query, std::string path = "/loki/api/v1/tail") {
  httpd::Request request;
  request.path = std::move(path);
  request.query = std::move(query);
  return request;
}

TEST(TailRequest, HasDefaults) {
  const auto tail = tail_request(request_of("query=%7Ba%3D%22b%22%7D"), kNow);
  ASSERT_TRUE(tail.ok()) << tail.error().message;
  EXPECT_EQ(tail->query, R"({a="b"})");
  EXPECT_EQ(tail->limit, 100U);
  EXPECT_EQ(tail->start, kNow - base::kHour);
  EXPECT_EQ(tail->delay, 0);
  EXPECT_FALSE(tail->categorize);
  EXPECT_FALSE(tail->old_form);
}

TEST(TailRequest, ReadsWhatIsAskedFor) {
  auto request = request_of("query=%7Ba%3D%22b%22%7D&limit=7&delay_for=5&start=1796072842000000001", "/api/prom/tail");
  request.headers = {{"x-loki-response-encoding-flags", "x,categorize-labels"}, {"X-Scope-OrgID", "team-a"}};
  const auto tail = tail_request(request, kNow);
  ASSERT_TRUE(tail.ok()) << tail.error().message;
  EXPECT_EQ(tail->limit, 7U);
  EXPECT_EQ(tail->delay, 5 * base::kSecond);
  EXPECT_EQ(tail->start, kNow + 1);
  EXPECT_EQ(tail->tenant, "team-a");
  EXPECT_TRUE(tail->categorize);
  EXPECT_TRUE(tail->old_form);
  const std::vector<std::pair<std::string, base::Timestamp>> starts = {
      {"1796072842", kNow}, {"1796072842.25", kNow + 250 * base::kMillisecond}, {"2026-11-30T21:07:22Z", kNow}, {"0", 0}};
  for (const auto& [text, time] : starts) {
    const auto read = tail_request(request_of("query=%7Ba%3D%22b%22%7D&start=" + text), kNow);
    ASSERT_TRUE(read.ok()) << text;
    EXPECT_EQ(read->start, time) << text;
  }
}

TEST(TailRequest, TakesTheTenantOfTheParameterWithoutTheHeader) {
  auto request = request_of("query=%7Ba%3D%22b%22%7D&tenant=team-b");
  auto tail = tail_request(request, kNow);
  ASSERT_TRUE(tail.ok()) << tail.error().message;
  EXPECT_EQ(tail->tenant, "team-b");
  request.headers = {{"X-Scope-OrgID", "team-a"}};
  tail = tail_request(request, kNow);
  ASSERT_TRUE(tail.ok()) << tail.error().message;
  EXPECT_EQ(tail->tenant, "team-a");
  EXPECT_FALSE(tail_request(request_of("query=%7Ba%3D%22b%22%7D&tenant=a%7Cb"), kNow).ok());
}

// The texts are those of a real Loki (tests/loki/real/serve_tail_test.py).
TEST(TailRequest, RefusesInLokisWords) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "parse error : syntax error: unexpected $end"},
      {"query=%7Ba%3D", "parse error at line 1, col 4: syntax error: unexpected $end, expecting STRING"},
      {"query=%7Ba%3D%22b%22%7D+%7C~+%22(%22", "parse error : stage '|~ \"(\"' : error parsing regexp: missing closing ): `(`"},
      {"query=%7Ba%3D%22b%22%7D&delay_for=6", "delay_for can't be greater than 5"},
      {"query=%7Ba%3D%22b%22%7D&delay_for=x", "strconv.Atoi: parsing \"x\": invalid syntax"},
      {"query=%7Ba%3D%22b%22%7D&limit=0", "limit must be a positive value"},
      {"query=%7Ba%3D%22b%22%7D&limit=x", "strconv.Atoi: parsing \"x\": invalid syntax"},
      {"query=%7Ba%3D%22b%22%7D&start=x", "could not parse 'start' parameter: strconv.ParseInt: parsing \"x\": invalid syntax"},
  };
  for (const auto& [query, text] : cases) {
    const auto tail = tail_request(request_of(query), kNow);
    ASSERT_FALSE(tail.ok()) << query;
    EXPECT_EQ(tail.error().message, text);
  }
}

}  // namespace
}  // namespace weir::serve
