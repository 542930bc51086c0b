#include "serve/tail_frames.h"

#include <gtest/gtest.h>

#include <array>

namespace weir::serve {
namespace {

using Entry = logql::LogQuery::Entry;

constexpr std::array<record::Label, 2> kLabels = {{{"app", "x"}, {"z", "<1>"}}};
constexpr std::array<record::Label, 1> kMetadata = {{{"level", "warn"}}};
constexpr std::array<record::Label, 1> kParsed = {{{"k", "v"}}};

Entry entry_of(std::string_view line) {
  Entry entry;
  entry.line = line;
  entry.labels = kLabels;
  return entry;
}
Entry full_entry(std::string_view line) {
  Entry entry = entry_of(line);
  entry.metadata = kMetadata;
  entry.parsed = kParsed;
  return entry;
}

TEST(TailFrames, AreThoseOfLoki) {
  TailFrames frames(TailForm::loki, {});
  EXPECT_TRUE(frames.add(full_entry("a \"<b>\" & \n\x01\xff \xe2\x80\xa8"), 2, 1));
  EXPECT_EQ(frames.next(2).value_or(""), R"({"streams":[{"stream":{"app":"x","k":"v","level":"warn","z":"<1>"},)"
                                         R"("values":[["2","a \"\u003cb\u003e\" \u0026 \n\u0001)"
                                         "\xef\xbf\xbd"
                                         R"( \u2028"]]}]})");
  EXPECT_FALSE(frames.next(2));
}

TEST(TailFrames, KeepCategoriesApart) {
  TailFrames frames(TailForm::categorized, {});
  EXPECT_TRUE(frames.add(full_entry("l"), 2, 1));
  EXPECT_TRUE(frames.add(entry_of("m"), 3, 1));
  EXPECT_EQ(frames.next(2).value_or(""),
            R"({"streams":[{"stream":{"app":"x","z":"<1>"},)"
            R"("values":[["2","l",{"structuredMetadata":{"level":"warn"},"parsed":{"k":"v"}}]]},)"
            R"({"stream":{"app":"x","z":"<1>"},"values":[["3","m",{}]]}],"encodingFlags":["categorize-labels"]})");
}

TEST(TailFrames, SayTheLevelToThePage) {
  TailFrames frames(TailForm::page, {});
  EXPECT_TRUE(frames.add(full_entry("l"), 2, 1, "warn"));
  EXPECT_TRUE(frames.add(entry_of("m"), 3, 1, "unknown"));
  EXPECT_EQ(frames.next(2).value_or(""),
            R"({"streams":[{"stream":{"app":"x","z":"<1>"},)"
            R"("values":[["2","l",{"level":"warn","structuredMetadata":{"level":"warn"},"parsed":{"k":"v"}}]]},)"
            R"({"stream":{"app":"x","z":"<1>"},"values":[["3","m",{"level":"unknown"}]]}],"encodingFlags":["categorize-labels"]})");
}

TEST(TailFrames, HaveAnOldForm) {
  TailFrames frames(TailForm::old, {});
  EXPECT_TRUE(frames.add(entry_of("l"), 1'796'072'842'000'000'010, 1));
  EXPECT_EQ(
      frames.next(2).value_or(""),
      R"({"streams":[{"labels":"{app=\"x\", z=\"\u003c1\u003e\"}","entries":[{"ts":"2026-11-30T21:07:22.00000001Z","line":"l"}]}],)"
      "\"dropped_entries\":null}\n");
}

TEST(TailFrames, AreInOrderOfTimeAmongWhatIsDue) {
  TailFrames frames(TailForm::loki, {.frame_entries = 2});
  for (const base::Timestamp time : {3, 1, 2}) EXPECT_TRUE(frames.add(entry_of("l"), time, 10));
  EXPECT_TRUE(frames.add(entry_of("l"), 0, 20));
  EXPECT_EQ(frames.oldest(), 10);
  EXPECT_FALSE(frames.next(10));
  const std::string first = frames.next(11).value_or(""), second = frames.next(11).value_or("");
  EXPECT_LT(first.find("\"1\""), first.find("\"2\""));
  EXPECT_EQ(first.find("\"3\""), std::string::npos);
  EXPECT_NE(second.find("\"3\""), std::string::npos);
  EXPECT_FALSE(frames.next(11));
  EXPECT_NE(frames.next(21).value_or("").find("\"0\""), std::string::npos);
  EXPECT_EQ(frames.oldest(), base::kNever);
}

TEST(TailFrames, NameWhatIsDropped) {
  TailFrames frames(TailForm::loki, {.bytes = 10, .dropped = 1});
  EXPECT_TRUE(frames.add(entry_of("a line of more than ten bytes"), 1, 1));
  EXPECT_FALSE(frames.add(entry_of("b"), 2, 1));
  frames.drop(entry_of("b"), 2);
  frames.drop(entry_of("c"), 3);
  EXPECT_EQ(frames.dropped(), 2U);
  const std::string frame = frames.next(2).value_or("");
  EXPECT_TRUE(frame.ends_with(R"(],"dropped_entries":[{"timestamp":"2","labels":{"app":"x","z":"<1>"}}]})")) << frame;
  EXPECT_TRUE(frames.empty());
  // Also when nothing else is to be said.
  frames.drop(entry_of("d"), 4);
  EXPECT_EQ(frames.next(0).value_or(""), R"({"streams":[],"dropped_entries":[{"timestamp":"4","labels":{"app":"x","z":"<1>"}}]})");
}

TEST(TailFrames, NameNoMoreOfWhatIsDroppedThanFits) {
  TailFrames frames(TailForm::loki, {.dropped_bytes = 60});
  for (int i = 0; i < 10; ++i) frames.drop(entry_of("b"), i);
  EXPECT_EQ(frames.dropped(), 10U);
  const std::string frame = frames.next(0).value_or("");
  EXPECT_NE(frame.find(R"("timestamp":"1")"), std::string::npos) << frame;
  EXPECT_EQ(frame.find(R"("timestamp":"2")"), std::string::npos) << frame;
  frames.drop(entry_of("b"), 11);
  EXPECT_NE(frames.next(0).value_or("").find(R"("timestamp":"11")"), std::string::npos);
}

TEST(TailFrames, AreSentAgainWhenTheyCouldNotBe) {
  TailFrames frames(TailForm::loki, {});
  EXPECT_TRUE(frames.add(entry_of("l"), 1, 1));
  const std::string frame = frames.next(2).value_or("");
  frames.put_back(frame);
  EXPECT_TRUE(frames.has_unsent());
  EXPECT_EQ(frames.next(0).value_or(""), frame);
  EXPECT_FALSE(frames.next(2));
}

}  // namespace
}  // namespace weir::serve
