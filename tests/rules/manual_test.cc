// What weir-rules.5 shows is what the parser takes and says.
#include "rules/check.h"
#include "rules/parser.h"
#include "rules/printer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace weir::rules {
namespace {

struct Example {
  std::string section;
  std::string text;
};

std::string without_roff(std::string text) {
  const std::pair<std::string_view, std::string_view> escapes[] = {{"\\(dq", "\""}, {"\\(aq", "'"}, {"\\(ga", "`"}, {"\\(ti", "~"},
                                                                   {"\\(ha", "^"},  {"\\-", "-"},   {"\\e", "\\"}};
  for (std::size_t at = text.find('\\'); at != std::string::npos; at = text.find('\\', at + 1)) {
    const auto found =
        std::ranges::find_if(escapes, [&](const auto& one) { return text.compare(at, one.first.size(), one.first) == 0; });
    if (found == std::end(escapes)) {
      ADD_FAILURE() << "unknown escape: " << text.substr(at, 10);
      break;
    }
    text.replace(at, found->first.size(), found->second);
  }
  return text;
}

// The blocks between .EX and .EE.
std::vector<Example> examples() {
  std::ifstream page(WEIR_RULES_PAGE);
  std::vector<Example> out;
  std::string section;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with(".SH ")) section = line.substr(4);
    if (line == ".EE") inside = false;
    if (inside) out.back().text += without_roff(line) + "\n";
    if (line == ".EX") {
      inside = true;
      out.push_back({section, ""});
    }
  }
  return out;
}

TEST(RulesManual, EveryExampleIsAFileOfRules) {
  std::set<std::string_view> shown;
  std::size_t files = 0;
  for (const Example& example : examples()) {
    if (example.section == "ERRORS") continue;
    ++files;
    const auto rules = parse(example.text, "example");
    ASSERT_TRUE(rules.ok()) << example.text << rules.error().message << "\n" << rules.error().hint;
    EXPECT_FALSE(rules->empty()) << example.text;
    for (const Rule& rule : *rules) {
      if (example.section == "EXAMPLES") shown.insert(word_of(rule.action));
      const auto again = parse(print(rule), "again");
      ASSERT_TRUE(again.ok()) << print(rule);
      EXPECT_EQ(again->front(), rule);
    }
    for (const Finding& finding : check(*rules, {.now = 1795953600 * base::kSecond})) {
      EXPECT_EQ(finding.severity, Severity::note) << example.text << finding.message;
    }
  }
  EXPECT_GE(files, 12U);
  EXPECT_EQ(shown, (std::set<std::string_view>{"redact", "keep", "drop", "hold", "release", "sample", "limit", "dedup", "tenant"}));
}

TEST(RulesManual, ErrorsAreThoseOfTheParser) {
  std::size_t errors = 0;
  for (const Example& example : examples()) {
    if (example.section != "ERRORS") continue;
    ++errors;
    std::istringstream lines(example.text);
    std::string message, line;
    std::getline(lines, message);
    std::getline(lines, line);
    const auto rules = parse(line, message.substr(0, message.find(':')));
    ASSERT_FALSE(rules.ok()) << line;
    EXPECT_EQ(rules.error().message + "\n" + rules.error().hint + "\n", example.text);
  }
  EXPECT_EQ(errors, 1U);
}

}  // namespace
}  // namespace weir::rules
