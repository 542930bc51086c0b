// Loki's endpoints: the same requests are asked of a real Loki in tests/loki/real/serve_query_test.py. Here is what is weir's own:
// tenants, limits, a spool that comes and goes.
#include "serve/query_api.h"

#include "serve/api_kit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <stdexcept>
#include <thread>

namespace weir::serve {
namespace {

using test::ApiTest;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kAll = "query=%7Bapp%3D~%22.%2B%22%7D";  // {app=~".+"}
const std::string kTime = "&start=1760000000&end=1760000600";

class QueryApiTest : public ApiTest {
 protected:
  std::string range(const std::string& more, httpd::Fields headers = {}) {
    return body("/loki/api/v1/query_range?" + more + kTime, std::move(headers));
  }
  void store_three() {
    store({{{{"app", "x"}, {"pod", "a"}}, at(1), "one", {{"trace", "t1"}}},
           {{{"app", "y"}, {"pod", "a"}}, at(2), "two"},
           {{{"app", "x"}, {"pod", "a"}}, at(3), R"({"status":200})"}});
  }
};

TEST_F(QueryApiTest, Lines) {
  store_three();
  EXPECT_EQ(range(std::string(kAll) + "&direction=forward"),
            R"({"status":"success","data":{"resultType":"streams","result":[)"
            R"({"stream":{"app":"x","pod":"a","trace":"t1"},"values":[["1760000001000000000","one"]]},)"
            R"({"stream":{"app":"x","pod":"a"},"values":[["1760000003000000000","{\"status\":200}"]]},)"
            R"({"stream":{"app":"y","pod":"a"},"values":[["1760000002000000000","two"]]}])");
  EXPECT_EQ(range(std::string(kAll) + "&limit=1", {{"x-loki-response-encoding-flags", "categorize-labels"}}),
            R"({"status":"success","data":{"resultType":"streams","encodingFlags":["categorize-labels"],"result":[)"
            R"({"stream":{"app":"x","pod":"a"},"values":[["1760000003000000000","{\"status\":200}",{}]]}])");
  EXPECT_EQ(range(std::string(kAll) + "&limit=1&direction=forward"),
            R"({"status":"success","data":{"resultType":"streams","result":[)"
            R"({"stream":{"app":"x","pod":"a","trace":"t1"},"values":[["1760000001000000000","one"]]}])");
  const auto whole = ask("/loki/api/v1/query_range?" + std::string(kAll) + kTime);
  EXPECT_EQ(whole.content_type, "application/json; charset=UTF-8");
  EXPECT_TRUE(whole.body.ends_with("}}\n"));
}

TEST_F(QueryApiTest, LinesApartInTime) {
  std::vector<test::StoredRecord> records;
  for (int i = 0; i < 3000; ++i) records.push_back({{{"app", "x"}}, at(i * 0.1), std::to_string(i)});
  store(records);
  const auto lines = [&](const std::string& more) {
    std::string found;
    const std::string text = range(std::string(kAll) + more);
    for (std::size_t at = text.find("\",\"", text.find("\"values\"")); at != std::string::npos; at = text.find("\",\"", at + 1))
      found += text.substr(at + 3, text.find('"', at + 3) - at - 3) + " ";
    return found;
  };
  EXPECT_EQ(lines("&interval=60&direction=forward"), "0 600 1200 1800 2400 ");
  EXPECT_EQ(lines("&interval=60"), "2999 2399 1799 1199 599 ");
  EXPECT_EQ(lines("&interval=60&limit=2"), "2999 2399 ");
  EXPECT_EQ(lines("&interval=0.25&limit=4"), "2999 2996 2993 2990 ");
}

TEST_F(QueryApiTest, PointsLieOnMultiplesOfTheStep) {
  store_three();
  EXPECT_EQ(body("/loki/api/v1/query_range?query=sum(count_over_time(%7Bapp%3D~%22.%2B%22%7D%5B1m%5D))&start=1760000007&end="
                 "1760000070&step=60"),
            R"({"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1760000040,"3"]]}])");
  EXPECT_EQ(body("/loki/api/v1/query?query=vector(1)%2Bvector(1)&time=4000000000"),
            R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[4000000000,"2"]}])");
  EXPECT_EQ(body("/loki/api/v1/query?query=1%2B1&time=1760000000.5"),
            R"({"status":"success","data":{"resultType":"scalar","result":[1760000000.5,"2"])");
}

TEST_F(QueryApiTest, PostedForms) {
  store_three();
  auto request = get("/loki/api/v1/query_range?limit=5");
  request.method = "POST";
  request.body = std::string(kAll) + "&limit=1" + kTime;
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
  EXPECT_THAT(begin(request)->wait().body, HasSubstr(R"("totalEntriesReturned":1,)"));
}

TEST_F(QueryApiTest, ARequestSeesItsTenantAlone) {
  store({{{{"app", "x"}}, at(1), "nobody's"},
         {{{"app", "x"}, {"team", "red"}}, at(2), "of red", {}, "red"},
         {{{"app", "y"}, {"team", "blue"}}, at(3), "of blue", {}, "blue"}});
  const httpd::Fields red = {{"X-Scope-OrgID", "red"}}, green = {{"X-Scope-OrgID", "green"}};
  const auto both = [&](const std::string& target, const std::string& nobody, const std::string& of_red,
                        const std::string& of_green) {
    EXPECT_EQ(body(target + kTime), nobody) << target;
    EXPECT_EQ(body(target + kTime, red), of_red) << target;
    EXPECT_EQ(body(target + kTime, green), of_green) << target;
  };
  const std::string streams = R"({"status":"success","data":{"resultType":"streams","result":[)";
  both("/loki/api/v1/query_range?" + std::string(kAll),
       streams + R"({"stream":{"app":"x"},"values":[["1760000001000000000","nobody's"]]}])",
       streams + R"({"stream":{"app":"x","team":"red"},"values":[["1760000002000000000","of red"]]}])", streams + "]");
  const std::string count = "/loki/api/v1/query?query=sum(count_over_time(%7Bapp%3D~%22.%2B%22%7D%5B1h%5D))&time=1760000600&x=";
  const std::string vector = R"({"status":"success","data":{"resultType":"vector","result":[)";
  both(count, vector + R"({"metric":{},"value":[1760000600,"1"]}])", vector + R"({"metric":{},"value":[1760000600,"1"]}])",
       vector + "]");
  const std::string none = "{\"status\":\"success\"}\n";
  both("/loki/api/v1/labels?a=b", "{\"status\":\"success\",\"data\":[\"app\"]}\n",
       "{\"status\":\"success\",\"data\":[\"app\",\"team\"]}\n", none);
  both("/loki/api/v1/label/app/values?a=b", "{\"status\":\"success\",\"data\":[\"x\"]}\n",
       "{\"status\":\"success\",\"data\":[\"x\"]}\n", none);
  both("/loki/api/v1/series?a=b", "{\"status\":\"success\",\"data\":[{\"app\":\"x\"}]}\n",
       "{\"status\":\"success\",\"data\":[{\"app\":\"x\",\"team\":\"red\"}]}\n", "{\"status\":\"success\",\"data\":[]}\n");
  both("/loki/api/v1/index/stats?" + std::string(kAll), "{\"streams\":1,\"chunks\":1,\"bytes\":8,\"entries\":1}\n",
       "{\"streams\":1,\"chunks\":1,\"bytes\":6,\"entries\":1}\n", "{\"streams\":0,\"chunks\":0,\"bytes\":0,\"entries\":0}\n");
  both("/loki/api/v1/index/volume?" + std::string(kAll), vector + R"({"metric":{"app":"x"},"value":[1760000600,"8"]}])",
       vector + R"({"metric":{"app":"x"},"value":[1760000600,"6"]}])", vector + "]");
  both("/loki/api/v1/detected_labels?a=b", "{\"detectedLabels\":[{\"label\":\"app\",\"cardinality\":1}]}\n",
       "{\"detectedLabels\":[{\"label\":\"app\",\"cardinality\":1},{\"label\":\"team\",\"cardinality\":1}]}\n", "{}\n");
  EXPECT_EQ(body("/loki/api/v1/labels", {{"X-Scope-OrgID", "a|b"}}), "400 multiple org IDs present\n");
}

TEST_F(QueryApiTest, Limits) {
  limits.answer = 300;
  limits.length = base::kHour;
  std::vector<test::StoredRecord> records;
  for (int i = 0; i < 10; ++i) records.push_back({{{"app", "x"}, {"n", std::to_string(i)}}, at(i), std::string(40, 'x')});
  store(records);
  EXPECT_THAT(range(std::string(kAll) + "&limit=2"), StartsWith(R"({"status":"success")"));
  EXPECT_THAT(range(kAll), StartsWith("400 the answer is larger than"));
  EXPECT_EQ(range(std::string(kAll) + "&limit=5001"),
            "400 max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > 5000)");
  // The longest query that Loki reads, and one that is too long.
  const std::string longest = "query=%7Bapp%3D%22x%22%7D+%7C%3D+%60" + std::string(131'071 - 15, 'a') + "%60";
  EXPECT_THAT(range(longest), StartsWith(R"({"status":"success")"));
  EXPECT_EQ(range(longest + "+"), "400 parse error : input size too long (131072 > 131072)");
  EXPECT_EQ(body("/loki/api/v1/labels?start=1&end=3602"),
            "400 the query time range exceeds the limit (query length: 1h0m1s, limit: 1h)");
}

// Asked of a real Loki.
TEST_F(QueryApiTest, LengthsAreCountedInMilliseconds) {
  limits.length = base::kHour;
  store_three();
  const auto length = [&](const std::string& endpoint, const std::string& start, const std::string& end) {
    const std::string answer = body("/loki/api/v1/" + endpoint + "?" + kAll + "&start=" + start + "&end=" + end + "&step=60");
    if (answer.starts_with("{")) return std::string("ok");
    const std::size_t at = answer.find("(query length: ");
    return at == std::string::npos ? answer : answer.substr(at + 15, answer.find(',', at) - at - 15);
  };
  const std::string start = "1000000000000999999", end = "1000003600001000001";
  EXPECT_EQ(length("query_range", start, end), "1h0m0.001s");
  EXPECT_EQ(length("labels", start, end), "1h0m0.001s");
  EXPECT_EQ(length("index/stats", start, end), "1h0m0.002s");
  EXPECT_EQ(length("index/volume", start, end), "ok");
  EXPECT_EQ(length("index/volume", "1000000000900000000", "1000003601100000000"), "1h0m1s");
  EXPECT_EQ(length("index/volume", "1000000000000000000", "1000003600999999999"), "ok");
  EXPECT_EQ(length("index/volume_range", start, "1000093600001000001"), "ok");
  EXPECT_EQ(length("query_range", "1000000000000000001", "1000003600000999999"), "ok");
  EXPECT_EQ(length("index/stats", "1000000000000000000", "1000003600000000001"), "1h0m0.001s");
}

TEST_F(QueryApiTest, FlagsComeBackInTheirOrder) {
  EXPECT_THAT(range(kAll, {{"X-Loki-Response-Encoding-Flags", "b, categorize-labels,a,b,"}}),
              HasSubstr(R"("encodingFlags":["b","categorize-labels","a"])"));
}

TEST_F(QueryApiTest, SeriesAreLimited) {
  limits.series = 2;
  store({{{{"app", "x"}}, at(1), "a"}, {{{"app", "y"}}, at(1), "a"}, {{{"app", "z"}}, at(1), "a"}});
  EXPECT_THAT(body("/loki/api/v1/query?query=count_over_time(%7Bapp%3D~%22.%2B%22%7D%5B1m%5D)&time=1760000002"),
              StartsWith("400 maximum number of series (2) reached for a single query"));
}

TEST_F(QueryApiTest, ARequestWhoseTimeIsUpIsToldSo) {
  store_three();
  limits.time = 0;
  EXPECT_THAT(range(kAll), StartsWith("504 request timed out, decrease the duration of the request"));
}

TEST_F(QueryApiTest, WhoIsGoneIsNotWorkedFor) {
  store_three();
  auto exchange = std::make_shared<test::FakeExchange>(get("/loki/api/v1/query_range?" + std::string(kAll) + kTime));
  exchange->leave();
  auto request = exchange->request();
  const auto routes = api().routes();
  test::route_of(routes, request)->later(exchange);
  EXPECT_EQ(exchange->wait().status, 499);
  EXPECT_GE(exchange->asked, 1);
}

// A request whose work waits in the question whether its client is gone.
class Slow : public test::FakeExchange {
 public:
  using FakeExchange::FakeExchange;
  [[nodiscard]] bool gone() const override {
    std::unique_lock lock(mutex_);
    working_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    return false;
  }
  void wait_for_work() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return working_; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable bool working_ = false;
  bool open_ = false;
};

TEST_F(QueryApiTest, TooManyAtOnce) {
  store_three();
  limits.queries = 1;
  limits.waiting = 0;
  auto slow = std::make_shared<Slow>(get("/loki/api/v1/labels"));
  auto request = slow->request();
  const auto routes = api().routes();
  test::route_of(routes, request)->later(slow);
  slow->wait_for_work();
  EXPECT_EQ(body("/loki/api/v1/labels"), "429 too many outstanding requests");
  slow->open();
  EXPECT_EQ(slow->wait().status, 200);
}

class Throwing : public test::FakeExchange {
 public:
  using FakeExchange::FakeExchange;
  [[nodiscard]] bool gone() const override { throw std::length_error("too long"); }
};

TEST_F(QueryApiTest, WhatThrowsEndsItsQueryAndNothingElse) {
  store_three();
  auto bad = std::make_shared<Throwing>(get("/loki/api/v1/labels"));
  auto request = bad->request();
  const auto routes = api().routes();
  test::route_of(routes, request)->later(bad);
  const auto answer = bad->wait();
  EXPECT_EQ(answer.status, 500);
  EXPECT_THAT(answer.body, HasSubstr("a bug of weir: too long"));
  EXPECT_THAT(body("/loki/api/v1/labels"), HasSubstr("success"));
}

TEST_F(QueryApiTest, AfterStopNothingNewIsAnswered) {
  store_three();
  api().stop(context.clock.monotonic() + base::kHour);
  EXPECT_EQ(range(kAll), "503 the server is stopping");
}

class QueryApiStopTest : public QueryApiTest, public testing::WithParamInterface<bool> {};

TEST_P(QueryApiStopTest, WhatRunsAndWaitsHasUntilTheDeadline) {
  const bool is_in_time = GetParam();
  store_three();
  limits.queries = 1;
  limits.time = base::kHour;
  auto slow = std::make_shared<Slow>(get("/loki/api/v1/labels"));
  auto request = slow->request();
  const auto routes = api().routes();
  test::route_of(routes, request)->later(slow);
  slow->wait_for_work();
  const auto waiting = begin(get("/loki/api/v1/labels"));
  api().stop(context.clock.monotonic() + base::kMinute);
  if (!is_in_time) context.clock.advance(base::kMinute);
  slow->open();
  EXPECT_EQ(slow->wait().status, is_in_time ? 200 : 503);
  EXPECT_EQ(waiting->wait().status, is_in_time ? 200 : 503);
}

INSTANTIATE_TEST_SUITE_P(InTimeOrNot, QueryApiStopTest, testing::Bool());

TEST_F(QueryApiTest, ASpoolMayComeLaterAndBeReplaced) {
  const std::string streams = R"({"status":"success","data":{"resultType":"streams","result":[)";
  EXPECT_EQ(range(kAll), streams + "]");
  EXPECT_EQ(body("/loki/api/v1/labels"), "{\"status\":\"success\"}\n");
  EXPECT_EQ(body("/loki/api/v1/query?query=count_over_time(%7Bapp%3D%22x%22%7D%5B1m%5D)"),
            R"({"status":"success","data":{"resultType":"vector","result":[])");
  dir.write("spool.db", "");
  EXPECT_EQ(range(kAll), streams + "]");
  std::filesystem::remove(path);
  store({{{{"app", "x"}}, at(1), "first"}});
  EXPECT_EQ(range(kAll), streams + R"({"stream":{"app":"x"},"values":[["1760000001000000000","first"]]}])");
  std::filesystem::rename(path, dir / "old.db");
  store({{{{"app", "x"}}, at(1), "second"}});
  EXPECT_EQ(range(kAll), streams + R"({"stream":{"app":"x"},"values":[["1760000001000000000","second"]]}])");
}

TEST_F(QueryApiTest, WhatIsNoSpoolIsAnErrorOfTheServer) {
  dir.write("spool.db", std::string(5000, 'x'));
  EXPECT_THAT(range(kAll), StartsWith("500 "));
}

TEST_F(QueryApiTest, BuildInfo) {
  const auto answer = ask("/loki/api/v1/status/buildinfo");
  EXPECT_EQ(answer.content_type, "application/json");
  EXPECT_THAT(answer.body, HasSubstr(R"("revision":"9.9.9")"));
}

}  // namespace
}  // namespace weir::serve
