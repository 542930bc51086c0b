#include "serve/stream_groups.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

namespace weir::serve {
namespace {

class StreamGroupsTest : public ::testing::Test {
 protected:
  void add(StreamGroups& groups, base::Timestamp time, std::string_view line, std::initializer_list<record::Label> labels,
           std::initializer_list<record::Label> metadata = {}, std::string_view parsed = {}) {
    record::Batch batch;  // goes, as that of a scan does
    record::Record record;
    record.timestamp = time;
    record.labels = batch.hold(record::LabelSet::intern(labels));
    record.line = record::Text::bytes(batch.copy(line));
    for (const record::Label& label : metadata) record::set_metadata(batch, record, label.name, label.value);
    if (!parsed.empty()) {
      auto* extra = batch.make<record::Extra>();
      extra->parsed = batch.copy(parsed);
      record.extra = extra;
    }
    groups.add(record, batch);
  }
  static std::string json(StreamGroups& groups) {
    std::string out;
    groups.take_json(out);
    return out;
  }
};

TEST_F(StreamGroupsTest, OneStreamForAllThatALineIsKnownBy) {
  StreamGroups groups({});
  add(groups, 1, "a", {{"app", "x"}}, {{"trace", "t1"}}, R"({"status":"200"})");
  add(groups, 2, "b", {{"app", "x"}}, {{"trace", "t2"}}, R"({"status":"200"})");
  add(groups, 3, "c", {{"app", "x"}}, {{"trace", "t1"}}, R"({"status":"200"})");
  // The same set out of other parts.
  add(groups, 4, "d", {{"app", "x"}, {"trace", "t1"}}, {{"status", "200"}});
  EXPECT_EQ(groups.entries(), 4U);
  EXPECT_EQ(json(groups), R"([{"stream":{"app":"x","status":"200","trace":"t1"},"values":[["1","a"],["3","c"],["4","d"]]},)"
                          R"({"stream":{"app":"x","status":"200","trace":"t2"},"values":[["2","b"]]}])");
  EXPECT_EQ(groups.entries(), 0U);
  EXPECT_EQ(json(groups), "[]");
}

TEST_F(StreamGroupsTest, CategorizedEachLineHasItsOwn) {
  StreamGroups groups({.categorize = true, .backward = true});
  add(groups, 1, "a", {{"app", "x"}}, {{"trace", "t1"}}, R"({"status":"200"})");
  add(groups, 2, "b", {{"app", "x"}}, {{"trace", "t2"}});
  add(groups, 3, "c", {{"app", "x"}}, {}, R"({"status":"404"})");
  add(groups, 4, "d", {{"app", "x"}});
  EXPECT_EQ(json(groups), R"([{"stream":{"app":"x"},"values":[["4","d",{}],["3","c",{"parsed":{"status":"404"}}],)"
                          R"(["2","b",{"structuredMetadata":{"trace":"t2"}}],)"
                          R"(["1","a",{"structuredMetadata":{"trace":"t1"},"parsed":{"status":"200"}}]]}])");
}

TEST_F(StreamGroupsTest, StreamsAreInTheOrderOfTheirText) {
  StreamGroups groups({});
  add(groups, 1, "1", {{"b", "1"}});
  add(groups, 1, "2", {{"a", "2"}});
  add(groups, 1, "3", {{"a", "10"}, {"c", "1"}});
  EXPECT_EQ(json(groups), R"([{"stream":{"a":"10","c":"1"},"values":[["1","3"]]},{"stream":{"a":"2"},"values":[["1","2"]]},)"
                          R"({"stream":{"b":"1"},"values":[["1","1"]]}])");
}

TEST_F(StreamGroupsTest, EscapesAndEmptyValues) {
  StreamGroups groups({});
  add(groups, 1, "a\"b\n", {{"app", "x\\"}}, {}, R"({"made":"","q":"\"\u00e9"})");
  EXPECT_EQ(json(groups), R"([{"stream":{"app":"x\\","made":"","q":"\"é"},"values":[["1","a\"b\n"]]}])");
}

TEST_F(StreamGroupsTest, Legacy) {
  StreamGroups groups({.legacy = true});
  add(groups, 1'700'000'000'000'000'001, "a", {{"app", "x"}, {"pod", "\""}});
  EXPECT_EQ(json(groups),
            R"([{"labels":"{app=\"x\", pod=\"\\\"\"}","entries":[{"ts":"2023-11-14T22:13:20.000000001Z","line":"a"}]}])");
}

TEST(PairsOf, Objects) {
  EXPECT_EQ(pairs_of("{}"), Pairs());
  EXPECT_EQ(pairs_of(R"({"a":"1","b\n":"\u0041"})"), (Pairs{{"a", "1"}, {"b\n", "A"}}));
  EXPECT_EQ(pairs_of("{app=\"x\"}"), Pairs());
  EXPECT_EQ(pairs_of(""), Pairs());
}

}  // namespace
}  // namespace weir::serve
