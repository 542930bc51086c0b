#include "serve/tail_hub.h"

#include "serve/fakes.h"
#include "support/metric_values.h"
#include "support/small_spool.h"
#include "support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

namespace weir::serve {
namespace {

using testing::HasSubstr;
using testing::Not;

class TailHubTest : public ::testing::Test {
 protected:
  void make(TailLimits limits = {}) {
    limits.poll = 5 * base::kMillisecond;
    hub = TailHub::create(path, limits, base::Clock::system(), context.diagnostics, &registry);
    routes = hub->routes();
  }
  void store(const std::vector<test::StoredRecord>& records) { test::make_spool(path, records, context); }
  // A client of {app="x"}, with further parameters.
  std::shared_ptr<FakeSocket> tail(const std::string& more = "", const std::string& tenant = "",
                                   const std::string& query = "%7Bapp%3D%22x%22%7D",
                                   const std::string& endpoint = "/loki/api/v1/tail") {
    httpd::Request request;
    request.path = endpoint;
    request.query = "query=" + query + more;
    if (!tenant.empty()) request.headers.emplace_back("X-Scope-OrgID", tenant);
    if (const auto refused = routes.front().admit(request)) {
      refusal = refused->body;
      return nullptr;
    }
    auto socket = std::make_shared<FakeSocket>(request);
    routes.front().socket(socket);
    return socket;
  }
  std::uint64_t metric(const std::string& name) { return test::metric_values(registry).at(name); }
  static base::Timestamp now() { return base::Clock::system().wall(); }

  test::TempDir dir;
  std::string path = dir / "spool.db";
  test::TestContext context;
  metrics::Registry registry;
  std::unique_ptr<TailHub> hub;
  std::vector<httpd::Route> routes;
  std::string refusal;
};

TEST_F(TailHubTest, ShowsTheNewestOfBeforeAndThenWhatIsNew) {
  store({{{{"app", "x"}}, now() - 3, "one"},
         {{{"app", "y"}}, now() - 2, "other"},
         {{{"app", "x"}}, now() - 2, "two"},
         {{{"app", "x"}}, now() - 1, "three"}});
  make();
  const auto socket = tail("&limit=2");
  const auto history = socket->frames(1);
  ASSERT_EQ(history.size(), 1U);
  EXPECT_THAT(history[0], Not(HasSubstr("one")));
  EXPECT_LT(history[0].find("\"two\""), history[0].find("\"three\""));
  store({{{{"app", "x"}}, 5, "late, and new all the same"}, {{{"app", "y"}}, now(), "other"}});
  const auto all = socket->frames(2);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_THAT(all[1], HasSubstr("late, and new all the same"));
  EXPECT_THAT(all[1], Not(HasSubstr("other")));
}

TEST_F(TailHubTest, KeepsTenantsApart) {
  store({{{{"app", "x"}}, now() - 3, "of nobody"}, {{{"app", "x"}}, now() - 2, "of a", {}, "a"}});
  make();
  const auto a = tail("", "a"), nobody = tail();
  EXPECT_THAT(a->frames(1).front(), HasSubstr("of a"));
  EXPECT_THAT(nobody->frames(1).front(), HasSubstr("of nobody"));
  store({{{{"app", "x"}}, now(), "new of a", {}, "a"}, {{{"app", "x"}}, now(), "new of nobody"}});
  for (const auto& frame : a->frames(2)) EXPECT_THAT(frame, Not(HasSubstr("nobody")));
  for (const auto& frame : nobody->frames(2)) EXPECT_THAT(frame, Not(HasSubstr("of a")));
}

TEST_F(TailHubTest, ShowsThePageEverythingWithItsLevel) {
  store({{{{"app", "x"}}, now() - 2, "an error"}, {{{"app", "y"}, {"level", "WARN"}}, now() - 1, "two"}});
  make();
  EXPECT_EQ(tail("", "", "%7B%7D"), nullptr);
  EXPECT_THAT(refusal, HasSubstr("queries require at least one regexp or equality matcher"));
  const auto socket = tail("", "", "%7B%7D", "/weir/api/v1/tail");
  ASSERT_NE(socket, nullptr);
  EXPECT_THAT(socket->frames(1).front(), HasSubstr(R"("an error",{"level":"error"}]]},{"stream":{"app":"y","level":"WARN"})"));
  EXPECT_THAT(socket->frames(1).front(), HasSubstr(R"("two",{"level":"warn"}]])"));
  store({{{{"app", "z"}}, now(), "new", {{"detected_level", "debug"}}}});
  EXPECT_THAT(socket->frames(2).back(), HasSubstr(R"("new",{"level":"debug","structuredMetadata":{"detected_level":"debug"}}]])"));
}

TEST_F(TailHubTest, LeavesNoHoleBehindALongHistory) {
  for (int i = 0; i < 4; ++i) store({{{{"app", "x"}}, now(), std::to_string(i) + std::string(600 << 10, 'x')}});
  make({.unsent = 8 << 20, .frames = {.bytes = 8 << 20}});
  const auto socket = tail();
  const auto history = socket->frames(1);
  ASSERT_EQ(history.size(), 1U);
  EXPECT_THAT(history[0], HasSubstr("\"3xxx"));
  EXPECT_THAT(history[0], Not(HasSubstr("\"0xxx")));
}

TEST_F(TailHubTest, WaitsForASpoolThatIsNotThere) {
  make();
  const auto socket = tail();
  store({{{{"app", "x"}}, now(), "first"}});
  EXPECT_THAT(socket->frames(1).front(), HasSubstr("first"));
}

TEST_F(TailHubTest, GoesOnWithASpoolThatTakesItsPlace) {
  store({{{{"app", "x"}}, now(), "old"}});
  make();
  const auto socket = tail();
  EXPECT_EQ(socket->frames(1).size(), 1U);
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(path).parent_path()))
    std::filesystem::remove(entry.path());
  store({{{{"app", "x"}}, now(), "in the new one"}});
  EXPECT_THAT(socket->frames(2).back(), HasSubstr("in the new one"));
}

TEST_F(TailHubTest, RefusesWhatItCannotTail) {
  make();
  EXPECT_EQ(tail("&delay_for=6"), nullptr);
  EXPECT_EQ(refusal, "delay_for can't be greater than 5");
  EXPECT_EQ(tail("", "a|b"), nullptr);
  EXPECT_EQ(refusal, "multiple org IDs present\n");
  EXPECT_EQ(tail("", "", "rate(%7Bapp%3D%22x%22%7D%5B1m%5D)")->closed(), "1011 only log selector is supported");
}

TEST_F(TailHubTest, HasALimit) {
  make({.tails = 2});
  EXPECT_EQ(metric("weir_serve_open_tails"), 0U);
  const auto one = tail(), two = tail(), three = tail();
  EXPECT_EQ(three->closed(), "1011 max concurrent tail requests limit exceeded, count > limit (3 > 2)");
  EXPECT_EQ(metric("weir_serve_open_tails"), 2U);
  one->leave();
  for (int i = 0; i < 6000 && hub->count() > 1; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(metric("weir_serve_open_tails"), 1U);
  const auto four = tail();
  EXPECT_FALSE(four->gone());
  EXPECT_FALSE(two->gone());
}

TEST_F(TailHubTest, EndsATailInTime) {
  make({.longest = 50 * base::kMillisecond});
  EXPECT_EQ(tail()->closed(), "1011 reached tail max duration limit");
}

TEST_F(TailHubTest, ClosesAllWhenItStops) {
  make();
  const auto one = tail(), two = tail();
  hub->stop();
  EXPECT_EQ(one->closed(), "1001 the server ends");
  EXPECT_EQ(two->closed(), "1001 the server ends");
  EXPECT_EQ(tail()->closed(), "1011 the server ends");
}

TEST_F(TailHubTest, EndsWhileATailIsOnlyBeginning) {
  store({{{{"app", "x"}}, now(), "one"}});
  // A tail begins on threads of the hub, within a millisecond or so: the hub ends at each moment of that.
  for (int round = 0; round < 100; ++round) {
    make();
    const auto socket = tail();
    const auto moment = std::chrono::steady_clock::now() + std::chrono::microseconds(20 * round);
    while (std::chrono::steady_clock::now() < moment) std::this_thread::yield();
    hub.reset();
    EXPECT_EQ(socket->closed(), "1001 the server ends");
  }
}

TEST_F(TailHubTest, DropsWhatASlowClientDoesNotReadAndSaysSo) {
  store({{{{"app", "x"}}, now(), "first"}});
  make({.unsent = 1000, .patience = 5 * base::kMillisecond, .frames = {.bytes = 2000}});
  const auto slow = tail(), fast = tail();
  EXPECT_EQ(slow->frames(1).size(), 1U);
  EXPECT_EQ(fast->frames(1).size(), 1U);
  slow->stick(true);
  std::vector<test::StoredRecord> many;
  for (int i = 0; i < 1000; ++i) many.push_back({{{"app", "x"}}, now(), "entry " + std::to_string(i)});
  store(many);
  const auto count = [](const std::vector<std::string>& frames, std::string_view text) {
    std::size_t found = 0;
    for (const std::string& frame : frames) {
      for (std::size_t at = 0; (at = frame.find(text, at)) != std::string::npos; ++at) ++found;
    }
    return found;
  };
  // Who reads gets all.
  for (std::size_t frames = 2; count(fast->frames(frames), "\"entry ") < 1000 && frames < 1000; ++frames) {
  }
  EXPECT_EQ(count(fast->frames(1), "\"entry "), 1000U);
  EXPECT_EQ(count(fast->frames(1), "dropped_entries"), 0U);
  slow->stick(false);
  std::size_t frames = 2;
  while (count(slow->frames(frames), "dropped_entries") == 0 && frames < 100) ++frames;
  store({{{{"app", "x"}}, now(), "the end"}});
  while (count(slow->frames(frames), "the end") == 0 && frames < 200) ++frames;
  const auto got = slow->frames(1);
  EXPECT_GT(count(got, "\"timestamp\""), 100U);
  EXPECT_EQ(count(got, "\"entry ") + count(got, "\"timestamp\""), 1000U);
  EXPECT_EQ(metric("weir_serve_tail_dropped_records_total"), count(got, "\"timestamp\""));
}

}  // namespace
}  // namespace weir::serve
