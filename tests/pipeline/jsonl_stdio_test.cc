#include "pipeline/jsonl_sink.h"
#include "pipeline/jsonl_source.h"

#include "support/collect.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <random>
#include <thread>

namespace weir::pipeline {
namespace {

using test::Collector;
using test::TestContext;

struct Pipe {
  Pipe() {
    int fds[2];
    if (::pipe(fds) != 0) throw std::runtime_error("pipe");
    read.reset(fds[0]);
    write.reset(fds[1]);
  }
  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t size = ::write(write.get(), bytes.data(), bytes.size());
      ASSERT_GT(size, 0);
      bytes.remove_prefix(static_cast<std::size_t>(size));
    }
  }
  base::UniqueFd read, write;
};

std::string line(int number) { return R"({"timestamp":"2024-05-01T10:00:00Z","line":")" + std::to_string(number) + "\"}"; }

// The system's clock: these wait on real descriptors.
struct Reading {
  Reading() { stages.push_back(std::make_unique<Collector>()); }
  Collector& collector() { return static_cast<Collector&>(*stages[0]); }
  ChainResult run(JsonlSourceOptions options) {
    options.fd = pipe.read.get();
    test.context.clock = &base::Clock::system();
    const auto source = make_jsonl_source(options, test.context);
    return run_chain(*source, stages, test.context);
  }
  TestContext test;
  Pipe pipe;
  std::vector<std::unique_ptr<Stage>> stages;
};

TEST(JsonlSource, EveryCutOfTheInputGivesTheSameRecords) {
  std::string text;
  std::vector<std::string> expected;
  for (int i = 0; i < 200; ++i) {
    expected.push_back(line(i));
    text += expected.back() + "\n";
  }
  text.pop_back();  // the last line is not closed
  std::mt19937_64 random(5);
  for (const std::size_t block : {1UL, 7UL, 64UL, 4096UL, 262144UL}) {
    Reading run;
    std::thread writer([&] {
      for (std::size_t at = 0; at < text.size();) {
        const std::size_t size = std::min<std::size_t>(1 + random() % 300, text.size() - at);
        run.pipe.send(std::string_view(text).substr(at, size));
        at += size;
      }
      run.pipe.write.reset();
    });
    const auto result = run.run({.block = block});
    writer.join();
    ASSERT_TRUE(result.ended);
    EXPECT_EQ(run.collector().lines(), expected) << block;
  }
}

TEST(JsonlSource, AFirstLineThatIsNoRecordIsAUsageError) {
  Reading run;
  run.pipe.send("plain text\n" + line(1) + "\n");
  run.pipe.write.reset();
  const auto result = run.run({});
  ASSERT_FALSE(result.ended);
  EXPECT_EQ(result.ended.error().code, base::Code::usage);
  EXPECT_NE(result.ended.error().hint.find("weir tail -"), std::string::npos);
  EXPECT_TRUE(run.collector().all().empty());
}

TEST(JsonlSource, ALaterLineThatIsNoRecordIsKeptCountedAndNamed) {
  Reading run;
  run.pipe.send(line(1) + "\nbroken\n" + line(2) + "\n");
  run.pipe.write.reset();
  const auto result = run.run({});
  ASSERT_TRUE(result.ended);
  EXPECT_EQ(result.source.invalid, 1U);
  EXPECT_EQ(result.source.records_out, 3U);
  ASSERT_EQ(run.collector().lines().size(), 3U);
  EXPECT_NE(run.collector().lines()[1].find(R"("line":"broken")"), std::string::npos);
  ASSERT_EQ(run.test.diagnostics.said().size(), 1U);
  EXPECT_EQ(
      run.test.diagnostics.said()[0],
      "line 2 of the input is not a record: column 1: a JSON object is expected; it is passed on as text with metadata weir_error");
}

TEST(JsonlSource, AByteOrderMarkIsNoPartOfTheFirstLine) {
  Reading run;
  run.pipe.send("\xef\xbb\xbf" + line(1) + "\r\n" + line(2) + "\r\n");
  run.pipe.write.reset();
  ASSERT_TRUE(run.run({}).ended);
  EXPECT_EQ(run.collector().lines().size(), 2U);
}

// What stands in a line that is too long is never taken for a record, wherever it is cut.
TEST(JsonlSource, ALineThatIsTooLongIsTextToItsEnd) {
  const std::size_t limit = record::JsonlReader::Limits().max_line;
  for (const std::size_t filler : {limit + 1, limit + (256U << 10), limit + (1U << 20)}) {
    Reading run;
    std::thread writer([&] {
      run.pipe.send(line(1) + "\n" + std::string(filler, 'x') + std::string(300'000, ' ') + line(2) + "\n" + line(3) + "\n");
      run.pipe.write.reset();
    });
    const auto result = run.run({.block = 256 << 10});
    writer.join();
    ASSERT_TRUE(result.ended);
    std::size_t records = 0, text = 0;
    for (const std::string& one : run.collector().lines()) {
      const bool cut = one.find("weir_error") != std::string::npos;
      records += cut ? 0 : 1;
      text += cut ? 1 : 0;
    }
    EXPECT_EQ(records, 2U) << filler;
    EXPECT_GE(text, 2U);
    EXPECT_EQ(result.source.invalid, text);
  }
}

TEST(JsonlSource, StrictStopsThereAfterWhatCameBefore) {
  Reading run;
  run.pipe.send(line(1) + "\nbroken\n" + line(2) + "\n");
  run.pipe.write.reset();
  const auto result = run.run({.strict = true});
  ASSERT_FALSE(result.ended);
  EXPECT_EQ(result.ended.error().message, "line 2 of the input is not a record: column 1: a JSON object is expected");
  EXPECT_EQ(run.collector().lines(), std::vector<std::string>{line(1)});
}

TEST(JsonlSource, ATrackedStreamMustEndWithItsMarker) {
  const std::string begin = R"({"marker":{"type":"begin","checkpoint":"c"}})";
  const std::string end = R"({"marker":{"type":"end"}})";
  {
    Reading run;
    run.pipe.send(begin + "\n" + line(1) + "\n" + end + "\n");
    run.pipe.write.reset();
    EXPECT_TRUE(run.run({}).ended);
  }
  {
    Reading run;
    run.pipe.send(begin + "\n" + line(1) + "\n" + line(2));
    run.pipe.write.reset();
    const auto result = run.run({});
    ASSERT_FALSE(result.ended);
    EXPECT_EQ(result.ended.error().code, base::Code::interrupted);
    EXPECT_EQ(run.collector().lines(), std::vector<std::string>{line(1)});  // the unfinished line is read again
  }
}

TEST(JsonlSource, ASignalDoesNotEndItButALaterDeadlineDoes) {
  Reading run;
  run.test.stop->request(SIGTERM);
  run.pipe.send(line(1) + "\n");
  std::thread writer([&] {
    run.pipe.send(line(2) + "\n");
    run.pipe.write.reset();
  });
  const auto result = run.run({});
  writer.join();
  ASSERT_TRUE(result.ended);
  EXPECT_EQ(run.collector().lines().size(), 2U);

  Reading stuck;
  stuck.test.stop->request(SIGTERM);
  static_cast<void>(stuck.test.stop->deadline(0));  // as if it had been asked when the machine booted
  const auto late = stuck.run({});
  ASSERT_FALSE(late.ended);
  EXPECT_EQ(late.ended.error().code, base::Code::interrupted);
}

TEST(JsonlSource, ASecondSignalEndsItAtOnce) {
  Reading run;
  run.test.stop->request(SIGTERM);
  run.test.stop->request(SIGTERM);
  EXPECT_TRUE(run.run({}).ended);
}

// Below the source, and as good as blocked: it asks by when it must have given up.
class Asking : public Stage {
 public:
  explicit Asking(base::Stop& stop, std::function<void()> meanwhile) : stop_(stop), meanwhile_(std::move(meanwhile)) {}
  Result<Flow> consume(Batch&, Outlet&) override {
    if (deadlines.empty()) meanwhile_();
    deadlines.push_back(stop_.deadline(7 * base::kSecond));
    return Flow::more;
  }
  [[nodiscard]] std::string_view name() const override { return "asking"; }
  std::vector<Monotonic> deadlines;

 private:
  base::Stop& stop_;
  std::function<void()> meanwhile_;
};

TEST(JsonlSource, WhoIsBlockedBelowLearnsWhetherTheNeighbourDied) {
  const std::string begin = R"({"marker":{"type":"begin","checkpoint":"c"}})"
                            "\n";
  const std::string end = R"({"marker":{"type":"end"}})"
                          "\n";
  struct {
    std::string_view name;
    std::string first, rest;
    bool closes, died;
  } const cases[] = {
      {"it lives", begin + line(1) + "\n", "", false, false},
      {"nothing more in the pipe", begin + line(1) + "\n", "", true, true},
      {"more lines", begin + line(1) + "\n", line(2) + "\n", true, true},
      {"cut in a line", begin + line(1) + "\n", line(2) + "\n" + R"({"marker":{"type":"e)", true, true},
      {"its end lies in the pipe", begin + line(1) + "\n", line(2) + "\n" + end, true, false},
      {"only its end", begin + line(1) + "\n", end, true, false},
      {"its end was read", begin + line(1) + "\n" + end, "", true, false},
      {"untracked", line(1) + "\n", "", true, false},
  };
  for (const auto& each : cases) {
    SCOPED_TRACE(each.name);
    Reading run;
    run.stages.clear();
    run.pipe.send(each.first);
    auto asking = std::make_unique<Asking>(*run.test.stop, [&] {
      run.pipe.send(each.rest);
      if (each.closes) run.pipe.write.reset();
    });
    const auto& asked = asking->deadlines;
    run.stages.push_back(std::move(asking));
    std::thread closer;
    if (!each.closes) {
      closer = std::thread([&] {
        while (true) {
          int waiting = 0;
          ::ioctl(run.pipe.read.get(), FIONREAD, &waiting);
          if (waiting == 0) break;
        }
        run.test.stop->request();
        run.test.stop->request();
      });
    }
    static_cast<void>(run.run({}));
    if (closer.joinable()) closer.join();
    ASSERT_FALSE(asked.empty());
    if (each.closes) {
      EXPECT_EQ(asked.front(), each.died ? 7 * base::kSecond + base::Stop::kAfterDeath : base::kNever);
    }
    EXPECT_EQ(run.test.stop->feed_has_died(), each.died);
  }
}

TEST(JsonlSource, WaitsForTheReaderOfTheOutputAsWell) {
  for (const bool tracked : {false, true}) {
    SCOPED_TRACE(tracked);
    Reading run;
    run.stages.clear();
    Pipe output;
    run.stages.push_back(make_jsonl_sink({.fd = output.write.get()}, run.test.context));
    run.pipe.send((tracked ? R"({"marker":{"type":"begin","checkpoint":"c"}})"
                             "\n"
                           : "") +
                  line(1) + "\n");
    std::thread reader([&] {
      char block[1000];
      ASSERT_GT(::read(output.read.get(), block, sizeof block), 0);
      output.read.reset();
    });
    const auto result = run.run({});  // its input stays open and silent
    reader.join();
    EXPECT_EQ(result.ended.ok(), !tracked);
    if (result.ended) {
      EXPECT_TRUE(result.reader_gone);
    } else {
      EXPECT_EQ(result.ended.error().message, "cannot write the output: its reader went away");
    }
  }
}

TEST(JsonlSink, WhatTheReaderDidNotTakeIsNotCountedAsWritten) {
  ::signal(SIGPIPE, SIG_IGN);
  TestContext test;
  Pipe pipe;
  const auto sink = make_jsonl_sink({.fd = pipe.write.get()}, test.context);
  if (::fcntl(pipe.write.get(), F_GETPIPE_SZ) < 1 << 20) GTEST_SKIP() << "pipes are small here";
  const auto outlet = make_outlet({});
  const auto long_line = [](std::size_t size) {
    return R"({"timestamp":"2024-05-01T10:00:00Z","line":")" + std::string(size, 'x') + "\"}";
  };
  // The first is a write of its own that the pipe holds; the second is not, and the third never has its turn.
  Batch batch = test::batch_of({long_line(300 << 10), long_line(2 << 20), line(3)});
  std::thread reader([&] {
    int waiting = 0;
    while (waiting <= 400 << 10) ::ioctl(pipe.read.get(), FIONREAD, &waiting);
    pipe.read.reset();
  });
  const auto flow = sink->consume(batch, *outlet);
  reader.join();
  ASSERT_TRUE(flow);
  EXPECT_EQ(*flow, Flow::done);
  const Counters counters = sink->counters();
  EXPECT_EQ(counters.records_in, 3U);
  EXPECT_EQ(counters.records_out, 1U);
  EXPECT_EQ(counters.in_flight, 2U);
}

TEST(JsonlSink, WritesWhatItGotByteForByte) {
  TestContext test;
  Pipe pipe;
  std::vector<std::unique_ptr<Stage>> stages;
  stages.push_back(make_jsonl_sink({.fd = pipe.write.get()}, test.context));
  const auto outlet = make_outlet(stages);
  const std::vector<std::string> lines = {R"({ "line":"odd spacing" , "timestamp":"2024-05-01T10:00:00Z"})", line(2), line(3)};
  std::string text;
  for (const std::string& each : lines) text += each + "\n";
  record::JsonlReader reader(test.clock);
  Batch batch;
  const std::string_view block = batch.copy(text);  // lines side by side, as a reader has them
  std::size_t at = 0;
  for (const std::string& each : lines) {
    ASSERT_TRUE(reader.parse(block.substr(at, each.size()), batch));
    at += each.size() + 1;
  }
  batch.records[1].touch();
  ASSERT_TRUE(outlet->emit(batch));
  std::string got(text.size(), '\0');
  ASSERT_EQ(::read(pipe.read.get(), got.data(), got.size()), static_cast<ssize_t>(text.size()));
  EXPECT_EQ(got, text);
}

TEST(JsonlSink, AReaderThatWentAwayIsDoneUnlessTracked) {
  std::signal(SIGPIPE, SIG_IGN);
  for (const bool tracked : {false, true}) {
    TestContext test;
    Pipe pipe;
    pipe.read.reset();
    std::vector<std::unique_ptr<Stage>> stages;
    stages.push_back(make_jsonl_sink({.fd = pipe.write.get()}, test.context));
    const auto outlet = make_outlet(stages);
    std::vector<std::string> lines;
    if (tracked) lines.emplace_back(R"({"marker":{"type":"begin","checkpoint":"c"}})");
    lines.push_back(line(1));
    Batch batch = test::batch_of(lines);
    const auto flow = outlet->emit(batch);
    EXPECT_EQ(flow.ok(), !tracked);
    if (flow) {
      EXPECT_EQ(*flow, Flow::done);
    } else {
      EXPECT_EQ(flow.error().code, base::Code::io);
    }
  }
}

}  // namespace
}  // namespace weir::pipeline
