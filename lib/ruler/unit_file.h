// Files of unit tests for LogQL rules, in the format of `promtool test rules`, with log lines in place of series.
//
//   rule_files: [loki.rules.yml]
//   evaluation_interval: 1m
//   tests:
//     - interval: 1m
//       input_streams:
//         - stream: '{namespace="shop"}'
//           lines:
//             - {line: level=error, every: 10s, times: 60}
//       alert_rule_test:
//         - {eval_time: 5m, alertname: HighErrorRatio, exp_alerts: [{exp_labels: {namespace: shop, severity: warning}}]}
//       logql_expr_test:
//         - {expr: 'sum(count_over_time({namespace="shop"}[5m]))', eval_time: 5m, exp_samples: [{labels: '{}', value: 30}]}
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "record/label_set.h"
#include "ruler/rule_file.h"
#include "yaml/tree.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::ruler {

// A line, `times` times: at `at`, at + every, … Times are from the start of the test.
struct InputLine {
  base::Duration at = 0;
  base::Duration every = 0;
  std::uint64_t times = 1;
  std::string line;
  Pairs metadata;
};
struct InputStream {
  record::LabelSetRef labels;
  std::vector<InputLine> lines;  // in the order of the text
};

struct ExpectedAlert {
  record::LabelSetRef labels;        // with alertname
  std::optional<Pairs> annotations;  // none: they are not compared
};
struct AlertTest {
  yaml::Place place;
  base::Duration at = 0;
  std::string alert;
  std::vector<ExpectedAlert> expected;  // firing alerts
};

struct ExpectedSample {
  record::LabelSetRef labels;
  double value = 0;
};
struct SampleTest {
  yaml::Place place;
  base::Duration at = 0;
  std::string subject;  // the expression, or the name of a recording rule
  std::vector<ExpectedSample> expected;
};

struct UnitTest {
  std::string name;  // "" where it has none
  yaml::Place place;
  base::Timestamp start = 0;
  Pairs external_labels;
  std::string external_url;
  std::vector<InputStream> streams;
  std::vector<AlertTest> alerts;
  std::vector<SampleTest> expressions, recordings;
};

struct UnitFile {
  std::string name;                     // what messages call it
  std::vector<std::string> rule_files;  // as they are written: relative paths, patterns
  yaml::Place rule_files_place;
  base::Duration interval = base::kMinute;  // between two evaluations of all rules
  bool fuzzy = false;                       // values may differ in the last bit
  std::vector<UnitTest> tests;
};

// Errors: Code::config, "NAME:LINE:COLUMN: cause" with the line and a caret, and what to do.
[[nodiscard]] base::Result<UnitFile> read_unit_file(std::string_view text, std::string_view name);

}  // namespace weir::ruler
