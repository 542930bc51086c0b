#include "spool/positions_codec.h"
#include "spool/keeper.h"

#include <gtest/gtest.h>

namespace weir::spool {
namespace {

StoredGeneration generation(std::uint32_t number, std::string path, std::vector<Print> earlier = {}) {
  StoredGeneration one;
  one.facts.number = number;
  one.facts.file = {std::move(path),           100 + number, 7, 1024, 0xabcdef0123456789 + number, number * 1000ULL,
                    number == 0 ? 0ULL : 42ULL};
  one.end[0] = number * 10ULL;
  one.end[1] = number * 20ULL;
  one.earlier = std::move(earlier);
  return one;
}

std::string entry(const EntryHead& head, const std::vector<StoredGeneration>& generations,
                  const std::vector<StoredGeneration>& moved) {
  std::vector<const StoredGeneration*> all, some;
  for (const StoredGeneration& one : generations) all.push_back(&one);
  for (const StoredGeneration& one : moved) some.push_back(&one);
  std::string out;
  put_entry(out, head, all, some);
  return out;
}

struct Taken {
  PositionEntry entry;
  std::string key;
};

base::Result<std::vector<Taken>> take(std::string_view packed, std::string known_key = "") {
  std::vector<Taken> taken;
  auto done = for_each_entry(
      packed, [&](std::uint32_t) { return std::string_view(known_key); },
      [&](const PositionEntry& entry) -> base::Result<void> {
        taken.push_back({entry, std::string(entry.key)});
        return {};
      });
  if (!done) return std::move(done).error();
  return taken;
}

TEST(PositionsCodec, AnEntryComesBackAsItWas) {
  const EntryHead head{.number = 3,
                       .gone = true,
                       .started = true,
                       .has_key = true,
                       .has_generations = true,
                       .key = "/pods/a.log",
                       .resume = {2, 1234}};
  // One at the path of the log, one that was renamed, one without a check.
  std::vector<StoredGeneration> generations{
      generation(0, "/pods/a.log.1"), generation(1, "/pods/a.log", {{10, 1, 0, 0}, {1024, 2, 9, 3}}), generation(2, "/pods/a.log")};
  generations[0].facts.done = true;
  const auto taken = take(pack_entries(entry(head, generations, {generations[1]})));
  ASSERT_TRUE(taken) << taken.error().message;
  ASSERT_EQ(taken->size(), 1U);
  const PositionEntry& got = taken->front().entry;
  EXPECT_EQ(got.number, 3U);
  EXPECT_TRUE(got.gone && got.started && got.has_key && got.has_generations);
  EXPECT_EQ(taken->front().key, "/pods/a.log");
  EXPECT_EQ(got.resume, (record::Place{2, 1234}));
  EXPECT_EQ(got.ends, (std::vector<GenerationEnd>{{1, {10, 20}}}));
  ASSERT_EQ(got.generations.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    StoredGeneration expected = generations[i];
    expected.end[0] = expected.end[1] = 0;
    EXPECT_EQ(got.generations[i], expected) << i;
  }
}

TEST(PositionsCodec, AShortEntryTakesTheKeyThatIsKnown) {
  const auto packed =
      pack_entries(entry({.number = 3, .has_generations = true, .key = "/pods/a.log"}, {generation(1, "/pods/a.log")}, {}));
  const auto taken = take(packed, "/pods/a.log");
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->front().entry.generations[0].facts.file.path, "/pods/a.log");
  EXPECT_FALSE(taken->front().entry.has_key);
}

TEST(PositionsCodec, LargeOnesArePackedAndManyEntriesKeepTheirOrder) {
  std::string plain;
  for (std::uint32_t log = 0; log < 500; ++log) {
    const std::string key = "/var/log/pods/shop_web_" + std::to_string(log) + "/web/0.log";
    plain += entry({.number = log, .has_key = true, .has_generations = true, .key = key}, {generation(1, key)}, {});
  }
  const std::string packed = pack_entries(plain);
  EXPECT_LT(packed.size(), plain.size() / 2);
  const auto taken = take(packed);
  ASSERT_TRUE(taken);
  ASSERT_EQ(taken->size(), 500U);
  for (std::uint32_t log = 0; log < 500; ++log) EXPECT_EQ((*taken)[log].entry.number, log);
}

TEST(PositionsCodec, NothingHasNoEntriesAndDamageIsSeen) {
  EXPECT_TRUE(take("")->empty());
  const std::string packed = pack_entries(
      entry({.number = 3, .has_key = true, .has_generations = true, .key = "k"}, {generation(1, "k")}, {generation(1, "k")}));
  for (std::size_t size = 2; size < packed.size(); ++size) {
    const auto cut = take(std::string_view(packed).substr(0, size));
    ASSERT_FALSE(cut) << size;
    EXPECT_EQ(cut.error().code, base::Code::corrupt);
  }
  EXPECT_FALSE(take("\x07rest")) << "an unknown form";
}

TEST(PositionsCodec, JoinedDeltasSayWhatTheySayOneByOne) {
  const StoredGeneration first = generation(1, "/a"), second = generation(2, "/a");
  StoredGeneration later = second;
  later.end[0] = 777;
  const std::vector<std::string> deltas{
      pack_entries(entry({.number = 1, .has_key = true, .has_generations = true, .key = "/a", .resume = {1, 5}}, {first}, {first})),
      pack_entries(entry({.number = 1, .started = true, .has_generations = true, .key = "/a", .resume = {1, 6}}, {first, second},
                         {first, second})),
      pack_entries(entry({.number = 1, .gone = true, .started = true, .key = "/a", .resume = {2, 7}}, {}, {later}))};
  const std::vector<std::string_view> views(deltas.begin(), deltas.end());
  Keeper one_by_one("/s"), joined("/s");
  for (const std::string& delta : deltas) ASSERT_TRUE(one_by_one.load(delta));
  ASSERT_TRUE(joined.load(join_deltas(views)));
  EXPECT_EQ(joined.snapshot(), one_by_one.snapshot());
  EXPECT_EQ(joined.positions(true), one_by_one.positions(true));
}

// The announced file: inode 101, head 1024 bytes.
struct Announced {
  const char* what;
  record::FileIdentity file;
  bool same;
};

TEST(FileIdentity, IsByInodeHeadAndCheckWhereBothHaveOne) {
  StoredGeneration stored = generation(1, "/a");
  stored.facts.file = {"/a", 101, 7, 1024, 55, 5000, 66};
  stored.earlier = {{200, 44, 0, 0}};
  for (const Announced& one : {Announced{"itself", {"/a", 101, 7, 1024, 55, 5000, 66}, true},
                               {"another path and device", {"/b", 101, 8, 1024, 55, 5000, 66}, true},
                               {"no check yet", {"/a", 101, 7, 1024, 55, 0, 0}, true},
                               {"as it was when it was short", {"/a", 101, 7, 200, 44, 0, 0}, true},
                               {"another inode", {"/a", 102, 7, 1024, 55, 5000, 66}, false},
                               {"another head", {"/a", 101, 7, 1024, 56, 5000, 66}, false},
                               {"a head of another size", {"/a", 101, 7, 300, 55, 0, 0}, false},
                               {"another check", {"/a", 101, 7, 1024, 55, 5000, 67}, false},
                               {"a check elsewhere", {"/a", 101, 7, 1024, 55, 6000, 66}, false}}) {
    EXPECT_EQ(stored.is(one.file), one.same) << one.what;
  }
}

TEST(FileIdentity, TheOneThatSaysMoreStays) {
  StoredGeneration stored;
  stored.facts.file = {"/a", 101, 7, 200, 44, 0, 0};
  EXPECT_FALSE(stored.announce({"/a", 101, 7, 200, 44, 0, 0})) << "nothing new";
  EXPECT_TRUE(stored.announce({"/a", 101, 7, 1024, 55, 0, 0}));
  EXPECT_EQ(stored.print(), (Print{1024, 55, 0, 0}));
  EXPECT_EQ(stored.earlier, (std::vector<Print>{{200, 44, 0, 0}}));
  EXPECT_TRUE(stored.announce({"/b", 101, 7, 200, 44, 0, 0})) << "outgrown, but its path is new";
  EXPECT_EQ(stored.print(), (Print{1024, 55, 0, 0}));
  EXPECT_EQ(stored.facts.file.path, "/b");
  for (std::uint64_t end = 1; end <= 2 * kIdentitiesKept; ++end)
    EXPECT_TRUE(stored.announce({"/b", 101, 7, 1024, 55, end * 100, end}));
  EXPECT_EQ(stored.earlier.size(), kIdentitiesKept);
}

}  // namespace
}  // namespace weir::spool
