// What a configuration of another agent becomes: a text for weir run, texts of rules, and a list of what differs.
//
// A conversion is a pure function of a text: nothing is read, written or connected to, and no environment is looked at. It skips
// nothing: whatever the text says is in the pipelines or the rules, or has a finding that is not `exact`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::convert {

enum class Severity : std::uint8_t {
  exact,            // the pipeline does the same
  note,             // it does nearly the same, or needs something from the reader: `what` says what
  not_expressible,  // it does not do this
};
[[nodiscard]] std::string_view word_of(Severity severity);  // "exact", "note", "not expressible"

struct Finding {
  std::size_t line = 0, column = 0;  // of the source, from 1; columns in characters
  std::string path;                  // scrape_configs[0].pipeline_stages[3].template
  Severity severity = Severity::exact;
  std::string what;    // what differs; of `exact` what it became, or ""
  std::string advice;  // what to do; "" where that is clear
  friend bool operator==(const Finding&, const Finding&) = default;
};

// Rules for `filter --rules`.
struct RuleText {
  std::string file;  // its name: "rules". The pipelines name it below Options::config_folder
  std::string text;  // weir-rules(5)
};

struct Options {
  std::string file_name = "promtail.yaml";     // what errors and comments call the text
  std::string config_folder = "/etc/weir";     // where the rules will lie
  std::string state_folder = "/var/lib/weir";  // where the spools will lie
  bool expand_env = false;                     // Promtail runs with -config.expand-env: $$ is a dollar sign
};

struct Conversion {
  std::string pipelines;  // weir-pipeline(5); its comments say where each part comes from, and repeat the findings
  std::vector<RuleText> rules;
  std::vector<Finding> findings;  // by their places

  [[nodiscard]] std::size_t count(Severity severity) const;
  [[nodiscard]] bool complete() const { return count(Severity::not_expressible) == 0; }
};

}  // namespace weir::convert
