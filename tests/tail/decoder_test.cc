#include "tail/decoder.h"

#include "record/timestamp.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace weir::tail {
namespace {

constexpr base::Timestamp kNow = 1'760'000'000 * base::kSecond;

struct Labels final : Labeller {
  const record::LabelSet* labels(Stream stream, record::Batch& batch) override {
    constexpr std::array<std::string_view, 3> names = {"out", "err", "none"};
    return batch.hold(record::LabelSet::intern({{"s", names[static_cast<std::size_t>(stream)]}}));
  }
  void hole(std::uint64_t from, std::uint64_t to, const record::Source& source, record::Batch& batch) override {
    record::Record& record = batch.records.emplace_back();
    record.labels = batch.hold(record::LabelSet::intern({{"s", "hole"}}));
    record.line = record::Text::bytes(batch.copy(fmt::format("{}-{}", from, to)));
    record.source = source;
  }
};

// "out 10:00:01 text" for each record; with a source "out text @END<RESUME".
struct Decoded {
  std::vector<std::string> lines;
  DecodeStats stats;
};

std::string print(const record::Record& record, bool with_time) {
  std::string text = std::string(record.labels->get("s"));
  if (with_time) text += " " + record::to_rfc3339(record.timestamp).substr(11);
  text += " " + std::string(record.line.data);
  if (record.source)
    text += fmt::format(" @{}{}<{}", record.source.substream == 1 ? "e" : "o", record.source.end, record.source.resume);
  if (const auto split = record::find(record.metadata, "weir_split"); !split.empty()) text += fmt::format(" [{}]", split);
  return text;
}

// Feeds `text` as it would be read in blocks that end at `cuts`, each block with what was left of the former.
Decoded decode(Format format, std::string_view text, std::vector<std::size_t> cuts, std::size_t max_line = 1 << 20,
               bool tracked = false, bool ends = true, bool with_time = true, const Multiline* multiline = nullptr) {
  Decoded out;
  Decoder decoder(max_line, out.stats, multiline);
  decoder.set_format(format);
  Labels labels;
  Stamp stamp;
  stamp.labeller = &labels;
  stamp.tracked = tracked;
  stamp.now = kNow;
  stamp.place.generation = 1;
  record::Batch batch;
  const auto take = [&] {
    for (const record::Record& record : batch.records) out.lines.push_back(print(record, with_time));
    batch.clear();
  };
  std::size_t at = 0;
  cuts.push_back(text.size());
  for (const std::size_t cut : cuts) {
    // Memory of its own for each block, so that a view that outlives its block is seen by the sanitizer.
    const auto block = std::make_unique<char[]>(cut - at + 1);
    std::copy(text.begin() + static_cast<std::ptrdiff_t>(at), text.begin() + static_cast<std::ptrdiff_t>(cut), block.get());
    stamp.place.offset = at;
    const std::size_t used = decoder.decode({block.get(), cut - at}, stamp, batch);
    take();
    at += used;
  }
  if (ends) {
    stamp.place.offset = at;
    decoder.end_of_file(text.substr(at), stamp, batch);
    take();
    stamp.place.offset = text.size();
    decoder.end_of_log(stamp, batch);
    take();
  }
  return out;
}

using Lines = std::vector<std::string>;

// Cut at every byte, and at every pair of bytes, the result is the same.
void expect_same_for_all_cuts(Format format, std::string_view text, std::size_t max_line = 1 << 20) {
  const auto whole = decode(format, text, {}, max_line, true);
  for (std::size_t first = 0; first <= text.size(); ++first) {
    ASSERT_EQ(decode(format, text, {first}, max_line, true).lines, whole.lines) << "cut at " << first;
    for (std::size_t second = first; second <= text.size(); second += 7) {
      ASSERT_EQ(decode(format, text, {first, second}, max_line, true).lines, whole.lines)
          << "cut at " << first << " and " << second;
    }
  }
}

const std::string kCri =
    "2024-05-01T10:00:01Z stdout F one\n"
    "2024-05-01T10:00:02Z stdout P two-\n"
    "2024-05-01T10:00:03Z stderr P err-\n"
    "2024-05-01T10:00:04Z stdout P:x more-\n"
    "2024-05-01T10:00:05Z stderr F end\n"
    "2024-05-01T10:00:06Z stdout F done\n"
    "2024-05-01T10:00:07Z stdout F \n";

TEST(DecodeCri, JoinsPartsPerStreamWithTheTimeOfTheLast) {
  EXPECT_EQ(decode(Format::cri, kCri, {}).lines,
            (Lines{"out 10:00:01Z one", "err 10:00:05Z err-end", "out 10:00:06Z two-more-done", "out 10:00:07Z "}));
}

TEST(DecodeCri, SourceSaysWhereItEndsAndWhereTheOldestOpenLineBegins) {
  const std::size_t two = kCri.find("2024-05-01T10:00:02Z"), six = kCri.find("2024-05-01T10:00:06Z"),
                    seven = kCri.find("2024-05-01T10:00:07Z");
  EXPECT_EQ(decode(Format::cri, kCri, {}, 1 << 20, true, true, false).lines,
            (Lines{fmt::format("out one @o{}<{}", two, two), fmt::format("err err-end @e{}<{}", six, two),
                   fmt::format("out two-more-done @o{}<{}", seven, seven), fmt::format("out  @o{}<{}", kCri.size(), kCri.size())}));
}

TEST(DecodeCri, CutsChangeNothing) { expect_same_for_all_cuts(Format::cri, kCri); }

TEST(DecodeCri, LinesOfAnotherFormPassAsTheyAre) {
  const auto got = decode(
      Format::cri,
      "garbage\n2024-05-01T10:00:01Z stdout P a\n\n2024-99-01T10:00:02Z stdout F bad time\n2024-05-01T10:00:03Z stdout F b\n", {},
      1 << 20, false, true, false);
  EXPECT_EQ(got.lines, (Lines{"none garbage", "none ", "none 2024-99-01T10:00:02Z stdout F bad time", "out ab"}));
  EXPECT_EQ(got.stats.malformed, 3U);
}

TEST(DecodeCri, ClosingPartMayEndRightBehindItsTag) {
  const std::string text =
      "2024-05-01T10:00:01Z stdout P one\n"
      "2024-05-01T10:00:02Z stdout F\n"
      "2024-05-01T10:00:03Z stdout F two\n"
      "2024-05-01T10:00:04Z stderr P a\n"
      "2024-05-01T10:00:05Z stderr P\n"
      "2024-05-01T10:00:06Z stderr F:x\n"
      "2024-05-01T10:00:07Z stdout F\n";
  const auto got = decode(Format::cri, text, {});
  EXPECT_EQ(got.lines, (Lines{"out 10:00:02Z one", "out 10:00:03Z two", "err 10:00:06Z a", "out 10:00:07Z "}));
  EXPECT_EQ(got.stats.malformed, 0U);
  expect_same_for_all_cuts(Format::cri, text);
}

TEST(DecodeCri, LineWithAnotherTagGoesOnWhole) {
  const std::string text = "2024-05-01T10:00:01Z stdout hello world again\n2024-05-01T10:00:02Z stdout F fine\n";
  const auto got = decode(Format::cri, text, {}, 1 << 20, false, true, false);
  EXPECT_EQ(got.lines, (Lines{"none 2024-05-01T10:00:01Z stdout hello world again", "out fine"}));
  EXPECT_EQ(got.stats.malformed, 1U);
  expect_same_for_all_cuts(Format::cri, text);
}

TEST(DecodeMark, IsNoPartOfTheFirstLine) {
  const std::string mark = "\xef\xbb\xbf";
  const auto f = [&](Format format, const std::string& text, const Lines& lines) {
    const auto got = decode(format, mark + text, {}, 1 << 20, false, true, false);
    EXPECT_EQ(got.lines, lines);
    EXPECT_EQ(got.stats.malformed, 0U);
    expect_same_for_all_cuts(format, mark + text);
  };
  f(Format::raw, "one\n" + mark + "two\n", {"none one", "none " + mark + "two"});
  f(Format::raw, "one", {"none one"});
  f(Format::raw, "\n", {"none "});
  f(Format::raw, "", {});
  f(Format::cri, kCri, {"out one", "err err-end", "out two-more-done", "out "});
  f(Format::docker, R"({"log":"x\n","stream":"stdout","time":"2024-05-01T10:00:01Z"})", {"out x"});
  EXPECT_EQ(decode(Format::raw, mark.substr(0, 2), {}, 100, false, true, false).lines, (Lines{"none \xef\xbb"}));
  // Also of a line that is longer than a block.
  EXPECT_EQ(decode(Format::raw, mark + std::string(1000, 'x') + "\n", {600}, 64, true, true, false).lines.front(),
            fmt::format("none {} @o67<3 [1]", std::string(64, 'x')));
}

TEST(DecodeHole, RecordBehindZerosIsRead) {
  const std::string zeros(100, '\0'), one = "2024-05-01T10:00:01Z stdout F one\n", two = "2024-05-01T10:00:02Z stdout F two\n";
  const std::size_t from = one.size(), to = from + zeros.size();
  const auto f = [&](Format format, const std::string& text, const Lines& lines, std::uint64_t malformed = 0) {
    SCOPED_TRACE(fmt::format("{}", fmt::join(lines, ", ")));
    const auto got = decode(format, text, {}, 1 << 20, true, true, false);
    EXPECT_EQ(got.lines, lines);
    EXPECT_EQ(got.stats.malformed, malformed);
    expect_same_for_all_cuts(format, text);
  };
  f(Format::cri, one + zeros + two,
    {fmt::format("out one @o{0}<{0}", from), fmt::format("hole {0}-{1} @o{1}<{1}", from, to),
     fmt::format("out two @o{0}<{0}", to + two.size())});
  // One zero is enough in front of a line with a header.
  f(Format::cri, one + std::string(1, '\0') + two,
    {fmt::format("out one @o{0}<{0}", from), fmt::format("hole {0}-{1} @o{1}<{1}", from, from + 1),
     fmt::format("out two @o{0}<{0}", from + 1 + two.size())});
  // At the beginning, at the end, and all there is.
  f(Format::cri, zeros + two, {"hole 0-100 @o100<100", fmt::format("out two @o{0}<{0}", 100 + two.size())});
  f(Format::cri, one + zeros, {fmt::format("out one @o{0}<{0}", from), fmt::format("hole {0}-{1} @o{1}<{1}", from, to)});
  f(Format::raw, zeros + "\n", {"hole 0-100 @o100<100"});
  // A line that broke off in front of it, and the end of one behind it.
  f(Format::cri, "2024-05-01T10:00:01Z stdout F on" + zeros + "rest\n" + two,
    {"out on @o32<32", "hole 32-132 @o132<132", "none rest @o137<137", fmt::format("out two @o{0}<{0}", 137 + two.size())}, 1);
  // A part that was to go on does not: its place lies in the hole.
  f(Format::cri, "2024-05-01T10:00:01Z stdout P on\n" + zeros + two,
    {"out on @o34<34", "hole 33-133 @o133<133", fmt::format("out two @o{0}<{0}", 133 + two.size())});
  const std::string docker = R"({"log":"x\n","stream":"stdout","time":"2024-05-01T10:00:01Z"})";
  f(Format::docker, docker + "\n" + R"({"log":"ha)" + zeros + docker + "\n",
    {fmt::format("out x @o{0}<{0}", docker.size() + 1), fmt::format("none {{\"log\":\"ha @o{0}<{0}", docker.size() + 11),
     fmt::format("hole {0}-{1} @o{1}<{1}", docker.size() + 11, docker.size() + 111),
     fmt::format("out x @o{0}<{0}", 2 * docker.size() + 112)},
    1);
  f(Format::raw, "one\nha" + zeros + "lf\ntwo\n",
    {"none one @o4<4", "none ha @o6<6", "hole 6-106 @o106<106", "none lf @o109<109", "none two @o113<113"});
  // Text of its own may hold a few.
  const std::string few("a\0b\n\0\0c\n", 8);
  EXPECT_EQ(decode(Format::raw, few, {}, 100, false, true, false).lines,
            (Lines{std::string("none a\0b", 8), std::string("none \0\0c", 8)}));
}

TEST(DecodeHole, LargerThanABlock) {
  const std::string one = "2024-05-01T10:00:01Z stdout F one\n", two = "2024-05-01T10:00:02Z stdout F two\n";
  const std::string text = one + "torn" + std::string(5000, '\0') + two;
  const std::vector<std::size_t> cuts = {1000, 2000, 2500, 4900, 5030, 5040};
  const auto got = decode(Format::cri, text, cuts, 64, true);
  EXPECT_EQ(got.lines, decode(Format::cri, text, {}, 64, true).lines);
  ASSERT_EQ(got.lines.size(), 4U);
  EXPECT_TRUE(got.lines[2].ends_with(fmt::format(" {0}-{1} @o{1}<{1}", one.size() + 4, one.size() + 5004))) << got.lines[2];
}

// `first` without a newline is given out, then `second` comes.
Lines given_out(Format format, std::string_view first, std::string_view second, bool tracked = false) {
  Decoded out;
  Decoder decoder(1 << 20, out.stats);
  decoder.set_format(format);
  Labels labels;
  Stamp stamp;
  stamp.labeller = &labels;
  stamp.tracked = tracked;
  stamp.now = kNow;
  stamp.place.generation = 1;
  record::Batch batch;
  const std::size_t used = decoder.decode(first, stamp, batch);
  stamp.place.offset = used;
  const std::string_view rest = first.substr(used);
  const std::string_view text = decoder.has_text(rest) ? rest : std::string_view();
  decoder.give_out(text, stamp, batch);
  const std::string then = std::string(rest.substr(text.size())) + std::string(second);
  stamp.place.offset += text.size();
  stamp.place.offset += decoder.decode(then, stamp, batch);
  for (const record::Record& record : batch.records) out.lines.push_back(print(record, false));
  return out.lines;
}

TEST(DecodeGivenOut, WhatComesLaterIsALineOfItsOwn) {
  const std::string head = "2024-05-01T10:00:01Z stdout ", next = "2024-05-01T10:00:02Z stdout F next\n";
  EXPECT_EQ(given_out(Format::raw, "a\nprompt> ", "\nb\n"), (Lines{"none a", "none prompt> ", "none b"}));
  EXPECT_EQ(given_out(Format::raw, "prompt> ", "ls\nb\n"), (Lines{"none prompt> ", "none ls", "none b"}));
  EXPECT_EQ(given_out(Format::cri, head + "P par\n", head + "F t\n" + next), (Lines{"out par", "out t", "out next"}));
  EXPECT_EQ(given_out(Format::cri, head + "P par\n" + head + "F la", "st\n" + next), (Lines{"out parla", "out st", "out next"}));
  EXPECT_EQ(given_out(Format::cri, head + "F la", "\n" + next), (Lines{"out la", "out next"}));
  EXPECT_EQ(given_out(Format::cri, head + "P la", "\n" + next), (Lines{"out la", "out next"}));
  const std::string docker = R"({"log":"x\n","stream":"stdout","time":"2024-05-01T10:00:01Z"})";
  EXPECT_EQ(given_out(Format::docker, docker, "\n" + docker + "\n"), (Lines{"out x", "out x"}));
  // A torn header says nothing, and zeros stand where a writer fills a file from behind.
  EXPECT_EQ(given_out(Format::cri, head + "P par\n2024-05-01T10", ":00:02Z stdout F next\n"), (Lines{"out par", "out next"}));
  EXPECT_EQ(given_out(Format::docker, docker.substr(0, 20), docker.substr(20) + "\n"), (Lines{"out x"}));
  EXPECT_EQ(given_out(Format::raw, std::string("a\0\0", 3), "\n"), (Lines{std::string("none a\0\0", 8)}));
}

TEST(DecodeGivenOut, PlacesLieWithinTheFile) {
  const std::string part = "2024-05-01T10:00:01Z stdout P a\n", error = "2024-05-01T10:00:01Z stderr P b";
  EXPECT_EQ(given_out(Format::cri, part + error, "", true),
            (Lines{fmt::format("out a @o{0}<{1}", part.size() + error.size(), part.size()),
                   fmt::format("err b @e{0}<{0}", part.size() + error.size())}));
  // The place is that of another record of the same output: the part stays open.
  const std::string bad = "malformed\n";
  EXPECT_EQ(given_out(Format::cri, part + bad, "", true), (Lines{fmt::format("none malformed @o{}<0", part.size() + bad.size())}));
  EXPECT_EQ(given_out(Format::cri, part + bad, ""), (Lines{"none malformed", "out a"}));
}

TEST(DecodeCri, ReadTimesNeverRepeat) {
  DecodeStats stats;
  Decoder decoder(1 << 20, stats);
  decoder.set_format(Format::raw);
  Labels labels;
  Stamp stamp;
  stamp.labeller = &labels;
  stamp.now = kNow;
  record::Batch batch;
  decoder.decode("a\na\n", stamp, batch);
  stamp.now = kNow - base::kSecond;  // the clock was set back
  decoder.decode("a\n", stamp, batch);
  ASSERT_EQ(batch.records.size(), 3U);
  EXPECT_EQ(batch.records[0].timestamp, kNow);
  EXPECT_EQ(batch.records[1].timestamp, kNow + 1);
  EXPECT_EQ(batch.records[2].timestamp, kNow + 2);
}

TEST(DecodeCri, OpenPartsComeOutWhenTheLogEnds) {
  const std::string text = "2024-05-01T10:00:01Z stdout P a\n2024-05-01T10:00:02Z stderr P b\n";
  EXPECT_EQ(decode(Format::cri, text, {}, 1 << 20, false, false).lines, Lines{});
  EXPECT_EQ(decode(Format::cri, text, {}).lines, (Lines{"out 10:00:01Z a", "err 10:00:02Z b"}));
}

TEST(DecodeCri, OpenPartsAtTheEndHavePlacesBehindAllOthers) {
  const std::string text = "2024-05-01T10:00:01Z stdout P a\nmalformed\n";
  const auto got = decode(Format::cri, text, {}, 1 << 20, true, true, false);
  EXPECT_EQ(got.lines, (Lines{fmt::format("none malformed @o{}<0", text.size()),
                              fmt::format("out a @o{}<{}", text.size() + 1, text.size() + 1)}));
}

TEST(DecodeCri, LongLinesBecomePieces) {
  const std::string text =
      "2024-05-01T10:00:01Z stdout F abcdefghij\n"
      "2024-05-01T10:00:02Z stdout P abc\n"
      "2024-05-01T10:00:03Z stdout F defghijkl\n"
      "2024-05-01T10:00:04Z stdout F abcd\n";
  const auto got = decode(Format::cri, text, {}, 4);
  EXPECT_EQ(got.lines,
            (Lines{"out 10:00:01Z abcd [1]", "out 10:00:01Z efgh [2]", "out 10:00:01Z ij [3/3]", "out 10:00:03Z abcd [1]",
                   "out 10:00:03Z efgh [2]", "out 10:00:03Z ijkl [3/3]", "out 10:00:04Z abcd"}));
  EXPECT_EQ(got.stats.split, 2U);
  expect_same_for_all_cuts(Format::cri, text, 4);
}

TEST(DecodeCri, PiecesHaveRisingEndsAndResumeAtTheirLine) {
  const std::string text = "2024-05-01T10:00:01Z stdout F abcdefghij\n";
  EXPECT_EQ(decode(Format::cri, text, {}, 4, true, true, false).lines,
            (Lines{"out abcd @o34<0 [1]", "out efgh @o38<0 [2]", fmt::format("out ij @o{}<{} [3/3]", text.size(), text.size())}));
}

TEST(DecodeCri, PiecesAreCutBetweenCharacters) {
  EXPECT_EQ(decode(Format::raw, "ab\u00e9\u00e9x\n", {}, 3, false, true, false).lines,
            (Lines{"none ab [1]", "none \u00e9 [2]", "none \u00e9x [3/3]"}));
  // No characters at all: any cut will do.
  EXPECT_EQ(decode(Format::raw, "\x80\x80\x80\x80\x80\n", {}, 3, false, true, false).lines,
            (Lines{"none \x80\x80\x80 [1]", "none \x80\x80 [2/2]"}));
}

TEST(DecodeRaw, LineLargerThanABlock) {
  // A block without a newline that is larger than enough() is taken at once, so memory stays bounded.
  const std::string text(5000, 'x');
  DecodeStats stats;
  Decoder decoder(64, stats);
  decoder.set_format(Format::raw);
  ASSERT_LT(decoder.enough(), 1000U);
  std::vector<std::size_t> cuts = {1000, 2000, 3000, 4000};
  const auto in_blocks = decode(Format::raw, text + "\nnext\n", cuts, 64, true);
  EXPECT_EQ(in_blocks.lines, decode(Format::raw, text + "\nnext\n", {}, 64, true).lines);
  EXPECT_EQ(in_blocks.lines.size(), 5000 / 64 + 2U);
  EXPECT_EQ(in_blocks.stats.split, 1U);
}

TEST(DecodeCri, LineLargerThanABlockKeepsItsStreamAndParts) {
  const std::string text = "2024-05-01T10:00:01Z stderr P " + std::string(3000, 'x') + "\n2024-05-01T10:00:02Z stderr F y\n";
  const auto whole = decode(Format::cri, text, {}, 64, true);
  EXPECT_EQ(decode(Format::cri, text, {1000, 2000}, 64, true).lines, whole.lines);
  EXPECT_TRUE(whole.lines.back().ends_with("y @e" + fmt::format("{0}<{0} [47/47]", text.size()))) << whole.lines.back();
}

TEST(DecodeRaw, UnfinishedLastLineWaits) {
  EXPECT_EQ(decode(Format::raw, "a\nb", {}, 100, false, false, false).lines, (Lines{"none a"}));
  EXPECT_EQ(decode(Format::raw, "a\nb", {}, 100, false, true, false).lines, (Lines{"none a", "none b"}));
  EXPECT_EQ(decode(Format::raw, "a\n", {}, 100, false, true, false).lines, (Lines{"none a"}));
  EXPECT_EQ(decode(Format::raw, "", {}, 100, false, true, false).lines, Lines{});
  expect_same_for_all_cuts(Format::raw, "one\n\ntwo\r\nthree");
}

const std::string kDocker = R"({"log":"one\n","stream":"stdout","time":"2024-05-01T10:00:01Z"})"
                            "\n"
                            R"({"log":"two-","stream":"stdout","time":"2024-05-01T10:00:02Z"})"
                            "\n"
                            R"({"log":"err\n","stream":"stderr","time":"2024-05-01T10:00:03Z"})"
                            "\n"
                            R"({"log":"do\"ne\u00e9\t\n\n","stream":"stdout","time":"2024-05-01T10:00:04Z"})"
                            "\n{broken\n";

TEST(DecodeDocker, JoinsUntilTheNewlineAndTakesOneOff) {
  const auto got = decode(Format::docker, kDocker, {}, 1 << 20, false, true, false);
  EXPECT_EQ(got.lines, (Lines{"out one", "err err", "out two-do\"ne\u00e9\t\n", "none {broken"}));
  EXPECT_EQ(got.stats.malformed, 1U);
  expect_same_for_all_cuts(Format::docker, kDocker);
}

TEST(DecodeStart, OlderRecordsAreDroppedAndLeaveTheirPlace) {
  DecodeStats stats;
  Decoder decoder(1 << 20, stats);
  decoder.set_format(Format::cri);
  Labels labels;
  Stamp stamp;
  stamp.labeller = &labels;
  stamp.tracked = true;
  stamp.place.generation = 1;
  stamp.not_before = *record::parse_rfc3339("2024-05-01T10:00:02Z");
  record::Batch batch;
  const std::string old = "2024-05-01T10:00:01Z stdout F old\n", fresh = "2024-05-01T10:00:02Z stdout F new\n";
  const std::string both = old + fresh;
  decoder.decode(both, stamp, batch);
  ASSERT_EQ(batch.records.size(), 1U);
  EXPECT_EQ(batch.records[0].line.data, "new");
  EXPECT_FALSE(decoder.take_dropped());
  EXPECT_EQ(stats.before_start, 1U);
  decoder.decode(old, stamp, batch);
  EXPECT_EQ(decoder.take_dropped().end, old.size());
  EXPECT_FALSE(decoder.take_dropped());
}

TEST(DecodeLimits, StopsAtAFullBatch) {
  DecodeStats stats;
  Decoder decoder(1 << 20, stats);
  decoder.set_format(Format::raw);
  Labels labels;
  Stamp stamp;
  stamp.labeller = &labels;
  record::Batch batch;
  const std::string text(Decoder::kMaxRecords + 5, '\n');
  EXPECT_EQ(decoder.decode(text, stamp, batch), Decoder::kMaxRecords);
  EXPECT_EQ(batch.records.size(), Decoder::kMaxRecords);
}

// Of what other programs print, some lines are never joined. The others keep their order with them, and no position passes a line
// that waits.
struct HashMatcher final : LineMatcher {
  [[nodiscard]] bool is_first(std::string_view line) const override { return line.starts_with('#'); }
};

Lines joined(Format format, std::string_view text, std::vector<std::size_t> cuts = {}, std::size_t max_line = 1 << 20) {
  Multiline multiline;
  multiline.shape = Shape::regex;
  multiline.matcher = std::make_shared<HashMatcher>();
  return decode(format, text, std::move(cuts), max_line, true, true, false, &multiline).lines;
}

TEST(DecodeForeign, LinesOfSeveralPodsAreNotJoined) {
  const std::string text =
      "2024-05-01T10:00:01Z #a\n"
      "2024-05-01T10:00:01Z b\n"
      "[pod/web-0/app] 2024-05-01T10:00:02Z c\n"
      "[pod/web-0/app] 2024-05-01T10:00:02Z d\n"
      "2024-05-01T10:00:03Z e\n"
      "2024-05-01T10:00:03Z f\n"
      "[pod/web-0/app] 2024-05-01T10:00:04Z longer than a line may be\n"
      "no time\n";
  const Lines whole = joined(Format::rfc3339, text, {}, 20);
  EXPECT_EQ(whole, Lines({"none #a\nb @o47<47", "none c @o86<86", "none d @o125<125", "none e\nf @o171<171",
                          "none longer than a line m @o228<171 [1]", "none ay be @o234<234 [2/2]", "none no time @o242<242"}));
  for (std::size_t cut = 0; cut <= text.size(); ++cut) EXPECT_EQ(joined(Format::rfc3339, text, {cut}, 20), whole) << cut;
}

TEST(DecodeForeign, EntriesOfTheJournalAreNotJoined) {
  const std::string entry = R"({"__REALTIME_TIMESTAMP":"1","MESSAGE":"x"})"
                            "\n";
  const std::string text = entry + entry + "no entry\n" + entry;
  const Lines whole = joined(Format::journal, text);
  ASSERT_EQ(whole.size(), 4U);
  EXPECT_TRUE(whole[2].starts_with("none no entry @")) << whole[2];
  for (std::size_t cut = 0; cut <= text.size(); ++cut) EXPECT_EQ(joined(Format::journal, text, {cut}), whole) << cut;
}

}  // namespace
}  // namespace weir::tail
