// A spool in a folder of its own, with a small vocabulary for what tests say most.
#pragma once

#include "spool/consumer.h"
#include "spool/keeper.h"
#include "spool/positions_file.h"
#include "spool/reader.h"
#include "spool/writer.h"
#include "support/fake_clock.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace weir::spool {

// Everything that lies before this place.
inline void acknowledge_before(Consumer& consumer, std::uint64_t block, std::uint32_t ordinal) {
  const PlaceSet::Stretch all = {{1, 0}, {block, ordinal}};
  consumer.acknowledge({&all, 1});
}

class SpoolTest : public testing::Test {
 protected:
  std::string path() const { return dir_ / "spool.db"; }

  WriterOptions options() const {
    WriterOptions options;
    options.path = path();
    options.min_free = 0;
    options.wait = 0;
    return options;
  }

  std::unique_ptr<Writer> open(const WriterOptions& options) {
    auto writer = Writer::open(options, clock_, nullptr);
    EXPECT_TRUE(writer) << writer.error().message;
    return writer ? std::move(*writer) : nullptr;
  }
  std::unique_ptr<Writer> open() { return open(options()); }

  struct Line {
    std::string text;
    bool held = false;
    std::string pod = "web";
    base::Timestamp time = 0;  // 0: the clock's
  };

  void fill(BlockBuilder& builder, const std::vector<Line>& lines) {
    record::Batch batch;
    for (const Line& line : lines) {
      record::Record& record = batch.records.emplace_back();
      record.timestamp = line.time != 0 ? line.time : clock_.wall();
      record.labels = batch.hold(record::LabelSet::intern({{"pod", line.pod}}));
      record.line = record::Text::bytes(line.text);
      record.held = line.held;
      builder.add(record);
    }
  }

  Appended append(Writer& writer, const std::vector<Line>& lines, Keeper* keeper = nullptr) {
    BlockBuilder builder;
    fill(builder, lines);
    auto appended = writer.append(builder, keeper);
    EXPECT_TRUE(appended) << appended.error().message;
    return appended ? *appended : Appended{};
  }

  // Bytes that do not compress, so that a block takes the room a test counts on.
  static std::string noise(std::size_t size, unsigned seed) {
    std::mt19937 random(seed);
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    return bytes;
  }

  std::unique_ptr<Reader> reader() {
    auto reader = Reader::open(path(), 0);
    EXPECT_TRUE(reader) << reader.error().message;
    return reader ? std::move(*reader) : nullptr;
  }

  // Every stored line with its state: "a:undelivered".
  std::vector<std::string> contents() {
    static const char* const names[] = {"undelivered", "delivered", "held", "rejected"};
    std::vector<std::string> all;
    const auto from = reader();
    const auto blocks = from->list({});
    for (const BlockInfo& block : *blocks) {
      record::Batch batch;
      std::vector<State> states;
      const auto loaded = from->load(block.id, {}, batch, &states);
      EXPECT_TRUE(loaded) << loaded.error().message;
      for (std::size_t i = 0; i < batch.records.size(); ++i) {
        all.push_back(std::string(batch.records[i].line.data) + ":" + names[static_cast<int>(states[i])]);
      }
    }
    return all;
  }

  std::unique_ptr<Consumer> consumer(const std::string& name = "main") {
    auto consumer = Consumer::open({.path = path(), .name = name, .spool = 0, .match = "", .wait = 0}, clock_);
    EXPECT_TRUE(consumer) << consumer.error().message;
    return consumer ? std::move(*consumer) : nullptr;
  }

  test::TempDir dir_;
  test::FakeClock clock_;
};

}  // namespace weir::spool
