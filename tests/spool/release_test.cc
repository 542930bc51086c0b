// Held records become undelivered ones: all that was asked for, each once, whatever happens in between.
#include "spool/release.h"

#include "spool/inspection.h"
#include "spool/spool_fixture.h"
#include "spool/tables/blocks.h"
#include "support/collect.h"

#include <algorithm>

namespace weir::spool {
namespace {

using Lines = std::vector<std::string>;

class ReleaseTest : public SpoolTest {
 protected:
  // Two blocks: of the first a and c are held, of the second all.
  void store() {
    const auto writer = open();
    append(*writer, {{.text = "a", .held = true}, {.text = "b"}, {.text = "c", .held = true}});
    append(*writer, {{.text = "d", .held = true}, {.text = "e", .held = true}});
  }

  ReleaseOrder order(const std::string& id = "one") const { return {id, "{pod=\"web\"}", {}}; }

  using Places = std::vector<std::pair<std::uint64_t, std::vector<std::uint32_t>>>;
  static const Places& all() {
    static const Places places = {{1, {0, 2}}, {2, {0, 1}}};
    return places;
  }

  std::optional<ReleaseRequest> begin(const std::string& id = "one") {
    auto request = ReleaseRequest::begin(path(), order(id), 0, clock_, nullptr);
    EXPECT_TRUE(request) << request.error().message;
    return request ? std::move(*request) : std::nullopt;
  }

  void add(ReleaseRequest& request, const Places& places) {
    for (const auto& [block, ordinals] : places) {
      OrdinalSet set;
      for (const std::uint32_t ordinal : ordinals) set.add(ordinal);
      ASSERT_TRUE(request.add(block, set));
    }
  }

  // True: it was new.
  bool ask(const std::string& id = "one", const Places& places = all()) {
    auto request = begin(id);
    if (!request) return false;
    add(*request, places);
    EXPECT_TRUE(request->finish());
    return true;
  }

  // One step: the lines of the new block, "-" for a step without one, nothing when there was nothing to do.
  Lines step(Writer& writer) {
    BlockBuilder builder;
    auto released = writer.release_next(builder);
    EXPECT_TRUE(released) << released.error().message;
    if (!released || !*released) return {};
    EXPECT_EQ((*released)->records, builder.records());
    EXPECT_EQ((*released)->appended.block != 0, !builder.empty());
    Lines lines;
    for (const record::Record& record : builder.batch().records) lines.emplace_back(record.line.data);
    return lines.empty() ? Lines{"-"} : lines;
  }
  Lines copy_all(Writer& writer) {
    Lines lines;
    for (Lines some = step(writer); !some.empty(); some = step(writer)) lines.insert(lines.end(), some.begin(), some.end());
    return lines;
  }

  ReleaseStatus status(const std::string& id = "one") {
    auto status = read_status(path());
    EXPECT_TRUE(status) << status.error().message;
    for (const ReleaseStatus& one : status->releases) {
      if (one.id == id) return one;
    }
    ADD_FAILURE() << "no release " << id;
    return {};
  }

  // Labels and metadata of every record that is not held: "web weir_release=one".
  Lines marks() {
    Lines all;
    const auto from = reader();
    const auto blocks = from->list({});
    EXPECT_TRUE(blocks);
    for (const BlockInfo& block : *blocks) {
      record::Batch batch;
      EXPECT_TRUE(from->load(block.id, {}, batch));
      for (const record::Record& record : batch.records) {
        if (record.held) continue;
        std::string text(record.labels->json());
        for (const record::Label& one : record.metadata) text += fmt::format(" {}={}", one.name, one.value);
        all.push_back(text);
      }
    }
    return all;
  }

  void execute(const char* sql) {
    auto database = sqlite::Database::open(path(), sqlite::Access::write, 0);
    ASSERT_TRUE(database);
    auto done = database->execute(sql);
    ASSERT_TRUE(done) << done.error().message;
  }
};

TEST_F(ReleaseTest, HeldRecordsBecomeUndeliveredOnes) {
  store();
  EXPECT_TRUE(ask());
  EXPECT_EQ(status().pending, 4U);
  EXPECT_EQ(status().state, "releasing");
  const auto writer = open();
  EXPECT_TRUE(*writer->releases_wait());
  EXPECT_EQ(step(*writer), (Lines{"a", "c"}));
  EXPECT_EQ(contents(), (Lines{"b:undelivered", "d:held", "e:held", "a:undelivered", "c:undelivered"}));
  EXPECT_EQ(step(*writer), (Lines{"d", "e"}));
  EXPECT_EQ(contents(), (Lines{"b:undelivered", "a:undelivered", "c:undelivered", "d:undelivered", "e:undelivered"}));
  EXPECT_TRUE(step(*writer).empty());
  EXPECT_FALSE(*writer->releases_wait());
  EXPECT_EQ(status().state, "released");
  EXPECT_EQ(status().matched, 4U);
  EXPECT_EQ(status().released, 4U);
  EXPECT_EQ(status().pending, 0U);
  EXPECT_EQ(read_status(path())->held, 0U);
  EXPECT_EQ(read_status(path())->undelivered, 5U);
}

TEST_F(ReleaseTest, AReleaseWithAKnownIdIsNotDoneAgain) {
  store();
  EXPECT_TRUE(ask());
  EXPECT_FALSE(ask());
  const auto writer = open();
  EXPECT_EQ(copy_all(*writer).size(), 4U);
  EXPECT_FALSE(ask());
  EXPECT_TRUE(step(*writer).empty());
}

TEST_F(ReleaseTest, AnotherReleaseOfTheSameRecordsGivesNothingTwice) {
  store();
  EXPECT_TRUE(ask("one", {{1, {0}}}));
  EXPECT_TRUE(ask("two"));
  const auto writer = open();
  EXPECT_EQ(copy_all(*writer), (Lines{"a", "c", "d", "e"}));
  EXPECT_EQ(status("one").released, 1U);
  EXPECT_EQ(status("two").released, 3U);
  EXPECT_EQ(status("two").left_out, 1U);
  EXPECT_TRUE(ask("three"));
  EXPECT_EQ(copy_all(*writer), (Lines{"-", "-"}));
  EXPECT_EQ(status("three").left_out, 4U);
}

TEST_F(ReleaseTest, RecordsThatAreNotHeldAreNotReleased) {
  store();
  EXPECT_TRUE(ask("one", {{1, {0, 1, 2, 3, 400}}}));
  EXPECT_EQ(copy_all(*open()), (Lines{"a", "c"}));
  EXPECT_EQ(status().left_out, 3U);
}

TEST_F(ReleaseTest, AKillBetweenTwoStepsNeitherLosesNorDoubles) {
  for (int steps = 0; steps <= 2; ++steps) {
    SCOPED_TRACE(steps);
    std::filesystem::remove_all(dir_ / "killed");
    std::filesystem::create_directories(dir_ / "killed");
    store();
    EXPECT_TRUE(ask());
    {
      const auto writer = open();
      for (int i = 0; i < steps; ++i) EXPECT_EQ(step(*writer).size(), 2U);
      // What lies on the disk at this moment is what a kill leaves.
      for (const auto& entry : std::filesystem::directory_iterator(dir_ / ".")) {
        if (entry.is_regular_file() && !entry.path().filename().string().ends_with("-shm"))
          std::filesystem::copy_file(entry.path(), std::filesystem::path(dir_ / "killed") / entry.path().filename());
      }
    }
    WriterOptions options = this->options();
    options.path = dir_ / "killed/spool.db";
    {
      const auto writer = open(options);
      copy_all(*writer);
    }
    Lines lines;
    const auto from = Reader::open(options.path, 0);
    ASSERT_TRUE(from);
    const auto blocks = (*from)->list({});
    ASSERT_TRUE(blocks);
    for (const BlockInfo& block : *blocks) {
      record::Batch batch;
      ASSERT_TRUE((*from)->load(block.id, {}, batch));
      for (const record::Record& record : batch.records) {
        EXPECT_FALSE(record.held);
        lines.emplace_back(record.line.data);
      }
    }
    std::ranges::sort(lines);
    EXPECT_EQ(lines, (Lines{"a", "b", "c", "d", "e"}));
    for (const char* suffix : {"", "-wal", "-shm", "-lock", "-reserve", "-recent", "-lock.release"})
      std::filesystem::remove(path() + suffix);
  }
}

TEST_F(ReleaseTest, WhatAProcessDidNotFinishAskingForIsForgotten) {
  store();
  {
    auto request = begin();
    add(*request, all());
  }
  EXPECT_TRUE(read_status(path())->releases.empty());
  EXPECT_FALSE(*open()->releases_wait());
  // One that was killed.
  execute(
      "INSERT INTO releases VALUES ('dead', 1, '', 0, 0, 'selecting', 0, 0, 0); "
      "INSERT INTO release_requests VALUES ('dead', 1, 1, x'0001')");
  const auto writer = open();
  EXPECT_FALSE(*writer->releases_wait());
  EXPECT_TRUE(step(*writer).empty());
  Appended evicted;
  ASSERT_TRUE(writer->maintain(evicted));
  EXPECT_TRUE(read_status(path())->releases.empty());
  EXPECT_TRUE(ask("dead"));
}

TEST_F(ReleaseTest, ASelectionInProgressIsLeftAlone) {
  store();
  auto request = begin();
  add(*request, all());
  const auto writer = open();
  Appended evicted;
  ASSERT_TRUE(writer->maintain(evicted));
  EXPECT_EQ(status().state, "selecting");
  EXPECT_TRUE(step(*writer).empty());
  auto other = ReleaseRequest::begin(path(), order("two"), 0, clock_, nullptr);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, base::Code::busy);
  auto cancelled = cancel_release(path(), "one");
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().code, base::Code::busy);
  ASSERT_TRUE(request->finish());
  EXPECT_EQ(copy_all(*writer).size(), 4U);
}

TEST_F(ReleaseTest, ACancelledReleaseStopsAndCanGoOn) {
  store();
  EXPECT_TRUE(ask());
  const auto writer = open();
  EXPECT_EQ(step(*writer), (Lines{"a", "c"}));
  EXPECT_EQ(*cancel_release(path(), "one"), 2U);
  EXPECT_TRUE(step(*writer).empty());
  EXPECT_EQ(status().state, "cancelled");
  EXPECT_EQ(status().released, 2U);
  EXPECT_EQ(status().left_out, 2U);
  EXPECT_TRUE(ask());
  EXPECT_EQ(copy_all(*writer), (Lines{"-", "d", "e"}));
  EXPECT_EQ(status().state, "released");
  EXPECT_EQ(status().released, 4U);
  EXPECT_EQ(status().matched, status().released + status().left_out);
  // Nothing is left to cancel: it stays known.
  EXPECT_EQ(*cancel_release(path(), "one"), 0U);
  EXPECT_FALSE(ask());
  auto unknown = cancel_release(path(), "two");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, base::Code::usage);
  EXPECT_NE(unknown.error().hint.find("'one'"), std::string::npos);
}

TEST_F(ReleaseTest, AnIdIsPlain) {
  for (const std::string& good : {std::string("a"), std::string("20261129T205107Z-1f.x:_"), std::string(64, 'x')})
    EXPECT_TRUE(check_release_id(good)) << good;
  for (const std::string& bad : {std::string(), std::string("a b"), std::string("\""), std::string("ä"), std::string(65, 'x')})
    EXPECT_FALSE(check_release_id(bad)) << bad;
}

TEST_F(ReleaseTest, TheReleaseIsNamedInMetadataOrInALabel) {
  const base::Timestamp now = clock_.wall();
  {
    const auto writer = open();
    append(*writer, {{.text = "old", .held = true, .time = now - 2 * base::kHour},
                     {.text = "edge", .held = true, .time = now - 49 * base::kMinute},
                     {.text = "new", .held = true, .time = now - base::kMinute}});
  }
  EXPECT_TRUE(ask("r1", {{1, {0, 1, 2}}}));
  EXPECT_EQ(copy_all(*open()), (Lines{"old", "edge", "new"}));
  EXPECT_EQ(marks(), (Lines{R"({"pod":"web","weir_release":"r1"})", R"({"pod":"web"} weir_release=r1)",
                            R"({"pod":"web"} weir_release=r1)"}));
}

TEST_F(ReleaseTest, TheWindowIsAsTheLatestWriterWasTold) {
  const base::Timestamp now = clock_.wall();
  WriterOptions narrow = options();
  narrow.max_behind = 6 * base::kMinute;
  {
    const auto writer = open(narrow);
    append(*writer, {{.text = "a", .held = true, .time = now - 6 * base::kMinute}, {.text = "b", .held = true, .time = now}});
  }
  EXPECT_TRUE(ask("r1", {{1, {0, 1}}}));
  EXPECT_EQ(copy_all(*open()).size(), 2U);
  EXPECT_EQ(marks(), (Lines{R"({"pod":"web","weir_release":"r1"})", R"({"pod":"web"} weir_release=r1)"}));
}

TEST(ReleaseWindow, LeavesRoomForAClockThatIsAhead) {
  struct Case {
    base::Duration age, window;
    bool own;
  };
  for (const Case& one :
       {Case{0, base::kHour, false}, Case{50 * base::kMinute, base::kHour, false}, Case{50 * base::kMinute + 1, base::kHour, true},
        Case{-base::kHour, base::kHour, false}, Case{25 * base::kMinute, 30 * base::kMinute, false},
        Case{26 * base::kMinute, 30 * base::kMinute, true}}) {
    EXPECT_EQ(needs_own_stream(100 * base::kHour - one.age, 100 * base::kHour, one.window), one.own) << one.age;
  }
}

TEST_F(ReleaseTest, BlocksThatAreStillToBeReleasedAreNotEvicted) {
  WriterOptions small = options();
  small.max_size = 4 << 20;
  small.hold = base::kMinute;
  small.retain = 0;
  {
    const auto writer = open(small);
    append(*writer, {{.text = noise(400 << 10, 1), .held = true}});
    append(*writer, {{.text = noise(400 << 10, 2), .held = true}});
    append(*writer, {{.text = "newest"}});
  }
  EXPECT_TRUE(ask("one", {{2, {0}}}));
  clock_.advance(base::kHour);
  const auto writer = open(small);
  Appended evicted;
  ASSERT_TRUE(writer->maintain(evicted));
  EXPECT_EQ(evicted.evicted_delivered + evicted.evicted_held, 1U);
  EXPECT_EQ(copy_all(*writer).size(), 1U);
  EXPECT_EQ(status().released, 1U);
  ASSERT_TRUE(writer->maintain(evicted));
  // Copied, it goes as any other that is over its time; the newest one stays.
  EXPECT_EQ(reader()->list({})->front().id, 4U);
}

TEST_F(ReleaseTest, WhatIsGoneIsLeftOut) {
  store();
  EXPECT_TRUE(ask("one", {{1, {0, 2}}, {9, {0, 1, 2}}}));
  const auto writer = open();
  EXPECT_EQ(copy_all(*writer), (Lines{"a", "c", "-"}));
  EXPECT_EQ(status().left_out, 3U);
}

TEST_F(ReleaseTest, ADamagedBlockIsLeftOut) {
  store();
  EXPECT_TRUE(ask());
  execute("UPDATE bodies SET body = x'0102' WHERE block = 1");
  const auto writer = open();
  EXPECT_EQ(copy_all(*writer), (Lines{"-", "d", "e"}));
  EXPECT_EQ(status().left_out, 2U);
}

TEST_F(ReleaseTest, StatusSaysWhatBecameOfIt) {
  store();
  EXPECT_TRUE(ask());
  const auto writer = open();
  EXPECT_EQ(copy_all(*writer).size(), 4U);
  EXPECT_EQ(status().sent, 0U);
  const auto main = consumer();
  main->acknowledge(3, 0, 0);
  main->reject(3, 1, {.status = 400, .reason = "no", .url = "u", .tenant = "", .record = "{}"});
  ASSERT_TRUE(main->commit());
  EXPECT_EQ(status().sent, 1U);
  EXPECT_EQ(status().refused, 1U);
  acknowledge_before(*main, 5, 0);
  ASSERT_TRUE(main->commit());
  EXPECT_EQ(status().sent, 3U);
  EXPECT_EQ(status().refused, 1U);
  // It is still known when the blocks are gone.
  append(*writer, {{"later"}});
  clock_.advance(25 * base::kHour);
  Appended evicted;
  ASSERT_TRUE(writer->maintain(evicted));
  EXPECT_EQ(reader()->list({})->front().id, 5U);
  EXPECT_EQ(status().sent, 3U);
  EXPECT_EQ(status().refused, 1U);
  EXPECT_EQ(status().lost, 0U);
  clock_.advance(31 * 24 * base::kHour);
  ASSERT_TRUE(writer->maintain(evicted));
  EXPECT_TRUE(read_status(path())->releases.empty());
}

TEST_F(ReleaseTest, WithoutAWriterTheAskingProcessCopies) {
  store();
  EXPECT_TRUE(ask());
  test::TestContext context;
  {
    const auto writer = open();
    EXPECT_EQ(*release_here(path(), clock_, nullptr, context.diagnostics), Releaser::writer);
  }
  const std::uint64_t limit = read_status(path())->max_size;
  EXPECT_EQ(*release_here(path(), clock_, nullptr, context.diagnostics), Releaser::here);
  EXPECT_EQ(read_status(path())->max_size, limit) << "of who fills the spool";
  EXPECT_EQ(contents(), (Lines{"b:undelivered", "a:undelivered", "c:undelivered", "d:undelivered", "e:undelivered"}));
}

TEST_F(ReleaseTest, AFileOfAnOlderReleaseIsAddedTo) {
  store();
  execute("DROP TABLE releases; DROP TABLE release_requests; DROP TABLE release_blocks");
  EXPECT_TRUE(read_status(path())->releases.empty());
  EXPECT_TRUE(ask());
  EXPECT_EQ(copy_all(*open()).size(), 4U);
}

}  // namespace
}  // namespace weir::spool
