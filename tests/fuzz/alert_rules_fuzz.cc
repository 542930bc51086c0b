// Files of rules for Loki's ruler, and of unit tests: errors point into the text, and what is read can be evaluated.
#include "fuzz/fuzz.h"
#include "ruler/report.h"
#include "ruler/unit_run.h"

#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  if (size > 8 << 10) return 0;  // the regular expressions of longer ones take all the time
  const std::string_view text = fuzz::text_of(data, size);
  const auto holds_place = [](const base::Error& error) {
    WEIR_HOLDS(error.code == base::Code::config);
    WEIR_HOLDS(error.message.starts_with("f:") || error.message.starts_with("cannot read f: "));
  };
  auto file = ruler::read_rules(text, "f");
  if (!file) {
    holds_place(file.error());
  } else {
    auto survey = ruler::Survey::compile({&*file, 1}, {.at = base::kHour, .from = base::kHour - 10 * base::kMinute});
    WEIR_HOLDS(survey.ok());
    record::Batch batch;
    for (int i = 0; i < 5; ++i) {
      record::Record record;
      record.timestamp = base::kHour - (5 - i) * base::kMinute;
      record.labels = batch.hold(record::LabelSet::intern({{"app", "x"}, {"namespace", "shop"}}));
      record.line = record::Text::bytes(R"({"level":"error","n":7} level=error)");
      survey->add(record, batch);
    }
    const auto reports = survey->finish();
    std::size_t rules = 0;
    for (const ruler::Group& group : file->groups) rules += group.rules.size();
    WEIR_HOLDS(reports.size() == rules);
    WEIR_HOLDS(ruler::to_json_lines(reports).size() >= rules && ruler::to_lines(reports).size() >= rules);
  }
  const auto tests = ruler::read_unit_file(text, "f");
  if (!tests) {
    holds_place(tests.error());
    return 0;
  }
  std::size_t lines = 0;
  for (const ruler::UnitTest& test : tests->tests) {
    for (const ruler::InputStream& stream : test.streams) {
      for (const ruler::InputLine& line : stream.lines) lines += line.times;
    }
  }
  if (lines < 1000) (void)ruler::run_unit_tests(*tests, {});
  return 0;
}
