// A log of stack traces is written, rotated, left alone for a while; its reader is killed at any record and starts again at what
// the keeper calls safe; and each record arrives once, whole, as one reading of all lines makes it.
#include "spool/keeper.h"
#include "support/temp_dir.h"
#include "tail/log_harness.h"
#include "tail/resume.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <random>

namespace weir::tail {
namespace {

namespace fs = std::filesystem;

struct HashMatcher final : LineMatcher {
  [[nodiscard]] bool is_first(std::string_view line) const override { return line.starts_with('#'); }
};

struct Case {
  std::string name;
  Shape shape = Shape::regex;
  bool plain = false;
};

Multiline multiline_of(const Case& one) {
  Multiline options;
  options.shape = one.shape;
  options.matcher = std::make_shared<HashMatcher>();
  options.max_lines = 6;
  if (one.plain) options.wait = base::kHour;  // such lines have no time, by which what was idle would come out again as it did
  return options;
}

// What a log holds, over all its files.
struct World {
  World(const Case& wanted, unsigned seed) : one(wanted), dice(seed) {
    dir.write("0.log", "");
    write();
  }

  [[nodiscard]] std::string live() const { return dir / "0.log"; }

  // True when there is a new live file.
  bool step() {
    const unsigned what = dice() % 100;
    if (what < 88) {
      write();
      return false;
    }
    if (what < 94 && !one.plain) {
      clock.advance(400 * base::kMillisecond + dice() % base::kSecond);
      return false;
    }
    if (fs::file_size(live()) == 0) return false;
    fs::rename(live(), dir / fmt::format("0.log.20240501-{:06}", ++rotations));
    dir.write("0.log", "");
    return true;
  }

  void write() {
    static const Lines kLines = {"#first",
                                 "ERROR failed",
                                 "INFO ok",
                                 "java.io.IOException: x",
                                 "\tat shop.A.a(A.java:1)",
                                 "\tat shop.B.b(B.java:1)",
                                 "  more",
                                 "Caused by: shop.X: y",
                                 "Traceback (most recent call last):",
                                 "  File \"a.py\", line 1",
                                 "KeyError: x",
                                 "",
                                 "plain"};
    clock.advance(base::kMillisecond);
    // Each is a line of its own.
    const std::string text = fmt::format("{}{}{}", kLines[dice() % kLines.size()], one.shape == Shape::regex ? " " : "",
                                         one.shape == Shape::regex ? std::to_string(++count) : "");
    std::string line = text + "\n";
    if (!one.plain) {
      line = fmt::format("{} {} {} {}\n", record::to_rfc3339(clock.wall()), dice() % 4 == 0 ? "stderr" : "stdout",
                         dice() % 6 == 0 ? 'P' : 'F', text);
    }
    dir.write("0.log", line, true);
    all += line;
  }

  // Nothing is left open.
  void close() {
    for (const char* stream : {"stdout", "stderr"}) {
      if (one.plain) continue;
      const std::string line = fmt::format("{} {} F end\n", record::to_rfc3339(clock.wall()), stream);
      dir.write("0.log", line, true);
      all += line;
    }
  }

  // By stream, as one reading makes them of all lines.
  [[nodiscard]] std::map<std::string, Lines> expected() const {
    test::TempDir other;
    other.write("0.log", all);
    LogHarness harness;
    harness.options.tracked = harness.options.follow = true;
    harness.options.multiline = multiline_of(one);
    LogReader reader(1, other / "0.log", harness.options, harness.stats, harness.clock);
    reader.add_file(std::move(*InputFile::open(other / "0.log")));
    harness.read(reader);
    harness.clock.advance(harness.options.multiline.wait);
    harness.read(reader);
    std::map<std::string, Lines> records;
    for (const std::string& line : harness.take_records()) {
      const std::size_t at = line.rfind(" @1.");
      records[line.substr(at + 4, 1)].push_back(line.substr(0, at));
    }
    return records;
  }

  Case one;
  std::mt19937 dice;
  test::TempDir dir;
  test::FakeClock clock;
  std::string all;
  int count = 0, rotations = 0;
};

class Session {
 public:
  Session(World& world, const std::string& snapshot, std::map<std::string, Lines>& safe, std::size_t lag)
      : world_(world), safe_(safe), lag_(lag), options_(options_of(world.one)), keeper_("/spool.db") {
    if (auto loaded = keeper_.load(snapshot); !loaded) throw std::runtime_error(loaded.error().message);
    const record::Positions positions = keeper_.positions();
    std::shared_ptr<InputFile> live = std::move(*InputFile::open(world.live()));
    if (const auto position = positions.find(world.live()); position != positions.end())
      resume(reader_, position->second, live);
    else
      reader_.add_file(live);
    record::Marker marker;
    marker.type = record::Marker::Type::begin;
    marker.checkpoint = "/spool.db";
    record::Record record;
    record.marker = &marker;
    see(record);
  }

  // False when the process was killed, after `budget` records and markers.
  bool read(std::size_t& budget) {
    for (int i = 0; i < 2; ++i) {  // the second time the grace of a rotation is over
      LogReader::Outcome outcome = LogReader::Outcome::more;
      while (outcome != LogReader::Outcome::idle) {
        const std::size_t size = LogReader::space_needed(options_);
        Space space{batch_.allocate(size), size, true};
        outcome = reader_.read(batch_, space);
        if (!take(budget)) return false;
      }
      world_.clock.advance(options_.longest_rotation_grace);
    }
    return true;
  }
  void rotated() { reader_.add_file(std::move(*InputFile::open(world_.live()))); }
  void settle() {
    while (!seen_.empty()) make_safe();
  }
  [[nodiscard]] std::string snapshot() const { return keeper_.snapshot(); }
  [[nodiscard]] std::uint64_t gaps() const { return stats_.gaps; }

 private:
  struct Seen {
    record::Source source;
    bool marker = false;
    std::string line;
  };

  static ReadOptions options_of(const Case& one) {
    ReadOptions options;
    options.follow = options.tracked = true;
    options.multiline = multiline_of(one);
    options.rotation_grace = options.longest_rotation_grace = 10 * base::kMillisecond;
    return options;
  }

  bool take(std::size_t& budget) {
    for (const record::Record& record : batch_.records) {
      if (budget-- == 0) {
        batch_.clear();
        return false;
      }
      if (see(record) == spool::Verdict::repeat) continue;
      if (!record.source || (record.marker != nullptr && record.marker->type == record::Marker::Type::generation)) continue;
      seen_.push_back({record.source, record.is_marker(), record.is_marker() ? "" : std::string(record.line.data)});
      while (seen_.size() > lag_) make_safe();
    }
    batch_.clear();
    return true;
  }

  spool::Verdict see(const record::Record& record) {
    auto verdict = keeper_.track(record);
    if (!verdict) throw std::runtime_error(verdict.error().message);
    return *verdict;
  }

  void make_safe() {
    const Seen seen = std::move(seen_.front());
    seen_.pop_front();
    keeper_.advance(seen.source);
    if (!seen.marker) safe_[seen.source.substream == 1 ? "e" : "o"].push_back(seen.line);
  }

  World& world_;
  std::map<std::string, Lines>& safe_;
  const std::size_t lag_;
  const ReadOptions options_;
  ReadStats stats_;
  record::Batch batch_;
  spool::Keeper keeper_;
  LogReader reader_{1, world_.live(), options_, stats_, world_.clock};
  std::deque<Seen> seen_;
};

class EachGroupOnce : public testing::TestWithParam<Case> {
 protected:
  static void run(const Case& one, unsigned seed, const std::vector<std::size_t>& budgets) {
    std::mt19937 dice(seed * 7 + 1);
    World world(one, seed);
    std::map<std::string, Lines> safe;
    std::string snapshot;
    for (std::size_t kill = 0; kill <= budgets.size(); ++kill) {
      const bool last = kill == budgets.size();
      std::size_t budget = last ? std::numeric_limits<std::size_t>::max() : budgets[kill];
      Session session(world, snapshot, safe, dice() % 6);
      bool alive = true;
      if (kill == 0) {  // from when the log is known
        std::size_t all = std::numeric_limits<std::size_t>::max();
        ASSERT_TRUE(session.read(all));
        session.settle();
      }
      alive = session.read(budget);
      for (int steps = 0; alive && steps < 60; ++steps) {
        if (world.step()) session.rotated();
        if (dice() % 3 == 0) alive = session.read(budget);
      }
      if (last) {
        world.close();
        ASSERT_TRUE(session.read(budget));
        world.clock.advance(multiline_of(one).wait);
        ASSERT_TRUE(session.read(budget));
        session.settle();
      }
      snapshot = session.snapshot();
      ASSERT_EQ(session.gaps(), 0U);
      for (unsigned steps = dice() % 20; !last && steps > 0; --steps) world.step();  // while it is dead
    }
    for (const auto& [stream, expected] : world.expected()) {
      const Lines& got = safe[stream];
      const auto [a, b] = std::ranges::mismatch(got, expected);
      if (a == got.end() && b == expected.end()) continue;
      FAIL() << "stream " << stream << ": " << got.size() << " instead of " << expected.size() << " records; after "
             << a - got.begin() << ": " << testing::PrintToString(Lines(a, got.end())).substr(0, 300) << "\ninstead of "
             << testing::PrintToString(Lines(b, expected.end())).substr(0, 300);
    }
  }
};

TEST_P(EachGroupOnce, KilledAtEveryRecord) {
  for (std::size_t cut = 0; cut < 60; ++cut) {
    SCOPED_TRACE(testing::Message() << "killed after " << cut);
    run(GetParam(), 1, {cut});
    if (HasFatalFailure()) return;
  }
}

TEST_P(EachGroupOnce, KilledOverAndOver) {
  const char* wanted = std::getenv("WEIR_PROPERTY_RUNS");
  const unsigned runs = wanted != nullptr ? static_cast<unsigned>(std::atoi(wanted)) : 60;
  std::mt19937 dice(99);
  for (unsigned seed = 1; seed <= runs; ++seed) {
    std::vector<std::size_t> budgets(1 + dice() % 6);
    for (std::size_t& budget : budgets) budget = dice() % 50;
    SCOPED_TRACE(testing::Message() << "seed " << seed << ", killed after " << testing::PrintToString(budgets));
    run(GetParam(), seed, budgets);
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, EachGroupOnce,
                         testing::Values(Case{.name = "regex"}, Case{.name = "regex_plain", .plain = true},
                                         Case{.name = "java", .shape = Shape::java},
                                         Case{.name = "java_plain", .shape = Shape::java, .plain = true},
                                         Case{.name = "python", .shape = Shape::python}),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace weir::tail
