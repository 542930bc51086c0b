// A log is written, rotated, compressed; its reader is killed at any record and starts again at what the keeper calls safe; and
// each record arrives once, in the order of its stream.
#include "spool/keeper.h"
#include "support/temp_dir.h"
#include "tail/log_harness.h"
#include "tail/resume.h"
#include "tail/rotation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <map>
#include <random>

namespace weir::tail {
namespace {

namespace fs = std::filesystem;

enum class Rotation { rename, copy_and_truncate };

struct Shape {
  std::string name;
  Format format = Format::cri;
  Rotation rotation = Rotation::rename;
  bool counted = false;    // app.log.1, .2, … instead of times
  std::size_t banner = 0;  // bytes that every file begins with
};

// What is on the disk, and what a reader that misses nothing makes of it.
class World {
 public:
  World(const Shape& shape, unsigned seed) : shape_(shape), dice_(seed) {
    begin_file();
    write_line(false);  // the copy of a file that was empty could not be told from older ones
  }

  [[nodiscard]] std::string live() const { return dir_ / "0.log"; }
  [[nodiscard]] const std::map<std::string, Lines>& expected() const { return expected_; }

  // True when there is a new live file.
  bool step() {
    const unsigned what = dice_() % 100;
    if (what < 80) {
      write_line(dice_() % 4 == 0);
      return false;
    }
    if (what < 90) {
      compress_one();
      return false;
    }
    return rotate();
  }
  // A reader has looked, or nobody is there to look. A file that was truncated twice between two looks, and of which nothing was
  // read before but what every file begins with, cannot be told from one that was truncated once.
  void looked() { looked_ = fs::file_size(live()) > shape_.banner + 1; }
  void unwatched() { unwatched_ = true; }
  void watched() { unwatched_ = looked_ = false; }
  // Nothing is left open.
  void close() {
    for (const bool error : {false, true}) {
      if (!open_[error].empty()) write_part(error, "end", true);
    }
  }

 private:
  void write_line(bool error) {
    const std::string text = fmt::format("{}{}", error ? 'e' : 'o', ++count_);
    if (shape_.format == Format::raw) {
      append(text + "\n");
      expected_["o"].push_back(text);
      return;
    }
    write_part(error, text, dice_() % 3 != 0);
  }

  void write_part(bool error, const std::string& text, bool whole) {
    const char* stream = error ? "stderr" : "stdout";
    if (shape_.format == Format::docker) {
      append(fmt::format("{{\"log\":\"{}{}\",\"stream\":\"{}\",\"time\":\"2024-05-01T10:00:00Z\"}}\n", text, whole ? "\\n" : "",
                         stream));
    } else {
      append(cri(text, stream, whole ? 'F' : 'P'));
    }
    open_[error] += text;
    if (!whole) return;
    expected_[error ? "e" : "o"].push_back(std::exchange(open_[error], {}));
  }

  void append(const std::string& text) { dir_.write("0.log", text, true); }

  void begin_file() {
    dir_.write("0.log", "");
    if (shape_.banner == 0) return;
    // With a line of its own: by nothing but its banner no file can be told from another.
    const std::string own = fmt::format("o{} of a new file, as long as a line of a log usually is", ++count_);
    append(fmt::format("{}\n{}\n", std::string(shape_.banner, '#'), own));
    expected_["o"].emplace_back("banner");
    expected_["o"].push_back(own);
  }

  bool rotate() {
    if (fs::file_size(live()) == 0) return false;
    if (shape_.rotation == Rotation::copy_and_truncate && !unwatched_ && !std::exchange(looked_, false)) return false;
    std::string to = fmt::format("0.log.20240501-{:06}", ++rotations_);
    if (shape_.counted) {
      to = "0.log.1";
      for (int i = 40; i > 0; --i) {
        for (const char* suffix : {"", ".gz"}) {
          const std::string from = dir_ / fmt::format("0.log.{}{}", i, suffix);
          if (fs::exists(from)) fs::rename(from, dir_ / fmt::format("0.log.{}{}", i + 1, suffix));
        }
      }
    }
    if (shape_.rotation == Rotation::rename) {
      fs::rename(live(), dir_ / to);
      begin_file();
      return true;
    }
    fs::copy_file(live(), dir_ / to);
    fs::resize_file(live(), 0);
    begin_file();
    return false;
  }

  // The kubelet leaves the youngest rotated file as it is, logrotate may not.
  void compress_one() {
    std::vector<std::string> plain;
    for (const auto& entry : fs::directory_iterator(dir_.path())) {
      const std::string name = entry.path().filename().string();
      if (name != "0.log" && !name.ends_with(".gz")) plain.push_back(name);
    }
    if (plain.empty()) return;
    std::ranges::sort(plain, rotated_before);
    const std::string& name = plain.front();
    write_gzip(dir_ / (name + ".gz"), dir_.read(name));
    fs::remove(dir_ / name);
  }

  Shape shape_;
  std::mt19937 dice_;
  test::TempDir dir_;
  std::map<std::string, Lines> expected_;
  std::string open_[2];
  int count_ = 0, rotations_ = 0;
  bool looked_ = false, unwatched_ = false;
};

// A reader and the keeper behind it, of which some way behind is safe.
class Session {
 public:
  Session(World& world, const std::string& snapshot, std::map<std::string, Lines>& safe, std::size_t lag)
      : world_(world), safe_(safe), lag_(lag), keeper_("/spool.db") {
    options_.follow = options_.tracked = true;
    if (auto loaded = keeper_.load(snapshot); !loaded) throw std::runtime_error(loaded.error().message);
    const record::Positions positions = keeper_.positions();
    std::shared_ptr<InputFile> live = std::move(*InputFile::open(world.live()));
    if (const auto position = positions.find(world.live()); position != positions.end())
      resume(reader_, position->second, live);
    else
      reader_.add_file(live);
    begin();
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
      clock_.advance(options_.longest_rotation_grace);
    }
    world_.looked();
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
    std::string stream, line;
  };

  void begin() {
    record::Marker marker;
    marker.type = record::Marker::Type::begin;
    marker.checkpoint = "/spool.db";
    record::Record record;
    record.marker = &marker;
    see(record);
  }

  bool take(std::size_t& budget) {
    for (const record::Record& record : batch_.records) {
      if (budget-- == 0) {
        batch_.clear();
        return false;
      }
      const bool repeat = see(record) == spool::Verdict::repeat;
      if (repeat) continue;
      const bool has_place = record.source && (record.marker == nullptr || record.marker->type != record::Marker::Type::generation);
      if (!has_place) continue;
      seen_.push_back(
          {record.source, record.source.substream == 1 ? "e" : "o", record.is_marker() ? "" : std::string(record.line.data)});
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
    if (!seen.line.empty()) safe_[seen.stream].push_back(seen.line.starts_with("##") ? "banner" : seen.line);
  }

  World& world_;
  std::map<std::string, Lines>& safe_;
  const std::size_t lag_;
  test::FakeClock clock_;
  ReadOptions options_;
  ReadStats stats_;
  record::Batch batch_;
  spool::Keeper keeper_;
  LogReader reader_{1, world_.live(), options_, stats_, clock_};
  std::deque<Seen> seen_;
};

class EachRecordOnce : public testing::TestWithParam<Shape> {
 protected:
  // A run with kills at `budgets` records, and then to the end.
  static void run(const Shape& shape, unsigned seed, const std::vector<std::size_t>& budgets) {
    std::mt19937 dice(seed * 7 + 1);
    World world(shape, seed);
    std::map<std::string, Lines> safe;
    std::string snapshot;
    for (std::size_t kill = 0; kill <= budgets.size(); ++kill) {
      const bool last = kill == budgets.size();
      std::size_t budget = last ? std::numeric_limits<std::size_t>::max() : budgets[kill];
      world.watched();
      Session session(world, snapshot, safe, dice() % 6);
      if (kill == 0) {  // from when the log is known
        std::size_t all = std::numeric_limits<std::size_t>::max();
        ASSERT_TRUE(session.read(all));
        session.settle();
      }
      bool alive = session.read(budget);
      for (int steps = 0; alive && steps < 60; ++steps) {
        if (world.step()) session.rotated();
        if (dice() % 3 == 0) alive = session.read(budget);
      }
      if (last) {
        world.close();
        ASSERT_TRUE(session.read(budget));
        session.settle();
      }
      snapshot = session.snapshot();
      ASSERT_EQ(session.gaps(), 0U);
      world.unwatched();
      for (unsigned steps = dice() % 20; !last && steps > 0; --steps) world.step();  // while it is dead
    }
    for (const auto& [stream, expected] : world.expected()) {
      const Lines& got = safe[stream];
      const auto [a, b] = std::ranges::mismatch(got, expected);
      if (a == got.end() && b == expected.end()) continue;
      FAIL() << "stream " << stream << ": " << got.size() << " instead of " << expected.size() << " records; after "
             << a - got.begin() << ": " << testing::PrintToString(Lines(a, got.end())).substr(0, 200) << "\ninstead of "
             << testing::PrintToString(Lines(b, expected.end())).substr(0, 200);
    }
  }
};

TEST_P(EachRecordOnce, KilledAtEveryRecord) {
  for (std::size_t cut = 0; cut < 90; ++cut) {
    SCOPED_TRACE(testing::Message() << "killed after " << cut);
    run(GetParam(), 1, {cut});
    if (HasFatalFailure()) return;
  }
}

TEST_P(EachRecordOnce, KilledOverAndOver) {
  const char* wanted = std::getenv("WEIR_PROPERTY_RUNS");
  const unsigned runs = wanted != nullptr ? static_cast<unsigned>(std::atoi(wanted)) : 60;
  std::mt19937 dice(99);
  for (unsigned seed = 1; seed <= runs; ++seed) {
    std::vector<std::size_t> budgets(1 + dice() % 6);
    for (std::size_t& budget : budgets) budget = dice() % 70;
    SCOPED_TRACE(testing::Message() << "seed " << seed << ", killed after " << testing::PrintToString(budgets));
    run(GetParam(), seed, budgets);
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, EachRecordOnce,
    testing::Values(
        Shape{.name = "cri"}, Shape{.name = "cri_counted", .counted = true},
        Shape{.name = "docker", .format = Format::docker, .counted = true},
        Shape{.name = "cri_copied", .rotation = Rotation::copy_and_truncate}, Shape{.name = "raw", .format = Format::raw},
        Shape{.name = "raw_banner", .format = Format::raw, .counted = true, .banner = 1100},
        Shape{.name = "raw_copied", .format = Format::raw, .rotation = Rotation::copy_and_truncate, .counted = true},
        Shape{.name = "raw_copied_banner", .format = Format::raw, .rotation = Rotation::copy_and_truncate, .banner = 1100}),
    [](const auto& shape) { return shape.param.name; });

}  // namespace
}  // namespace weir::tail
