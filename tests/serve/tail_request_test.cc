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
  EXPECT_EQ(tail->form, TailForm::loki);
}

TEST(TailRequest, ReadsWhatIsAskedFor) {
  auto request = request_of("query=%7Ba%3D%22b%22%7D&limit=7&delay_for=5&start=1796072842000000001");
  request.headers = {{"x-loki-response-encoding-flags", "x,categorize-labels"}, {"X-Scope-OrgID", "team-a"}};
  const auto tail = tail_request(request, kNow);
  ASSERT_TRUE(tail.ok()) << tail.error().message;
  EXPECT_EQ(tail->limit, 7U);
  EXPECT_EQ(tail->delay, 5 * base::kSecond);
  EXPECT_EQ(tail->start, kNow + 1);
  EXPECT_EQ(tail->tenant, "team-a");
  EXPECT_EQ(tail->form, TailForm::categorized);
  const std::vector<std::pair<std::string, base::Timestamp>> starts = {{"1796072842", kNow},
                                                                       {"%2B179607284", 179'607'284 * base::kSecond},
                                                                       {"1796072842.25", kNow + 250 * base::kMillisecond},
                                                                       {"2026-11-30T21:07:22Z", kNow},
                                                                       {"0", 0}};
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

TEST(TailRequest, HasAFormByItsPath) {
  EXPECT_EQ(tail_request(request_of("query=%7Ba%3D%22b%22%7D", "/api/prom/tail"), kNow)->form, TailForm::old);
  EXPECT_EQ(tail_request(request_of("query=%7Ba%3D%22b%22%7D", "/weir/api/v1/tail"), kNow)->form, TailForm::page);
}

TEST(TailRequest, OnlyThePageTakesEverything) {
  for (const std::string query : {"query=%7B%7D", "", "query=%7C%3D+%22x%22"}) {
    EXPECT_FALSE(tail_request(request_of(query), kNow).ok()) << query;
    EXPECT_FALSE(tail_request(request_of(query, "/api/prom/tail"), kNow).ok()) << query;
    const auto tail = tail_request(request_of(query, "/weir/api/v1/tail"), kNow);
    EXPECT_TRUE(tail.ok()) << query << ": " << tail.error().message;
  }
}

TEST(TailRequest, HasNoVeryLongQuery) {
  const auto refusal = [](std::size_t size) {
    const auto tail = tail_request(request_of("query=%7Ba%3D%22b%22%7D%7C%3D%60" + std::string(size - 11, 'x') + "%60"), kNow);
    return tail.ok() ? std::string() : tail.error().message;
  };
  EXPECT_EQ(refusal(16 << 10), "");
  EXPECT_EQ(refusal((16 << 10) + 1), "the query of a tail has at most 16384 bytes here (16385 > 16384)");
  EXPECT_EQ(refusal(131'072), "parse error : input size too long (131072 > 131072)");
}

TEST(TailRequest, BeginsSomeTimeBeforeItsEnd) {
  const auto start = [](const std::string& more) {
    return tail_request(request_of("query=%7Ba%3D%22b%22%7D&" + more), kNow)->start;
  };
  EXPECT_EQ(start("since=5m"), kNow - 5 * base::kMinute);
  EXPECT_EQ(start("end=1796072542"), kNow - 300 * base::kSecond - base::kHour);
}

// The texts are those of a real Loki (tests/loki/real/serve_tail_test.py).
TEST(TailRequest, RefusesInLokisWords) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "parse error : syntax error: unexpected $end"},
      {"query=%7Ba%3D", "parse error at line 1, col 4: syntax error: unexpected $end, expecting STRING"},
      {"query=%7Ba%3D%22b%22%7D+%7C~+%22(%22", "parse error : stage '|~ \"(\"' : error parsing regexp: missing closing ): `(`"},
      {"query=%7Ba%3D%22b%22%7D&delay_for=6", "delay_for can't be greater than 5"},
      {"query=%7Ba%3D%22b%22%7D&delay_for=-1", "delay_for can't be greater than 5"},
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
