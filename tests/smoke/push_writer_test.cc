#include "smoke/push_writer.h"

#include "support/fake_loki.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace weir::smoke {
namespace {

using base::Code;
using base::kMillisecond;
using base::kSecond;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr base::Duration kPatience = 60 * kSecond;

class PushWriterTest : public testing::Test {
 protected:
  static PlanSpec spec() {
    return {.run = "0123456789ab", .records = 64, .streams = 4, .large = Large::one, .begin = 1'700'000'000 * kSecond};
  }

  std::unique_ptr<PushWriter> make(base::Duration give_up = kPatience, const std::string& url = {}) {
    PushWriterConfig config;
    config.http.base = *http::parse_url(url.empty() ? loki_.url() : url);
    config.tenant = "team-a";
    config.give_up = give_up;
    config.backoff = {10 * kMillisecond, 20 * kMillisecond};
    for (std::uint32_t stream = 1; stream <= plan_.streams(); ++stream)
      config.labels.push_back({{"smoke_stream", std::to_string(stream)}, {"job", "weir-smoke"}});
    auto writer = PushWriter::create(std::move(config), plan_, clock_);
    EXPECT_TRUE(writer);
    return std::move(*writer);
  }
  base::Result<void> write_all(PushWriter& writer) {
    for (std::uint32_t index = 0; index < plan_.batches(); ++index) {
      if (auto written = writer.write(plan_.batch(index)); !written) return written;
    }
    return writer.finish(base::after(clock_.monotonic(), kPatience));
  }

  base::Clock& clock_ = base::Clock::system();
  const Plan plan_{spec()};
  test::FakeLoki loki_;
};

TEST_F(PushWriterTest, PushesEachBatchInARequestOfItsOwn) {
  auto writer = make();
  ASSERT_TRUE(write_all(*writer));
  const auto requests = loki_.requests();
  ASSERT_THAT(requests, SizeIs(8));
  std::set<std::string> numbers;
  for (const auto& request : requests) {
    EXPECT_EQ(request.path, "/loki/api/v1/push");
    EXPECT_EQ(request.header("x-scope-orgid"), "team-a");
    EXPECT_EQ(request.header("content-type"), "application/x-protobuf");
    ASSERT_THAT(request.streams, SizeIs(1));
    ASSERT_THAT(request.streams[0].entries, SizeIs(8));
    for (const auto& entry : request.streams[0].entries) {
      ASSERT_THAT(entry.metadata, SizeIs(3));
      const auto number = static_cast<std::uint32_t>(std::stoul(entry.metadata[1].second));
      const PlannedRecord record = plan_.record(number);
      EXPECT_EQ(entry.line, record.line);
      EXPECT_EQ(entry.timestamp, record.time);
      EXPECT_EQ(entry.metadata, record.metadata);
      EXPECT_EQ(request.streams[0].labels, "{job=\"weir-smoke\", smoke_stream=\"" + std::to_string(record.stream) + "\"}");
      numbers.insert(entry.metadata[1].second);
    }
  }
  EXPECT_THAT(numbers, SizeIs(64));
  EXPECT_EQ(loki_.most_of_one_stream(), 1) << "in flight";
  const WriteReport report = writer->report();
  EXPECT_EQ(report.requests, 8U);
  EXPECT_EQ(report.repeats, 0U);
  EXPECT_THAT(report.refused, IsEmpty());
  EXPECT_GT(report.bytes, 3 * kLargeLine);
}

TEST_F(PushWriterTest, AFullPushUrlIsTheSame) {
  auto writer = make(kPatience, loki_.url() + "/loki/api/v1/push");
  ASSERT_TRUE(write_all(*writer));
  EXPECT_EQ(loki_.requests()[0].path, "/loki/api/v1/push");
}

TEST_F(PushWriterTest, SendsAgainWhatMayPass) {
  loki_.script({{.status = 503, .body = "not ready\n"},
                {.status = 429, .body = "ingestion rate limit exceeded for user x\n"},
                {.status = 0}});
  auto writer = make();
  ASSERT_TRUE(write_all(*writer));
  const WriteReport report = writer->report();
  EXPECT_EQ(report.repeats, 3U);
  EXPECT_EQ(report.requests, 11U);
  EXPECT_THAT(report.refused, IsEmpty());
  EXPECT_FALSE(report.trouble.empty());
}

TEST_F(PushWriterTest, GivesUpWhenTheRecordsAreTooOld) {
  loki_.decide([](const test::PushedRequest& request) -> test::ScriptedReply {
    const bool unlucky = request.streams[0].labels.find("smoke_stream=\"2\"") != std::string::npos;
    return unlucky ? test::ScriptedReply{.status = 503, .body = "no\n"} : test::ScriptedReply{};
  });
  auto writer = make(200 * kMillisecond);
  ASSERT_TRUE(write_all(*writer));
  const WriteReport report = writer->report();
  ASSERT_THAT(report.refused, SizeIs(2));
  EXPECT_EQ(report.refused[0].first, 9U);
  EXPECT_EQ(report.refused[0].size, 8U);
  EXPECT_THAT(report.refused[0].words, HasSubstr("503"));
}

TEST_F(PushWriterTest, SendsNothingAgainThatIsRefused) {
  loki_.script({{.status = 400, .body = "entry for stream '{}' has timestamp too old: T, oldest acceptable timestamp is: T\n"}});
  auto writer = make();
  ASSERT_TRUE(write_all(*writer));
  const WriteReport report = writer->report();
  EXPECT_EQ(report.requests, 8U);
  ASSERT_THAT(report.refused, SizeIs(1));
  EXPECT_THAT(report.refused[0].words, HasSubstr("timestamp too old"));
}

TEST_F(PushWriterTest, AccessDeniedIsFinal) {
  loki_.decide([](const test::PushedRequest&) { return test::ScriptedReply{.status = 401, .body = "no org id\n"}; });
  auto writer = make();
  const auto written = write_all(*writer);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Code::network);
  EXPECT_THAT(written.error().message, HasSubstr(": 401 Unauthorized: no org id"));
  EXPECT_FALSE(written.error().hint.empty());
}

TEST_F(PushWriterTest, NobodyThereIsFinal) {
  auto writer = make(kPatience, "http://127.0.0.1:1");
  const auto written = write_all(*writer);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Code::unreachable);
  EXPECT_THAT(written.error().hint, HasSubstr("is a Loki there?"));
}

TEST_F(PushWriterTest, NoticesThatMetadataIsNotAllowed) {
  loki_.decide([](const test::PushedRequest& request) {
    return test::ScriptedReply{
        .status = 400,
        .body = "stream '" + request.streams[0].labels +
                "' includes structured metadata, but this feature is disallowed. Please see `limits_config`\n"};
  });
  auto writer = make();
  ASSERT_TRUE(write_all(*writer));
  EXPECT_TRUE(writer->wants_no_metadata());
}

TEST_F(PushWriterTest, CanBeGivenUp) {
  loki_.decide([](const test::PushedRequest&) { return test::ScriptedReply{.status = 503, .body = "no\n"}; });
  auto writer = make();
  ASSERT_TRUE(writer->write(plan_.batch(0)));
  writer->give_up();
  EXPECT_TRUE(writer->finish(base::after(clock_.monotonic(), kPatience)));
}

}  // namespace
}  // namespace weir::smoke
