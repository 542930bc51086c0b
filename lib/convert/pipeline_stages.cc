#include "convert/pipeline_stages.h"

#include "base/diagnostics.h"
#include "convert/field_path.h"
#include "convert/line_pattern.h"
#include "convert/words.h"
#include "gotext/regex.h"
#include "logql/ast.h"
#include "logql/parser.h"
#include "logql/printer.h"
#include "names/label_name.h"
#include "names/tenant.h"
#include "rules/parser.h"
#include "stages/enrich_check.h"
#include "stages/line_fields.h"
#include "stages/time_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <utility>

namespace weir::convert {
namespace {

using logql::MatchOp;

constexpr std::size_t kMostNesting = 12;
// What a terminal takes for a command: colours and the like.
constexpr std::string_view kEscapes = R"(\x1b\[[0-?]*[ -/]*[@-~])";

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

constexpr double kMostLines = 1e6;  // of tail --multiline-lines

// A number as Go's strconv reads it; nothing for what is none.
std::optional<double> number_of(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::string without_zeros(double value) { return fmt::format("{}", value); }

// The template {{ .NAME }}; "" where it is more, or less.
std::string lone_value(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  if (!text.starts_with("{{") || !text.ends_with("}}")) return {};
  text = text.substr(2, text.size() - 4);
  while (text.starts_with(' ') || text.starts_with('-')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('-')) text.remove_suffix(1);
  if (!text.starts_with('.') || text.size() < 2) return {};
  text.remove_prefix(1);
  return names::is_label_name(text) ? std::string(text) : std::string();
}

class StageReader {
 public:
  StageReader(const StagesInput& input, Chain& chain, Report& report)
      : input_(input), chain_(chain), report_(report), filters_before_(chain.filters()) {
    for (const auto& [name, fact] : chain.labels) {
      fields_[name] = {Field::Kind::label, 0, name, {}, fact.sure};
    }
  }

  void run(const YamlNode& list, const Spot& spot, const Condition& condition, std::size_t depth) {
    if (!list.is_list() && !list.is_null()) report_.wrong(spot, "there must be a list of stages");
    if (depth > kMostNesting) report_.wrong(spot, "the stages are nested too deeply");
    for (std::size_t i = 0; i < list.items.size() && !report_.failed(); ++i) {
      const YamlNode& item = list.items[i];
      Spot own = spot.index(i);
      own.place = item.place;
      if (!item.is_map() || item.entries.size() != 1) {
        report_.wrong(own, "a stage is a map with one key, the name of the stage");
        return;
      }
      own = own.key(item.entries.front().key);
      own.place = item.entries.front().place;
      const std::size_t before = report_.size();
      stage(item.entries.front().key, item.entries.front().value, own, condition, depth);
      if (!report_.speaks_of(own, before)) report_.exact(own);
    }
  }

  void finish() { flush_output(); }

 private:
  void stage(const std::string& name, const YamlNode& value, const Spot& spot, const Condition& condition, std::size_t depth) {
    if (name == "cri" || name == "docker") return runtime(name, value, spot, condition);
    if (name == "json") return json(value, spot);
    if (name == "logfmt") return logfmt(value, spot);
    if (name == "regex") return regex(value, spot);
    if (name == "labels") return labels(value, spot, condition);
    if (name == "structured_metadata" || name == "non_indexed_labels") return metadata(value, spot, condition);
    if (name == "static_labels") return static_labels(value, spot, condition);
    if (name == "labeldrop") return label_drop(value, spot, condition);
    if (name == "labelallow") return label_allow(value, spot, condition);
    if (name == "timestamp") return timestamp(value, spot, condition);
    if (name == "output") return output(value, spot, condition);
    if (name == "template") return set_template(value, spot);
    if (name == "tenant") return tenant(value, spot, condition);
    if (name == "match") return match(value, spot, condition, depth);
    if (name == "drop") return drop(value, spot, condition);
    if (name == "limit") return limit(value, spot, condition);
    if (name == "sampling") return sampling(value, spot, condition);
    if (name == "multiline") return multiline(value, spot, condition);
    if (name == "replace") return replace(value, spot, condition);
    if (name == "decolorize") return decolorize(spot, condition);
    if (name == "metrics") return metrics(value, spot);
    if (name == "pack") {
      line_lost(spot);
      return report_.missing(spot, "weir does not pack labels into the line",
                             "make them structured metadata: enrich --keep-labels keeps the others as labels");
    }
    if (name == "geoip") {
      return report_.missing(spot, "weir has no table of addresses", "look the address up where the logs are read");
    }
    if (name == "eventlogmessage") {
      return report_.missing(spot, "weir does not read messages of Windows", "keep Promtail's successor on Windows hosts");
    }
    report_.wrong(spot, fmt::format("unknown stage '{}'", base::escape_control(name)));
  }

  // -- what the line is --

  // The line is no longer what weir has: what is parsed from now on is something else.
  void line_lost(const Spot& spot) {
    pending_output_.reset();
    if (line_lost_.empty()) line_lost_ = fmt::format("line {} ({})", spot.place.line, spot.path);
  }

  // A later stage looks at the line: an `output` before it counts now.
  void flush_output() {
    if (!pending_output_) return;
    chain_.add_rule(*std::move(pending_output_));
    pending_output_.reset();
    ++generation_;
  }

  // False: weir's line is another one. Says so.
  bool uses_line(const Spot& spot) {
    flush_output();
    if (line_lost_.empty()) return true;
    report_.missing(spot, fmt::format("this reads the line that the stage at {} makes, and weir does not make it", line_lost_),
                    "decide by the line as it is in the log");
    return false;
  }

  // -- extracted values --

  void extract(const std::string& name, Field field) { fields_[name] = std::move(field); }

  // A name that LogQL takes.
  static std::string field_name(const std::string& name) {
    std::string made;
    for (const char c : name) made += names::is_name_byte(c) ? c : '_';
    if (made.empty() || (made[0] >= '0' && made[0] <= '9') || names::is_keyword(made)) made.insert(0, "f_");
    return made;
  }

  // `source` of a parser: true when that is the line.
  bool reads_line(MapReader& map, const Spot& spot, std::string& lost) {
    const auto source = map.optional_text("source");
    if (!source) return uses_line(spot);
    const auto found = fields_.find(*source);
    if (found != fields_.end() && found->second.kind == Field::Kind::line) return uses_line(spot);
    lost = fmt::format("weir parses the line only, not the value '{}'", base::escape_control(*source));
    report_.missing(map.spot("source"), lost,
                    "where the value is a field of JSON, name its inner fields in the first json stage: \"outer.inner\"");
    return false;
  }

  void lose_fields(const std::vector<std::string>& names, const Spot& spot) {
    for (const std::string& name : names) {
      extract(name, {Field::Kind::unknown, 0, {}, fmt::format("the stage at line {} is not expressible", spot.place.line), false});
    }
  }

  std::size_t add_parser(LineParser parser) {
    chain_.parsers.push_back(std::move(parser));
    generations_.push_back(generation_);
    return chain_.parsers.size() - 1;
  }

  void json(const YamlNode& value, const Spot& spot) {
    MapReader map(value, spot, report_);
    const YamlNode* expressions = map.take("expressions");
    const bool drop_malformed = map.boolean("drop_malformed", false);
    std::string lost;
    std::vector<std::string> names;
    if (expressions == nullptr || !expressions->is_map() || expressions->entries.empty()) {
      report_.wrong(map.spot("expressions"), "a json stage needs expressions");
      return;
    }
    for (const YamlEntry& entry : expressions->entries) names.push_back(entry.key);
    if (!reads_line(map, spot, lost)) {
      map.finish();
      return lose_fields(names, spot);
    }
    LineParser parser;
    std::vector<std::pair<std::string, std::string>> read;
    for (const YamlEntry& entry : expressions->entries) {
      Spot own = map.spot("expressions").key(entry.key);
      own.place = entry.place;
      const std::string expression =
          entry.value.is_null() || entry.value.text.empty() ? entry.key : text_of(entry.value, own, report_);
      const auto path = logql_path(expression);
      const std::string name = field_name(entry.key);
      if (!path) {
        report_.missing(own, fmt::format("'{}' is more than a path of names and indexes", base::escape_control(expression)),
                        "take the field by its path, and do the rest in the query");
        lose_fields({entry.key}, own);
        continue;
      }
      parser.fields[name] = *path;
      read.emplace_back(entry.key, name);
    }
    const std::size_t index = add_parser(std::move(parser));
    for (const auto& [key, name] : read) extract(key, {Field::Kind::parsed, index, name, {}, false});
    if (drop_malformed) {
      RuleLine rule = rule_at(spot, 2);
      rule.reads_line = true;
      add_rule("drop", "", " | json f_any=`f_any` | __error__!=\"\"", current_, spot, std::move(rule));
    }
    map.finish();
  }

  void logfmt(const YamlNode& value, const Spot& spot) {
    MapReader map(value, spot, report_);
    const YamlNode* mapping = map.take("mapping");
    std::string lost;
    if (mapping == nullptr || !mapping->is_map() || mapping->entries.empty()) {
      report_.wrong(map.spot("mapping"), "a logfmt stage needs a mapping");
      return;
    }
    std::vector<std::string> names;
    for (const YamlEntry& entry : mapping->entries) names.push_back(entry.key);
    if (!reads_line(map, spot, lost)) {
      map.finish();
      return lose_fields(names, spot);
    }
    LineParser parser;
    parser.kind = LineParser::Kind::logfmt;
    for (const YamlEntry& entry : mapping->entries) {
      const std::string field = entry.value.is_null() || entry.value.text.empty() ? entry.key : entry.value.text;
      parser.fields[field_name(entry.key)] = field;
    }
    const std::size_t index = add_parser(std::move(parser));
    for (const std::string& name : names) extract(name, {Field::Kind::parsed, index, field_name(name), {}, false});
    map.finish();
  }

  void regex(const YamlNode& value, const Spot& spot) {
    MapReader map(value, spot, report_);
    const std::string expression = map.text("expression");
    std::string lost;
    auto compiled = gotext::Regex::compile(expression);
    if (expression.empty() || !compiled) {
      report_.wrong(map.spot("expression"), expression.empty() ? "a regex stage needs an expression" : compiled.error().message);
      return;
    }
    std::vector<std::string> names = group_names(expression);
    std::erase(names, std::string());
    if (!reads_line(map, spot, lost)) {
      map.finish();
      return lose_fields(names, spot);
    }
    LineParser parser;
    parser.kind = LineParser::Kind::regexp;
    parser.regex = expression;
    const std::size_t index = add_parser(std::move(parser));
    for (const std::string& name : names) extract(name, {Field::Kind::parsed, index, name, {}, false});
    map.finish();
  }

  void set_template(const YamlNode& value, const Spot& spot) {
    MapReader map(value, spot, report_);
    const std::string source = map.text("source");
    const std::string text = map.text("template");
    map.finish();
    if (source.empty()) return report_.wrong(spot, "a template stage needs a source");
    if (text.find("{{") == std::string::npos) {
      extract(source, {Field::Kind::constant, 0, text, {}, true});
      return;
    }
    const std::string lone = lone_value(text);
    if (lone == "Entry") return extract(source, {Field::Kind::line, 0, {}, {}, true});
    if (!lone.empty()) {
      const auto found = fields_.find(lone == "Value" ? source : lone);
      if (found != fields_.end()) {
        const Field copy = found->second;
        return extract(source, copy);
      }
    }
    report_.missing(spot, fmt::format("weir makes no new value '{}' by a template", base::escape_control(source)),
                    "use the field as it is, and format it in the query: line_format, label_format");
    extract(source,
            {Field::Kind::unknown, 0, {}, fmt::format("the template at line {} is not expressible", spot.place.line), false});
  }

  // The value `name` where a stage of this condition may make something of it in enrich, which knows no conditions.
  const Field* usable(const std::string& name, const Spot& spot, const Condition& condition, std::string_view what) {
    const auto found = fields_.find(name);
    if (found == fields_.end()) {
      report_.note(spot, fmt::format("no stage gives a value '{}', so this does nothing", base::escape_control(name)));
      return nullptr;
    }
    const Field& field = found->second;
    if (field.kind == Field::Kind::unknown) {
      report_.missing(spot, fmt::format("weir has no value '{}': {}", base::escape_control(name), field.why), "see there");
      return nullptr;
    }
    if (!condition.always()) {
      report_.missing(spot, fmt::format("enrich makes {} of all records, not of those alone that a match stage selects", what),
                      fmt::format("give these logs a pipeline of their own: tail … | filter '{}' | enrich …",
                                  condition.text().empty() ? std::string() : condition.text().substr(1)));
      return nullptr;
    }
    if (field.kind == Field::Kind::parsed && generations_[field.parser] != generation_) {
      report_.missing(spot, fmt::format("the line from which '{}' comes was changed by then", base::escape_control(name)),
                      "move this stage before those that change the line");
      return nullptr;
    }
    return &field;
  }

  static bool is_new_label(const std::string& name) {
    return names::is_label_name(name) && !name.starts_with("__") && !name.starts_with("weir_") && name != "detected_level";
  }

  void labels(const YamlNode& value, const Spot& spot, const Condition& condition) {
    each_entry(value, spot, [&](const std::string& label, const std::string& source, const Spot& own) {
      const Field* field = usable(source, own, condition, "labels");
      if (field == nullptr) {
        if (fields_.contains(source)) lose_label(label);
        return;
      }
      if (!is_new_label(label)) {
        return report_.missing(own, fmt::format("weir sets no label of the name '{}'", base::escape_control(label)),
                               "give it another name");
      }
      switch (field->kind) {
        case Field::Kind::parsed:
          if (!check_field(*field, label, own)) return;
          chain_.take_label(field->parser, field->name, label);
          break;
        case Field::Kind::constant:
          set_constant(label, field->name, own);
          break;
        case Field::Kind::label:
          if (field->name == label) {
            chain_.labels.try_emplace(label);
            break;
          }
          if (const auto known = chain_.labels.find(field->name); known != chain_.labels.end() && known->second.constant) {
            set_constant(label, *known->second.constant, own);
            break;
          }
          lose_label(label);
          report_.missing(own, fmt::format("weir does not copy the label '{}'", field->name), "query by that label");
          break;
        case Field::Kind::line:
        case Field::Kind::time:
          lose_label(label);
          report_.missing(own, fmt::format("weir makes no label of the {}", field->kind == Field::Kind::line ? "line" : "time"),
                          "each value would be a stream of its own");
          break;
        case Field::Kind::unknown:
          break;
      }
    });
  }

  void lose_label(const std::string& label) {
    LabelFact& fact = chain_.labels[label];
    // What it was before may be there, too.
    fact.constant.reset();
    fact.unknown = true;
  }

  void set_constant(const std::string& label, const std::string& value, const Spot& spot) {
    if (value.empty()) return;
    if (auto good = stages::check_label_value(label, value); !good) {
      return report_.missing(spot, good.error().message, "Loki would refuse the records");
    }
    chain_.set_constant(label, value);
    fields_.try_emplace(label, Field{Field::Kind::label, 0, label, {}, true});
  }

  // What enrich --parse would say to it.
  bool check_field(const Field& field, const std::string& as, const Spot& spot) {
    stages::LineFieldsSpec spec;
    spec.parse = chain_.parsers[field.parser].text({field.name});
    spec.to_metadata = {{field.name, names::is_metadata_name(as) ? as : "x"}};
    const auto good = stages::check(spec);
    if (good) return true;
    report_.missing(spot, good.error().message, "take the field by another parser");
    return false;
  }

  template <typename Use>
  void each_entry(const YamlNode& value, const Spot& spot, const Use& use) {
    if (!value.is_map()) return report_.wrong(spot, "there must be a map of names to values");
    for (const YamlEntry& entry : value.entries) {
      Spot own = spot.key(entry.key);
      own.place = entry.place;
      const std::string source = entry.value.is_null() || entry.value.text.empty() ? entry.key : text_of(entry.value, own, report_);
      use(entry.key, source, own);
    }
  }

  void metadata(const YamlNode& value, const Spot& spot, const Condition& condition) {
    each_entry(value, spot, [&](const std::string& key, const std::string& source, const Spot& own) {
      const Field* field = usable(source, own, condition, "metadata");
      if (field == nullptr) return;
      const std::string name = names::metadata_name(key);
      switch (field->kind) {
        case Field::Kind::parsed:
          if (!check_field(*field, name, own)) return;
          chain_.take_metadata(field->parser, field->name, name);
          // Promtail takes away a label of the source's name that has this value.
          if (chain_.labels.contains(source)) chain_.drop_label(source);
          break;
        case Field::Kind::label:
          if (field->name == key && is_new_label(key)) {
            chain_.labels.erase(key);  // what is no label any more becomes metadata
            break;
          }
          report_.missing(own, fmt::format("weir gives the label '{}' no other name as metadata", field->name),
                          fmt::format("as metadata it is called {}", field->name));
          chain_.labels.erase(field->name);
          break;
        case Field::Kind::constant:
        case Field::Kind::line:
        case Field::Kind::time:
        case Field::Kind::unknown:
          report_.missing(own, "weir makes metadata of fields of the line and of labels only", "set a label: enrich --label");
          break;
      }
    });
  }

  void static_labels(const YamlNode& value, const Spot& spot, const Condition& condition) {
    if (!value.is_map()) return report_.wrong(spot, "there must be a map of names to values");
    for (const YamlEntry& entry : value.entries) {
      Spot own = spot.key(entry.key);
      own.place = entry.place;
      if (entry.value.is_null()) continue;
      const std::string text = text_of(entry.value, own, report_);
      if (text.empty()) continue;
      if (!condition.always()) {
        lose_label(entry.key);
        report_.missing(own, "enrich --label labels all records, not those alone that a match stage selects",
                        "give these logs a pipeline of their own, with filter in front of enrich");
      } else if (!is_new_label(entry.key)) {
        report_.missing(own, fmt::format("weir sets no label of the name '{}'", base::escape_control(entry.key)),
                        "give it another name");
      } else {
        set_constant(entry.key, text, own);
      }
    }
  }

  void label_drop(const YamlNode& value, const Spot& spot, const Condition& condition) {
    for (const std::string& name : texts_of(value, spot, report_)) {
      if (!condition.always()) {
        report_.missing(spot, "enrich --keep-labels is for all records, not for those alone that a match stage selects",
                        "give these logs a pipeline of their own");
        return;
      }
      chain_.drop_label(name);
    }
  }

  void label_allow(const YamlNode& value, const Spot& spot, const Condition& condition) {
    const auto names = texts_of(value, spot, report_);
    if (!condition.always()) {
      return report_.missing(spot, "enrich --keep-labels is for all records, not for those alone that a match stage selects",
                             "give these logs a pipeline of their own");
    }
    std::vector<std::string> gone;
    for (const auto& [name, fact] : chain_.labels) {
      if (std::ranges::find(names, name) == names.end()) gone.push_back(name);
    }
    for (const std::string& name : gone) chain_.drop_label(name);
    chain_.open_labels = false;
  }

  void timestamp(const YamlNode& value, const Spot& spot, const Condition& condition) {
    MapReader map(value, spot, report_);
    const std::string source = map.text("source");
    const std::string format = map.text("format");
    const auto location = map.optional_text("location");
    const std::string on_failure = map.text("action_on_failure", "fudge");
    const YamlNode* fallbacks = map.take("fallback_formats");
    map.finish();
    if (source.empty() || format.empty()) return report_.wrong(spot, "a timestamp stage needs source and format");
    const Field* field = usable(source, spot, condition, "the time");
    if (field == nullptr || field->kind == Field::Kind::time) return;
    if (field->kind != Field::Kind::parsed) {
      return report_.missing(spot, "weir takes the time out of a field of the line only", "keep the time of the log");
    }
    if (location && *location != "UTC" && *location != "Etc/UTC" && !location->empty()) {
      report_.missing(map.spot("location"),
                      fmt::format("weir reads times without a zone as UTC, not as {}", base::escape_control(*location)),
                      "let the program write its times with a zone, or in UTC");
    }
    std::vector<std::string> formats;
    if (fallbacks != nullptr) formats = texts_of(*fallbacks, map.spot("fallback_formats"), report_);
    formats.insert(formats.begin(), format);
    for (std::string& one : formats) {
      one = time_format(one);
      if (auto read = stages::TimeFormat::parse(one); !read) {
        return report_.missing(
            map.spot(formats.size() > 1 ? "fallback_formats" : "format"),
            fmt::format("weir does not read times of the format '{}': {}", base::escape_control(one), read.error().message),
            "keep the time of the log");
      }
    }
    if (!check_field(*field, "time", spot)) return;
    // Each in an enrich of its own: where a format does not fit, what was there stays. So the last one counts most.
    for (auto one = formats.rbegin(); one != formats.rend(); ++one) chain_.take_time(field->parser, field->name, *one);
    if (on_failure == "fudge") {
      report_.note(spot,
                   "a line without such a time keeps the time of the log; Promtail gives it that of the line before, and 1 ns");
    }
  }

  // A format of Promtail as enrich knows it.
  static std::string time_format(const std::string& format) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kNames = {
        {{"RFC3339", "rfc3339"},
         {"RFC3339Nano", "rfc3339"},
         {"Unix", "unix"},
         {"UnixMs", "unix_ms"},
         {"UnixUs", "unix_us"},
         {"UnixNs", "unix_ns"},
         {"ANSIC", "Mon Jan _2 15:04:05 2006"},
         {"UnixDate", "Mon Jan _2 15:04:05 MST 2006"},
         {"RubyDate", "Mon Jan 02 15:04:05 -0700 2006"},
         {"RFC822", "02 Jan 06 15:04 MST"},
         {"RFC822Z", "02 Jan 06 15:04 -0700"},
         {"RFC850", "Monday, 02-Jan-06 15:04:05 MST"},
         {"RFC1123", "Mon, 02 Jan 2006 15:04:05 MST"},
         {"RFC1123Z", "Mon, 02 Jan 2006 15:04:05 -0700"}}};
    for (const auto& [theirs, ours] : kNames) {
      if (format == theirs) return std::string(ours);
    }
    return format;
  }

  void output(const YamlNode& value, const Spot& spot, const Condition& condition) {
    MapReader map(value, spot, report_);
    const std::string source = map.text("source");
    map.finish();
    if (source.empty()) return report_.wrong(spot, "an output stage needs a source");
    const auto found = fields_.find(source);
    if (found == fields_.end()) {
      return report_.note(spot, fmt::format("no stage gives a value '{}', so this does nothing", base::escape_control(source)));
    }
    const Field field = found->second;
    if (field.kind == Field::Kind::line) return;
    const auto lose = [&](std::string what, std::string advice) {
      line_lost(spot);
      report_.missing(spot, std::move(what), std::move(advice));
    };
    if (field.kind == Field::Kind::unknown) return lose(fmt::format("weir has no value '{}': {}", source, field.why), "see there");
    if (field.kind != Field::Kind::parsed || chain_.parsers[field.parser].kind != LineParser::Kind::regexp) {
      const bool is_json = field.kind == Field::Kind::parsed && chain_.parsers[field.parser].kind == LineParser::Kind::json;
      const std::string_view parser = is_json ? "json" : "logfmt";
      return lose("weir delivers the line as it is in the log",
                  field.kind == Field::Kind::parsed
                      ? fmt::format("in queries: | {} | line_format \"{{{{.{}}}}}\"", parser, field.name)
                      : std::string("use line_format in queries"));
    }
    if (!line_lost_.empty() || generations_[field.parser] != generation_ || pending_output_) {
      return lose("the line from which the value comes was changed by then", "use line_format in queries");
    }
    if (!condition.filters.empty()) {
      return lose("a rule that changes lines selects them by labels, not by what they hold",
                  "select by labels, or use line_format in queries");
    }
    const auto made = output_of_group(chain_.parsers[field.parser].regex, field.name);
    if (!made) return lose("a rule has nine groups at most", "use groups that do not capture: (?:…)");
    RuleLine rule = rule_at(spot, 1);
    rule.text = fmt::format("redact {} with {}{}", logql_string(made->pattern), logql_string(made->replacement), condition.text());
    names_of(condition, rule);
    if (auto good = rules::parse(rule.text, ""); !good) return lose(good.error().message, "use line_format in queries");
    report_.note(spot, "the rule that cuts the line also looks at the values of labels and metadata; it matches whole values only");
    pending_output_ = std::move(rule);
    fields_[source] = {Field::Kind::line, 0, {}, {}, false};
  }

  void tenant(const YamlNode& value, const Spot& spot, const Condition& condition) {
    MapReader map(value, spot, report_);
    const std::string label = map.text("label"), source = map.text("source"), constant = map.text("value");
    map.finish();
    if (!constant.empty()) {
      if (!names::is_tenant(constant)) {
        return report_.missing(spot, fmt::format("Loki takes no tenant '{}'", base::escape_control(constant)),
                               "give it another name");
      }
      return add_rule("tenant", constant, "", condition, spot, rule_at(spot, 3));
    }
    const std::string name = label.empty() ? source : label;
    if (name.empty()) return report_.wrong(spot, "a tenant stage needs label, source or value");
    const Field* field = nullptr;
    if (label.empty()) {
      field = usable(source, spot, condition, "the tenant");
      if (field == nullptr) return;
    } else if (!condition.always()) {
      return report_.missing(spot, "enrich --tenant-from is for all records, not for those alone that a match stage selects",
                             "write a rule for each tenant: tenant NAME {…}");
    }
    if (field != nullptr && field->kind == Field::Kind::parsed) {
      if (!check_field(*field, field->name, spot)) return;
      const std::string key = names::metadata_name(field->name);
      chain_.take_metadata(field->parser, field->name, key);
      chain_.take_tenant(key);
      return report_.note(spot, fmt::format("the records get the metadata {}, from which the tenant comes", key));
    }
    if (field != nullptr && field->kind == Field::Kind::constant) {
      return add_rule("tenant", field->name, "", condition, spot, rule_at(spot, 3));
    }
    if (field != nullptr && field->kind != Field::Kind::label) {
      return report_.missing(spot, "weir takes the tenant from labels and fields only", "write a rule: tenant NAME {…}");
    }
    chain_.take_tenant(field == nullptr ? label : field->name);
  }

  // -- rules --

  static RuleLine rule_at(const Spot& spot, int phase) {
    RuleLine rule;
    rule.line = spot.place.line;
    rule.path = spot.path;
    rule.phase = phase;
    return rule;
  }

  static void names_of(const Condition& condition, RuleLine& rule) {
    for (const logql::MatcherExpr& matcher : condition.matchers) rule.names.insert(matcher.name);
  }

  // ACTION [ARGUMENT] {…} |= "…" REST
  void add_rule(std::string_view action, std::string_view argument, std::string_view rest, const Condition& condition,
                const Spot& spot, RuleLine rule) {
    for (const logql::MatcherExpr& matcher : condition.matchers) {
      const auto fact = chain_.labels.find(matcher.name);
      if (fact != chain_.labels.end() && fact->second.unknown) {
        return report_.missing(spot, fmt::format("weir's records have no label '{}' by which this decides", matcher.name),
                               "see the findings before it");
      }
    }
    if (!condition.filters.empty()) {
      if (!uses_line(spot)) return;
      rule.reads_line = true;
    }
    if (rule.reads_line) {
      if (!uses_line(spot)) return;
    }
    rule.text = std::string(action);
    if (!argument.empty()) rule.text.append(" ").append(argument);
    rule.text.append(condition.text()).append(rest);
    names_of(condition, rule);
    if (auto good = rules::parse(rule.text, ""); !good) {
      return report_.missing(spot, fmt::format("weir reads no rule like this: {}", good.error().message),
                             "write one by hand: weir-rules(5)");
    }
    chain_.add_rule(std::move(rule));
  }

  void match(const YamlNode& value, const Spot& spot, const Condition& outer, std::size_t depth) {
    MapReader map(value, spot, report_);
    const std::string selector = map.text("selector");
    const std::string action = map.text("action", "keep");
    (void)map.take("pipeline_name");  // names a counter
    const auto reason = map.optional_text("drop_counter_reason");
    const YamlNode* stages = map.take("stages");
    map.finish();
    if (selector.empty()) return report_.wrong(spot, "a match stage needs a selector");
    auto parsed = logql::parse(selector, {.selector_optional = true, .selector_must_match = false});
    if (!parsed) return report_.wrong(map.spot("selector"), parsed.error().message);
    const auto* log = std::get_if<logql::LogExpr>(&parsed->node);
    if (log == nullptr) return report_.wrong(map.spot("selector"), "a selector is a log query");
    Condition condition = outer;
    bool never = false;
    for (const logql::MatcherExpr& matcher : log->matchers) {
      switch (known(matcher)) {
        case Known::yes:
          break;
        case Known::no:
          never = true;
          break;
        case Known::open:
          condition.matchers.push_back(matcher);
          break;
      }
    }
    for (const logql::StageExpr& stage : log->stages) {
      const auto* filter = std::get_if<logql::LineFilterExpr>(&stage.node);
      if (filter == nullptr) return report_.wrong(map.spot("selector"), "a selector of Promtail has labels and line filters only");
      condition.filters.push_back(*filter);
    }
    if (action == "keep" && stages == nullptr) return report_.wrong(spot, "a match stage needs stages");
    if (never)
      return report_.note(
          spot, fmt::format("no record of the target at line {} has these labels, so this does nothing there", input_.line));
    if (action == "drop") {
      RuleLine rule = rule_at(spot, 2);
      add_rule(named(reason, "drop"), "", "", condition, spot, std::move(rule));
      return;
    }
    if (action != "keep") return report_.wrong(map.spot("action"), "the action of a match stage is keep or drop");
    Spot below = spot.key("stages");
    below.place = stages->place;
    const Condition before = std::exchange(current_, condition);
    run(*stages, below, condition, depth + 1);
    current_ = before;
  }

  enum class Known : std::uint8_t { yes, no, open };
  [[nodiscard]] Known known(const logql::MatcherExpr& matcher) const {
    const auto fact = chain_.labels.find(matcher.name);
    std::string value;
    if (fact == chain_.labels.end()) {
      if (chain_.open_labels) return Known::open;
    } else {
      if (!fact->second.constant || fact->second.unknown || !variables_of(*fact->second.constant).empty()) return Known::open;
      value = *fact->second.constant;
    }
    bool matches = value == matcher.value;
    if (matcher.op == MatchOp::regex || matcher.op == MatchOp::not_regex) {
      auto regex = gotext::Regex::compile(matcher.value, gotext::Regex::Mode::anchored_all);
      if (!regex) return Known::open;
      matches = regex->matches(value);
    }
    if (matcher.op == MatchOp::not_equal || matcher.op == MatchOp::not_regex) matches = !matches;
    return matches ? Known::yes : Known::no;
  }

  // A reason of Promtail's counter becomes the name of the rule, once.
  std::string named(const std::optional<std::string>& reason, std::string_view action) {
    if (!reason || !rules::is_rule_name(*reason) || !rule_names_.insert(*reason).second) return std::string(action);
    return fmt::format("name {}: {}", *reason, action);
  }

  // The parsers and the test of a value in a query: ` | json f_a=… | f_a=~…`. Nothing: it is said why.
  std::optional<std::string> test(const std::string& source, std::string_view op, const std::string& value, const Spot& spot,
                                  RuleLine& rule) {
    const auto found = fields_.find(source);
    if (found == fields_.end()) {
      report_.note(spot, fmt::format("no stage gives a value '{}', so this drops nothing", base::escape_control(source)));
      return std::nullopt;
    }
    const Field& field = found->second;
    switch (field.kind) {
      case Field::Kind::parsed: {
        if (generations_[field.parser] != generation_ || pending_output_ || !line_lost_.empty()) {
          report_.missing(spot, fmt::format("the line from which '{}' comes was changed by then", base::escape_control(source)),
                          "move this stage before those that change the line");
          return std::nullopt;
        }
        rule.reads_line = true;
        const std::string parser = chain_.parsers[field.parser].text({field.name}, "f_");
        return fmt::format(" | {} | f_{}{}{}", parser, field.name, op, value);
      }
      case Field::Kind::label:
        rule.names.insert(field.name);
        return fmt::format(" | {}{}{}", field.name, op, value);
      case Field::Kind::line:
        rule.reads_line = true;
        return fmt::format(" | label_format f_line=`{{{{__line__}}}}` | f_line{}{}", op, value);
      case Field::Kind::constant:
      case Field::Kind::time:
      case Field::Kind::unknown:
        break;
    }
    report_.missing(spot,
                    fmt::format("weir cannot decide by the value '{}'{}{}", base::escape_control(source),
                                field.why.empty() ? "" : ": ", field.why),
                    "decide by the line, a field of it, or a label");
    return std::nullopt;
  }

  void drop(const YamlNode& value, const Spot& spot, const Condition& condition) {
    MapReader map(value, spot, report_);
    std::vector<std::string> sources;
    if (const YamlNode* source = map.take("source"); source != nullptr)
      sources = texts_of(*source, map.spot("source"), report_, true);
    const auto expression = map.optional_text("expression"), constant = map.optional_text("value");
    const auto older = map.optional_text("older_than"), longer = map.optional_text("longer_than");
    const std::string separator = map.text("separator", ";");
    const auto reason = map.optional_text("drop_counter_reason");
    map.finish();
    if (sources.empty() && !expression && !older && !longer)
      return report_.wrong(spot, "a drop stage needs source, expression, older_than or longer_than");
    if (expression) {
      if (auto good = gotext::Regex::compile(*expression); !good)
        return report_.wrong(map.spot("expression"), good.error().message);
    }
    RuleLine rule = rule_at(spot, 2);
    std::string rest;
    if (sources.empty() && expression) {
      rest += " |~ " + logql_string(*expression);
      rule.reads_line = true;
    }
    if (longer) {
      const auto size = size_of(*longer);
      if (!size) return report_.wrong(map.spot("longer_than"), "there must be a size, such as 8kb");
      rest += fmt::format(" | label_format f_length=`{{{{ len __line__ }}}}` | f_length > {}", *size);
      rule.reads_line = true;
    }
    if (older) {
      const std::string age = duration_word(*older);
      if (age.empty()) return report_.wrong(map.spot("older_than"), "there must be a duration, such as 24h");
      rest += fmt::format(" | label_format f_age=`{{{{ sub (unixEpoch now) (unixEpoch __timestamp__) }}}}s` | f_age > {}", age);
      rule.reads_time = true;
    }
    if (!sources.empty() && !expression && !constant) {
      for (const std::string& source : sources) {
        const auto test_text = test(source, "!=", "\"\"", spot, rule);
        if (!test_text) return;
        rest += *test_text;
      }
    } else if (sources.size() > 1) {
      // The values are joined, without those that are missing.
      return report_.missing(
          spot, fmt::format("weir does not join several values with '{}' to test them", base::escape_control(separator)),
          "write one rule for the values: drop … | json a=\"…\", b=\"…\" | a=\"…\" | b=\"…\"");
    } else if (!sources.empty()) {
      const std::string op = constant ? "=" : "=~";
      const std::string tested = constant ? logql_string(*constant) : logql_string("^(?s:.*(?:" + *expression + ").*)$");
      const auto test_text = test(sources[0], op, tested, spot, rule);
      if (!test_text) return;
      rest += *test_text;
    }
    add_rule(named(reason, "drop"), "", rest, condition, spot, std::move(rule));
  }

  void limit(const YamlNode& value, const Spot& spot, const Condition& condition) {
    MapReader map(value, spot, report_);
    const auto rate = number_of(map.text("rate"));
    const auto burst = number_of(map.text("burst"));
    const bool drops = map.boolean("drop", false);
    const std::string by = map.text("by_label_name");
    (void)map.take("max_distinct_labels");
    map.finish();
    if (!rate || !burst || *rate <= 0 || *burst <= 0) return report_.wrong(spot, "a limit stage needs a rate and a burst");
    if (!drops) {
      return report_.missing(spot, "a limit of weir drops what exceeds it; it does not make the readers wait",
                             "leave it out: push does not send faster than Loki takes it. To drop: limit RATE/s burst N");
    }
    std::string argument = rate_word(*rate, *burst, spot);
    Condition own = condition;
    RuleLine rule = rule_at(spot, 3);
    if (!by.empty()) {
      if (!names::is_label_name(by)) return report_.wrong(spot, "by_label_name is no name of a label");
      argument += fmt::format(" by ({})", by);
      own.matchers.push_back({by, MatchOp::not_equal, ""});
    }
    add_rule("limit", argument, "", own, spot, std::move(rule));
  }

  std::string rate_word(double rate, double burst, const Spot& spot) {
    constexpr std::array<std::pair<double, std::string_view>, 3> kUnits = {{{1, "s"}, {60, "m"}, {3600, "h"}}};
    double amount = std::max(1.0, std::round(rate * 3600));
    std::string_view unit = "h";
    for (const auto& [seconds, name] : kUnits) {
      if (rate * seconds >= 1 && std::abs(rate * seconds - std::round(rate * seconds)) < 1e-9) {
        amount = std::round(rate * seconds);
        unit = name;
        break;
      }
    }
    std::string what = "the limit counts in windows of the records' own time, not with a bucket of tokens";
    if (burst < amount) what += fmt::format("; a burst below the rate ({}) is the rate", without_zeros(burst));
    report_.note(spot, what);
    return fmt::format("{:.0f}/{} burst {:.0f}", amount, unit, std::max(amount, std::floor(burst)));
  }

  void sampling(const YamlNode& value, const Spot& spot, const Condition& condition) {
    MapReader map(value, spot, report_);
    const auto rate = number_of(map.text("rate", "0"));
    const auto reason = map.optional_text("drop_counter_reason");
    map.finish();
    if (!rate || *rate < 0 || *rate > 1) return report_.wrong(spot, "the rate of a sampling stage is a number from 0 to 1");
    if (*rate == 0) return add_rule(named(reason, "drop"), "", "", condition, spot, rule_at(spot, 2));
    if (*rate == 1) return;
    const double percent = std::max(0.0001, std::round(*rate * 1e6) / 1e4);
    report_.note(spot, "a hash of the record decides, not chance: the same records pass on every node and after a restart");
    add_rule(named(reason, "sample"), fmt::format("{}%", without_zeros(percent)), "", condition, spot, rule_at(spot, 3));
  }

  // -- what tail does --

  void runtime(const std::string& name, const YamlNode& value, const Spot& spot, const Condition& condition) {
    if (!input_.from_files)
      return report_.missing(spot, "lines of the journal are in no format of a container runtime", "remove the stage");
    if (!condition.always() || !format_.empty() || !chain_.parsers.empty() || chain_.filters() > filters_before_ ||
        !multiline_.empty()) {
      line_lost(spot);
      return report_.missing(spot, fmt::format("tail takes the format {} off all lines, before anything else", name),
                             "put the stage first, and logs of another format into a job of their own");
    }
    format_ = name;
    chain_.tail.push_back({"--format", name});
    chain_.labels["stream"] = {std::nullopt, false, false};
    fields_["stream"] = {Field::Kind::label, 0, "stream", {}, false};
    fields_[name == "cri" ? "time" : "timestamp"] = {Field::Kind::time, 0, {}, {}, true};
    fields_[name == "cri" ? "content" : "output"] = {Field::Kind::line, 0, {}, {}, true};
    if (name == "cri") {
      extract("flags", {Field::Kind::unknown, 0, {}, "weir joins the parts of a line and keeps no flags", false});
      MapReader map(value, spot, report_);
      (void)map.take("max_partial_lines");
      const bool cuts = map.boolean("max_partial_line_size_truncate", false);
      const auto size = map.optional_text("max_partial_line_size");
      map.finish();
      if (cuts && size) {
        const auto bytes = size_of(*size);
        if (!bytes) return report_.wrong(map.spot("max_partial_line_size"), "there must be a size, such as 256kb");
        if (*bytes > 0) {
          chain_.tail.push_back({"--max-line", std::to_string(std::clamp<std::uint64_t>(*bytes, kLeastLine, kMostLine))});
          report_.note(map.spot("max_partial_line_size"),
                       "tail splits a longer line into pieces, and loses nothing of it; Promtail cuts it off");
        }
      }
    }
  }

  void multiline(const YamlNode& value, const Spot& spot, const Condition& condition) {
    MapReader map(value, spot, report_);
    const std::string first = map.text("firstline");
    const std::string lines = map.text("max_lines", "128");
    const std::string wait = duration_word(map.text("max_wait_time", "3s"));
    map.finish();
    auto regex = gotext::Regex::compile(first);
    if (first.empty() || !regex)
      return report_.wrong(map.spot("firstline"), first.empty() ? "a multiline stage needs firstline" : regex.error().message);
    if (wait.empty()) return report_.wrong(map.spot("max_wait_time"), "there must be a duration, such as 3s");
    if (!number_of(lines)) return report_.wrong(map.spot("max_lines"), "there must be a number");
    if (!input_.from_files)
      return report_.missing(spot, "weir joins lines of files, not entries of the journal",
                             "an entry of the journal may have several lines itself");
    if (!condition.always() || !multiline_.empty() || !chain_.parsers.empty() || chain_.filters() > filters_before_ ||
        !line_lost_.empty()) {
      line_lost(spot);
      return report_.missing(spot, "tail joins lines before anything else, and those of all logs that it reads",
                             "put the stage first or behind cri or docker, and logs with other lines into a job of their own");
    }
    multiline_ = first;
    // A word alone would be a language, as in --multiline java.
    const bool is_word = std::ranges::all_of(first, [](unsigned char c) { return std::isalpha(c) != 0; });
    const double most = std::clamp(*number_of(lines), 0.0, kMostLines);
    if (most >= 1 && most < 2)
      report_.missing(map.spot("max_lines"), "tail joins at least two lines", "leave the stage out: it joins nothing");
    chain_.tail.push_back({"--multiline", is_word ? "(?:" + first + ")" : first});
    chain_.tail.push_back({"--multiline-lines", fmt::format("{:.0f}", most < 1 ? kMostLines : std::max(most, 2.0))});
    chain_.tail.push_back({"--multiline-wait", is_zero(wait) ? "1ms" : wait});
    report_.note(
        spot,
        "lines of stdout and of stderr are never joined; lines in front of the first one that firstline matches become one record");
  }

  void replace(const YamlNode& value, const Spot& spot, const Condition& condition) {
    MapReader map(value, spot, report_);
    const std::string expression = map.text("expression");
    const std::string text = map.text("replace");
    const auto source = map.optional_text("source");
    map.finish();
    auto regex = gotext::Regex::compile(expression);
    if (expression.empty() || !regex) {
      return report_.wrong(map.spot("expression"),
                           expression.empty() ? "a replace stage needs an expression" : regex.error().message);
    }
    if (source) {
      const auto found = fields_.find(*source);
      if (found == fields_.end() || found->second.kind != Field::Kind::line) {
        lose_fields({*source}, spot);
        return report_.missing(spot, fmt::format("weir replaces in lines, not in the value '{}'", base::escape_control(*source)),
                               "a redact rule changes the line, labels and metadata");
      }
    }
    if (!uses_line(spot)) return;
    std::vector<std::string> names = group_names(expression);
    std::erase(names, std::string());
    lose_fields(names, spot);
    if (group_names(expression).empty())
      return report_.note(spot, "Promtail replaces what groups hold, and there is none, so this does nothing");
    const auto lose = [&](std::string what, std::string advice) {
      line_lost(spot);
      report_.missing(spot, std::move(what), std::move(advice));
    };
    if (!condition.filters.empty())
      return lose("a rule that changes lines selects them by labels, not by what they hold", "select by labels");
    const auto made = replace_groups(expression, text);
    if (!made) {
      return lose("weir replaces by a text and {{ .Value }}, in groups that stand in no alternative and are not repeated",
                  "write a rule: redact `PATTERN` with `TEXT`");
    }
    add_redaction(*made, condition, spot);
  }

  void add_redaction(const Redaction& made, const Condition& condition, const Spot& spot) {
    RuleLine rule = rule_at(spot, 1);
    rule.text = fmt::format("redact {} with {}{}", logql_string(made.pattern), logql_string(made.replacement), condition.text());
    names_of(condition, rule);
    if (auto good = rules::parse(rule.text, ""); !good) {
      line_lost(spot);
      return report_.missing(spot, fmt::format("weir reads no rule like this: {}", good.error().message),
                             "write one by hand: weir-rules(5)");
    }
    report_.note(spot, "the rule also replaces in values of labels and metadata");
    flush_output();
    chain_.add_rule(std::move(rule));
    ++generation_;
  }

  void decolorize(const Spot& spot, const Condition& condition) {
    if (!uses_line(spot)) return;
    if (!condition.filters.empty()) {
      line_lost(spot);
      return report_.missing(spot, "a rule that changes lines selects them by labels, not by what they hold", "select by labels");
    }
    add_redaction({std::string(kEscapes), {}}, condition, spot);
  }

  void metrics(const YamlNode& value, const Spot& spot) {
    if (!value.is_map() || value.entries.empty()) return report_.wrong(spot, "there must be a map of metrics");
    for (const YamlEntry& entry : value.entries) {
      Spot own = spot.key(entry.key);
      own.place = entry.place;
      report_.missing(own, "weir makes no metrics of lines",
                      "count in Loki: a recording rule of its ruler, such as sum(rate({job=\"…\"} |= \"…\" [1m])); weir --metrics "
                      "counts records by rule");
    }
  }

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

}  // namespace

void convert_stages(const YamlNode& list, const Spot& spot, const StagesInput& input, Chain& chain, Report& report) {
  StageReader reader(input, chain, report);
  reader.run(list, spot, {}, 0);
  reader.finish();
  const auto has_format = [](const OptionWord& word) { return word.name == "--format"; };
  if (input.from_files && std::ranges::none_of(chain.tail, has_format)) chain.tail.push_back({"--format", "raw"});
}

std::string duration_word(std::string_view go_duration) {
  std::string_view left = go_duration;
  if (left.empty()) return {};
  bool any = false;
  while (!left.empty()) {
    std::size_t end = 0;
    while (end < left.size() && ((left[end] >= '0' && left[end] <= '9') || left[end] == '.')) ++end;
    if (end == 0) return {};
    left.remove_prefix(end);
    std::size_t unit = 0;
    for (const std::string_view one : {"ms", "us", "ns", "h", "m", "s"}) {
      if (left.starts_with(one)) {
        unit = one.size();
        break;
      }
    }
    if (unit == 0) return {};
    left.remove_prefix(unit);
    any = true;
  }
  return any ? std::string(go_duration) : std::string();
}

bool is_zero(std::string_view duration) { return duration.find_first_of("123456789") == std::string_view::npos; }

std::optional<std::uint64_t> size_of(std::string_view text) {
  std::size_t end = 0;
  std::uint64_t number = 0;
  while (end < text.size() && text[end] >= '0' && text[end] <= '9') {
    if (number > (1ULL << 50U)) return std::nullopt;
    number = number * 10 + static_cast<std::uint64_t>(text[end++] - '0');
  }
  if (end == 0) return std::nullopt;
  std::string unit(text.substr(end));
  std::erase(unit, ' ');
  std::ranges::transform(unit, unit.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  constexpr std::array<std::pair<std::string_view, unsigned>, 8> kUnits = {
      {{"", 0}, {"B", 0}, {"K", 10}, {"KB", 10}, {"M", 20}, {"MB", 20}, {"G", 30}, {"GB", 30}}};
  for (const auto& [name, shift] : kUnits) {
    if (unit == name) return number > (1ULL << 20U) && shift == 30 ? std::nullopt : std::optional(number << shift);
  }
  return std::nullopt;
}

}  // namespace weir::convert
