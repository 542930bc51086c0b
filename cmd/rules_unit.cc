#include "cmd/rules_unit.h"

#include "base/text_file.h"
#include "cli/terminal.h"
#include "ruler/unit_report.h"

#include <unistd.h>

#include <optional>
#include <utility>

namespace weir::cmd {
namespace {

using base::Result;

Result<ruler::UnitFileOutcome> run_file(const std::string& path, base::Diagnostics& diagnostics) {
  auto text = base::read_text_file(path, "'" + path + "'");
  if (!text) return std::move(text).error();
  auto file = ruler::read_unit_file(*text, path);
  if (!file) return std::move(file).error();
  auto rules = ruler::load_rule_files(*file, path);
  if (!rules) return std::move(rules).error();
  for (const ruler::RuleFile& one : *rules) {
    for (const std::string& note : one.notes) diagnostics.say(note);
  }
  auto tests = ruler::run_unit_tests(*file, *rules);
  if (!tests) return std::move(tests).error();
  return ruler::UnitFileOutcome{path, *std::move(tests)};
}

}  // namespace

Result<cli::Exit> run_rule_units(const RuleUnits& units, base::Diagnostics& diagnostics) {
  std::vector<ruler::UnitFileOutcome> outcomes;
  std::optional<base::Error> wrong;
  bool passed = true;
  std::string text;
  for (const std::string& path : units.files) {
    auto outcome = run_file(path, diagnostics);
    if (!outcome) {
      if (wrong) diagnostics.report(*wrong);
      wrong = std::move(outcome).error();
      continue;
    }
    passed = passed && outcome->failures() == 0;
    text += ruler::to_text(*outcome);
    outcomes.push_back(*std::move(outcome));
  }
  if (auto written = cli::write_all(STDOUT_FILENO, units.json ? ruler::to_json(outcomes) : text); !written)
    return std::move(written).error();
  if (!units.junit.empty()) {
    if (auto written = base::replace_text_file(units.junit, ruler::to_junit(outcomes)); !written) return std::move(written).error();
  }
  if (wrong) return *std::move(wrong);
  return passed ? cli::Exit::ok : cli::Exit::negative;
}

}  // namespace weir::cmd
