// The endpoints of the page: view, context and status.
#include "serve/view.h"

#include "serve/api_kit.h"
#include "serve/level_counts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::serve {
namespace {

using test::ApiTest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kAll = "query=%7Bapp%3D~%22.%2B%22%7D";  // {app=~".+"}
const std::string kTime = "&start=1760000000&end=1760000600";

class ViewTest : public ApiTest {
 protected:
  std::vector<std::string> view(const std::string& more) {
    const auto answer = ask("/weir/api/v1/view?" + more + kTime);
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.content_type, "application/x-ndjson");
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < answer.body.size();) {
      const std::size_t end = answer.body.find('\n', at);
      lines.push_back(answer.body.substr(at, end - at));
      at = end + 1;
    }
    return lines;
  }
  void store_three() {
    store({{{{"app", "x"}}, at(1), "level=warn one", {{"trace", "t1"}}},
           {{{"app", "y"}, {"level", "ERROR"}}, at(2), "two"},
           {{{"app", "x"}}, at(31), R"({"status":200})", {{"detected_level", "info"}}}});
  }
};

TEST_F(ViewTest, LinesThenTheHistogram) {
  store_three();
  EXPECT_THAT(
      view(std::string(kAll) + "%20%7C%20json%20%7C%20drop%20__error__%2C__error_details__&buckets=60"),
      ElementsAre(
          R"({"type":"stream","id":1,"labels":{"app":"x"}})", R"({"type":"stream","id":2,"labels":{"app":"y","level":"ERROR"}})",
          R"({"type":"line","s":1,"ts":"1760000031000000000","metadata":{"detected_level":"info"},)"
          R"("parsed":{"status":"200"},"line":"{\"status\":200}","level":"info"})",
          R"({"type":"line","s":2,"ts":"1760000002000000000","line":"two","level":"error"})",
          R"({"type":"line","s":1,"ts":"1760000001000000000","metadata":{"trace":"t1"},"line":"level=warn one","level":"warn"})",
          R"({"type":"histogram","step_ns":10000000000,"start":"1760000000000000000",)"
          R"("buckets":{"error":[[0,1]],"info":[[3,1]],"warn":[[0,1]]}})",
          R"({"type":"end","lines":3,"more":false})"));
}

TEST_F(ViewTest, TheHistogramCountsWhatTheLimitLeftOut) {
  std::vector<test::StoredRecord> records;
  for (int i = 0; i < 500; ++i) records.push_back({{{"app", "x"}}, at(i), i % 2 == 0 ? "error" : "info"});
  store(records);
  for (const std::string direction : {"forward", "backward"}) {
    const auto lines = view(std::string(kAll) + "&limit=3&buckets=2&direction=" + direction);
    ASSERT_EQ(lines.size(), 6U) << direction;
    EXPECT_THAT(lines[1], HasSubstr(direction == "forward" ? R"("ts":"1760000000000000000")" : R"("ts":"1760000499000000000")"));
    EXPECT_THAT(lines[3], HasSubstr(direction == "forward" ? R"("ts":"1760000002000000000")" : R"("ts":"1760000497000000000")"));
    EXPECT_THAT(lines[4], HasSubstr(R"("buckets":{"error":[[0,)"));
    EXPECT_EQ(lines[5], R"({"type":"end","lines":3,"more":true})");
  }
}

TEST_F(ViewTest, OneHalfOfTheBlocksIsEnoughForTheLimit) {
  // Two blocks: the limit is reached at the end of the newer one.
  std::vector<test::StoredRecord> older, newer;
  for (int i = 0; i < 5; ++i) older.push_back({{{"app", "x"}}, at(i), "old"});
  for (int i = 0; i < 5; ++i) newer.push_back({{{"app", "x"}}, at(100 + i), "new"});
  store(older);
  store(newer);
  const auto exact = view(std::string(kAll) + "&limit=10&buckets=0");
  EXPECT_EQ(exact.back(), R"({"type":"end","lines":10,"more":false})");
  const auto half = view(std::string(kAll) + "&limit=5&buckets=0");
  EXPECT_EQ(half.back(), R"({"type":"end","lines":5,"more":true})");
}

TEST_F(ViewTest, NothingFoundHasAReason) {
  EXPECT_EQ(view(kAll).back(), R"({"type":"end","lines":0,"more":false,"why":"the spool holds no records"})");
  store_three();
  EXPECT_THAT(view("query=%7Bapp%3D%22z%22%7D").back(), HasSubstr("\"why\":\""));
  EXPECT_THAT(view("query=%7Bapp%3D%22x%22%7D%20%7C%3D%20%22nope%22").back(), HasSubstr("none passes the rest of the query"));
}

TEST_F(ViewTest, RefusalsHaveAPlace) {
  const auto refused = [&](const std::string& query) {
    const auto answer = ask("/weir/api/v1/view?" + query);
    EXPECT_EQ(answer.status, 400) << query;
    EXPECT_EQ(answer.content_type, "application/json; charset=UTF-8");
    return answer.body;
  };
  EXPECT_THAT(
      refused("query=%7Bapp%3D%22x%22"),
      StartsWith(R"({"type":"error","message":"parse error at line 1, col 9: syntax error: unexpected $end, expecting } or ,",)"
                 R"("line":1,"col":9)"));
  EXPECT_THAT(refused("query=rate(%7Bapp%3D%22x%22%7D%5B1m%5D)"), HasSubstr("metric query"));
  EXPECT_THAT(refused("query=%7Bapp%3D%22x%22%7D&start=x"), HasSubstr("could not parse 'start' parameter"));
}

TEST_F(ViewTest, WithoutAStartItBeginsWhereTheStoreDoes) {
  store({{{{"app", "x"}}, at(-40 * 86400.0), "long ago"}});
  const std::string end = "&end=1760000600";
  EXPECT_THAT(ask("/weir/api/v1/view?" + std::string(kAll) + end).body, HasSubstr("long ago"));
  EXPECT_THAT(ask("/weir/api/v1/view?" + std::string(kAll) + end + "&since=1h").body, ::testing::Not(HasSubstr("long ago")));
}

TEST_F(ViewTest, TenantsAreApart) {
  store({{{{"app", "x"}}, at(1), "nobody's"}, {{{"app", "x"}}, at(2), "of red", {}, "red"}});
  const auto red = ask("/weir/api/v1/view?" + std::string(kAll) + kTime, {{"X-Scope-OrgID", "red"}}).body;
  EXPECT_THAT(red, HasSubstr("of red"));
  EXPECT_THAT(red, ::testing::Not(HasSubstr("nobody")));
  const auto green = ask("/weir/api/v1/view?" + std::string(kAll) + kTime, {{"X-Scope-OrgID", "green"}}).body;
  EXPECT_THAT(green, HasSubstr(R"("why":"the spool holds no records")"));
}

TEST_F(ViewTest, WhoLeavesEndsIt) {
  std::vector<test::StoredRecord> records;
  for (int i = 0; i < 5000; ++i) records.push_back({{{"app", "x"}}, at(i * 0.1), std::string(200, 'x')});
  store(records);
  class Leaves : public test::FakeExchange {
   public:
    using FakeExchange::FakeExchange;
    bool write(std::string piece) override {
      FakeExchange::write(std::move(piece));
      return false;
    }
  };
  auto request = get("/weir/api/v1/view?" + std::string(kAll) + kTime + "&limit=5000");
  const auto leaves = std::make_shared<Leaves>(request);
  const auto routes = api().routes();
  test::route_of(routes, request)->later(leaves);
  leaves->wait();
  EXPECT_EQ(leaves->pieces.size(), 1U);
}

// The time is up when the first piece with this text is sent.
class EndsTheTime : public test::FakeExchange {
 public:
  EndsTheTime(httpd::Request request, test::FakeClock& clock, std::string at)
      : FakeExchange(std::move(request)), clock_(clock), at_(std::move(at)) {}
  bool write(std::string piece) override {
    if (piece.find(at_) != std::string::npos) clock_.advance(base::kHour);
    return FakeExchange::write(std::move(piece));
  }

 private:
  test::FakeClock& clock_;
  const std::string at_;
};

TEST_F(ViewTest, WhenTheTimeIsUpItShowsWhatItHas) {
  std::vector<test::StoredRecord> records;
  for (int i = 0; i < 5000; ++i) records.push_back({{{"app", "x"}}, at(i * 0.1), "error " + std::string(200, 'x')});
  store(records);
  const auto routes = api().routes();
  const auto show = [&](const std::string& more) {
    auto request = get("/weir/api/v1/view?" + std::string(kAll) + kTime + "&buckets=1" + more);
    const auto exchange = std::make_shared<EndsTheTime>(request, context.clock, R"("type":"line")");
    test::route_of(routes, request)->later(exchange);
    return exchange->wait().body;
  };
  // The newest lines are all there; what the limit left out was not counted.
  EXPECT_THAT(
      show("&limit=3"),
      ::testing::EndsWith(R"("partial":true,"buckets":{"error":[[1,3]]}})"
                          "\n"
                          R"({"type":"end","lines":3,"more":true,"partial":true,"why":"not all was read within 1m: choose a )"
                          R"(shorter time, or a selector that takes fewer streams"})"
                          "\n"));
  // What was read is shown and counted.
  const std::string oldest = show("&limit=100000&direction=forward");
  std::size_t lines = 0;
  for (std::size_t found = 0; (found = oldest.find(R"("type":"line")", found)) != std::string::npos; ++found) ++lines;
  EXPECT_GT(lines, 0U);
  EXPECT_LT(lines, records.size());
  EXPECT_THAT(oldest, HasSubstr("\"partial\":true,\"buckets\":{\"error\":[[0," + std::to_string(lines) + "]]}}"));
  EXPECT_THAT(oldest, HasSubstr("{\"type\":\"end\",\"lines\":" + std::to_string(lines) + ",\"more\":true,\"partial\":true,"));
}

TEST_F(ViewTest, TheLinesAround) {
  store({{{{"app", "x"}}, at(1), "1"},
         {{{"app", "x"}, {"pod", "a"}}, at(2), "another stream"},
         {{{"app", "x"}}, at(2), "2"},
         {{{"app", "x"}}, at(3), "3", {{"trace", "t"}}},
         {{{"app", "x"}}, at(4), "4"}});
  const std::string stream = "stream=%7B%22app%22%3A%22x%22%7D", ts = "&ts=1760000003000000000";
  EXPECT_EQ(body("/weir/api/v1/context?" + stream + ts + "&before=1&after=1"),
            R"({"labels":{"app":"x"},"before":[{"ts":"1760000002000000000","line":"2","level":"unknown"}],)"
            R"("after":[{"ts":"1760000003000000000","metadata":{"trace":"t"},"line":"3","level":"unknown"}],)"
            "\"more_before\":true,\"more_after\":true}\n");
  EXPECT_THAT(body("/weir/api/v1/context?" + stream + ts), HasSubstr(R"("more_before":false,"more_after":false)"));
  EXPECT_THAT(body("/weir/api/v1/context?" + stream + ts + "&query=%7C~%20%22%5B14%5D%22"),
              StartsWith(R"({"labels":{"app":"x"},"before":[{"ts":"1760000001000000000",)"));
  EXPECT_THAT(body("/weir/api/v1/context?stream=%7Bapp%3D%22x%22%7D" + ts),
              HasSubstr(R"({"labels":{"app":"x","pod":"a"},"ts":"1760000002000000000","line":"another stream")"));
  EXPECT_THAT(body("/weir/api/v1/context?" + stream), HasSubstr("'ts' is missing"));
  EXPECT_THAT(body("/weir/api/v1/context?stream=x" + ts), StartsWith("400 "));
  EXPECT_THAT(body("/weir/api/v1/context?stream=%7B%22app%22" + ts), HasSubstr("neither an object of labels nor a selector"));
}

TEST_F(ViewTest, Status) {
  EXPECT_THAT(
      body("/weir/api/v1/status"),
      HasSubstr(R"("exists":false,"bytes":0,"blocks":0,"records":0,"line_bytes":0,"streams":0,"tenants":[],"oldest":null)"));
  store({{{{"app", "x"}}, at(1), "1"}, {{{"app", "y"}}, at(3), "22"}, {{{"app", "x"}}, at(4), "of red", {}, "red"}});
  EXPECT_THAT(body("/weir/api/v1/status"), HasSubstr(R"("blocks":1,"records":2,"line_bytes":3,"streams":2,"tenants":["","red"],)"
                                                     R"("oldest":"2025-10-09T08:53:21Z","newest":"2025-10-09T08:53:23Z",)"));
  EXPECT_THAT(body("/weir/api/v1/status", {{"X-Scope-OrgID", "red"}}), HasSubstr(R"("records":1,"line_bytes":6,"streams":1,)"));
}

TEST(LevelCounts, RoundSteps) {
  const auto f = [](base::Duration length, std::size_t most, base::Duration step) {
    LevelCounts counts({7 * base::kSecond, 7 * base::kSecond + length}, most);
    counts.add("info", 7 * base::kSecond);
    EXPECT_THAT(counts.json(), HasSubstr("\"step_ns\":" + std::to_string(step) + ",")) << length;
  };
  f(base::kHour, 60, base::kMinute);
  f(base::kHour, 50, 2 * base::kMinute);
  f(10 * base::kSecond, 60, 500 * base::kMillisecond);
  f(30 * 24 * base::kHour, 60, 12 * base::kHour);
  f(3000 * 24 * base::kHour, 60, 50 * 24 * base::kHour);
  EXPECT_FALSE(LevelCounts({0, 0}, 60).counts());
  EXPECT_FALSE(LevelCounts({0, 100}, 0).counts());
}

TEST(LevelCounts, TheLargerOfTwo) {
  LevelCounts counts({0, base::kHour}, 1), other = counts;
  counts.add("info", 1, 3);
  other.add("info", 1, 2);
  other.add("error", 1, 4);
  counts.raise(other);
  EXPECT_THAT(counts.json(true), HasSubstr(R"("partial":true,"buckets":{"error":[[0,4]],"info":[[0,3]]})"));
}

TEST(LevelCounts, LevelsAreBounded) {
  LevelCounts counts({0, base::kHour}, 1);
  for (int i = 0; i < 100; ++i) counts.add("level " + std::to_string(i), i);
  EXPECT_THAT(counts.json(), HasSubstr("\"other\":[[0,76]]"));
}

}  // namespace
}  // namespace weir::serve
