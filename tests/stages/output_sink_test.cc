#include "stages/output_sink.h"

#include "base/unique_fd.h"
#include "record/jsonl_reader.h"
#include "support/fake_clock.h"
#include "support/temp_dir.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

namespace weir::stages {
namespace {

using base::Code;
using pipeline::Flow;
using record::Batch;
using Format = OutputOptions::Format;
using Color = OutputOptions::Color;

class Collected : public base::Diagnostics {
 public:
  void say(std::string_view text) override { said.emplace_back(text); }
  void warn(std::string_view, std::string_view text) override { said.emplace_back(text); }
  std::vector<std::string> said;
};

class NoOutlet : public pipeline::Outlet {
 public:
  base::Result<Flow> emit(Batch&) override { return base::fail(Code::bug, "a sink emits nothing"); }
  base::Result<base::Monotonic> nudge(base::Monotonic) override { return base::kNever; }
  base::Result<pipeline::Flushed> flush(base::Monotonic) override { return pipeline::Flushed::safe; }
};

class OutputSinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ::setenv("TZ", "EET-2", 1);  // two hours east
    ::tzset();
    ::unsetenv("NO_COLOR");
    ::setenv("TERM", "xterm", 1);
    ::setenv("LC_ALL", "C.UTF-8", 1);
  }
  void TearDown() override {
    ::unsetenv("TZ");
    ::unsetenv("LC_ALL");
    ::tzset();
  }

  pipeline::Context context() {
    return {.clock = &clock, .diagnostics = &diagnostics, .environment = [](const char* name) -> const char* {
              return ::getenv(name);
            }};
  }

  // One batch for each element of `batches`, which is JSON lines.
  base::Result<Flow> feed(pipeline::Stage& sink, const std::vector<std::string>& batches) {
    record::JsonlReader reader(clock);
    base::Result<Flow> flow = Flow::more;
    for (const std::string& lines : batches) {
      Batch batch;
      for (std::size_t at = 0; at < lines.size();) {
        const std::size_t end = std::min(lines.find('\n', at), lines.size());
        EXPECT_TRUE(reader.parse(batch.copy(std::string_view(lines).substr(at, end - at)), batch).ok());
        at = end + 1;
      }
      flow = sink.consume(batch, nowhere);
    }
    return flow;
  }

  std::string into_pipe(OutputOptions options, const std::vector<std::string>& batches) {
    const std::string file = directory / "out";
    const base::UniqueFd fd(::open(file.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600));
    options.fd = fd.get();
    const auto sink = make_output_sink(options, context());
    EXPECT_TRUE(feed(*sink, batches).ok());
    EXPECT_TRUE(sink->finish(nowhere, base::kNever).ok());
    return directory.read("out");
  }

  std::string on_terminal(OutputOptions options, const std::vector<std::string>& batches) {
    int master = -1, slave = -1;
    winsize size = {.ws_row = 24, .ws_col = 120, .ws_xpixel = 0, .ws_ypixel = 0};
    if (::openpty(&master, &slave, nullptr, nullptr, &size) != 0) std::abort();
    const base::UniqueFd reading(master);
    std::string shown;
    {
      base::UniqueFd writing(slave);
      options.fd = slave;
      const auto sink = make_output_sink(options, context());
      EXPECT_TRUE(feed(*sink, batches).ok());  // all of it fits into the terminal's buffer
      EXPECT_TRUE(sink->finish(nowhere, base::kNever).ok());
    }
    // What was written arrives in its own time, and after it, with the last writer gone, an error.
    std::array<char, 65536> bytes{};
    for (ssize_t size_read = 0; (size_read = ::read(master, bytes.data(), bytes.size())) > 0;) {
      shown.append(bytes.data(), static_cast<std::size_t>(size_read));
    }
    std::erase(shown, '\r');  // the terminal's own
    return shown;
  }

  test::FakeClock clock;
  Collected diagnostics;
  test::TempDir directory;
  NoOutlet nowhere;
};

const std::string kCart = R"({"timestamp":"2026-05-01T10:00:00.0019Z","line":"one","labels":{"namespace":"shop","pod":"cart-1",)"
                          R"("container":"app","node":"a"}})";
const std::string kWeb = R"({"timestamp":"2026-05-01T10:00:01Z","line":"two","labels":{"namespace":"shop","pod":"web-1",)"
                         R"("container":"nginx","node":"b"}})";

TEST_F(OutputSinkTest, TextSaysWhoAndWhatDiffers) {
  EXPECT_EQ(into_pipe({.format = Format::text}, {kCart + "\n" + kWeb}),
            "2026-05-01 12:00:00.001 cart-1/app one node=a\n"
            "2026-05-01 12:00:01.000 web-1/nginx two node=b\n");
  EXPECT_EQ(diagnostics.said, (std::vector<std::string>{"all of {namespace=\"shop\"}"}));
  diagnostics.said.clear();
  into_pipe({.format = Format::text, .header = false}, {kCart + "\n" + kWeb});
  EXPECT_EQ(diagnostics.said, std::vector<std::string>());
}

TEST_F(OutputSinkTest, Text) {
  const auto f = [&](const std::string& lines, const std::string& expected) {
    diagnostics.said.clear();
    std::string text = into_pipe({.format = Format::text}, {lines});
    const std::string time = "1970-01-01 02:00:00.000 ";
    for (std::size_t at = text.find(time); at != std::string::npos; at = text.find(time, at)) text.erase(at, time.size());
    EXPECT_EQ(text, expected) << lines;
  };
  const auto record = [](const std::string& rest) { return R"({"timestamp":"1970-01-01T00:00:00Z",)" + rest + "}"; };
  f("", "");
  f(record(R"("line":"x")"), "x\n");
  f(record(R"("line":"  x  ","labels":{"filename":"/var/log/a.log"})"), "/var/log/a.log   x  \n");
  f(record(R"("line":"x","labels":{"app":"cart","job":"j"})"), "cart x\n");
  f(record(R"("line":"x","labels":{"color":"red"})"), "x\n");
  f(record(R"("line":"x","labels":{"color":"red"})") + "\n" + record(R"("line":"y","labels":{"color":"light blue"})"),
    "x color=red\ny color=\"light blue\"\n");
  // A pod of two namespaces is told apart by them.
  f(record(R"("line":"x","labels":{"namespace":"a","pod":"p"})") + "\n" +
        record(R"("line":"y","labels":{"namespace":"b","pod":"p"})"),
    "a/p x\nb/p y\n");
  // What a label says that its pod says already.
  f(record(R"("line":"x","labels":{"pod":"p","container":"c","service_name":"c","stream":"stdout","filename":"/f",)"
           R"("__stream_shard__":"0"})") +
        "\n" + record(R"("line":"y","labels":{"pod":"q","container":"d","service_name":"d","stream":"stderr","filename":"/g"})"),
    "p/c x\nq/d y stream=stderr\n");
  // Into a pipe nothing is escaped or cut.
  f(record(R"("line":"a\u001b[31mb\tc\nd")"), "a\\x1b[31mb\tc\\nd\n");
  f(record(R"("line":"x","labels":{"app":"a\nb","filename":"/l\u0007"})"), "/l\\x07 x\n");
  f(record(R"("line":"x","labels":{"a":"1"})") + "\n" + record(R"("line":"y","labels":{"a":"2\n\u001b[1m"})"),
    "x a=1\ny a=\"2\\n\\x1b[1m\"\n");
  f(record(R"("line":"x","metadata":{"weir_error":"a\tb\nc"})"), "x weir_error=\"a\\tb\\nc\"\n");
  f(record(R"("value":"1","labels":{"a":"b\u202ec"})"), "1 {a=\"b\\u202ec\"}\n");
  f(record(R"("line":")" + std::string(5000, 'x') + "\""), std::string(5000, 'x') + "\n");
  f(record(R"("line":"x","held":true)"), "x [held]\n");
  f(record(R"("line":"x","metadata":{"trace_id":"t","weir_gap_bytes":"17"})"), "x weir_gap_bytes=17\n");
  f(record(R"("line":"x","parsed":{"__error__":"JSONParserErr","k":"v"})"), "x __error__=JSONParserErr\n");
  f(record(R"("value":"2.5","labels":{"pod":"p","a":"b c"})"), "2.5 {a=\"b c\", pod=\"p\"}\n");
  f(record(R"("value":"2.5")"), "2.5\n");
  // Markers are no records.
  f(R"({"source":"b.00000000000000aa.1.4"})", "");
}

TEST_F(OutputSinkTest, LabelsThatStopBeingSharedAreShownFromThenOn) {
  const auto record = [](const std::string& line, const std::string& labels) {
    return R"({"timestamp":"2026-05-01T10:00:00Z","line":")" + line + R"(","labels":{)" + labels + "}}";
  };
  EXPECT_EQ(into_pipe({.format = Format::text}, {record("one", R"("app":"x","zone":"a")"), record("two", R"("app":"x","zone":"b")"),
                                                 record("three", R"("app":"x")")}),
            "2026-05-01 12:00:00.000 x one\n"
            "2026-05-01 12:00:00.000 x two zone=b\n"
            "2026-05-01 12:00:00.000 x three zone=\"\"\n");
  EXPECT_EQ(diagnostics.said, (std::vector<std::string>{"all of {zone=\"a\"}"}));
}

TEST_F(OutputSinkTest, LocalTimeFollowsTheZone) {
  ::setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
  ::tzset();
  const auto f = [&](const char* time, const char* expected) {
    EXPECT_EQ(into_pipe({.format = Format::text}, {std::string(R"({"timestamp":")") + time + R"(","line":"x"})"}),
              std::string(expected) + " x\n");
  };
  f("2026-03-29T00:59:59.999999999Z", "2026-03-29 01:59:59.999");
  f("2026-03-29T01:00:00Z", "2026-03-29 03:00:00.000");
  f("2026-10-25T00:59:59Z", "2026-10-25 02:59:59.000");
  f("2026-10-25T01:00:00Z", "2026-10-25 02:00:00.000");
  f("1969-12-31T23:59:59.5Z", "1970-01-01 00:59:59.500");
}

TEST_F(OutputSinkTest, RawIsTheLineAlone) {
  EXPECT_EQ(into_pipe({.format = Format::raw}, {kCart + "\n" + kWeb, R"({"line":" a\u001b\nb "})", R"({"value":"3"})"}),
            "one\ntwo\n a\x1b\nb \n3\n");
  EXPECT_TRUE(diagnostics.said.empty());
}

TEST_F(OutputSinkTest, AutomaticIsJsonlIntoAPipeAndTextOnATerminal) {
  EXPECT_EQ(into_pipe({}, {kCart}), kCart + "\n");
  EXPECT_EQ(on_terminal({.color = Color::never}, {kCart}),
            "2026-05-01 EET  {namespace=\"shop\", node=\"a\"}\n12:00:00.001 cart-1/app one\n");
  EXPECT_TRUE(diagnostics.said.empty());
}

TEST_F(OutputSinkTest, ATerminalIsNotDrivenByLogs) {
  const auto f = [&](const std::string& line, const std::string& expected) {
    EXPECT_EQ(on_terminal({.format = Format::text, .color = Color::never},
                          {R"({"timestamp":"2026-05-01T10:00:00Z","line":")" + line + "\"}"}),
              "2026-05-01 EET\n12:00:00.000 " + expected + "\n");
  };
  f("plain ä€😀", "plain ä€😀");
  f(R"(\u001b]0;title\u0007)", "\\x1b]0;title\\x07");
  f(R"(a\rb)", "a\\rb");
  f(R"(a\u0000b\u007f)", "a\\x00b\\x7f");
  f(R"(\u009b31m)", "\\u009b31m");
  f(R"(\udc80\udcff)", "\\x80\\xff");
  f(R"(first\n  second)", "first\n      second");
  EXPECT_EQ(on_terminal({.format = Format::raw}, {R"({"line":"\u001b[31mred\nblue"})"}), "\\x1b[31mred\\nblue\n");
  f("\x7f\u202e\u2028", "\\x7f\\u202e\\u2028");
  f("\u200d\u200f", "\u200d\u200f");  // joiners and marks of languages stay
}

// The text of a record may hold what its JSON need not escape.
TEST_F(OutputSinkTest, JsonLinesDriveNoTerminalAndStayTheSameJson) {
  const std::string head = R"({"timestamp":"2026-05-01T10:00:00Z","line":")";
  EXPECT_EQ(on_terminal({.format = Format::jsonl}, {head + "a\x7f\u009b31m\u202eé\"}"}), head + "a\\u007f\\u009b31m\\u202eé\"}\n");
  EXPECT_EQ(into_pipe({.format = Format::jsonl}, {head + "a\x7f\u009b\"}"}), head + "a\x7f\u009b\"}\n");
}

TEST_F(OutputSinkTest, NeitherDoNamesAndValuesOfMetrics) {
  EXPECT_EQ(on_terminal({.format = Format::text, .color = Color::never},
                        {"{\"timestamp\":\"2026-05-01T10:00:00Z\",\"value\":\"1\u009b\",\"labels\":{\"a\":\"\x7f\"}}"}),
            "2026-05-01 12:00:00 EET  {a=\"\\x7f\"}\n  VALUE\n1\\u009b\n");
  EXPECT_EQ(on_terminal({.format = Format::text, .color = Color::never},
                        {R"({"timestamp":"2026-05-01T10:00:00Z","line":"x","metadata":{"weir_\u001b[1m":"y"}})"}),
            "2026-05-01 EET\n12:00:00.000 x weir_\\x1b[1m=y\n");
}

// Of labels that come and go with every record, what is said of one does not depend on how many there were.
TEST_F(OutputSinkTest, LabelsThatDifferEachTimeAreToldEachTime) {
  std::string records, expected = "2026-05-01 EET  {same=\"s\"}\n";
  for (int i = 0; i < 40; ++i) {
    const std::string n = std::to_string(i);
    records += (i == 0 ? "" : "\n") + std::string(R"({"timestamp":"2026-05-01T10:00:00Z","line":"x","labels":{"l)") + n +
               R"(":"v","same":"s","z":")" + n + "\"}}";
    expected += "12:00:00.000 x l" + n + "=v z=" + n + "\n";
  }
  EXPECT_EQ(on_terminal({.format = Format::text, .color = Color::never}, {records}), expected);
}

TEST_F(OutputSinkTest, ATerminalAlignsTheLines) {
  EXPECT_EQ(on_terminal({.format = Format::text, .color = Color::never}, {kCart + "\n" + kWeb}),
            "2026-05-01 EET  {namespace=\"shop\"}\n"
            "12:00:00.001 cart-1/app  one node=a\n"
            "12:00:01.000 web-1/nginx two node=b\n");
}

TEST_F(OutputSinkTest, ATerminalSaysWhenTheDayChanges) {
  const auto record = [](const char* time) {
    return std::string(R"({"timestamp":")") + time + R"(","line":"x","labels":{"app":"a","z":"1"}})";
  };
  EXPECT_EQ(on_terminal({.color = Color::never}, {record("2026-05-01T21:59:59Z"), record("2026-05-01T22:00:00Z")}),
            "2026-05-01 EET  {z=\"1\"}\n23:59:59.000 a x\n2026-05-02 EET\n00:00:00.000 a x\n");
}

TEST_F(OutputSinkTest, LongLinesAreWrappedOnATerminalUnlessToldNotTo) {
  const std::string words =
      "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789";
  const std::string record = R"({"timestamp":"2026-05-01T10:00:00Z","line":")" + words + R"(","labels":{"pod":"p"}})";
  EXPECT_EQ(on_terminal({.color = Color::never}, {record}),
            "2026-05-01 EET\n12:00:00.000 p " + words.substr(0, 98) + "\n               " + words.substr(99) + "\n");
  EXPECT_EQ(on_terminal({.color = Color::never, .wrap = false}, {record}), "2026-05-01 EET\n12:00:00.000 p " + words + "\n");
  EXPECT_EQ(into_pipe({.format = Format::text, .color = Color::never}, {record}), "2026-05-01 12:00:00.000 p " + words + "\n");
}

TEST_F(OutputSinkTest, LevelsHaveColours) {
  const auto f = [&](const std::string& line, const std::string& style) {
    const std::string text = on_terminal({}, {R"({"timestamp":"2026-05-01T10:00:00Z","line":")" + line + R"(","labels":{}})"});
    EXPECT_NE(text.find("\x1b[0m " + (style.empty() ? line : style + line + "\x1b[0m") + "\n"), std::string::npos) << text;
  };
  f("level=error a", "\x1b[31m");
  f("level=fatal a", "\x1b[1;31m");
  f("level=warn a", "\x1b[33m");
  f("level=debug a", "\x1b[2m");
  f("level=info a", "");
  f("a", "");
}

// Six records, one a second.
std::vector<std::string> six(const char* level) {
  std::vector<std::string> batches;
  for (int i = 0; i < 6; ++i) {
    batches.push_back(R"({"timestamp":"2026-05-01T10:00:0)" + std::to_string(i) + R"(Z","line":"level=)" + level +
                      R"(","labels":{}})");
  }
  return batches;
}

TEST_F(OutputSinkTest, AHistogramStandsAboveAnAnswer) {
  const OutputOptions options = {.color = Color::never, .histogram = true};
  const std::string text = on_terminal(options, six("error"));
  EXPECT_TRUE(text.starts_with("error ")) << text;
  EXPECT_NE(text.find("\n      12:00:00"), std::string::npos) << text;
  EXPECT_NE(text.find("a column\n2026-05-01 EET\n12:00:00.000 level=error\n"), std::string::npos) << text;
  EXPECT_TRUE(into_pipe({.format = Format::text, .histogram = true}, six("error")).starts_with("2026-05-01 12:00:00.000 level"));
  ::setenv("LC_ALL", "C", 1);
  EXPECT_NE(on_terminal(options, six("error")).find("error #"), std::string::npos);
}

TEST_F(OutputSinkTest, AnAnswerThatTakesLongIsWrittenOn) {
  int master = -1, slave = -1;
  winsize size = {.ws_row = 24, .ws_col = 120, .ws_xpixel = 0, .ws_ypixel = 0};
  ASSERT_EQ(::openpty(&master, &slave, nullptr, nullptr, &size), 0);
  const base::UniqueFd reading(master), writing(slave);
  const auto sink = make_output_sink({.color = Color::never, .fd = slave, .histogram = true}, context());
  const std::vector<std::string> batches = six("warn");
  ASSERT_TRUE(feed(*sink, {batches[0]}).ok());
  EXPECT_EQ(sink->counters().records_in, 1u);
  EXPECT_EQ(sink->counters().records_out, 0u);  // held
  const auto due = sink->nudge(clock.monotonic(), nowhere);
  ASSERT_TRUE(due.ok());
  EXPECT_EQ(*due, clock.monotonic() + base::kSecond);
  clock.advance(base::kSecond);
  const auto later = sink->nudge(clock.monotonic(), nowhere);
  ASSERT_TRUE(later.ok());
  EXPECT_EQ(*later, base::kNever);
  EXPECT_EQ(sink->counters().records_out, 1u);
  for (std::size_t i = 1; i < batches.size(); ++i) ASSERT_TRUE(feed(*sink, {batches[i]}).ok());
  EXPECT_EQ(sink->counters().records_out, 6u);
  ASSERT_TRUE(sink->finish(nowhere, base::kNever).ok());
  std::array<char, 4096> bytes{};
  std::string text;
  while (text.find("a column") == std::string::npos) {  // what was written arrives in its own time
    const ssize_t got = ::read(master, bytes.data(), bytes.size());
    ASSERT_GT(got, 0) << text;
    text.append(bytes.data(), static_cast<std::size_t>(got));
  }
  EXPECT_TRUE(text.starts_with("2026-05-01 EET\r\n12:00:00.000 level=warn\r\n")) << text;
  EXPECT_NE(text.find("12:00:05.000 level=warn\r\nwarn "), std::string::npos) << text;  // the histogram is below
}

TEST_F(OutputSinkTest, RowsForProgramsAndPeople) {
  EXPECT_EQ(into_pipe({.format = Format::csv}, {kCart, kWeb}),
            "timestamp,container,namespace,node,pod,line,other_labels\n"
            "2026-05-01T12:00:00.001900000+02:00,app,shop,a,cart-1,one,\n"
            "2026-05-01T12:00:01.000000000+02:00,nginx,shop,b,web-1,two,\n");
  EXPECT_EQ(into_pipe({.format = Format::table}, {kCart, kWeb}),
            "TIME                    pod    container node LINE\n"
            "2026-05-01 12:00:00.001 cart-1 app       a    one\n"
            "2026-05-01 12:00:01.000 web-1  nginx     b    two\n");
  EXPECT_EQ(into_pipe({.format = Format::csv}, {}), "");
}

TEST_F(OutputSinkTest, Color) {
  const auto colored = [&](Color color, bool terminal) {
    const OutputOptions options = {.format = Format::text, .color = color};
    const std::string text = terminal ? on_terminal(options, {kCart}) : into_pipe(options, {kCart});
    EXPECT_NE(text.find("one"), std::string::npos);
    return text.find('\x1b') != std::string::npos;
  };
  EXPECT_TRUE(colored(Color::automatic, true));
  EXPECT_FALSE(colored(Color::automatic, false));
  EXPECT_TRUE(colored(Color::always, false));
  EXPECT_FALSE(colored(Color::never, true));
  ::setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(colored(Color::automatic, true));
  EXPECT_TRUE(colored(Color::always, true));
  ::setenv("NO_COLOR", "", 1);  // https://no-color.org: only when not empty
  EXPECT_TRUE(colored(Color::automatic, true));
  ::setenv("TERM", "dumb", 1);
  EXPECT_FALSE(colored(Color::automatic, true));
}

TEST_F(OutputSinkTest, TextThatIsColouredForATerminalBehindThePipeCannotDriveIt) {
  const std::string hostile = R"({"timestamp":"2026-05-01T10:00:00Z","line":"a\u001b]0;title\u0007\nb","labels":{}})";
  EXPECT_EQ(into_pipe({.format = Format::text, .color = Color::always}, {hostile}),
            "\x1b[2m2026-05-01 12:00:00.000\x1b[0m a\\x1b]0;title\\x07\n    b\n");
  EXPECT_EQ(into_pipe({.format = Format::text}, {hostile}), "2026-05-01 12:00:00.000 a\\x1b]0;title\\x07\\nb\n");
  EXPECT_EQ(into_pipe({.format = Format::raw, .color = Color::always}, {hostile}), "a\x1b]0;title\x07\nb\n");
}

TEST_F(OutputSinkTest, OnePodKeepsItsColor) {
  const std::string text = into_pipe({.format = Format::text, .color = Color::always}, {kCart, kWeb, kCart});
  const auto color_of = [&](std::size_t from) {
    const std::size_t at = text.find("cart-1", from);
    return text.substr(at - 5, 5);
  };
  EXPECT_EQ(color_of(0), color_of(text.find("two")));
}

TEST_F(OutputSinkTest, AReaderThatWentAwayIsDone) {
  ::signal(SIGPIPE, SIG_IGN);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const base::UniqueFd writing(ends[1]);
  ::close(ends[0]);
  const auto sink = make_output_sink({.format = Format::text, .fd = writing.get()}, context());
  const auto flow = feed(*sink, {kCart});
  ASSERT_TRUE(flow.ok());
  EXPECT_EQ(*flow, Flow::done);
}

TEST_F(OutputSinkTest, AFullDiskIsAnError) {
  const base::UniqueFd full(::open("/dev/full", O_WRONLY));
  ASSERT_TRUE(full);
  const auto sink = make_output_sink({.format = Format::text, .fd = full.get()}, context());
  const auto flow = feed(*sink, {kCart});
  ASSERT_FALSE(flow.ok());
  EXPECT_EQ(flow.error().code, Code::full);
}

TEST_F(OutputSinkTest, CountsRecordsAndNoMarkers) {
  const base::UniqueFd fd(::open("/dev/null", O_WRONLY));
  const auto sink = make_output_sink({.format = Format::text, .fd = fd.get()}, context());
  ASSERT_TRUE(feed(*sink, {kCart, R"({"source":"b.00000000000000aa.1.4"})", kWeb}).ok());
  EXPECT_EQ(sink->counters().records_in, 2u);
  EXPECT_EQ(sink->counters().records_out, 2u);
}

}  // namespace
}  // namespace weir::stages
