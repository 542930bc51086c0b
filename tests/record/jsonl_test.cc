#include "base/utf8.h"
#include "record/json.h"
#include "record/jsonl_reader.h"
#include "record/jsonl_writer.h"
#include "support/fake_clock.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

namespace weir::record {
namespace {

constexpr base::Timestamp kNow = 1714557600 * base::kSecond;

class Jsonl : public testing::Test {
 protected:
  // What the writer prints of the fields of one input line (not of the text it came in).
  std::string rewrite(std::string_view line) {
    batch_.clear();
    const auto parsed = reader_.parse(line, batch_);
    error_ = parsed ? "" : parsed.error().message;
    std::string out;
    for (Record& record : batch_.records) {
      record.touch();
      append_jsonl(out, record);
    }
    if (!out.empty()) out.pop_back();
    return out;
  }
  std::string pass(std::string_view line) {
    batch_.clear();
    EXPECT_TRUE(reader_.parse(line, batch_));
    std::string out;
    for (const Record& record : batch_.records) append_jsonl(out, record);
    return out;
  }

  test::FakeClock clock_{kNow};
  JsonlReader reader_{clock_};
  Batch batch_;
  std::string error_;
};

TEST_F(Jsonl, Canonical) {
  const auto f = [this](std::string_view in, std::string_view out) {
    EXPECT_EQ(rewrite(in), out);
    EXPECT_EQ(error_, "") << in;
    EXPECT_EQ(rewrite(out), out);
  };
  f(R"({"line":"x"})", R"({"timestamp":"2024-05-01T10:00:00Z","line":"x"})");
  f(R"( { "labels" : { "b" : "2" , "a":"1" } , "line" : "x" , "timestamp" : "2024-05-01T10:00:00+02:00" } )",
    R"({"timestamp":"2024-05-01T08:00:00Z","line":"x","labels":{"a":"1","b":"2"}})");
  f(R"({"timestamp":"1714557600123456789","line":""})", R"({"timestamp":"2024-05-01T10:00:00.123456789Z","line":""})");
  f(R"({"timestamp":1714557600123456789,"line":""})", R"({"timestamp":"2024-05-01T10:00:00.123456789Z","line":""})");
  f(R"({"line":"\"\n\u00e9\ud83d\ude00\udcff\/"})",
    "{\"timestamp\":\"2024-05-01T10:00:00Z\",\"line\":\"\\\"\\n\\u00e9\\ud83d\\ude00\\udcff\\/\"}");
  f(R"({"line":"x","metadata":{"trace_id":"a\"b","n":""},"tenant":"t","held":true,"source":"f.1.2.e.300.200.1"})",
    R"({"timestamp":"2024-05-01T10:00:00Z","line":"x","metadata":{"trace_id":"a\"b","n":""},"tenant":"t",)"
    R"("source":"f.1.2.e.300.200.1","held":true})");
  f(R"({"zz":[1,{"a":null,"b":[]}],"line":"x","yy":-1.5e3,"rejected":{"reason":"r"},"parsed":{"k":"v"}})",
    R"({"timestamp":"2024-05-01T10:00:00Z","line":"x","rejected":{"reason":"r"},"parsed":{"k":"v"},"zz":[1,)"
    R"({"a":null,"b":[]}],"yy":-1.5e3})");
  f(R"({"value":"3","labels":{"a":"b"}})", R"({"timestamp":"2024-05-01T10:00:00Z","labels":{"a":"b"},"value":"3"})");
  f(R"({"line":"x","held":false})", R"({"timestamp":"2024-05-01T10:00:00Z","line":"x"})");
  f(R"({"labels":{"a":""},"line":"x"})", R"({"timestamp":"2024-05-01T10:00:00Z","line":"x"})");
  f(R"({"l\u0069ne":"x","t\u0069mestamp":"2024-05-01T09\u003a00:00Z","\u007a":1})",
    R"({"timestamp":"2024-05-01T09:00:00Z","line":"x","\u007a":1})");
}

TEST_F(Jsonl, Markers) {
  const auto f = [this](std::string_view text) {
    EXPECT_EQ(rewrite(text), text);
    EXPECT_EQ(error_, "");
    EXPECT_TRUE(batch_.records.at(0).is_marker());
  };
  f(R"({"source":"f.1.2.o.300"})");
  f(R"({"source":"b.00000000000000ff.12.3"})");
  f(R"({"marker":{"type":"begin","checkpoint":"/var/lib/weir \"x\".db","spool":"0123456789abcdef"}})");
  f(R"({"marker":{"type":"begin","checkpoint":"p"}})");
  f(R"({"marker":{"type":"rejected","checkpoint":"/p","spool":"0123456789abcdef"}})");
  f(R"({"marker":{"type":"release","release":"r-1","query":"{app=\"x\"} |= \"y\"",)"
    R"("from":"2026-11-29T11:40:00Z","to":"2026-11-29T12:00:00.5Z"}})");
  EXPECT_EQ(batch_.records.at(0).marker->query, R"({app="x"} |= "y")");
  EXPECT_EQ(batch_.records.at(0).marker->range.to - batch_.records.at(0).marker->range.from,
            1200 * base::kSecond + base::kSecond / 2);
  f(R"({"marker":{"type":"release","release":"r-1","query":""}})");
  EXPECT_EQ(batch_.records.at(0).marker->range.from, base::TimeRange::kBeginning);
  f(R"({"marker":{"type":"release_ended","release":"r-1"}})");
  f(R"({"source":"f.1.2.o.0","marker":{"type":"generation","path":"/p","log":"/l",)"
    R"("inode":18446744073709551615,"device":3,"head_size":1024,"head_hash":"00000000000000ff"}})");
  f(R"({"source":"f.1.2.o.0","marker":{"type":"generation","path":"/p","log":"/l","inode":1,"device":3,)"
    R"("head_size":4,"head_hash":"00000000000000ff","check_end":7,"check_hash":"f000000000000000"}})");
  f(R"({"source":"f.1.2.o.9","marker":{"type":"done","gone":true}})");
  f(R"({"source":"b.00000000000000ff.12.3","marker":{"type":"block","positions":"/wAB"}})");
  EXPECT_EQ(batch_.records.at(0).marker->positions, std::string_view("\xff\x00\x01", 3));
  f(R"({"marker":{"type":"end"}})");
}

TEST_F(Jsonl, UntouchedRecordsKeepTheirText) {
  const std::string text = R"({ "line":"a\u0041" , "labels":{"z":"1","a":"2"}, "timestamp":"1714557600000000000","x":1})";
  EXPECT_EQ(pass(text), text + "\n");
}

TEST_F(Jsonl, WhatIsNoRecordIsKeptAsOne) {
  const auto f = [this](std::string_view in, std::string_view why) {
    rewrite(in);
    EXPECT_EQ(error_, why) << in;
    ASSERT_EQ(batch_.records.size(), 1U);
    const Record& record = batch_.records[0];
    EXPECT_TRUE(record.invalid);
    EXPECT_EQ(record.line.data, in);
    EXPECT_EQ(record.timestamp, kNow);
    EXPECT_EQ(find(record.metadata, "weir_error"), why);
  };
  f("plain text", "column 1: a JSON object is expected");
  f("[1]", "column 1: a JSON object is expected");
  f("{", "column 2: a string is expected");
  f("{}", "column 3: a JSON object without the key line; for a program's own JSON put `weir tail -` in front");
  f(R"({"line":1})", "column 9: line is a string");
  f(R"({"line":"x)", "column 11: the string is not closed");
  f(R"({"line":"x"} y)", "column 14: something follows the record");
  f(R"({"line":"x",})", "column 13: a key is expected");
  f(R"({"line":"\q"})", "column 10: a bad escape");
  f(R"({"line":"\u12g4"})", "column 10: a bad \\u escape");
  f("{\"line\":\"a\tb\"}", "column 11: a control byte in a string");
  f(R"({"line":"x","labels":{"a":1}})", "column 27: values of labels and metadata are strings");
  f(R"({"line":"x","labels":[]})", "column 22: an object is expected");
  f(R"({"line":"x","labels":{"":"v"}})", "column 30: a label without a name");
  f(R"({"line":"x","timestamp":1714557600})",
    "column 25: the timestamp lies before 1990: seconds, ms or \xc2\xb5s? nanoseconds are expected");
  f(R"({"line":"x","timestamp":"soon"})",
    "column 25: the timestamp is neither RFC 3339, from 1678 to 2261, nor integer nanoseconds");
  f(R"({"line":"x","timestamp":17145576001234567890})",
    "column 25: the timestamp is neither RFC 3339, from 1678 to 2261, nor integer nanoseconds");
  f(R"({"line":"x","timestamp":9214646400000000000})", "column 25: the timestamp lies after 2261");
  f(R"({"line":"x","timestamp":null})", "column 25: the timestamp must be a string or a number");
  f(R"({"line":"x","timestamp":{}})", "column 25: the timestamp must be a string or a number");
  f(R"({"line":"x","held":"yes"})", "column 20: true or false is expected");
  f(R"({"line":"x","source":"q.1"})", "column 27: source has an unknown form");
  f(R"({"line":"x","z":tru})", "column 17: this is not JSON");
  f(R"({"line":"x","z":01})", "column 17: this is not JSON");
  f(R"({"line":"x","z":)" + std::string(65, '[') + std::string(65, ']') + "}", "column 81: nested too deep");
  EXPECT_EQ(reader_.stats().invalid, 25U);
}

TEST_F(Jsonl, BlankLinesAreNothing) {
  EXPECT_EQ(rewrite(" \t\r"), "");
  EXPECT_EQ(reader_.stats().lines, 0U);
}

TEST_F(Jsonl, AHugeLineIsCutAndNothingOfItIsLost) {
  JsonlReader reader(clock_, {.max_line = 10});
  const auto parsed = reader.parse(R"({"line":"0123456789"})", batch_);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().message, "a line of 21 bytes is longer than the limit of 10");
  std::string all;
  for (const Record& record : batch_.records) all += record.line.data;
  EXPECT_EQ(all, R"({"line":"0123456789"})");
}

// One member after another used to be put behind a copy of all before it.
TEST_F(Jsonl, AHundredThousandUnknownKeysCostNoMoreThanTheirText) {
  for (const std::string_view pattern : {"\"k{}\":{}", " \"k{}\" : {} "}) {
    std::string members;
    for (int i = 0; i < 100'000; ++i) members += fmt::format(fmt::runtime(pattern), i, i) + ",";
    const std::string text = R"({"timestamp":"2024-05-01T10:00:00Z",)" + members + R"("line":"x","last":null})";
    batch_.clear();
    ASSERT_TRUE(reader_.parse(text, batch_));
    EXPECT_LT(batch_.bytes(), text.size() + 1000);
    batch_.records[0].touch();
    std::string out;
    append_jsonl(out, batch_.records[0]);
    std::string expected = R"({"timestamp":"2024-05-01T10:00:00Z","line":"x")";
    for (int i = 0; i < 100'000; ++i)
      expected += pattern[0] == ' ' ? fmt::format(",\"k{}\" : {}", i, i) : fmt::format(",\"k{}\":{}", i, i);
    EXPECT_EQ(out, expected + ",\"last\":null}\n");
  }
}

TEST_F(Jsonl, LinesThatAreNoRecordsLeaveNothingInTheBatch) {
  std::string text = R"({"line":"x","tenant":"\u0061","metadata":{)";
  for (int i = 0; i < 1000; ++i) text += fmt::format("\"a\\u0061{}\":\"\\n\",", i);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(reader_.parse(text, batch_));
  EXPECT_EQ(batch_.records.size(), 100U);
  EXPECT_LT(batch_.bytes(), 20'000U);  // what says why
}

TEST_F(Jsonl, DecodedStringsOutliveTheLinesBehindThem) {
  ASSERT_TRUE(
      reader_.parse(R"({"line":"1","tenant":"t\u0031","metadata":{"n\u0031":"v\n1"},"source":"r.00000000000000ab.7"})", batch_));
  ASSERT_TRUE(
      reader_.parse(R"({"line":"2","tenant":"t\u0032","metadata":{"n\u0032":"v\n2"},"metadata":{"m\u0032":"w\n2"}})", batch_));
  ASSERT_TRUE(reader_.parse(R"({"marker":{"type":"begin","checkpoint":"c\u0033"},"source":"r.00000000000000ab.8"})", batch_));
  ASSERT_TRUE(reader_.parse(R"({"line":"4","metadata":{"long name so that memory is used again \u0034":"v\n4"}})", batch_));
  EXPECT_EQ(batch_.records[0].tenant, "t1");
  ASSERT_EQ(batch_.records[0].metadata.size(), 1U);
  EXPECT_EQ(batch_.records[0].metadata[0], (Label{"n1", "v\n1"}));
  EXPECT_EQ(batch_.records[1].tenant, "t2");
  ASSERT_EQ(batch_.records[1].metadata.size(), 1U);
  EXPECT_EQ(batch_.records[1].metadata[0], (Label{"m2", "w\n2"}));
  EXPECT_EQ(batch_.records[2].marker->checkpoint, "c3");
}

TEST_F(Jsonl, BytesThatAreNotUtf8SurviveAndComeOutAsValidJson) {
  const std::string in = "{\"line\":\"a\xff\xc3\xa9\",\"k\xfe\":\"\xfd\\n\"}";
  const std::string out = pass(in);
  EXPECT_TRUE(base::is_utf8(out));
  EXPECT_EQ(out, "{\"timestamp\":\"2024-05-01T10:00:00Z\",\"line\":\"a\\udcff\xc3\xa9\",\"k\\udcfe\":\"\\udcfd\\n\"}\n");
}

TEST_F(Jsonl, EveryPrefixOfARecordIsSettled) {
  const std::string text = R"({"timestamp":"2024-05-01T10:00:00Z","line":"a\u0041\n","labels":{"a":"1"},"metadata":{"k":"v"},)"
                           R"("x":[1,{"y":null}],"source":"f.1.1.o.5"})";
  for (std::size_t size = 1; size < text.size(); ++size) {
    batch_.clear();
    EXPECT_FALSE(reader_.parse(std::string_view(text).substr(0, size), batch_)) << size;
    ASSERT_EQ(batch_.records.size(), 1U);
    EXPECT_EQ(batch_.records[0].line.data, std::string_view(text).substr(0, size));
  }
  EXPECT_TRUE(reader_.parse(text, batch_));
}

TEST_F(Jsonl, RandomRecordsRoundTrip) {
  std::mt19937_64 random(3);
  const auto bytes = [&random](std::size_t most) {
    std::string out(random() % most, '\0');
    for (char& c : out) c = static_cast<char>(random() % 3 == 0 ? random() : 32 + random() % 95);
    return out;
  };
  for (int round = 0; round < 5000; ++round) {
    Batch original;
    Record& record = original.records.emplace_back();
    record.timestamp = 631152000 * base::kSecond + static_cast<std::int64_t>(random() % 8'000'000'000'000'000'000ULL);
    const std::string name = "l" + std::to_string(random() % 5), value = bytes(20);
    record.labels = original.hold(LabelSet::intern({{name, value}, {"b", "c"}}));
    record.line = Text::bytes(original.copy(bytes(200)));
    const std::span<Label> metadata = original.allocate_labels(random() % 4);
    for (Label& pair : metadata) pair = {original.copy(bytes(10)), original.copy(bytes(30))};
    record.metadata = metadata;
    record.tenant = original.copy(bytes(8));
    record.held = random() % 2 == 0;
    std::string text;
    append_jsonl(text, record);
    text.pop_back();

    batch_.clear();
    ASSERT_TRUE(reader_.parse(text, batch_)) << text;
    Record& back = batch_.records.at(0);
    EXPECT_EQ(back.timestamp, record.timestamp);
    EXPECT_EQ(back.labels, record.labels);
    EXPECT_EQ(batch_.line(back), record.line.data);
    EXPECT_TRUE(std::ranges::equal(back.metadata, record.metadata));
    EXPECT_EQ(back.tenant, record.tenant);
    EXPECT_EQ(back.held, record.held);
    std::string again;
    Batch copied;
    copied.add_copy(back);
    copied.records[0].touch();
    append_jsonl(again, copied.records[0]);
    EXPECT_EQ(again, text + "\n");
  }
}

}  // namespace
}  // namespace weir::record
