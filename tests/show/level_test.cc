#include "show/level.h"

#include "names/level.h"

#include <gtest/gtest.h>

namespace weir::show {
namespace {

TEST(Level, ByName) {
  const auto f = [](std::string_view word, Level level) { EXPECT_EQ(level_named(word), level) << word; };
  f("", Level::unknown);
  f("unknown", Level::unknown);
  f("verbose", Level::unknown);
  f("TRACE", Level::debug);
  f("dbg", Level::debug);
  f("Info", Level::info);
  f("WARNING", Level::warning);
  f("err", Level::error);
  f("critical", Level::fatal);
  f("FATAL", Level::fatal);
}

TEST(Level, OfARecord) {
  const auto f = [](std::initializer_list<record::Label> labels, std::vector<record::Label> metadata, std::string_view line,
                    Level level) {
    record::Batch batch;
    record::Record record;
    record.labels = batch.hold(record::LabelSet::intern(labels));
    record.metadata = metadata;
    record.line = record::Text::bytes(line);
    EXPECT_EQ(level_of(batch, record, level_named(names::level_of_labels(record.labels->labels()))), level) << line;
  };
  f({}, {}, "hello", Level::unknown);
  f({}, {}, "level=error msg=x", Level::error);
  f({}, {}, R"({"level":"warn"})", Level::warning);
  f({{"level", "debug"}}, {}, "level=error", Level::debug);  // the label is what was queried by
  f({}, {{"detected_level", "critical"}}, "x", Level::fatal);
  f({}, {{"severity_text", "WARN"}}, "x", Level::warning);
  f({}, {{"detected_level", "unknown"}}, "ERROR x", Level::error);
}

}  // namespace
}  // namespace weir::show
