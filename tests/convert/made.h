// What a configuration becomes, in forms that tests compare.
#pragma once

#include "cli/pipeline_text.h"
#include "convert/promtail.h"
#include "rules/parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace weir::convert {

// A job that reads one file.
inline const std::string kJob =
    "scrape_configs:\n- {job_name: j, static_configs: [{labels: {job: j, __path__: /var/log/a.log}}]}\n";

inline const char* any_variable(const char* /*name*/) { return "value"; }

inline Conversion made(std::string_view config, const Options& options = {}) {
  auto result = convert_promtail(config, options);
  EXPECT_TRUE(result.ok()) << result.error().message << "\n" << result.error().hint;
  if (!result) return {};
  // Whatever comes out is read by the program.
  if (result->pipelines.find("\ntail ") != std::string::npos) {
    const auto read = cli::PipelineSource("node.weir", result->pipelines).parse(any_variable);
    EXPECT_TRUE(read.ok()) << read.error().message << "\n" << read.error().hint << "\n" << result->pipelines;
  }
  for (const RuleText& rules : result->rules) {
    const auto read = rules::parse(rules.text, rules.file);
    EXPECT_TRUE(read.ok() && !read->empty()) << (read.ok() ? "no rules" : read.error().message) << "\n" << rules.text;
  }
  return *std::move(result);
}

// The pipelines without comments, each in one line.
inline std::string pipelines(const Conversion& conversion) {
  std::string out;
  std::string_view left = conversion.pipelines;
  while (!left.empty()) {
    const std::size_t end = std::min(left.find('\n'), left.size());
    std::string_view line = left.substr(0, end);
    left.remove_prefix(std::min(end + 1, left.size()));
    if (line.starts_with('#') || line.empty()) continue;
    while (line.starts_with(' ')) line.remove_prefix(1);
    out.append(line).append(line.ends_with('|') ? " " : "\n");
  }
  return out;
}

// The rules without comments.
inline std::string rules_of(const Conversion& conversion) {
  std::string out;
  for (const RuleText& rules : conversion.rules) {
    std::string_view left = rules.text;
    while (!left.empty()) {
      const std::size_t end = std::min(left.find('\n'), left.size());
      if (end > 0 && !left.starts_with('#')) out.append(left.substr(0, end)).append("\n");
      left.remove_prefix(std::min(end + 1, left.size()));
    }
  }
  return out;
}

// "note PATH" and "not expressible PATH" of each finding that is not exact, sorted.
inline std::vector<std::string> differences(const Conversion& conversion) {
  std::vector<std::string> out;
  for (const Finding& one : conversion.findings) {
    if (one.severity != Severity::exact) out.push_back(std::string(word_of(one.severity)) + " " + one.path);
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

// All that is said of a place.
inline std::string said_of(const Conversion& conversion, std::string_view path) {
  std::string out;
  for (const Finding& one : conversion.findings) {
    if (one.path == path) out.append(one.what).append("; ").append(one.advice).append("\n");
  }
  return out;
}

}  // namespace weir::convert
