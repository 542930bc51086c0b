#include "loki/push_reader.h"

#include "loki/push_body.h"
#include "loki/push_encoder.h"
#include "loki/push_pages.h"
#include "record/jsonl_writer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <snappy.h>

#include <optional>

namespace weir::loki {
namespace {

constexpr base::Timestamp kNow = 1'796'072'842LL * base::kSecond;

struct Read {
  PushVerdict verdict;
  std::vector<std::string> records;
};

class PushReaderTest : public ::testing::Test {
 protected:
  Read read(std::string_view body, std::string_view type = "application/json", std::string_view encoding = "", bool old = false) {
    batch_.clear();
    Read out;
    out.verdict = reader_.read(
        {.content_type = type, .content_encoding = encoding, .old_endpoint = old, .tenant = tenant, .body = body}, kNow, batch_);
    for (const record::Record& record : batch_.records) {
      std::string text;
      record::append_jsonl(text, record);
      text.pop_back();
      out.records.push_back(text);
    }
    return out;
  }
  void options(const PushReaderOptions& wanted) {
    reader_.~PushReader();
    new (&reader_) PushReader(wanted);
  }
  bool trims() { return reader_.trim(); }
  std::string_view tenant;

 private:
  PushReader reader_{PushReaderOptions()};
  record::Batch batch_;
};

std::string stream(std::string_view labels, std::string_view values) {
  return fmt::format(R"({{"streams":[{{"stream":{},"values":[{}]}}]}})", labels, values);
}

TEST_F(PushReaderTest, ReadsJson) {
  const Read got =
      read(stream(R"({"z":"1","app":"x"})",
                  R"(["1796072842000000001","level=warn \u00e9\n",{"t.id":"7","a":""}],["1796072842000000000","plain"])"));
  EXPECT_EQ(got.verdict.status, 204);
  EXPECT_EQ(got.verdict.text, "");
  EXPECT_EQ(got.verdict.records, 2U);
  EXPECT_EQ(got.verdict.bytes, 14U + 5U);
  ASSERT_EQ(got.records.size(), 2U);
  EXPECT_EQ(
      got.records[0],
      R"({"timestamp":"2026-11-30T21:07:22.000000001Z","line":"level=warn é\n","labels":{"app":"x","service_name":"x","z":"1"},)"
      R"("metadata":{"t_id":"7","detected_level":"warn"}})");
  EXPECT_EQ(got.records[1], R"({"timestamp":"2026-11-30T21:07:22Z","line":"plain","labels":{"app":"x","service_name":"x","z":"1"},)"
                            R"("metadata":{"detected_level":"unknown"}})");
}

TEST_F(PushReaderTest, ReadsTheOldJson) {
  const Read got = read(R"({"streams":[{"labels":"{app=\"x\"}","entries":[{"ts":"2026-11-30T21:07:22.5Z","line":"l"}]}]})",
                        "application/json; charset=utf-8", "", true);
  EXPECT_EQ(got.verdict.status, 204);
  ASSERT_EQ(got.records.size(), 1U);
  EXPECT_TRUE(got.records[0].starts_with(R"({"timestamp":"2026-11-30T21:07:22.5Z","line":"l")")) << got.records[0];
}

// What push sends, this reads.
TEST_F(PushReaderTest, ReadsWhatPushWrites) {
  const auto set = record::LabelSet::intern({{"app", "x"}, {"service_name", "y"}});
  const PushedStream pushed(*set, {});
  PushEncoder encoder{PushLimits()};
  PagePool pool;
  PageBuffer pages(pool);
  const std::array<record::Label, 1> metadata = {{{"id", "7"}}};
  for (int i = 0; i < 1000; ++i) {
    const std::string line = fmt::format("line {}", i);
    record::Record record;
    record.timestamp = kNow + i;
    record.line = record::Text::bytes(line);
    record.metadata = metadata;
    ASSERT_FALSE(encoder.prepare(record, pushed.name, std::nullopt));
    encoder.append(pages);
  }
  const std::array<BodyStream, 1> streams = {{{pushed.name, &pages}}};
  const Read got = read(encode_body(streams), "application/x-protobuf");
  EXPECT_EQ(got.verdict.status, 204) << got.verdict.text;
  ASSERT_EQ(got.records.size(), 1000U);
  EXPECT_EQ(got.records[999],
            R"({"timestamp":"2026-11-30T21:07:22.000000999Z","line":"line 999","labels":{"app":"x","service_name":"y"},)"
            R"("metadata":{"id":"7","detected_level":"unknown"}})");
}

TEST_F(PushReaderTest, KeepsTheTenant) {
  tenant = "team-a";
  const Read got = read(stream("{}", R"(["1796072842000000000","l"])"));
  ASSERT_EQ(got.records.size(), 1U);
  EXPECT_NE(got.records[0].find(R"("tenant":"team-a")"), std::string::npos);
  EXPECT_NE(got.records[0].find(R"("labels":{"service_name":"unknown_service"})"), std::string::npos);
}

TEST_F(PushReaderTest, AddsNothingThatWasSwitchedOff) {
  options({.discover_service_name = false, .discover_levels = false});
  const Read got =
      read(stream(R"({"app":"x"})", R"(["1796072842000000000","error",{"b":"1"}],["1796072842000000000","error",{"b":"1"}])"));
  ASSERT_EQ(got.records.size(), 2U);
  EXPECT_EQ(got.records[1], R"({"timestamp":"2026-11-30T21:07:22Z","line":"error","labels":{"app":"x"},"metadata":{"b":"1"}})");
  EXPECT_EQ(read(stream("{}", R"(["1796072842000000000","l"])")).verdict.text,
            "error at least one label pair is required per stream\n");
}

TEST_F(PushReaderTest, RefusesWhatItCannotReadWhole) {
  const std::string good = R"(["1796072842000000000","fine"])";
  struct Case {
    std::string body;
    int status;
    std::string text;
    std::string type = "application/json";
    std::string encoding = "";
  };
  const std::vector<Case> cases = {
      {stream("{}", good), 400, "mime: no media type\n", ""},
      {stream("{}", good), 400, "snappy: corrupt input\n", "text/plain"},
      {stream("{}", good), 400, "Content-Encoding \"br\" not supported\n", "application/json", "br"},
      {stream("{}", good), 400, "gzip: invalid header\n", "application/json", "gzip"},
      {"", 400, "EOF\n"},
      {"{}", 422, "error at least one valid stream is required for ingestion\n"},
      {"[]", 400, "cannot read the JSON: it must be an object\n"},
      {stream("{}", good + R"(,["x","line"])"), 400,
       "cannot read the JSON: stream 0, entry 1: the time must be a string of nanoseconds since 1970\n"},
      {stream("{}", good + R"(,["01","line"])"), 400,
       "cannot read the JSON: stream 0, entry 1: the time must be a string of nanoseconds since 1970\n"},
      {stream("{}", good + R"(,["1",7])"), 400, "cannot read the JSON: stream 0, entry 1: the line must be a string\n"},
      {stream("{}", good + R"(,["1","l",{"a":1}])"), 400,
       "cannot read the JSON: stream 0, entry 1: each value of the metadata must be a string\n"},
      {stream(R"({"a.b":"x"})", good), 400, "couldn't parse labels: 1:3: parse error: unexpected character inside braces: '.'\n"},
      {stream("{}", good + R"(,["1","l",{"__":"x"}])"), 500,
       "normalization for label name \"__\" resulted in invalid name \"_\"\n"},
      {stream("{}", good + R"(,["1","l",{"":"x"}])"), 500, "label name is empty\n"},
  };
  for (const Case& one : cases) {
    const Read got = read(one.body, one.type, one.encoding);
    EXPECT_EQ(got.verdict.status, one.status) << one.body;
    EXPECT_EQ(got.verdict.text, one.text) << one.body;
    EXPECT_TRUE(got.records.empty()) << one.body;
  }
}

TEST_F(PushReaderTest, TakesTheRestOfWhatItRefusesInPart) {
  const std::string good = R"(["1796072842000000000","fine"])";
  options({.limits = {.max_line = 4, .max_labels = 2, .max_age = base::kHour, .max_ahead = base::kMinute}});
  const Read got =
      read(fmt::format(R"({{"streams":[{{"stream":{{"a":"1"}},"values":[{0},["1796072842000000000","longer"],)"
                       R"(["1796072842000000000","longer"],["1796069241000000000","old"],["1796072903000000000","new"]]}},)"
                       R"({{"stream":{{"a":"1","b":"2","c":"3"}},"values":[{0},{0}]}}]}})",
                       good));
  EXPECT_EQ(got.verdict.status, 400);
  EXPECT_EQ(
      got.verdict.text,
      "2 errors like: max entry size '4' bytes exceeded for stream '{a=\"1\", service_name=\"unknown_service\"}' while adding an "
      "entry with length '6' bytes; 1 errors like: entry for stream '{a=\"1\", service_name=\"unknown_service\"}' has timestamp "
      "too old: "
      "2026-11-30T20:07:21Z, oldest acceptable timestamp is: 2026-11-30T20:07:22Z; 1 errors like: entry for stream '{a=\"1\", "
      "service_name=\"unknown_service\"}' has timestamp too new: 2026-11-30T21:08:23Z; 1 errors like: entry for stream '{a=\"1\", "
      "b=\"2\", "
      "c=\"3\", service_name=\"unknown_service\"}' has 3 label names; limit 2\n");
  EXPECT_EQ(got.verdict.records, 1U);
  EXPECT_EQ(got.records.size(), 1U);
  const std::map<std::string_view, std::uint64_t> refused = {
      {"line_too_long", 2}, {"greater_than_max_sample_age", 1}, {"too_far_in_future", 1}, {"max_label_names_per_series", 2}};
  EXPECT_EQ(got.verdict.refused, refused);
}

TEST_F(PushReaderTest, NoticesTimesThatAreNoNanoseconds) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"1796072842", "does the client send seconds?"},
      {"1796072842000", "does the client send milliseconds?"},
      {"1796072842000000", "does the client send microseconds?"},
      {"0", "does the client send seconds?"},
  };
  for (const auto& [time, advice] : cases) {
    const Read got = read(stream(R"({"app":"x"})", R"(["1796072842000000000","fine"],[")" + time + R"(","odd"])"));
    EXPECT_EQ(got.verdict.status, 204) << time;
    EXPECT_NE(got.verdict.advice.find(advice), std::string::npos) << time << ": " << got.verdict.advice;
    EXPECT_NE(got.verdict.advice.find(R"(in stream {app="x", service_name="x"}:)"), std::string::npos) << got.verdict.advice;
  }
  for (const std::string time : {"1796072842000000000", "-1", "2678400000000000"})
    EXPECT_EQ(read(stream(R"({"app":"x"})", R"([")" + time + R"(","fine"])")).verdict.advice, "") << time;
  // What is not stored is not said to be.
  options({.limits = {.max_age = base::kHour}});
  EXPECT_EQ(read(stream(R"({"app":"x"})", R"(["1796072842","old"])")).verdict.advice, "");
}

TEST_F(PushReaderTest, NoticesJsonThatIsNotNamedAsSuch) {
  const std::string good = stream(R"({"app":"x"})", R"(["1796072842000000000","x"])");
  EXPECT_EQ(read(" " + good, "").verdict.advice,
            "a push request looks like JSON, but its Content-Type is missing: it must be application/json");
  EXPECT_EQ(
      read(good, "application/x-www-form-urlencoded; a=b").verdict.advice,
      "a push request looks like JSON, but its Content-Type is 'application/x-www-form-urlencoded': it must be application/json");
  EXPECT_EQ(read(good).verdict.advice, "");
  EXPECT_EQ(read("{", "application/json").verdict.advice, "");
  EXPECT_EQ(read("\x01{", "").verdict.advice, "");
}

TEST_F(PushReaderTest, KnowsHowFarBehindAnEntryMayBe) {
  options({.max_behind = base::kSecond});
  EXPECT_EQ(read(stream("{}", R"(["1796072842000000000","new"],["1796072841000000000","just"])")).verdict.status, 204);
  const Read got = read(stream("{}", R"(["1796072840999999999","late"],["1796072841500000000","fine"])"));
  EXPECT_EQ(got.verdict.status, 400);
  EXPECT_EQ(
      got.verdict.text,
      "entry with timestamp 2026-11-30T21:07:20.999999999Z ignored, reason: 'entry too far behind, entry timestamp is: "
      "2026-11-30T21:07:20Z, oldest acceptable timestamp is: 2026-11-30T21:07:21Z',\nuser 'fake', total ignored: 1 out of 2 for "
      "stream: {service_name=\"unknown_service\"}\n");
  EXPECT_EQ(got.records.size(), 1U);
  tenant = "other";
  EXPECT_EQ(read(stream("{}", R"(["1","any"])")).verdict.status, 204);
}

std::string number(std::uint64_t value) {
  std::string out;
  for (; value > 127; value >>= 7) out += static_cast<char>((value & 127) | 128);
  return out += static_cast<char>(value);
}

std::string field(int tag, const std::string& bytes) { return static_cast<char>(tag << 3 | 2) + number(bytes.size()) + bytes; }

// A request with one stream, packed. `entry` is an Entry.
std::string message(const std::string& labels, const std::string& entry) {
  const std::string all = field(1, field(1, labels) + field(2, entry));
  std::string packed;
  snappy::Compress(all.data(), all.size(), &packed);
  return packed;
}

std::string at(std::uint64_t seconds) { return field(1, "\x08" + number(seconds)); }

TEST_F(PushReaderTest, RefusesTimesThatNanosecondsCannotTell) {
  const Read got = read(message("{a=\"1\"}", at(253'402'300'799) + field(2, "l")), "application/x-protobuf");
  EXPECT_EQ(got.verdict.status, 400);
  EXPECT_EQ(got.verdict.text,
            "entry for stream '{a=\"1\", service_name=\"unknown_service\"}' has timestamp too new: 9999-12-31T23:59:59Z\n");
  EXPECT_TRUE(got.records.empty());
  const Read old =
      read(message("{a=\"1\"}", at(static_cast<std::uint64_t>(-62'135'596'800)) + field(2, "l")), "application/x-protobuf");
  EXPECT_EQ(old.verdict.status, 400);
  EXPECT_NE(old.verdict.text.find("has timestamp too old: 0001-01-01T00:00:00Z, oldest"), std::string::npos) << old.verdict.text;
}

TEST_F(PushReaderTest, StoresUtf8) {
  const std::string pair = field(3, field(1, "k") + field(2, "v\xffw"));
  const Read got = read(message("{a=\"é\"}", at(1'796'072'842) + field(2, "a\xff\xfe z") + pair), "application/x-protobuf");
  EXPECT_EQ(got.verdict.status, 204) << got.verdict.text;
  ASSERT_EQ(got.records.size(), 1U);
  EXPECT_NE(got.records[0].find("\"line\":\"a\uFFFD\uFFFD z\""), std::string::npos) << got.records[0];
  EXPECT_NE(got.records[0].find("\"k\":\"v w\""), std::string::npos) << got.records[0];
  for (const char* labels : {"{app=\"\xff\xfe\"}", "{app=`\xff`}"}) {
    const Read bad = read(message(labels, at(1'796'072'842)), "application/x-protobuf");
    EXPECT_EQ(bad.verdict.status, 400);
    EXPECT_EQ(bad.verdict.text, "couldn't parse labels: 1:6: parse error: invalid UTF-8 rune\n");
  }
}

TEST_F(PushReaderTest, ReadsParametersOfTheContentType) {
  const std::string body = stream("{}", R"(["1796072842000000000","l"])");
  for (const char* type : {"application/json;", "application/json ; charset=utf-8", "application/json; a=\"b;\\\" c\"; d=e;"})
    EXPECT_EQ(read(body, type).verdict.status, 204) << type;
  for (const char* type : {"application/json; ;;", "application/json; a", "application/json; a=", "application/json; a=\"b"}) {
    const Read got = read(body, type);
    EXPECT_EQ(got.verdict.status, 400) << type;
    EXPECT_EQ(got.verdict.text, "mime: invalid media parameter\n") << type;
  }
}

TEST_F(PushReaderTest, BoundsEntriesAndStreams) {
  options({.most_unpacked = 1 << 20});
  const auto entries = [](int count) {
    std::string values;
    for (int i = 0; i < count; ++i) values += R"(["1796072842000000000",""],)";
    values.pop_back();
    return stream("{}", values);
  };
  EXPECT_EQ(read(entries(3000)).verdict.status, 204);
  const Read many = read(entries(5000));
  EXPECT_EQ(many.verdict.status, 413);
  EXPECT_TRUE(many.verdict.text.starts_with("too many entries or streams in one request")) << many.verdict.text;
  EXPECT_TRUE(many.records.empty());
  std::string streams;
  for (int i = 0; i < 300; ++i) streams += fmt::format(R"({{"stream":{{"a":"{}"}},"values":[["1","l"]]}},)", i);
  streams.pop_back();
  EXPECT_EQ(read(fmt::format(R"({{"streams":[{}]}})", streams)).verdict.status, 413);
  // A text of numbers takes many times its size in a parser.
  options({});
  std::string numbers = R"({"streams":[],"x":[0)";
  for (int i = 0; i < 5'000'000; ++i) numbers += ",0";
  EXPECT_EQ(read(numbers + "]}").verdict.status, 413);
}

TEST_F(PushReaderTest, ForgetsStreamsWithLongLabels) {
  const auto push = [&](char letter, std::size_t size) {
    return read(stream(R"({"a":")" + std::string(size, letter) + "\"}", R"(["1796072842000000000","l"])")).verdict.status;
  };
  // What they take counts several times, as it is kept several times.
  EXPECT_EQ(push('z', 9 << 20), 413);
  trims();
  EXPECT_EQ(push('a', 3 << 20), 400);
  EXPECT_FALSE(trims());
  EXPECT_EQ(push('b', 2 << 20), 400);
  EXPECT_TRUE(trims());
  EXPECT_EQ(push('c', 100), 204);
  EXPECT_FALSE(trims());
}

TEST_F(PushReaderTest, WhatIsNotStoredMovesNoWindow) {
  options({.max_behind = base::kHour});
  const std::string later = R"(["1796079999000000000","later"])", now = R"(["1796072842000000000","now"])";
  EXPECT_EQ(read(stream(R"({"app":"x"})", later + "," + later + R"(,["x","broken"])")).verdict.status, 400);
  EXPECT_EQ(read(stream(R"({"app":"x"})", now)).verdict.status, 204);
  EXPECT_EQ(read(stream(R"({"app":"x"})", later)).verdict.status, 204);
  EXPECT_EQ(read(stream(R"({"app":"x"})", now)).verdict.status, 400);
}

TEST_F(PushReaderTest, IsBounded) {
  options({.most_unpacked = 1000});
  std::string block;
  const std::string large(2000, 'x');
  snappy::Compress(large.data(), large.size(), &block);
  EXPECT_EQ(read(block, "application/x-protobuf").verdict.status, 413);
  // Many different complaints make no endless answer.
  options({.limits = {.max_labels = 1}});
  std::string streams;
  for (int i = 0; i < 1000; ++i) {
    if (i > 0) streams += ',';
    streams += fmt::format(R"({{"stream":{{"a":"{}","b":"x"}},"values":[["1","l"]]}})", i);
  }
  const Read got = read(fmt::format(R"({{"streams":[{}]}})", streams));
  EXPECT_EQ(got.verdict.status, 400);
  EXPECT_TRUE(got.verdict.text.ends_with("; and 900 more\n")) << got.verdict.text.substr(got.verdict.text.size() - 50);
}

}  // namespace
}  // namespace weir::loki
