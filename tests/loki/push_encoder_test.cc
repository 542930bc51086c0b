#include "loki/push_encoder.h"

#include "loki/push_body.h"
#include "support/fake_clock.h"
#include "support/fake_loki.h"

#include <gtest/gtest.h>
#include <snappy.h>

namespace weir::loki {
namespace {

using record::Label;
using record::LabelSet;
using record::Text;

constexpr base::Timestamp kTime = 1'714'557'600'123'456'789;

std::string text_of(const PageBuffer& buffer) {
  std::string out;
  for (std::size_t i = 0; i < buffer.fragments(); ++i) out += buffer.fragment(i);
  return out;
}

record::Record make(std::string_view line, std::span<const Label> metadata = {}, base::Timestamp time = kTime) {
  record::Record record;
  record.timestamp = time;
  record.labels = LabelSet::empty().get();
  record.line = Text::bytes(line);
  record.metadata = metadata;
  return record;
}

TEST(LabelString, IsCanonical) {
  const auto f = [](std::initializer_list<Label> labels, std::string_view want) {
    EXPECT_EQ(PushedStream(*LabelSet::intern(labels), "").name, want);
  };
  f({}, "{}");
  f({{"b", "2"}, {"a", "1"}}, R"({a="1", b="2"})");
  f({{"B", "2"}, {"a", "1"}}, R"({B="2", a="1"})");
  f({{"a", "quote \" back \\ tab \t nl \n cr \r"}}, R"({a="quote \" back \\ tab \t nl \n cr \r"})");
  f({{"a", std::string_view("\a\b\f\v\0\x1f\x7f", 7)}}, R"({a="\a\b\f\v\x00\x1f\x7f"})");
  f({{"a", "ünï 😀"}}, "{a=\"ünï 😀\"}");
  f({{"a", "\u00a0\u200b\u2028\ufeff"}}, R"({a="\u00a0\u200b\u2028\ufeff"})");
  f({{"a", "bad \xff\xc3"}}, R"({a="bad \\xff\\xc3"})");
  f({{"a", "1"}, {"detected_level", "info"}, {"__name__", "x"}, {"__x", "y"}}, R"({a="1"})");
}

TEST(PushedStream, SendsWhatLokiTakes) {
  using Notes = std::vector<std::pair<std::string, std::string>>;
  const auto f = [](std::string_view value, std::string_view sent) {
    const auto set = LabelSet::intern({{"app", "x"}, {"file", value}});
    const PushedStream stream(*set, "");
    ASSERT_EQ(stream.labels.size(), 2U);
    EXPECT_EQ(stream.labels[1].value, sent);
    EXPECT_EQ(stream.notes, value == sent ? Notes{} : (Notes{{"weir_escaped_labels", "file"}}));
  };
  f("ünï 😀", "ünï 😀");
  f("back\\slash", "back\\slash");
  f("caf\xe9.log", R"(caf\xe9.log)");
  f("caf\xe9", R"(caf\xe9)");
  f("caf\xc3", R"(caf\xc3)");
  f("\xed\xa0\x80", R"(\xed\xa0\x80)");
  f("\xf0\x9f\x98", R"(\xf0\x9f\x98)");
  f("a\ufffd!", R"(a\xef\xbf\xbd!)");
  f("\\xe9\xe9", R"(\\xe9\xe9)");  // what escapes is escaped where something is
  EXPECT_EQ(PushedStream(*LabelSet::intern({{"a", "\xff"}, {"b", "1"}, {"c", "\xfe"}}), "").notes,
            (Notes{{"weir_escaped_labels", "a,c"}}));
}

TEST(PushedStream, SendsATenantThatLokiTakes) {
  const auto f = [](std::string_view tenant, std::string_view sent, std::string_view note) {
    const PushedStream stream(*LabelSet::empty(), tenant);
    EXPECT_EQ(stream.tenant, sent);
    EXPECT_EQ(is_tenant(tenant), tenant == sent);
    EXPECT_TRUE(is_tenant(stream.tenant)) << tenant;
    ASSERT_EQ(stream.notes.size(), note.empty() ? 0U : 1U) << tenant;
    if (!note.empty()) {
      EXPECT_EQ(stream.notes[0], (std::pair<std::string, std::string>{"weir_tenant", note}));
    }
  };
  f("team-a", "team-a", "");
  f("a(b)", "a(b)", "");
  f("12:34", "12:34", "");
  f("caf\xe9", "caf(e9)", R"(caf\xe9)");
  f("日", "(e6)(97)(a5)", "日");
  f("a|b", "a(7c)b", "a|b");
  f("a (b)", "a(20)(28)b(29)", "a (b)");
  f("..", "(2e)(2e)", "..");
  EXPECT_FALSE(is_tenant(PushedStream(*LabelSet::empty(), std::string(151, 'x')).tenant));
}

TEST(PushEncoder, WritesTheBytesOfLokisOwnEncoder) {
  PagePool pool;
  PageBuffer entries(pool);
  PushEncoder encoder({});
  const Label metadata[] = {{"k", "v"}, {"empty", ""}};
  const auto record = make("hi", metadata, 1'000'000'002);
  ASSERT_FALSE(encoder.prepare(record, "{a=\"b\"}", 1'000'000'002));
  encoder.append(entries);
  // entry{timestamp{seconds 1, nanos 2}, line "hi", pair{"k","v"}}
  const std::string entry("\x12\x12\x0a\x04\x08\x01\x10\x02\x12\x02hi\x1a\x06\x0a\x01k\x12\x01v", 20);
  EXPECT_EQ(text_of(entries), entry);
  EXPECT_EQ(encoder.prepared().raw, 4U);
  const BodyStream stream{"{a=\"b\"}", &entries};
  std::string plain;
  const std::string body = encode_body({&stream, 1});
  ASSERT_TRUE(snappy::Uncompress(body.data(), body.size(), &plain));
  EXPECT_EQ(plain, "\x0a\x1d\x0a\x07{a=\"b\"}" + entry);
}

TEST(PushEncoder, WhatIsSentCanBeReadAgain) {
  PagePool pool;
  PageBuffer entries(pool);
  PushEncoder encoder({});
  std::string long_line(200'000, 'x');
  for (std::size_t i = 0; i < long_line.size(); ++i) long_line[i] = static_cast<char>('a' + i % 26);
  const std::vector<std::string> lines = {"",          "plain",   "with \"quotes\" and \n newline",
                                          "😀 4 bytes", long_line, std::string("\0\x01", 2)};
  const Label metadata[] = {{"trace.id", "42"}, {"pod_uid", std::string_view("bad \xff byte")}, {"none", ""}};
  std::vector<base::Timestamp> times = {kTime, 0, 1, 999'999'999, 1'000'000'000, -1};
  PushLimits limits;
  limits.max_age = 0;
  PushEncoder relaxed(limits);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    ASSERT_FALSE(relaxed.prepare(make(lines[i], metadata, times[i]), "{}", kTime)) << i;
    relaxed.append(entries);
  }
  const BodyStream streams[] = {{"{}", &entries}, {"{a=\"1\"}", &entries}};
  const std::string body = encode_body(streams);
  const auto read = test::decode_push(body);
  ASSERT_EQ(read.size(), 2U);
  EXPECT_EQ(read[1].labels, "{a=\"1\"}");
  const std::vector<std::pair<std::string, std::string>> want = {{"trace_id", "42"}, {"pod_uid", "bad \ufffd byte"}};
  for (const auto& stream : read) {
    ASSERT_EQ(stream.entries.size(), lines.size());
    for (std::size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(stream.entries[i], (test::PushedEntry{times[i], lines[i], want})) << i;
  }

  auto ours = decode_body(body);
  ASSERT_TRUE(ours);
  ASSERT_EQ(ours->streams.size(), 2U);
  std::string again;
  for (const DecodedEntry& entry : ours->streams[0].entries) again += entry.field;
  EXPECT_EQ(again, text_of(entries));
  EXPECT_EQ(ours->streams[0].entries[4].line, long_line);
  EXPECT_EQ(ours->streams[0].entries[5].timestamp, -1);
}

TEST(PushEncoder, DecodesAndRepairsLines) {
  const auto f = [](Text line, std::string_view want, std::size_t invalid) {
    PagePool pool;
    PageBuffer entries(pool);
    PushEncoder encoder({});
    auto record = make("");
    record.line = line;
    ASSERT_FALSE(encoder.prepare(record, "{}", kTime));
    encoder.append(entries);
    EXPECT_EQ(encoder.prepared().invalid, invalid);
    const BodyStream stream{"{}", &entries};
    const auto read = test::decode_push(encode_body({&stream, 1}));
    EXPECT_EQ(read[0].entries[0].line, want);
    using Metadata = std::vector<std::pair<std::string, std::string>>;
    EXPECT_EQ(read[0].entries[0].metadata, invalid == 0 ? Metadata{} : (Metadata{{"weir_invalid_utf8", std::to_string(invalid)}}));
  };
  f({"clean", Text::Form::clean}, "clean", 0);
  f({R"(a \"b\" \n c \u00fc)", Text::Form::json}, "a \"b\" \n c ü", 0);
  f({R"(x\udcffy)", Text::Form::json}, "x\ufffdy", 1);
  f({"x\xff\xfey", Text::Form::bytes}, "x\ufffd\ufffdy", 2);
}

TEST(PushEncoder, CountsRecordsWithNamesThatLokiDoesNotTakeAndAddsNotes) {
  PagePool pool;
  PageBuffer entries(pool);
  PushEncoder encoder({});
  const Label bad[] = {{"_", "1"}, {"é", "2"}, {"a.b", "3"}};
  const Label good[] = {{"a", "1"}};
  const std::vector<std::pair<std::string, std::string>> notes = {{"weir_tenant", "x"}};
  const auto f = [&](std::span<const Label> metadata, std::size_t renamed) {
    ASSERT_FALSE(encoder.prepare(make("x", metadata), "{}", kTime, notes));
    EXPECT_EQ(encoder.prepared().renamed, renamed);
    encoder.append(entries);
  };
  f(bad, 2);
  f(bad, 2);  // neighbours share what was encoded
  f(good, 0);
  f({}, 0);
  const BodyStream stream{"{}", &entries};
  const auto read = test::decode_push(encode_body({&stream, 1}))[0].entries;
  using Metadata = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(read[1].metadata, (Metadata{{"weir_unnamed_5f", "1"}, {"weir_unnamed_c3a9", "2"}, {"a_b", "3"}, {"weir_tenant", "x"}}));
  EXPECT_EQ(read[2].metadata, (Metadata{{"a", "1"}, {"weir_tenant", "x"}}));
  EXPECT_EQ(read[3].metadata, (Metadata{{"weir_tenant", "x"}}));
}

TEST(PushEncoder, RefusesWhatLokiWould) {
  const auto f = [](const record::Record& record, std::string_view reason, std::string_view text) {
    PushEncoder encoder({});
    const auto refusal = encoder.prepare(record, "{a=\"b\"}", kTime);
    ASSERT_TRUE(refusal) << reason;
    EXPECT_EQ(refusal->reason, reason);
    EXPECT_EQ(refusal->text, text);
  };
  const std::string longest(262'144, 'x');
  const std::string longer(262'145, 'x');
  f(make(longer), "line_too_long",
    R"(max entry size '262144' bytes exceeded for stream '{a="b"}' while adding an entry with length '262145' bytes)");
  f(make("x", {}, kTime - 7 * 24 * base::kHour - 1), "greater_than_max_sample_age",
    R"(entry for stream '{a="b"}' has timestamp too old: 2024-04-24T10:00:00Z, oldest acceptable timestamp )"
    R"(is: 2024-04-24T10:00:00Z)");
  f(make("x", {}, kTime + 10 * base::kMinute + 1), "too_far_in_future",
    R"(entry for stream '{a="b"}' has timestamp too new: 2024-05-01T10:10:00Z)");
  const std::string big(65'536, 'v');
  const Label large[] = {{"k", big}};
  f(make("x", large), "structured_metadata_too_large",
    R"(stream '{a="b"}' has structured metadata too large: '65537' bytes, limit: '65536' bytes)");
  std::vector<Label> many(129, Label{"k", "v"});
  f(make("x", many), "structured_metadata_too_many",
    R"(stream '{a="b"}' has too many structured metadata labels: '129', limit: '128')");

  const auto passes = [](const record::Record& record) {
    PushEncoder encoder({});
    EXPECT_FALSE(encoder.prepare(record, "{}", kTime));
  };
  passes(make(longest));
  passes(make("x", {}, kTime - 7 * 24 * base::kHour));
  passes(make("x", {}, kTime + 10 * base::kMinute));
  many.back().value = "";
  passes(make("x", many));
}

TEST(RefuseLabels, AsLokiWould) {
  const auto f = [](const std::vector<Label>& labels, std::string_view reason) {
    const auto refusal = refuse_labels(labels, "{}", {});
    EXPECT_EQ(refusal ? refusal->reason : "", reason);
  };
  const std::string name(1025, 'n');
  const std::string value(2049, 'v');
  f({}, "");
  f({{"a", "1"}, {"_b", "2"}}, "");
  f({{"a.b", "1"}}, "bad_label_name");
  f({{"9a", "1"}}, "bad_label_name");
  f({{name, "1"}}, "label_name_too_long");
  f({{"a", value}}, "label_value_too_long");
  std::vector<std::string> names;
  for (int i = 0; i < 16; ++i) names.push_back("l" + std::to_string(i));
  std::vector<Label> labels;
  for (int i = 0; i < 15; ++i) labels.push_back({names[static_cast<std::size_t>(i)], "v"});
  labels.push_back({"service_name", "v"});
  f(labels, "");
  labels.push_back({names[15], "v"});
  f(labels, "max_label_names_per_series");
}

TEST(PageBuffer, GivesItsPagesBack) {
  PagePool pool;
  {
    PageBuffer a(pool);
    PageBuffer b(pool);
    std::string want;
    for (int i = 0; i < 5000; ++i) {
      a.append(std::to_string(i));
      b.append("b");
      want += std::to_string(i);
    }
    EXPECT_EQ(text_of(a), want);
    EXPECT_EQ(pool.pages_in_use(), a.fragments() + b.fragments());
    PageBuffer c(std::move(a));
    EXPECT_EQ(text_of(c), want);
    EXPECT_EQ(a.size(), 0U);  // NOLINT(bugprone-use-after-move): says what a move leaves
  }
  EXPECT_EQ(pool.pages_in_use(), 0U);
}

}  // namespace
}  // namespace weir::loki
