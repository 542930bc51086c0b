// A pipeline of weir while it is put together: what tail reads, then enrich and filter stages in the order in which Promtail does
// their work.
//
// One `enrich` does its work in an order of its own (fields of the line, labels of the pod, constant labels, tenant, keep-labels),
// and so does one `filter` (redact, then drop, then limit). What is added goes into a stage that is there, where that gives the
// same records, and else into a new one.
#pragma once

#include "logql/ast.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace weir::convert {

// An option of a command; without a name: the second value of the option before it.
struct OptionWord {
  std::string name;                  // "--label"
  std::optional<std::string> value;  // ${NAME} in it is a variable
};

// A parser of LogQL with the fields that are taken by it.
struct LineParser {
  enum class Kind : std::uint8_t { json, logfmt, regexp };
  Kind kind = Kind::json;
  std::map<std::string, std::string, std::less<>> fields;  // json, logfmt: what the field is called -> the expression
  std::string regex;                                       // regexp: its groups are the fields

  [[nodiscard]] bool has(std::string_view field) const;
  [[nodiscard]] std::vector<std::string> names() const;
  // `json level="level"`, with no more fields than needed; `prefix` stands in front of their names.
  [[nodiscard]] std::string text(const std::set<std::string, std::less<>>& needed, std::string_view prefix = {}) const;
};

// What is known of a label of the records.
struct LabelFact {
  std::optional<std::string> constant;  // its value, where that is the same for all records
  bool sure = false;                    // each record has it
  bool unknown = false;                 // Promtail sets it, and weir does not: see the findings
};

struct RuleLine {
  std::string text;
  std::size_t line = 0;  // of the source
  std::string path;
  int phase = 2;            // as in weir-rules(5): 1 redact, 2 drop, 3 limit and others
  bool reads_line = false;  // its verdict depends on the line
  bool reads_time = false;
  std::set<std::string, std::less<>> names;  // labels that its verdict depends on
};

struct EnrichStep {
  struct Take {
    std::size_t parser = 0;  // index into Chain::parsers
    std::string field;
    std::string as;  // a label, metadata, or the format of a time
  };
  std::vector<OptionWord> options;  // about pods
  std::set<std::string, std::less<>> pod_labels;
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<Take> to_labels, to_metadata;
  std::optional<Take> time;
  std::string tenant_from;
  std::optional<std::vector<std::string>> keep_labels;
};
struct FilterStep {
  std::vector<RuleLine> rules;
};

class Chain {
 public:
  std::vector<OptionWord> tail;    // its options
  std::vector<std::string> paths;  // what it reads, in words of the pipeline; may hold variables
  std::vector<LineParser> parsers;
  std::map<std::string, LabelFact, std::less<>> labels;  // of the records, as Promtail would have them by now
  bool open_labels = false;                              // Promtail's records have others, too, whose names are not known

  Chain() { steps_.emplace_back(EnrichStep()); }

  [[nodiscard]] EnrichStep& first() { return std::get<EnrichStep>(steps_.front()); }
  [[nodiscard]] const std::vector<std::variant<EnrichStep, FilterStep>>& steps() const { return steps_; }
  [[nodiscard]] std::size_t filters() const;

  // A label that is the same for all records.
  void set_constant(std::string_view name, std::string_view value);
  // Fields of the line as it is by now.
  void take_label(std::size_t parser, std::string_view field, std::string_view label);
  void take_metadata(std::size_t parser, std::string_view field, std::string_view key);
  void take_time(std::size_t parser, std::string_view field, std::string_view format);
  void take_tenant(std::string_view label_or_metadata);
  void add_rule(RuleLine rule);
  // The label is no label any more.
  void drop_label(std::string_view name);

  // The records have the labels `labels` and no others. `given`: those that tail and the pods give.
  void finish(const std::set<std::string, std::less<>>& given);

  // The options of a step as words.
  [[nodiscard]] std::vector<OptionWord> words(const EnrichStep& step) const;

 private:
  EnrichStep& enrich_for(std::string_view label, std::size_t parser, bool takes_time);
  EnrichStep& last_enrich();
  [[nodiscard]] bool fits(const EnrichStep& step, std::string_view label, std::size_t parser, bool takes_time) const;
  std::vector<std::variant<EnrichStep, FilterStep>> steps_;
};

}  // namespace weir::convert
