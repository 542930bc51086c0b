#include "tail/multiline.h"

#include "tail/log_harness.h"
#include "tail/reader_queue.h"
#include "tail/resume.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace weir::tail {
namespace {

constexpr base::Timestamp kFirst = 1'760'000'000 * base::kSecond;

struct HashMatcher final : LineMatcher {
  [[nodiscard]] bool is_first(std::string_view line) const override { return line.starts_with('#'); }
};

Multiline by_hash() {
  Multiline options;
  options.shape = Shape::regex;
  options.matcher = std::make_shared<HashMatcher>();
  return options;
}

std::string stamped(base::Duration after, std::string_view text, std::string_view stream = "stdout", char tag = 'F') {
  return fmt::format("{} {} {} {}\n", record::to_rfc3339(kFirst + after), stream, tag, text);
}

// -- the machine alone --

struct Machine final : Joiner::Sink {
  explicit Machine(Multiline wanted, Reader* reader = nullptr) : options(std::move(wanted)), joiner(options, reader) {}
  Multiline options;
  Joiner joiner;
  std::vector<std::unique_ptr<char[]>> memory;
  Lines records;
  std::uint64_t offset = 0;

  void put_record(const Joiner::Line& line) override {
    records.push_back(fmt::format("{}{}-{}", std::string(line.text), line.start.offset, line.end.offset));
    if (const record::Place* const oldest = joiner.oldest()) records.back() += fmt::format("<{}", oldest->offset);
  }
  char* allocate_text(std::size_t size) override { return memory.emplace_back(std::make_unique<char[]>(size)).get(); }
  // Each line is ten bytes long in its file.
  Machine& line(std::string_view text, base::Duration after = 0, Stream stream = Stream::standard_output, bool timed = true) {
    joiner.take({text, kFirst + after, stream, timed, {1, offset}, {1, offset + 10}}, *this);
    offset += 10;
    return *this;
  }
  Machine& error(std::string_view text, base::Duration after = 0) { return line(text, after, Stream::standard_error); }
  Lines take() { return std::exchange(records, {}); }
  Lines closed() {
    joiner.close(*this);
    return take();
  }
};

TEST(Multiline, ARecordEndsWhereTheNextBegins) {
  Machine machine(by_hash());
  machine.line("#a").line("b").line("");
  EXPECT_EQ(machine.take(), Lines());
  machine.line("#c");
  EXPECT_EQ(machine.take(), Lines({"#a\nb\n0-30"}));
  EXPECT_EQ(machine.closed(), Lines({"#c30-40"}));
  EXPECT_EQ(machine.joiner.oldest(), nullptr);
}

TEST(Multiline, WhatComesBeforeTheFirstIsARecord) {
  Machine machine(by_hash());
  EXPECT_EQ(machine.line("x").line("y").line("#c").closed(), Lines({"x\ny0-20", "#c20-30"}));
}

struct NoReader final : Reader {
  Outcome read(record::Batch&, Space&) override { return Outcome::idle; }
  [[nodiscard]] std::string_view name() const override { return ""; }
  [[nodiscard]] std::optional<Cause> take_trouble() override { return std::nullopt; }
  [[nodiscard]] base::Monotonic due() const override { return base::kNever; }
};

TEST(Multiline, TheLargestGroupLeavesWhenAllTakeTooMuch) {
  Multiline options = by_hash();
  options.budget = std::make_shared<GroupBudget>(8192);
  NoReader readers[2];
  Machine large(options, &readers[0]), small(options, &readers[1]);
  const std::string text = "#" + std::string(5000, 'x');
  large.line(text).joiner.settle(large);
  small.line("#a").joiner.settle(small);
  EXPECT_EQ(options.budget->take_asked(), nullptr);
  small.line(std::string(4000, 'b')).joiner.settle(small);
  EXPECT_EQ(options.budget->take_asked(), &readers[0]);
  EXPECT_TRUE(large.joiner.is_asked());
  EXPECT_FALSE(small.joiner.is_asked());
  large.line("c").joiner.settle(large);  // it goes on, and leaves at the end of the lines at hand
  EXPECT_EQ(large.take(), Lines({text + "\nc0-20"}));
  EXPECT_FALSE(large.joiner.holds_any());
  EXPECT_EQ(options.budget->early(), 1U);
  large.line("d").joiner.settle(large);
  EXPECT_EQ(large.closed(), Lines({"d20-30"}));
  EXPECT_EQ(small.closed(), Lines({"#a\n" + std::string(4000, 'b') + "0-20"}));
  EXPECT_EQ(options.budget->held(), 0U);
  EXPECT_EQ(options.budget->early(), 1U);
}

TEST(Multiline, StreamsAreApart) {
  Machine machine(by_hash());
  machine.line("#a").error("#e").line("b").error("f").line("#c").error("#g");
  EXPECT_EQ(machine.closed(), Lines({"#a\nb0-30<10", "#e\nf10-40<40", "#c40-50<50", "#g50-60"}));
}

TEST(Multiline, LinesFarApartInTimeAreNotJoined) {
  Machine machine(by_hash());
  machine.line("#a").line("b", base::kSecond - 1).line("c", 2 * base::kSecond - 1).line("d", 2 * base::kSecond);
  EXPECT_EQ(machine.closed(), Lines({"#a\nb0-20", "c\nd20-40"}));
  // Those that have no time of their own are.
  machine.line("#a", 0, Stream::none, false).line("b", base::kHour, Stream::none, false);
  EXPECT_EQ(machine.closed(), Lines({"#a\nb40-60"}));
}

TEST(Multiline, ALaterLineOfTheOtherStreamCloses) {
  Machine machine(by_hash());
  machine.error("#e").line("#a").line("#b", base::kSecond);
  EXPECT_EQ(machine.take(), Lines({"#e0-10<10", "#a10-20"}));
  EXPECT_EQ(machine.closed(), Lines({"#b20-30"}));
}

TEST(Multiline, LinesWithoutAStreamStayApart) {
  Machine machine(by_hash());
  machine.line("#a").line("b", 0, Stream::none, false).line("c");
  EXPECT_EQ(machine.closed(), Lines({"#a0-10", "b10-20", "c20-30"}));
}

TEST(Multiline, LinesAndBytesAreBounded) {
  Multiline options = by_hash();
  options.max_lines = 3;
  Machine lines(options);
  lines.line("#a").line("b").line("c").line("d").line("e");
  EXPECT_EQ(lines.closed(), Lines({"#a\nb\nc0-30", "d\ne30-50"}));
  options.max_bytes = 6;
  Machine bytes(options);
  bytes.line("#a").line("bcd").line("e").line("longer than that").line("f");
  EXPECT_EQ(bytes.closed(), Lines({"#a\nbcd0-20", "e20-30", "longer than that30-40", "f40-50"}));
}

TEST(Multiline, ARecordThatStaysAloneCloses) {
  Machine machine(by_hash());
  machine.line("#a").line("b").error("#e");
  machine.joiner.interrupt({"", kFirst, Stream::standard_output, true, {1, 30}, {1, 40}}, machine);
  EXPECT_EQ(machine.take(), Lines({"#a\nb0-20<20"}));
}

TEST(Multiline, OrdinaryLinesPassAtOnce) {
  Machine machine({.shape = Shape::java});
  machine.line("INFO a").line("INFO b");
  machine.joiner.settle(machine);
  EXPECT_EQ(machine.take(), Lines({"INFO a0-10", "INFO b10-20"}));
  // That of an error may be followed by a trace.
  machine.line("ERROR c");
  machine.joiner.settle(machine);
  EXPECT_EQ(machine.take(), Lines());
  EXPECT_EQ(machine.line("INFO d").closed(), Lines({"ERROR c20-30", "INFO d30-40"}));
}

TEST(Multiline, WhatWasDoubtfulIsJudgedAnew) {
  Machine machine({.shape = Shape::python});
  machine.line("Traceback (most recent call last):").line("  File \"a\", line 1").line("KeyError").line("").line("ERROR x");
  machine.joiner.settle(machine);
  EXPECT_EQ(machine.take(), Lines({"Traceback (most recent call last):\n  File \"a\", line 1\nKeyError0-30", "30-40"}));
  machine.line("Traceback (most recent call last):").joiner.settle(machine);
  EXPECT_EQ(machine.closed(), Lines({"ERROR x\nTraceback (most recent call last):40-60"}));
}

TEST(Multiline, DoubtHasAnEnd) {
  Machine machine({.shape = Shape::java});
  machine.line("shop.SomeException: of many lines");
  for (int i = 0; i < 100; ++i) {
    machine.line("   indented");
    if (i % 3 == 0) machine.joiner.settle(machine);
  }
  EXPECT_GE(machine.records.size(), 60U);
  machine.closed();
  EXPECT_EQ(machine.offset, 1010U);
}

TEST(Multiline, KnowsWhatItHoldsOfAFile) {
  Machine machine(by_hash());
  machine.joiner.take({"#a", kFirst, Stream::standard_output, true, {1, 0}, {1, 10}}, machine);
  EXPECT_TRUE(machine.joiner.holds(1));
  EXPECT_FALSE(machine.joiner.holds(2));
  machine.closed();
  EXPECT_FALSE(machine.joiner.holds(1));
}

// -- in a log --

class MultilineLog : public testing::Test {
 protected:
  MultilineLog() {
    harness_.options.follow = harness_.options.tracked = true;
    harness_.options.multiline = by_hash();
  }
  void write(const std::string& text) { dir_.write("0.log", text, true); }
  void open() { reader().add_file(std::move(*InputFile::open(dir_ / "0.log"))); }
  LogReader& reader() {
    if (!reader_) reader_.emplace(1, dir_ / "0.log", harness_.options, harness_.stats, harness_.clock);
    return *reader_;
  }
  Lines read() {
    harness_.read(reader());
    return harness_.take_records();
  }
  void rotate() { std::filesystem::rename(dir_ / "0.log", dir_ / "0.log.20260101-000000"); }
  std::uint64_t fs_size(const std::string& name) { return std::filesystem::file_size(dir_ / name); }

  test::TempDir dir_;
  LogHarness harness_;
  std::optional<LogReader> reader_;
};

TEST_F(MultilineLog, AnIdleGroupGoesOut) {
  write(cri("#a") + cri("b"));
  const std::uint64_t size = 2 * cri("b").size() + 1;
  open();
  EXPECT_EQ(read(), Lines());
  EXPECT_EQ(reader().due(), harness_.clock.monotonic() + base::kSecond);
  harness_.clock.advance(base::kSecond - 1);
  EXPECT_EQ(read(), Lines());
  harness_.clock.advance(1);
  EXPECT_EQ(read(), Lines({fmt::format("#a\nb @1.o{}", size)}));
  EXPECT_EQ(reader().due(), base::kNever);
  write(cri("c"));
  EXPECT_EQ(read(), Lines());
  harness_.clock.advance(base::kSecond);
  EXPECT_EQ(read(), Lines({fmt::format("c @1.o{}", size + cri("c").size())}));
}

// Each within a long record: whatever leaves early, every line is there once, in order.
TEST(Multiline, ManyLogsShareABudget) {
  constexpr int kLogs = 400, kRounds = 3, kLines = 200;
  test::TempDir dir;
  LogHarness harness;
  harness.options.follow = true;
  harness.options.multiline = by_hash();
  const auto budget = harness.options.multiline.budget = std::make_shared<GroupBudget>(4 << 20);
  std::vector<std::unique_ptr<LogReader>> readers;
  ReaderQueue queue;
  std::size_t most = 0;
  std::vector<std::string> expected(kLogs), got(kLogs);
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kLogs; ++i) {
      const std::string name = fmt::format("{}.log", i);
      std::string text;
      if (round == 0) text += cri(fmt::format("#{}#", i));
      for (int line = 0; line < kLines; ++line) text += cri(fmt::format("{}#{}.{}{}", i, round, line, std::string(60, 'x')));
      dir.write(name, text, true);
      for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
        expected[static_cast<std::size_t>(i)] += text.substr(at, text.find('\n', at) + 1 - at).substr(cri("").size() - 1);
      if (round == 0) {
        readers.push_back(std::make_unique<LogReader>(i + 1, dir / name, harness.options, harness.stats, harness.clock));
        readers.back()->add_file(std::move(*InputFile::open(dir / name)));
      }
      queue.add(*readers[static_cast<std::size_t>(i)]);
    }
    while (!queue.empty()) {
      const std::size_t size = LogReader::space_needed(harness.options);
      Space space{harness.batch.allocate(size), size, true};
      queue.read(harness.batch, space);
      while (Reader* const asked = budget->take_asked()) queue.add_first(*asked);
      most = std::max(most, budget->held());
      harness.collect();
    }
  }
  harness.clock.advance(base::kSecond);
  for (const auto& reader : readers) harness.read(*reader);
  for (const std::string& record : harness.take()) {
    const std::string_view head = std::string_view(record).substr(record.starts_with('#') ? 1 : 0);
    got[static_cast<std::size_t>(std::stoi(std::string(head.substr(0, head.find('#')))))] += record + "\n";
  }
  EXPECT_EQ(got, expected);
  EXPECT_LT(most, (4U << 20) + (256U << 10));
  EXPECT_EQ(budget->held(), 0U);
  EXPECT_GT(budget->early(), 100U);
}

TEST_F(MultilineLog, TheWaitIsAnOption) {
  harness_.options.multiline.wait = 3 * base::kSecond;
  write(cri("#a"));
  open();
  EXPECT_EQ(read(), Lines());
  harness_.clock.advance(2 * base::kSecond);
  write(cri("b"));
  EXPECT_EQ(read(), Lines());
  harness_.clock.advance(2 * base::kSecond);
  EXPECT_EQ(read(), Lines());
  harness_.clock.advance(base::kSecond);
  EXPECT_EQ(read().size(), 1U);
}

TEST_F(MultilineLog, PartsOfALineAreJoinedFirst) {
  write(cri("#a ", "stdout", 'P') + cri("#e", "stderr") + cri("b") + cri("c") + cri("#d"));
  harness_.options.tracked = false;
  open();
  EXPECT_EQ(read(), Lines({"#a b\nc"}));
  harness_.clock.advance(base::kSecond);
  EXPECT_EQ(read(), Lines({"#d", "#e"}));
}

TEST_F(MultilineLog, APositionNeverPassesAnOpenGroup) {
  write(cri("#e", "stderr") + cri("#a") + cri("#b"));
  const std::size_t error = cri("#e", "stderr").size(), line = cri("#a").size();
  open();
  EXPECT_EQ(read(), Lines({fmt::format("#a @1.o{}<1.0", error + line)}));
  harness_.clock.advance(base::kSecond);
  EXPECT_EQ(read(), Lines({fmt::format("#b @1.o{}<1.0", error + 2 * line), fmt::format("#e @1.e{}", error)}));
}

TEST_F(MultilineLog, AGroupGoesOnInTheNextFile) {
  write(cri("#a") + cri("b"));
  const std::size_t size = fs_size("0.log");
  open();
  harness_.read(reader());
  harness_.take();
  rotate();
  write(cri("c") + cri("#d"));
  open();
  harness_.clock.advance(600 * base::kMillisecond);
  harness_.read(reader());
  harness_.clock.advance(600 * base::kMillisecond);
  harness_.read(reader());
  Lines lines = harness_.take();
  std::erase_if(lines, [](const std::string& one) { return one.starts_with("<generation"); });
  const std::size_t second = cri("c").size(), third = second + cri("#d").size();
  EXPECT_EQ(lines, Lines({fmt::format("#a\nb\nc @2.o{}", second), fmt::format("<done 1.o{}<2.{}>", size, second)}));
  harness_.clock.advance(base::kSecond);
  EXPECT_EQ(read(), Lines({fmt::format("#d @2.o{}", third)}));
}

TEST_F(MultilineLog, AFileIsDoneWhenItsLastGroupIs) {
  write(cri("#a") + cri("b"));
  const std::size_t size = fs_size("0.log");
  open();
  harness_.read(reader());
  harness_.take();
  rotate();
  write(cri("#d"));
  open();
  harness_.clock.advance(600 * base::kMillisecond);
  harness_.read(reader());
  harness_.clock.advance(600 * base::kMillisecond);
  harness_.read(reader());
  Lines lines = harness_.take();
  std::erase_if(lines, [](const std::string& one) { return one.starts_with("<generation"); });
  EXPECT_EQ(lines, Lines({fmt::format("#a\nb @1.o{}", size), fmt::format("<done 1.o{}<2.0>", size)}));
}

TEST_F(MultilineLog, TheEndOfALogClosesIt) {
  harness_.options.multiline.wait = base::kHour;
  write(cri("#a") + cri("b"));
  open();
  harness_.read(reader());
  harness_.take();
  std::filesystem::remove(dir_ / "0.log");
  reader().set_missing(true);
  harness_.clock.advance(harness_.options.deletion_grace);
  harness_.read(reader());
  const Lines lines = harness_.take();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_TRUE(lines[0].starts_with("#a\nb @1.o")) << lines[0];
  EXPECT_TRUE(lines[1].starts_with("<done 1.o") && lines[1].ends_with(" gone>")) << lines[1];
}

TEST_F(MultilineLog, ReadOnceIsReadToTheEnd) {
  write(cri("#a") + cri("b"));
  harness_.options.follow = false;
  for (const bool tracked : {false, true}) {
    SCOPED_TRACE(tracked);
    harness_.options.tracked = tracked;
    reader_.reset();
    open();
    const Lines lines = read();
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_TRUE(lines[0].starts_with("#a\nb")) << lines[0];
  }
}

TEST_F(MultilineLog, ALineThatIsTooLongStaysAlone) {
  harness_.options.max_line = 64;
  harness_.options.tracked = false;
  write(cri("#a") + cri("#" + std::string(99, 'x')) + cri("b"));
  open();
  EXPECT_EQ(read(), Lines({"#a", "#" + std::string(63, 'x'), std::string(36, 'x')}));
  harness_.clock.advance(base::kSecond);
  EXPECT_EQ(read(), Lines({"b"}));
}

TEST_F(MultilineLog, AHoleCloses) {
  harness_.options.tracked = false;
  write(cri("#a") + cri("b") + std::string(40, '\0') + "\n" + cri("c") + cri("#d"));
  open();
  const Lines lines = read();
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0], "#a\nb");
  EXPECT_TRUE(lines[1].starts_with("weir: 40 bytes of ")) << lines[1];
  EXPECT_EQ(lines[2], "c");
}

TEST_F(MultilineLog, ATruncationCloses) {
  write(cri("#a") + cri("b") + cri("c"));
  open();
  harness_.read(reader());
  harness_.take();
  dir_.write("0.log", cri("x"));
  const Lines lines = read();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(lines[0].starts_with("#a\nb\nc @1.o")) << lines[0];
}

TEST_F(MultilineLog, APlainFileIsJoinedInPlace) {
  harness_.options.tracked = false;
  write("#a\nb\n\nc\n#d\n");
  open();
  EXPECT_EQ(read(), Lines({"#a\nb\n\nc"}));
}

TEST_F(MultilineLog, GroupsAreSpreadOverBlocks) {
  harness_.options.tracked = false;
  harness_.options.max_line = harness_.options.multiline.max_bytes = 2 << 20;
  std::string wanted = "#a", text = cri("#a");
  for (int i = 0; i < 1500; ++i) {
    const std::string line = fmt::format("{} {}", i, std::string(500, 'x'));
    text += cri(line);
    wanted += "\n" + line;
  }
  write(text + cri("#b"));
  open();
  const Lines lines = read();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0], wanted);
  EXPECT_EQ(harness_.stats.joined, 1500U);
  EXPECT_EQ(harness_.stats.records, 1U);
}

// -- cuts --

struct NoLabels final : Labeller {
  const record::LabelSet* labels(Stream, record::Batch& batch) override { return batch.hold(record::LabelSet::empty()); }
  void hole(std::uint64_t, std::uint64_t, const record::Source&, record::Batch&) override {}
};

Lines decoded(Format format, const Multiline& multiline, std::string_view text, const std::vector<std::size_t>& cuts) {
  DecodeStats stats;
  Decoder decoder(4096, stats, &multiline);
  decoder.set_format(format);
  NoLabels labels;
  record::Batch batch;
  Stamp stamp{.labeller = &labels, .tracked = true, .log = 1, .place = {1, 0}, .now = kFirst};
  Lines lines;
  const auto take = [&] {
    for (const record::Record& record : batch.records) {
      // By END and by text: what else is open, and so RESUME, depends on what was seen.
      lines.push_back(fmt::format("{}{} {}", record.source.substream == 1 ? 'e' : 'o', record.source.end, record.line.data));
    }
    batch.clear();
  };
  std::size_t at = 0;
  for (const std::size_t cut : cuts) {
    const auto block = std::make_unique<char[]>(cut - at + 1);
    std::copy(text.begin() + static_cast<std::ptrdiff_t>(at), text.begin() + static_cast<std::ptrdiff_t>(cut), block.get());
    stamp.place.offset = at;
    at += decoder.decode({block.get(), cut - at}, stamp, batch);
    take();
  }
  stamp.place.offset = at;
  decoder.end_of_file(text.substr(at), stamp, batch);
  decoder.end_of_log(stamp, batch);
  take();
  std::ranges::stable_sort(lines, {}, [](const std::string& line) { return line[0]; });  // streams are not ordered among each other
  return lines;
}

const Lines& trace_lines() {
  static const Lines lines = {"INFO ready",
                              "ERROR failed",
                              "java.lang.IllegalStateException: x",
                              "  Detail: y",
                              "\tat shop.Main.main(Main.java:1)",
                              "Caused by: shop.X: y",
                              "\t... 3 more",
                              "",
                              "Traceback (most recent call last):",
                              "  File \"a.py\", line 1, in f",
                              "ValueError: x",
                              "During handling of the above exception, another exception occurred:",
                              "panic: x",
                              "goroutine 1 [running]:",
                              "main.main()",
                              "\t/src/main.go:1 +0x1",
                              "app.rb:1:in `a': x (KeyError)",
                              "\tfrom app.rb:1:in `b'",
                              "System.Exception: x",
                              "   at Shop.Main()",
                              "#",
                              "plain"};
  return lines;
}

TEST(MultilineCuts, ChangeNothing) {
  std::mt19937 dice(7);
  for (int run = 0; run < 600; ++run) {
    Multiline multiline = by_hash();
    constexpr Shape kShapes[] = {Shape::regex, Shape::java, Shape::python, Shape::go, Shape::ruby, Shape::dotnet};
    multiline.shape = kShapes[dice() % std::size(kShapes)];
    multiline.max_lines = 2 + dice() % 12;
    const bool plain = dice() % 4 == 0;
    std::string text;
    base::Duration time = 0;
    for (int i = 0; i < 40; ++i) {
      const std::string& line = trace_lines()[dice() % trace_lines().size()];
      time += dice() % 8 == 0 ? base::kSecond : base::kMillisecond;
      const char* stream = dice() % 4 == 0 ? "stderr" : "stdout";
      text += plain ? line + "\n" : stamped(time, line, stream, dice() % 6 == 0 ? 'P' : 'F');
    }
    const Format format = plain ? Format::raw : Format::cri;
    const Lines whole = decoded(format, multiline, text, {text.size()});
    std::vector<std::size_t> cuts;
    for (int i = dice() % 40; i > 0; --i) cuts.push_back(dice() % text.size());
    cuts.push_back(text.size());
    std::ranges::sort(cuts);
    ASSERT_EQ(decoded(format, multiline, text, cuts), whole) << "run " << run;
  }
}

}  // namespace
}  // namespace weir::tail
