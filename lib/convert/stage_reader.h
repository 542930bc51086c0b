// Reads the stages of a job one after the other, and puts what they do into the chain. One method a stage; they stand in files by
// what the stages are about: parsing_stages.cc, label_stages.cc, deciding_stages.cc, line_stages.cc.
#pragma once

#include "convert/chain.h"
#include "convert/line_pattern.h"
#include "convert/pipeline_stages.h"
#include "convert/report.h"
#include "logql/ast.h"
#include "logql/printer.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weir::convert {

// Which records a stage is for.
struct Condition {
  std::vector<logql::MatcherExpr> matchers;
  std::vector<logql::LineFilterExpr> filters;
  [[nodiscard]] bool always() const { return matchers.empty() && filters.empty(); }
  [[nodiscard]] std::string text() const {
    std::string out;
    if (!matchers.empty()) out = " " + logql::print_selector(matchers);
    for (const auto& filter : filters) out += " " + logql::print(logql::StageExpr{filter});
    return out;
  }
};

// An extracted value: where it comes from.
struct Field {
  enum class Kind : std::uint8_t {
    unknown,  // `why` says what made it
    line,     // the line as it is by now
    parsed,   // a field of chain.parsers[parser], of the line as it was then
    label,    // the label `name`
    time,     // the record's own time
    constant,
  };
  Kind kind = Kind::unknown;
  std::size_t parser = 0;
  std::string name;
  std::string why;
  bool sure = false;  // of a constant: each record has it
};

// A number as Go's strconv reads it; nothing for what is none.
[[nodiscard]] std::optional<double> number_of(const std::string& text);

class StageReader {
 public:
  StageReader(const StagesInput& input, Chain& chain, Report& report);
  void run(const yaml::Node& list, const Spot& spot, const Condition& condition, std::size_t depth);
  void finish() { flush_output(); }

 private:
  void stage(const std::string& name, const yaml::Node& value, const Spot& spot, const Condition& condition, std::size_t depth);
  // The line is no longer what weir has: what is parsed from now on is something else.
  void line_lost(const Spot& spot);
  // A later stage looks at the line: an `output` before it counts now.
  void flush_output();
  // False: weir's line is another one. Says so.
  bool uses_line(const Spot& spot);
  void extract(const std::string& name, Field field) { fields_[name] = std::move(field); }
  // A name that LogQL takes.
  static std::string field_name(const std::string& name);
  // `source` of a parser: true when that is the line.
  bool reads_line(MapReader& map, const Spot& spot, std::string& lost);
  void lose_fields(const std::vector<std::string>& names, const Spot& spot);
  std::size_t add_parser(LineParser parser);
  void json(const yaml::Node& value, const Spot& spot);
  void logfmt(const yaml::Node& value, const Spot& spot);
  void regex(const yaml::Node& value, const Spot& spot);
  void set_template(const yaml::Node& value, const Spot& spot);
  // The value `name` where a stage of this condition may make something of it in enrich, which knows no conditions.
  const Field* usable(const std::string& name, const Spot& spot, const Condition& condition, std::string_view what);
  static bool is_new_label(const std::string& name);
  void labels(const yaml::Node& value, const Spot& spot, const Condition& condition);
  void lose_label(const std::string& label);
  void set_constant(const std::string& label, const std::string& value, const Spot& spot);
  // What enrich --parse would say to it.
  bool check_field(const Field& field, const std::string& as, const Spot& spot);
  template <typename Use>
  void each_entry(const yaml::Node& value, const Spot& spot, const Use& use);
  void metadata(const yaml::Node& value, const Spot& spot, const Condition& condition);
  void static_labels(const yaml::Node& value, const Spot& spot, const Condition& condition);
  void label_drop(const yaml::Node& value, const Spot& spot, const Condition& condition);
  void label_allow(const yaml::Node& value, const Spot& spot, const Condition& condition);
  void timestamp(const yaml::Node& value, const Spot& spot, const Condition& condition);
  // A format of Promtail as enrich knows it.
  static std::string time_format(const std::string& format);
  void output(const yaml::Node& value, const Spot& spot, const Condition& condition);
  void tenant(const yaml::Node& value, const Spot& spot, const Condition& condition);
  static RuleLine rule_at(const Spot& spot, int phase);
  static void names_of(const Condition& condition, RuleLine& rule);
  // ACTION [ARGUMENT] {…} |= "…" REST
  void add_rule(std::string_view action, std::string_view argument, std::string_view rest, const Condition& condition,
                const Spot& spot, RuleLine rule);
  void match(const yaml::Node& value, const Spot& spot, const Condition& outer, std::size_t depth);
  enum class Known : std::uint8_t { yes, no, open };
  [[nodiscard]] Known known(const logql::MatcherExpr& matcher) const;
  // A reason of Promtail's counter becomes the name of the rule, once.
  std::string named(const std::optional<std::string>& reason, std::string_view action);
  // The parsers and the test of a value in a query: ` | json f_a=… | f_a=~…`. Nothing: it is said why.
  std::optional<std::string> test(const std::string& source, std::string_view op, const std::string& value, const Spot& spot,
                                  RuleLine& rule);
  void drop(const yaml::Node& value, const Spot& spot, const Condition& condition);
  void limit(const yaml::Node& value, const Spot& spot, const Condition& condition);
  std::string rate_word(double rate, double burst, const Spot& spot);
  void sampling(const yaml::Node& value, const Spot& spot, const Condition& condition);
  void runtime(const std::string& name, const yaml::Node& value, const Spot& spot, const Condition& condition);
  void multiline(const yaml::Node& value, const Spot& spot, const Condition& condition);
  void replace(const yaml::Node& value, const Spot& spot, const Condition& condition);
  void add_redaction(const Redaction& made, const Condition& condition, const Spot& spot);
  void decolorize(const Spot& spot, const Condition& condition);
  void metrics(const yaml::Node& value, const Spot& spot);

  const StagesInput& input_;
  Chain& chain_;
  Report& report_;
  const std::size_t filters_before_;  // of the target: they decide by labels
  std::map<std::string, Field, std::less<>> fields_;
  std::vector<unsigned> generations_;  // by parser: of the line that it reads
  unsigned generation_ = 0;            // how often the line was changed
  std::optional<RuleLine> pending_output_;
  std::string line_lost_;
  std::string format_, multiline_;
  std::set<std::string, std::less<>> rule_names_;
  Condition current_;
};

}  // namespace weir::convert
