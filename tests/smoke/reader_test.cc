#include "smoke/reader.h"

#include "support/fake_query_loki.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

namespace weir::smoke {
namespace {

using base::Code;

class Silent : public base::Diagnostics {
 public:
  void say(std::string_view) override {}
  void warn(std::string_view, std::string_view) override {}
};

class ReaderTest : public testing::Test {
 protected:
  std::unique_ptr<Reader> make(bool patient) {
    loki::QueryClientConfig config;
    config.http.base.origin = loki.url();
    config.attempts = 3;
    config.backoff = {.base = base::kMillisecond, .ceiling = base::kMillisecond};
    auto reader = Reader::create(config, patient, base::Clock::system(), diagnostics, nullptr);
    if (!reader) std::abort();
    return std::move(*reader);
  }
  test::FakeQueryLoki loki;
  Silent diagnostics;
};

TEST_F(ReaderTest, ListsAllInTheOrderOfTime) {
  constexpr int kEntries = 1234;  // several pages
  for (int i = 0; i < kEntries; ++i)
    loki.entries.push_back({{{"s", fmt::to_string(i % 3)}}, 100 + i, fmt::format("line {}\n", i), {{"n", fmt::to_string(i)}}});
  const auto reader = make(true);
  int next = 0;
  ASSERT_TRUE(reader->list("{}", {0, 1'000'000}, [&](const Arrived& arrived) {
    EXPECT_EQ(arrived.time, 100 + next);
    EXPECT_EQ(arrived.line, fmt::format("line {}\n", next));
    ASSERT_EQ(arrived.metadata.size(), 1U);
    EXPECT_EQ(arrived.metadata[0].value, fmt::to_string(next));
    ASSERT_EQ(arrived.labels.size(), 1U);
    EXPECT_EQ(arrived.labels[0].value, fmt::to_string(next % 3));
    ++next;
  }));
  EXPECT_EQ(next, kEntries);
}

TEST_F(ReaderTest, OnlyThePatientOneAsksAgain) {
  for (const bool patient : {false, true}) {
    loki.reply_first({{503, "not ready"}});
    const auto listed = make(patient)->list("{}", {0, 10}, [](const Arrived&) {});
    EXPECT_EQ(listed.ok(), patient);
    if (!listed) {
      EXPECT_EQ(listed.error().code, Code::network);
    }
  }
}

TEST_F(ReaderTest, Probe) {
  EXPECT_TRUE(make(false)->probe("{}"));
  loki.reply_first({{401, "no org id"}});
  const auto denied = make(false)->probe("{}");
  ASSERT_FALSE(denied);
  EXPECT_THAT(denied.error().message, testing::HasSubstr("401 no org id"));
  EXPECT_EQ(loki.last_parameters()["limit"], "1");
}

TEST_F(ReaderTest, Numbers) {
  const auto vector = [](const std::string& series) {
    return test::FakeReply{200, R"({"status":"success","data":{"resultType":"vector","result":[)" + series + "]}}"};
  };
  const auto reader = make(true);
  loki.reply_first({vector(R"({"metric":{},"value":[7,"1234"]})"), vector("")});
  EXPECT_EQ(*reader->number("sum(x)", 7), 1234U);
  EXPECT_EQ(*reader->number("sum(x)", 7), 0U) << "nothing counts as none";
  loki.reply_first({vector(R"({"metric":{"n":"9"},"value":[7,"2"]},{"metric":{"n":"10"},"value":[7,"3"]})")});
  std::map<std::string, std::uint64_t> found;
  ASSERT_TRUE(
      reader->numbers("sum by (n) (x)", 7, "n", [&](std::string_view n, std::uint64_t value) { found[std::string(n)] = value; }));
  EXPECT_EQ(found, (std::map<std::string, std::uint64_t>{{"9", 2}, {"10", 3}}));
  loki.reply_first({{400, "no"}});
  EXPECT_FALSE(reader->number("sum(x)", 7));
}

}  // namespace
}  // namespace weir::smoke
