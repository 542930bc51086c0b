#include "spool/block_builder.h"
#include "spool/block_decoder.h"

#include "support/random_records.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace weir::spool {
namespace {

using record::Batch;
using record::Record;
using record::Text;

struct Unpacked {
  BlockDecoder decoder;  // what is lent is in its memory
  std::vector<StreamInfo> streams;
  Batch batch;
  std::vector<std::uint32_t> ordinals;
};

Unpacked unpack(const PackedBlock& packed, const LoadOptions& options = {}) {
  Unpacked result;
  auto streams = result.decoder.streams(packed.streams);
  EXPECT_TRUE(streams) << streams.error().message;
  result.streams = std::move(*streams);
  auto done = result.decoder.records(packed.body, result.streams, packed.info.records, options, result.batch, result.ordinals);
  EXPECT_TRUE(done) << done.error().message;
  return result;
}

constexpr Effort kEfforts[] = {Effort::fast, Effort::thorough, Effort::lasting};

void expect_round_trip(Batch& original) {
  BlockBuilder builder;
  for (const Record& record : original.records) builder.add(record);
  for (const Effort effort : kEfforts) {
    PackedBlock packed;
    builder.pack(packed, effort);
    for (const bool lent : {false, true}) {
      const Unpacked back = unpack(packed, {.lent = lent});
      ASSERT_EQ(back.batch.records.size(), original.records.size());
      for (std::size_t i = 0; i < original.records.size(); ++i) {
        EXPECT_EQ(back.ordinals[i], i);
        EXPECT_EQ(test::describe(back.batch.records[i]), test::describe(original.records[i])) << "record " << i;
      }
    }
  }
}

TEST(Block, RandomRecordsComeBackEqual) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Batch batch;
    test::add_random_records(batch, seed, seed * 7);
    expect_round_trip(batch);
  }
}

TEST(Block, ManyStreamsComeBackEqual) {
  for (const std::size_t streams : {1U, 2U, 256U, 257U, 70'000U}) {
    SCOPED_TRACE(streams);
    Batch batch;
    for (std::size_t i = 0; i < streams + 10; ++i) {
      Record& record = batch.records.emplace_back();
      record.timestamp = static_cast<base::Timestamp>(i);
      record.labels = batch.hold(record::LabelSet::intern({{"pod", std::to_string(i % streams)}}));
      record.line = Text::bytes(batch.copy(std::to_string(i)));
    }
    expect_round_trip(batch);
  }
}

// Records of a live flow: text, several streams in turn, metadata that some share, some have for themselves, and some have not.
void add_flow(Batch& batch, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    Record& record = batch.records.emplace_back();
    record.timestamp = 1'760'000'000'000'000'000 + static_cast<base::Timestamp>(i * 500'003) - (i % 7 == 0 ? 2'000'000'000 : 0);
    record.labels = batch.hold(record::LabelSet::intern({{"pod", std::to_string(i % 5)}}));
    record.line = Text::bytes(batch.copy(i % 11 == 0 ? "" : "GET /" + std::to_string(i * 7919)));
    if (i % 4 == 3) continue;
    const auto metadata = batch.allocate_labels(1 + i % 2);
    metadata[0] = {"detected_level", i % 3 == 0 ? "info" : "error"};
    if (i % 2 == 1) metadata[1] = {"trace", batch.copy(std::to_string(i))};
    record.metadata = metadata;
  }
}

TEST(Block, LinesWithoutNewlinesComeBackEqual) {
  for (const std::size_t count : {1U, 2U, 11U, 500U}) {
    SCOPED_TRACE(count);
    Batch batch;
    add_flow(batch, count);
    expect_round_trip(batch);
  }
}

TEST(Block, OneLineWithANewlineComesBackEqual) {
  for (const std::size_t place : {0U, 250U, 499U}) {
    SCOPED_TRACE(place);
    Batch batch;
    add_flow(batch, 500);
    batch.records[place].line = Text::bytes(batch.copy("\nException\n\tat main\n"));
    expect_round_trip(batch);
  }
}

TEST(Block, TimesOfAnyDistanceComeBackEqual) {
  Batch batch;
  constexpr base::Timestamp kLatest = std::numeric_limits<base::Timestamp>::max() - 1;  // the end of a range is not in it
  for (const base::Timestamp time :
       {kLatest, std::numeric_limits<base::Timestamp>::min(), base::Timestamp{0}, base::Timestamp{-1}, kLatest}) {
    Record& record = batch.records.emplace_back();
    record.timestamp = time;
    record.labels = batch.hold(record::LabelSet::empty());
    record.line = Text::bytes("x");
  }
  expect_round_trip(batch);
}

TEST(Block, EscapedLinesAreStoredDecoded) {
  Batch batch;
  Record& record = batch.records.emplace_back();
  record.labels = batch.hold(record::LabelSet::empty());
  record.line = {R"(a\nb\udcffc)", Text::Form::json};
  BlockBuilder builder;
  builder.add(record);
  PackedBlock packed;
  builder.pack(packed);
  const Unpacked back = unpack(packed);
  EXPECT_EQ(back.batch.records[0].line.data,
            "a\nb\xff"
            "c");
  EXPECT_TRUE(back.batch.records[0].line.decoded());
}

// A line of an application: a time, an id, a number that counts.
std::string line_with_id(std::mt19937_64& random, std::size_t i) {
  return fmt::format("time=2025-11-30T10:{:02}:{:02}.{:06}Z level=debug trace_id={:016x}{:016x} seq={}", i / 60 % 60, i % 60,
                     random() % 1'000'000, random(), random(), i);
}

void add_lines_with_ids(Batch& batch, std::size_t count) {
  std::mt19937_64 random(9);
  for (std::size_t i = 0; i < count; ++i) {
    Record& record = batch.records.emplace_back();
    record.timestamp = 1'764'496'800'000'000'000 + static_cast<base::Timestamp>(i * 1'000'000'000);
    record.labels = batch.hold(record::LabelSet::intern({{"pod", std::to_string(i % 3)}}));
    record.line = Text::bytes(batch.copy(line_with_id(random, i)));
  }
}

PackedBlock packed_of(const Batch& batch, Effort effort) {
  BlockBuilder builder;
  for (const Record& record : batch.records) builder.add(record);
  PackedBlock packed;
  builder.pack(packed, effort);
  return packed;
}

TEST(Block, IdsAndTimesInLinesComeBackEqual) {
  for (const std::string_view more : {"", "\n", "\xff\xfe", "\x16", "0123456789abcdef\n0123456789abcdef"}) {
    SCOPED_TRACE(more);
    Batch batch;
    add_lines_with_ids(batch, 300);
    for (const std::size_t place : {0U, 150U, 299U}) {
      Record& record = batch.records[place];
      record.line = Text::bytes(batch.copy(std::string(record.line.data) + std::string(more)));
    }
    expect_round_trip(batch);
  }
}

TEST(Block, IdsAndTimesAreTakenOutUnlessTheBlockIsPackedFast) {
  Batch batch;
  add_lines_with_ids(batch, 300);
  EXPECT_EQ(packed_of(batch, Effort::fast).body[0], '\1');
  EXPECT_EQ(packed_of(batch, Effort::thorough).body[0], '\2');
  EXPECT_EQ(packed_of(batch, Effort::lasting).body[0], '\2');
  // Nothing to take out, or the mark is in a line.
  batch.records[7].line = Text::bytes("\x16");
  EXPECT_EQ(packed_of(batch, Effort::lasting).body[0], '\1');
  Batch plain;
  add_flow(plain, 300);
  EXPECT_EQ(packed_of(plain, Effort::lasting).body[0], '\1');
}

TEST(Block, ARandomIdOf128BitsTakesSixteenBytes) {
  Batch batch;
  add_lines_with_ids(batch, 5000);
  // Beside it: twenty bits of the time, two of the count.
  EXPECT_LT(static_cast<double>(packed_of(batch, Effort::lasting).body.size()) / 5000, 16 + 4.5);
  EXPECT_GT(static_cast<double>(packed_of(batch, Effort::fast).body.size()) / 5000, 16 + 9.0);
}

TEST(Block, NeedlesAreFoundInIdsAndTimes) {
  Batch batch;
  add_lines_with_ids(batch, 100);
  const PackedBlock packed = packed_of(batch, Effort::lasting);
  for (std::size_t i = 0; i < batch.records.size(); ++i) {
    const std::vector<Needles> line = {{std::string(batch.records[i].line.data)}};
    EXPECT_EQ(unpack(packed, {.range = {}, .stream = {}, .needles = line}).ordinals, std::vector<std::uint32_t>{std::uint32_t(i)});
  }
  const std::vector<Needles> mark = {{"\x16"}};
  EXPECT_EQ(unpack(packed, {.range = {}, .stream = {}, .needles = mark}).ordinals.size(), 0U);
}

class BlockSelection : public testing::Test {
 protected:
  void SetUp() override {
    Batch batch;
    for (int i = 0; i < 10; ++i) {
      Record& record = batch.records.emplace_back();
      record.timestamp = 1000 + i;
      record.labels = batch.hold(record::LabelSet::intern({{"pod", i % 2 == 0 ? "even" : "odd"}}));
      record.line = Text::bytes(batch.copy("line " + std::to_string(i)));
    }
    BlockBuilder builder;
    for (const Record& record : batch.records) builder.add(record);
    builder.pack(packed_);
  }
  PackedBlock packed_;
};

TEST_F(BlockSelection, RowTellsTimesAndCounts) {
  EXPECT_EQ(packed_.info.min_timestamp, 1000);
  EXPECT_EQ(packed_.info.max_timestamp, 1009);
  EXPECT_EQ(packed_.info.records, 10U);
  EXPECT_EQ(packed_.info.line_bytes, 60U);
  const auto back = unpack(packed_);
  ASSERT_EQ(back.streams.size(), 2U);
  EXPECT_EQ(back.streams[1].labels->get("pod"), "odd");
  EXPECT_EQ(back.streams[1].min_timestamp, 1001);
  EXPECT_EQ(back.streams[1].max_timestamp, 1009);
  EXPECT_EQ(back.streams[1].records, 5U);
  EXPECT_EQ(back.streams[1].line_bytes, 30U);
}

TEST_F(BlockSelection, ByTime) {
  EXPECT_EQ(unpack(packed_, {.range = {1003, 1006}, .stream = {}}).ordinals, (std::vector<std::uint32_t>{3, 4, 5}));
  EXPECT_EQ(unpack(packed_, {.range = {2000, 3000}, .stream = {}}).ordinals.size(), 0U);
}

TEST_F(BlockSelection, ByStream) {
  const auto odd = [](const StreamInfo& stream) { return stream.labels->get("pod") == "odd"; };
  EXPECT_EQ(unpack(packed_, {.range = {}, .stream = odd}).ordinals, (std::vector<std::uint32_t>{1, 3, 5, 7, 9}));
}

TEST_F(BlockSelection, ByNeedles) {
  const auto found = [this](const std::vector<Needles>& needles) {
    return unpack(packed_, {.range = {}, .stream = {}, .needles = needles}).ordinals;
  };
  using Ordinals = std::vector<std::uint32_t>;
  EXPECT_EQ(found({{"line 7"}}), Ordinals{7});
  EXPECT_EQ(found({{"7", "3", "absent"}}), (Ordinals{3, 7}));
  EXPECT_EQ(found({{"7", "3"}, {"line 3", "line 4"}}), Ordinals{3});
  EXPECT_EQ(found({{"7", "3"}, {"absent"}}), Ordinals{});
  EXPECT_EQ(found({{"line"}}).size(), 10U);
  // Beyond a newline there is another line.
  EXPECT_EQ(found({{"line 4line"}}), Ordinals{});
  EXPECT_EQ(found({{"4\nline"}}), Ordinals{});
  const auto odd = [](const StreamInfo& stream) { return stream.labels->get("pod") == "odd"; };
  const std::vector<Needles> needles = {{"4", "5"}};
  EXPECT_EQ(unpack(packed_, {.range = {}, .stream = odd, .needles = needles}).ordinals, Ordinals{5});
}

TEST_F(BlockSelection, LentLinesAreNotInTheBatch) {
  const std::vector<Needles> some = {{"line 3", "line 4"}};
  for (const std::span<const Needles> needles : {std::span<const Needles>(), std::span<const Needles>(some)}) {
    const Unpacked own = unpack(packed_, {.needles = needles}), lent = unpack(packed_, {.needles = needles, .lent = true});
    ASSERT_EQ(lent.batch.records.size(), own.batch.records.size());
    for (std::size_t i = 0; i < own.batch.records.size(); ++i) {
      EXPECT_EQ(test::describe(lent.batch.records[i]), test::describe(own.batch.records[i]));
    }
    EXPECT_LT(lent.batch.bytes(), own.batch.bytes());
  }
}

TEST_F(BlockSelection, WithoutLines) {
  const std::vector<Needles> needles = {{"absent"}};
  const auto back = unpack(packed_, {.range = {1003, 1006}, .stream = {}, .needles = needles, .lines = false});
  EXPECT_EQ(back.ordinals, (std::vector<std::uint32_t>{3, 4, 5}));
  for (const Record& record : back.batch.records) EXPECT_EQ(record.line.data, "");
}

void expect_damage_is_noticed(const Batch& batch, Effort effort) {
  const PackedBlock packed = packed_of(batch, effort);
  BlockDecoder decoder;
  const auto try_both = [&](const std::string& streams_bytes, const std::string& body) {
    auto streams = decoder.streams(streams_bytes);
    if (!streams) {
      EXPECT_EQ(streams.error().code, base::Code::corrupt);
      return;
    }
    Batch out;
    std::vector<std::uint32_t> ordinals;
    auto done = decoder.records(body, *streams, packed.info.records, {}, out, ordinals);
    EXPECT_TRUE(done || done.error().code == base::Code::corrupt);
  };
  for (std::size_t i = 0; i < packed.body.size(); ++i) {
    try_both(packed.streams, packed.body.substr(0, i));
    std::string flipped = packed.body;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x41);
    try_both(packed.streams, flipped);
  }
  for (std::size_t i = 0; i < packed.streams.size(); ++i) {
    try_both(packed.streams.substr(0, i), packed.body);
    std::string flipped = packed.streams;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x41);
    try_both(flipped, packed.body);
  }
}

TEST(BlockDamage, EveryCutAndFlippedByteIsAnErrorOrOtherRecords) {
  Batch bytes;
  test::add_random_records(bytes, 5, 40);
  Batch text;
  add_flow(text, 60);
  Batch ids;
  add_lines_with_ids(ids, 60);
  for (const Effort effort : kEfforts) {
    for (const Batch* batch : {&bytes, &text, &ids}) expect_damage_is_noticed(*batch, effort);
  }
}

TEST(Block, BuilderStartsOverAfterTake) {
  Batch batch;
  test::add_random_records(batch, 3, 20);
  BlockBuilder builder;
  for (const Record& record : batch.records) builder.add(record);
  const Batch taken = builder.take();
  EXPECT_EQ(taken.records.size(), 20U);
  EXPECT_TRUE(builder.empty());
  builder.add(batch.records[7]);
  PackedBlock packed;
  builder.pack(packed);
  EXPECT_EQ(packed.info.records, 1U);
  EXPECT_EQ(test::describe(unpack(packed).batch.records[0]), test::describe(batch.records[7]));
}

}  // namespace
}  // namespace weir::spool
