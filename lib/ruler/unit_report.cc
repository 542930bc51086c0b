#include "ruler/unit_report.h"

#include "base/count.h"
#include "base/diagnostics.h"
#include "base/xml.h"
#include "record/json.h"

#include <fmt/format.h>

namespace weir::ruler {

using base::count_of;
using base::escape_control;
using base::escape_xml;
using record::json_string;

std::size_t UnitFileOutcome::expectations() const {
  std::size_t count = 0;
  for (const UnitOutcome& test : tests) count += test.expectations;
  return count;
}

std::size_t UnitFileOutcome::failures() const {
  std::size_t count = 0;
  for (const UnitOutcome& test : tests) count += test.failures.size();
  return count;
}

std::string to_text(const UnitFileOutcome& outcome) {
  const std::string what = fmt::format("{}: {} in {}", escape_control(outcome.file),
                                       count_of(outcome.expectations(), "expectation"), count_of(outcome.tests.size(), "test"));
  if (outcome.failures() == 0) return what + ": ok\n";
  std::string text = fmt::format("{}: {} failed\n", what, outcome.failures());
  for (const UnitOutcome& test : outcome.tests) {
    if (test.failures.empty()) continue;
    text += fmt::format("  {} (line {})\n", escape_control(test.test), test.place.line);
    for (const UnitFailure& failure : test.failures) {
      text += fmt::format("    {} (line {})\n", escape_control(failure.subject), failure.place.line);
      for (const std::string& line : failure.lines) text += fmt::format("      {}\n", escape_control(line));
    }
  }
  return text;
}

std::string to_json(std::span<const UnitFileOutcome> outcomes) {
  bool passed = true;
  std::string files;
  for (const UnitFileOutcome& outcome : outcomes) {
    passed = passed && outcome.failures() == 0;
    std::string tests;
    for (const UnitOutcome& test : outcome.tests) {
      std::string failures;
      for (const UnitFailure& failure : test.failures) {
        std::string lines;
        for (const std::string& line : failure.lines) lines += (lines.empty() ? "" : ",") + json_string(line);
        failures += fmt::format(R"({}{{"line":{},"subject":{},"differences":[{}]}})", failures.empty() ? "" : ",",
                                failure.place.line, json_string(failure.subject), lines);
      }
      tests += fmt::format(R"({}{{"name":{},"line":{},"expectations":{},"failures":[{}]}})", tests.empty() ? "" : ",",
                           json_string(test.test), test.place.line, test.expectations, failures);
    }
    files += fmt::format(R"({}{{"file":{},"tests":[{}]}})", files.empty() ? "" : ",", json_string(outcome.file), tests);
  }
  return fmt::format("{{\"passed\":{},\"files\":[{}]}}\n", passed, files);
}

std::string to_junit(std::span<const UnitFileOutcome> outcomes) {
  std::string text(base::kXmlHead);
  text += "<testsuites>\n";
  for (const UnitFileOutcome& outcome : outcomes) {
    std::size_t failed = 0;
    std::string cases;
    for (const UnitOutcome& test : outcome.tests) {
      cases += fmt::format("    <testcase classname=\"weir.rules\" name=\"{}\"", escape_xml(test.test));
      if (test.failures.empty()) {
        cases += "/>\n";
        continue;
      }
      ++failed;
      cases += ">\n";
      for (const UnitFailure& failure : test.failures) {
        std::string body;
        for (const std::string& line : failure.lines) body += escape_xml(line) + "\n";
        cases += fmt::format("      <failure message=\"{} (line {})\">{}</failure>\n", escape_xml(failure.subject),
                             failure.place.line, body);
      }
      cases += "    </testcase>\n";
    }
    text += fmt::format("  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\">\n{}  </testsuite>\n",
                        escape_xml(outcome.file), outcome.tests.size(), failed, cases);
  }
  return text + "</testsuites>\n";
}

}  // namespace weir::ruler
