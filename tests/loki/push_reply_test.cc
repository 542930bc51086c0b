#include "loki/push_reply.h"

#include <gtest/gtest.h>

namespace weir::loki {
namespace {

constexpr base::Timestamp kTen = 1'714'557'600 * base::kSecond;  // 2024-05-01T10:00:00Z

TEST(Meaning, OfStatusAndText) {
  const auto f = [](int status, std::string_view body, Meaning want) {
    EXPECT_EQ(meaning(status, body), want) << status << ' ' << body;
  };
  f(204, "", Meaning::delivered);
  f(200, "", Meaning::delivered);
  f(200, "<!doctype html>", Meaning::trouble);
  f(260, "ingestion blocked for user 'fake' until '…'", Meaning::trouble);
  f(260, "ingestion blocked for user 'fake' (policy: 'noisy') until '2030' with status code '260'", Meaning::stream_limited);
  f(302, "", Meaning::trouble);
  f(400,
    "entry for stream '{a=\"b\"}' has timestamp too old: 2024-05-01T10:00:00Z, oldest acceptable timestamp is: "
    "2024-05-02T10:00:00Z",
    Meaning::stored_but_for);
  f(400, "2 errors like: max entry size '10' bytes exceeded for stream '{a=\"b\"}' while adding an entry with length '11' bytes",
    Meaning::stored_but_for);
  f(400, "entry with timestamp 2024 ignored, reason: 'entry too far behind, …'", Meaning::stored_but_for);
  f(400, "stream '{a=\"b\"}' includes structured metadata, but this feature is disallowed. Please see …", Meaning::no_metadata);
  f(400, "couldn't parse labels: 1:3: parse error", Meaning::refused);
  f(400, "snappy: corrupt input", Meaning::refused);
  f(400, "<html>nginx", Meaning::unknown_400);
  f(401, "no org id", Meaning::trouble);
  f(403, "", Meaning::trouble);
  f(404, "404 page not found", Meaning::trouble);
  f(405, "", Meaning::trouble);
  f(408, "", Meaning::unavailable);
  f(413, "", Meaning::too_large);
  f(422, "error at least one valid stream is required for ingestion", Meaning::refused);
  f(429, "ingestion rate limit exceeded for user fake (limit: 4194304 bytes/sec) while attempting", Meaning::limited);
  f(429, "entry with timestamp … ignored, reason: 'Per stream rate limit exceeded (limit: 3MB/sec) …", Meaning::stream_limited);
  f(429, "maximum active stream limit exceeded when trying to create stream {a=\"b\"}, reduce", Meaning::stream_limited);
  f(429, "too many requests", Meaning::limited);
  f(500, "", Meaning::failed);
  f(500, "rpc error: code = Unknown desc = what", Meaning::failed);
  f(500, "at least 2 live replicas required, could only find 1 - unhealthy instances: 10.0.0.1:9095", Meaning::unavailable);
  f(500, "rpc error: code = Unavailable desc = connection error", Meaning::unavailable);
  f(502, "", Meaning::unavailable);
  f(503, "", Meaning::unavailable);
}

TEST(Complaints, AreReadFromLokisTexts) {
  const auto one = complaints(
      "entry for stream '{a=\"b; }\"}' has timestamp too old: 2024-05-01T10:00:00Z, oldest acceptable timestamp is: "
      "2024-05-02T10:00:00Z\n");
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0].reason, "greater_than_max_sample_age");
  EXPECT_EQ(one[0].stream, "{a=\"b; }\"}");
  EXPECT_EQ(one[0].count, 1U);
  EXPECT_EQ(one[0].timestamp, kTen);

  const auto two = complaints(
      "3 errors like: max entry size '262144' bytes exceeded for stream '{a=\"b\"}' while adding an entry with length '300000' "
      "bytes; "
      "entry for stream '{c=\"d\"}' has 16 label names; limit 15; "
      "stream '{e=\"f\"}' has structured metadata too large: '70000' bytes, limit: '65536' bytes. Please see `limits_config`");
  ASSERT_EQ(two.size(), 3U);
  EXPECT_EQ(two[0].reason, "line_too_long");
  EXPECT_EQ(two[0].count, 3U);
  EXPECT_EQ(two[0].line, 300'000U);
  EXPECT_EQ(two[0].limit, 262'144U);
  EXPECT_EQ(two[1].reason, "max_label_names_per_series");
  EXPECT_TRUE(two[1].whole_stream);
  EXPECT_EQ(two[1].stream, "{c=\"d\"}");
  EXPECT_EQ(two[2].limit, 65'536U);

  const auto behind = complaints(
      "entry with timestamp 2024-05-01 08:00:00 +0000 UTC ignored, reason: 'entry too far behind, entry timestamp is: "
      "2024-05-01T08:00:00Z, "
      "oldest acceptable timestamp is: 2024-05-01T09:00:00Z',\n"
      "user 'fake', total ignored: 2 out of 5 for stream: {a=\"b\"}\n");
  ASSERT_EQ(behind.size(), 1U);
  EXPECT_EQ(behind[0].reason, "too_far_behind");
  EXPECT_EQ(behind[0].count, 2U);
  EXPECT_EQ(behind[0].stream, "{a=\"b\"}");
}

TEST(Offenders, AreWhatTheComplaintSpeaksOf) {
  DecodedStream stream;
  const auto add = [&](base::Timestamp time, std::string_view line) {
    DecodedEntry entry;
    entry.timestamp = time;
    entry.line = line;
    stream.entries.push_back(entry);
  };
  add(kTen + 5 * base::kSecond, "five");
  add(kTen + 1, "one");
  add(kTen + base::kSecond - 1, "almost");
  add(kTen + 9 * base::kSecond, "nine is long");
  using Indices = std::vector<std::size_t>;
  const auto f = [&](Complaint complaint, const Indices& want) {
    EXPECT_EQ(offenders(complaint, stream), want) << complaint.reason;
  };
  f({.reason = "greater_than_max_sample_age", .count = 2, .timestamp = kTen}, {1, 2});
  f({.reason = "greater_than_max_sample_age", .count = 1, .timestamp = kTen}, {1});
  f({.reason = "too_far_in_future", .count = 1, .timestamp = kTen}, {2});
  f({.reason = "greater_than_max_sample_age", .count = 1, .timestamp = kTen - base::kSecond}, {});
  f({.reason = "line_too_long", .line = 12, .limit = 10}, {3});
  f({.reason = "too_far_behind", .count = 3}, {0, 1, 2});
  f({.reason = "max_label_names_per_series", .whole_stream = true}, {0, 1, 2, 3});
}

TEST(FirstLine, IsShort) {
  EXPECT_EQ(first_line("\n no org id\nmore"), "no org id");
  EXPECT_EQ(first_line(""), "");
  const std::string cut = first_line(std::string(299, 'x') + "üüü");
  EXPECT_EQ(cut, std::string(299, 'x') + "…");
}

}  // namespace
}  // namespace weir::loki
