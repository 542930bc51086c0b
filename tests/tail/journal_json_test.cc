#include "tail/journal_json.h"

#include <gtest/gtest.h>

#include <optional>

namespace weir::tail {
namespace {

using Outcome = JournalJson::Outcome;

TEST(JournalJsonTest, Messages) {
  const auto f = [](std::string_view value, std::optional<std::string_view> message, Outcome outcome = Outcome::entry) {
    JournalJson json(kNoJournalFields);
    record::Batch batch;
    const std::string line =
        R"({"A":[1,{"b":null}],"MESSAGE":)" + std::string(value) + R"(,"__REALTIME_TIMESTAMP":"1764460800000001"})";
    EXPECT_EQ(json.read(line, batch), outcome) << line;
    if (outcome == Outcome::malformed) return;
    EXPECT_EQ(json.time(), 1764460800000001000) << line;
    EXPECT_EQ(json.records().message(), message) << line;
  };
  f(R"("text")", "text");
  f(R"("a\n\u00e9\"")", "a\n\xc3\xa9\"");
  f("[104,105,255,0]", std::string_view("hi\xff\0", 4));
  f("[]", "");
  f(R"(["first","second"])", "first");
  f(R"([[104,105],"second",null])", "hi");
  f("null", std::nullopt, Outcome::cut);
  f(R"([null,"second"])", std::nullopt, Outcome::cut);
  f("5", std::nullopt);
  f("[1,256]", std::nullopt, Outcome::malformed);
  f("[1,-1]", std::nullopt, Outcome::malformed);
  f("[1,", std::nullopt, Outcome::malformed);
}

TEST(JournalJsonTest, Failure) {
  JournalJson json(kNoJournalFields);
  record::Batch batch;
  for (const std::string_view bad : {"", "{}", "[]", "text", R"({"MESSAGE":"no time"})", R"({"__REALTIME_TIMESTAMP":"x"})",
                                     R"({"__REALTIME_TIMESTAMP":"1"} more)", R"({"__REALTIME_TIMESTAMP":"99999999999999999999"})",
                                     R"({"__REALTIME_TIMESTAMP":"1")"}) {
    EXPECT_EQ(json.read(bad, batch), Outcome::malformed) << bad;
  }
  EXPECT_EQ(json.read(R"({"__REALTIME_TIMESTAMP":"1"})", batch), Outcome::entry);
}

}  // namespace
}  // namespace weir::tail
