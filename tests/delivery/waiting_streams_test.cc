#include "delivery/waiting_streams.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace weir::delivery {
namespace {

using record::Source;

// Drives one object by words. All records lie in block 1 and belong to the stream 7, unless the event ends with `of STREAM`.
//
//   restore A B   the last run left the stream waiting from record A; the spool's stream had reached B
//   arrive N      answers `own place`, `left` or `token`
//   leave N       answers `waits`, or `waited` when the stream waited before
//   again N       answers `own place` or `token`
//   resume N      the spool's stream is at record N; answers the record that the stream has reached, or `-`
//   settle N      by the latest token of record N; answers like resume
//   place N       of the latest token of record N; answers the record, or `-`
//   release N     the spool's stream is at record N; answers how many streams flow again
class Script {
 public:
  std::string run(const std::string& text) {
    std::istringstream words(text);
    std::string event, of;
    std::uint32_t at = 0, to = 0;
    words >> event >> at;
    if (event == "restore") words >> to;
    std::uint64_t stream = 7;
    if (words >> of) words >> stream;
    const Source source = Source::in_spool(1, 1, at);
    const auto key = std::pair(stream, at);
    if (event == "restore") return streams_.restore(stream, {1, at}, {1, to}), "";
    if (event == "arrive") return given(streams_.arrive(stream, source), key);
    if (event == "again") return given(streams_.read_again(stream, source), key);
    if (event == "leave") {
      const PushToken token = tokens_.contains(key) ? tokens_[key] : token_of_place({1, at});
      return streams_.leave(stream, source, token) ? "waits" : "waited";
    }
    if (event == "resume") return reached(streams_.resume(stream, {1, at}), stream);
    if (event == "settle") return reached(streams_.settle(tokens_.at(key)), stream);
    if (event == "place") {
      const auto place = streams_.place(tokens_.at(key));
      return place ? fmt::to_string(place->ordinal) : "-";
    }
    if (event == "release") return fmt::to_string(streams_.release({1, at}).size());
    return "unknown event";
  }
  [[nodiscard]] bool empty() const { return streams_.empty(); }

 private:
  std::string given(std::optional<PushToken> token, std::pair<std::uint64_t, std::uint32_t> key) {
    if (!token) return "own place";
    if (*token == kNoToken) return "left";
    EXPECT_TRUE(is_of_waiting_stream(*token));
    tokens_[key] = *token;
    return "token";
  }
  static std::string reached(const std::optional<WaitingStreams::Reached>& reached, std::uint64_t stream) {
    if (!reached) return "-";
    EXPECT_EQ(reached->stream, stream);
    return fmt::to_string(reached->from.ordinal);
  }
  WaitingStreams streams_;
  std::map<std::pair<std::uint64_t, std::uint32_t>, PushToken> tokens_;
};

struct Step {
  std::string event, answer;
};
struct Case {
  std::string name;
  std::vector<Step> steps;
  bool flows = false;  // at the end no stream waits
};

TEST(WaitingStreams, AnswersEachEventInEachState) {
  const std::vector<Case> cases = {
      {"flowing: nothing is known of the stream",
       {{"arrive 1", "own place"}, {"again 1", "own place"}, {"resume 9", "-"}, {"release 9", "0"}},
       true},
      {"waiting: later records are left, earlier ones and other streams are not",
       {{"leave 3", "waits"}, {"arrive 4", "left"}, {"arrive 2", "own place"}, {"arrive 4 of 8", "own place"}}},
      {"waiting: leaving again changes nothing", {{"leave 3", "waits"}, {"leave 5", "waited"}, {"again 3", "token"}}},
      {"waiting: never flows by itself", {{"leave 3", "waits"}, {"release 9", "0"}}},
      {"waiting: moves over what was read again and settled, up to the next left record",
       {{"leave 3", "waits"},
        {"arrive 4", "left"},
        {"again 3", "token"},
        {"settle 3", "4"},
        {"again 4", "token"},
        {"settle 4", "5"}}},
      {"waiting: does not pass an open record",
       {{"leave 3", "waits"}, {"again 3", "token"}, {"again 4", "token"}, {"settle 4", "-"}, {"settle 3", "5"}}},
      {"waiting: a second fate changes nothing",
       {{"leave 3", "waits"}, {"again 3", "token"}, {"settle 3", "4"}, {"settle 3", "-"}}},
      {"waiting: the place of a token is known while it is open",
       {{"leave 3", "waits"}, {"again 3", "token"}, {"place 3", "3"}, {"settle 3", "4"}, {"place 3", "-"}}},
      {"resumed: reports the open record, and flows when it is settled and `until` is passed",
       {{"leave 3", "waits"},
        {"again 3", "token"},
        {"resume 6", "3"},
        {"release 6", "0"},
        {"settle 3", "6"},
        {"release 5", "0"},
        {"release 6", "1"},
        {"arrive 7", "own place"}},
       true},
      {"resumed: without open records it has reached the spool's stream",
       {{"leave 3", "waits"}, {"again 3", "token"}, {"settle 3", "4"}, {"resume 6", "6"}, {"release 6", "1"}},
       true},
      {"resumed: a new record enters the lane",
       {{"leave 3", "waits"},
        {"again 3", "token"},
        {"resume 6", "3"},
        {"arrive 6", "token"},
        {"settle 6", "-"},
        {"settle 3", "7"}}},
      {"resumed: a record that had entered the lane can be left",
       {{"leave 3", "waits"},
        {"again 3", "token"},
        {"resume 6", "3"},
        {"arrive 6", "token"},
        {"leave 6", "waits"},
        {"settle 3", "6"},
        {"arrive 7", "left"},
        {"again 6", "token"},
        {"settle 6", "7"}}},
      {"restored: the records come again and enter the lane, up to `until`",
       {{"restore 2 5", ""},
        {"arrive 1", "own place"},
        {"arrive 2", "token"},
        {"release 3", "0"},
        {"settle 2", "3"},
        {"release 5", "1"}},
       true},
      {"restored: an open record keeps the stream waiting behind `until`",
       {{"restore 2 5", ""},
        {"arrive 2", "token"},
        {"arrive 4", "token"},
        {"settle 4", "-"},
        {"release 9", "0"},
        {"settle 2", "5"}}},
      {"restored: a record before those that waited can be left itself",
       {{"restore 2 5", ""}, {"leave 1", "waits"}, {"arrive 2", "left"}, {"again 1", "token"}, {"settle 1", "2"}}},
      {"streams do not touch each other",
       {{"leave 3", "waits"},
        {"leave 4 of 8", "waits"},
        {"again 3", "token"},
        {"again 4 of 8", "token"},
        {"settle 4 of 8", "5"},
        {"resume 6 of 8", "6"},
        {"release 6", "1"},
        {"arrive 6 of 8", "own place"},
        {"arrive 6", "left"}}},
      {"a stream can wait again",
       {{"leave 3", "waits"},
        {"again 3", "token"},
        {"settle 3", "4"},
        {"resume 6", "6"},
        {"release 6", "1"},
        {"leave 6", "waits"},
        {"arrive 7", "left"}}},
  };
  for (const Case& one : cases) {
    Script script;
    for (const Step& step : one.steps) EXPECT_EQ(script.run(step.event), step.answer) << one.name << ": " << step.event;
    EXPECT_EQ(script.empty(), one.flows) << one.name;
  }
}

TEST(WaitingStreams, ATokenOfAStreamThatFlowsAgainIsUnknown) {
  WaitingStreams streams;
  const Source source = Source::in_spool(1, 1, 3);
  ASSERT_TRUE(streams.leave(7, source, kNoToken));
  const auto token = streams.read_again(7, source);
  ASSERT_TRUE(token);
  ASSERT_TRUE(streams.settle(*token));
  ASSERT_TRUE(streams.resume(7, {1, 4}));
  EXPECT_EQ(streams.release({1, 4}), std::vector<std::uint64_t>{7});
  EXPECT_FALSE(streams.settle(*token));
  EXPECT_FALSE(streams.place(*token));
}

}  // namespace
}  // namespace weir::delivery
