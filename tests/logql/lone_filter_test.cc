#include "logql/lone_filter.h"

#include "logql/label_filter.h"
#include "logql/parser.h"
#include "logql/scope.h"

#include <gtest/gtest.h>

#include <random>

namespace weir::logql {
namespace {

StageExpr stage(std::string_view text) {
  auto parsed = parse(text, {.selector_optional = true});
  EXPECT_TRUE(parsed.ok()) << text;
  return std::get<LogExpr>(parsed->node).stages.front();
}

TEST(LoneFilter, IsOneComparisonWithTexts) {
  for (const char* text : {R"(| detected_level="debug")", R"(| detected_level!="debug")", R"(| detected_level=~"debug|trace")",
                           R"(| detected_level!~"(?i)debug")", R"(| level="")"}) {
    EXPECT_TRUE(LoneFilter::of(stage(text))) << text;
  }
}

TEST(LoneFilter, IsNothingElse) {
  for (const char* text : {R"(|= "x")", R"(| level="a" or level="b")", R"(| size > 5)", R"(| addr=ip("10.0.0.0/8"))",
                           R"(| level=~"d[a-z]+g")", R"(| __error__="")", R"(| a__b="x")", R"(| level_extracted="x")",
                           R"(| key_1="x")", R"(| weir_unnamed_00="x")", R"(| _level="x")", "| json"}) {
    EXPECT_FALSE(LoneFilter::of(stage(text))) << text;
  }
}

// The judge is the filter over a scope.
TEST(LoneFilter, SaysWhatTheFilterSays) {
  const std::vector<std::string> names = {"level", "level_extracted", "le.vel",         "level.", "pod",
                                          "",      "1level",          "detected-level", "a"};
  const std::vector<std::string> values = {"debug", "info", "", "DEBUG", "x debug y"};
  std::mt19937 random(3);
  const auto one_of = [&](const auto& all) -> std::string_view { return all[random() % all.size()]; };
  int answered = 0;
  for (const char* text :
       {R"(| level="debug")", R"(| level!="debug")", R"(| level="")", R"(| level!="")", R"(| level=~"debug|info")",
        R"(| detected_level="debug")", R"(| level=~"(?i)debug")", R"(| level=~".+")", R"(| level!~"debug.*")"}) {
    const StageExpr parsed = stage(text);
    const auto lone = LoneFilter::of(parsed);
    ASSERT_TRUE(lone) << text;
    const auto filter = LabelFilter::compile(std::get<LabelFilterExpr>(parsed.node));
    ASSERT_TRUE(filter.ok());
    for (int i = 0; i < 2000; ++i) {
      record::Batch batch;
      record::Record record;
      std::vector<record::Label> labels;
      for (unsigned n = random() % 3; n > 0; --n) labels.push_back({one_of(names), one_of(values)});
      std::erase_if(labels, [](const record::Label& label) { return label.name.empty(); });
      record.labels = batch.hold(record::LabelSet::intern(labels));
      std::vector<record::Label> metadata;
      for (unsigned n = random() % 4; n > 0; --n) metadata.push_back({one_of(names), one_of(values)});
      record.metadata = metadata;
      const std::optional<bool> passes = lone->passes(record);
      if (!passes) continue;
      ++answered;
      Scope scope;
      scope.begin(record, batch, {}, {}, false);
      std::string shown(record.labels->json());
      for (const record::Label& label : metadata) shown += fmt::format(" {}={}", label.name, label.value);
      ASSERT_EQ(*passes, (*filter)->test(scope)) << text << " " << shown;
    }
  }
  EXPECT_GT(answered, 9000);
}

}  // namespace
}  // namespace weir::logql
