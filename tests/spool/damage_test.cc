// Spools with damaged bytes: nothing crashes, no record comes out altered, and what is not damaged is still there.
#include "spool/damage.h"
#include "spool/inspection.h"
#include "spool/raw_pages.h"
#include "spool/salvage.h"
#include "spool_fixture.h"
#include "sqlite/database.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

namespace weir::spool {
namespace {

namespace fs = std::filesystem;
using base::Code;
using Blocks = std::map<std::uint64_t, std::vector<std::string>>;

constexpr std::size_t kPage = 4096;
constexpr unsigned kBlocks = 60;

std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void spill(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes; }

class DamageTest : public SpoolTest {
 protected:
  static constexpr const char* kLog = "/pods/a/0.log";

  static void announce(Keeper& keeper) {
    record::Marker marker;
    marker.type = record::Marker::Type::generation;
    marker.log_key = marker.file.path = kLog;
    marker.file.inode = 5;
    marker.file.head_size = 3;
    marker.file.head_hash = 99;
    record::Record record;
    record.marker = &marker;
    record.source = record::Source::in_file(1, 1, 0, 0);
    ASSERT_TRUE(keeper.track(record));
  }

  // A spool with blocks of several sizes, positions, a consumer that has some of it and a rejected record. Its bytes, and those of
  // its log when it was left open.
  void make(bool with_log) {
    auto writer = open();
    auto keeper = writer->load_keeper();
    announce(*keeper);
    for (unsigned i = 1; i <= kBlocks; ++i) {
      if (with_log && i == kBlocks / 2) {
        keeper.value() = Keeper(path());
        ASSERT_TRUE(writer->close());
        writer.reset();
        writer = open();
        auto again = writer->load_keeper();
        ASSERT_TRUE(again);
        *keeper = std::move(*again);
        announce(*keeper);
      }
      clock_.advance(base::kSecond);
      keeper->advance(record::Source::in_file(1, 1, 0, i * 10));
      append(*writer, {{"first " + std::to_string(i)}, {std::to_string(i) + noise(i % 7 == 0 ? 90'000 : 3000, i)}}, &*keeper);
    }
    {
      const auto main = consumer();
      acknowledge_before(*main, 11, 0);
      main->reject(20, 1, {.status = 400, .reason = "too long", .url = "http://loki", .tenant = "", .record = "{\"line\":\"x\"}"});
      main->reject_in_place(21, 1, "old", {.status = 400, .reason = "too old", .url = "http://loki", .tenant = "", .record = {}});
      ASSERT_TRUE(main->commit());
    }
    id_ = writer->spool();
    sound_ = read_all().first;
    ASSERT_EQ(sound_.size(), kBlocks);
    if (!with_log) {
      ASSERT_TRUE(writer->close());
      writer.reset();
    }
    file_ = slurp(path());
    log_ = with_log ? slurp(path() + "-wal") : std::string();
  }

  // Blocks that can be read, and the number of those that cannot.
  std::pair<Blocks, unsigned> read_all() {
    Blocks found;
    unsigned damaged = 0;
    auto from = Reader::open(path(), 0);
    EXPECT_TRUE(from) << from.error().message;
    if (!from) return {found, damaged};
    const auto blocks = (*from)->list({});
    EXPECT_TRUE(blocks) << blocks.error().message;
    for (const BlockInfo& block : *blocks) {
      record::Batch batch;
      const auto loaded = (*from)->load(block.id, {}, batch);
      if (!loaded) {
        EXPECT_EQ(loaded.error().code, Code::corrupt) << loaded.error().message;
        ++damaged;
        continue;
      }
      for (const record::Record& record : batch.records) found[block.id].emplace_back(record.line.data);
    }
    return {found, damaged};
  }

  void put_back(const std::string& file, const std::string& log) {
    for (const auto& entry : fs::directory_iterator(dir_.path())) fs::remove(entry.path());
    spill(path(), file);
    if (!log.empty()) spill(path() + "-wal", log);
  }

  // Opens and uses the file as a chain does; a file that turns out damaged on the way is opened again. Null: it is refused.
  std::unique_ptr<Writer> use(Code& refusal) {
    for (int attempt = 0; attempt < 3; ++attempt) {
      auto writer = Writer::open(options(), clock_, nullptr);
      if (!writer) {
        refusal = writer.error().code;
        return nullptr;
      }
      auto keeper = (*writer)->load_keeper();
      EXPECT_TRUE(keeper) << keeper.error().message;
      BlockBuilder builder;
      fill(builder, {{"new"}});
      auto appended = (*writer)->append(builder, keeper ? &*keeper : nullptr);
      Appended evicted;
      auto tended = appended ? (*writer)->maintain(evicted) : base::Result<base::Timestamp>(0);
      if (appended && tended) return std::move(*writer);
      EXPECT_EQ((appended ? tended.error() : appended.error()).code, Code::corrupt)
          << (appended ? tended.error() : appended.error()).message;
    }
    ADD_FAILURE() << "still damaged when opened for the third time";
    return nullptr;
  }

  // Reports every block that cannot be read. True when the writer found that more than blocks is damaged.
  bool report_all(Writer& writer) {
    auto from = Reader::open(path(), 0);
    EXPECT_TRUE(from) << from.error().message;
    const auto blocks = (*from)->list({});
    EXPECT_TRUE(blocks) << blocks.error().message;
    unsigned reported = 0;
    for (const BlockInfo& block : *blocks) {
      record::Batch batch;
      if ((*from)->load(block.id, {}, batch)) continue;
      EXPECT_TRUE(report_damaged_block(path(), block.id, clock_));
      ++reported;
    }
    Appended evicted;
    for (; reported > 0; --reported) {
      const auto tended = writer.maintain(evicted);
      if (!tended) return true;
    }
    return false;
  }

  // Nothing altered; how many of the blocks of the sound file are gone.
  unsigned expect_unaltered() {
    auto [found, damaged] = read_all();
    unsigned there = 0;
    for (const auto& [block, lines] : found) {
      // Where the end of the log is lost, the new block has one of its numbers.
      if (lines == std::vector<std::string>{"new"}) continue;
      const auto original = sound_.find(block);
      EXPECT_TRUE(original != sound_.end() && lines == original->second) << "block " << block << " is altered";
      ++there;
    }
    return kBlocks - there;
  }

  bool kept_aside() {
    for (const auto& entry : fs::directory_iterator(dir_.path())) {
      if (entry.path().filename().string().starts_with("spool.db.damaged-")) return true;
    }
    return false;
  }

  std::uint64_t id_ = 0;
  std::string file_, log_;
  Blocks sound_;
};

TEST_F(DamageTest, ABlockIsSetAsideAndTheOthersStay) {
  make(false);
  std::string bytes = file_;
  // The noise of block 14 lies on pages of its own.
  sqlite::Database database = std::move(*sqlite::Database::open(path(), sqlite::Access::read, 0));
  auto body = database.prepare("SELECT body FROM bodies WHERE block = 14");
  ASSERT_TRUE(body->step());
  const std::string stored(body->blob(0));
  const std::size_t place = bytes.find(stored.substr(50'000, 64));
  ASSERT_NE(place, std::string::npos);
  bytes[place + 5] = static_cast<char>(bytes[place + 5] ^ 4);
  body = sqlite::Statement();
  database = sqlite::Database();
  put_back(bytes, "");

  EXPECT_EQ(read_all().second, 1U);
  const auto writer = open();
  EXPECT_TRUE(writer->take_report().sentences.empty());
  ASSERT_TRUE(report_damaged_block(path(), 14, clock_));
  ASSERT_TRUE(report_damaged_block(path(), 14, clock_));  // again is harmless
  ASSERT_TRUE(report_damaged_block(path(), 15, clock_));  // nothing is wrong with it
  Appended evicted;
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(writer->maintain(evicted));
  const Report report = writer->take_report();
  ASSERT_EQ(report.sentences.size(), 1U);
  EXPECT_NE(report.sentences[0].find("block 14"), std::string::npos) << report.sentences[0];
  EXPECT_EQ(read_all().second, 0U);
  EXPECT_EQ(expect_unaltered(), 1U);
  const auto status = read_status(path(), 0);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->damaged_blocks, 1U);
  EXPECT_EQ(status->damaged_records, 2U);
  ASSERT_EQ(status->set_aside.size(), 1U);
  sqlite::Database aside = std::move(*sqlite::Database::open(status->set_aside[0], sqlite::Access::read, 0));
  EXPECT_EQ(*aside.integer("SELECT length(body) FROM bodies WHERE block = 14"), static_cast<std::int64_t>(stored.size()));
  EXPECT_EQ(*aside.integer("SELECT count(*) FROM blocks"), 1);
}

TEST_F(DamageTest, AFirstPageOfZerosCostsNothing) {
  make(false);
  std::string bytes = file_;
  bytes.replace(0, kPage, kPage, '\0');
  put_back(bytes, "");
  const auto writer = open();
  const Report report = writer->take_report();
  EXPECT_FALSE(report.sentences.empty());
  EXPECT_EQ(report.lost, 0U);
  EXPECT_EQ(writer->spool(), id_);
  EXPECT_EQ(expect_unaltered(), 0U);
  EXPECT_EQ(read_positions(path(), 0)->at(kLog).resume.offset, kBlocks * 10);
  const auto status = read_status(path(), 0);
  ASSERT_TRUE(status);
  ASSERT_EQ(status->consumers.size(), 1U);
  EXPECT_EQ(status->consumers[0].place, (BlockPlace{11, 0}));
  EXPECT_EQ(status->rejected, 2U);
  EXPECT_GT(status->rejected_bytes, 64U);
  ASSERT_EQ(status->set_aside.size(), 1U);
  EXPECT_EQ(slurp(status->set_aside[0]), bytes);
}

TEST_F(DamageTest, WhatIsNotOursIsLeftAlone) {
  spill(path(), std::string(10'000, 'x'));
  auto text = Writer::open(options(), clock_, nullptr);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, Code::usage);
  EXPECT_EQ(slurp(path()), std::string(10'000, 'x'));

  fs::remove(path());
  {
    sqlite::Database other = std::move(*sqlite::Database::open(path(), sqlite::Access::create, 0));
    ASSERT_TRUE(other.execute("CREATE TABLE theirs (i); INSERT INTO theirs VALUES (zeroblob(20000))"));
  }
  std::string bytes = slurp(path());
  bytes.replace(100, 8, "\xff\xff\xff\xff\xff\xff\xff\xff");
  spill(path(), bytes);
  EXPECT_FALSE(Writer::open(options(), clock_, nullptr));
  EXPECT_EQ(slurp(path()), bytes);
  EXPECT_FALSE(kept_aside());
}

TEST_F(DamageTest, AnEmptyFileIsAnEmptySpool) {
  spill(path(), "");
  const auto writer = open();
  EXPECT_TRUE(writer->take_report().sentences.empty());
  EXPECT_TRUE(contents().empty());
}

TEST_F(DamageTest, WrongPositionsAreNotUsed) {
  make(false);
  {
    auto writer = open();
    auto keeper = writer->load_keeper();
    announce(*keeper);
    for (std::uint64_t i = 1; i <= 70; ++i) {
      keeper->advance(record::Source::in_file(1, 1, 0, 10'000 + i));
      append(*writer, {}, &*keeper);
    }
    ASSERT_TRUE(writer->close());
  }
  sqlite::Database database = std::move(*sqlite::Database::open(path(), sqlite::Access::write, 0));
  ASSERT_TRUE(database.execute("UPDATE positions SET body = CAST(substr(body, 1, length(body) - 1) || x'7f' AS BLOB)"));
  database = sqlite::Database();
  EXPECT_EQ(read_positions(path(), 0).error().code, Code::corrupt);
  const auto writer = open();
  const Report report = writer->take_report();
  EXPECT_FALSE(report.sentences.empty());
  EXPECT_EQ(expect_unaltered(), 0U);
}

// Up to `flips` bytes at random places that `pick` chooses among.
struct Round {
  const char* where;
  bool log;
  unsigned rounds;
  unsigned flips;
};

class RandomDamageTest : public DamageTest, public testing::WithParamInterface<Round> {};

TEST_P(RandomDamageTest, NothingElseIsLost) {
  const Round& round = GetParam();
  make(round.log);
  const std::string where = round.where;
  std::vector<std::size_t> pages;  // offsets of those that are hit
  for (std::size_t at = 0; at < file_.size(); at += kPage) {
    const char type = file_[at == 0 ? 100 : at];
    const bool tree = type == 2 || type == 5 || type == 10 || type == 13;
    if (where == "first" ? at == 0 : where == "inner" ? at > 0 && type == 5 : where == "tree" ? tree : true) pages.push_back(at);
  }
  if (pages.empty()) GTEST_SKIP() << "no such page";
  unsigned refused = 0, lost = 0;
  for (unsigned seed = 1; seed <= round.rounds && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    std::string file = file_, log = log_;
    const unsigned flips = 1 + random() % round.flips;
    for (unsigned i = 0; i < flips; ++i) {
      std::string& bytes = where == "log" ? log : file;
      const std::size_t at = where == "log" ? random() % log.size() : pages[random() % pages.size()] + random() % kPage;
      if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1U << random() % 8));
    }
    put_back(file, log);
    Code refusal{};
    auto writer = use(refusal);
    if (!writer) {
      // A number of the format that we do not know may be damage or a later release, and a file with neither our identity nor our
      // tables somebody else's: they stay as they are.
      EXPECT_TRUE(refusal == Code::version || refusal == Code::usage) << static_cast<int>(refusal);
      EXPECT_TRUE(where == "first" || where == "any" || where == "tree");
      EXPECT_EQ(slurp(path()), file);
      ++refused;
      continue;
    }
    // What a chain meets it reports; what is worse than a block is put right when the file is opened again.
    if (report_all(*writer)) {
      writer.reset();
      writer = use(refusal);
      ASSERT_NE(writer, nullptr);
    }
    const unsigned gone = expect_unaltered();
    lost += gone;
    if (where == "first" || where == "inner") {
      EXPECT_EQ(gone, 0U);
    }
    if (where == "any") {
      EXPECT_LE(gone, flips * 12);
    }
  }
  EXPECT_LE(refused, round.rounds / 8);
  RecordProperty("blocks_lost", static_cast<int>(lost));
}

INSTANTIATE_TEST_SUITE_P(Places, RandomDamageTest,
                         testing::Values(Round{"any", false, 120, 8}, Round{"first", false, 100, 3}, Round{"inner", false, 40, 3},
                                         Round{"tree", false, 80, 4}, Round{"log", true, 60, 4}),
                         [](const testing::TestParamInfo<Round>& one) { return std::string(one.param.where); });

}  // namespace
}  // namespace weir::spool
