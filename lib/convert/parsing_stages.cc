#include "convert/stage_reader.h"

#include "base/diagnostics.h"
#include "convert/field_path.h"
#include "convert/words.h"
#include "gotext/regex.h"
#include "names/label_name.h"

#include <fmt/format.h>

#include <utility>

namespace weir::convert {
namespace {

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

}  // namespace

std::string StageReader::field_name(const std::string& name) {
  std::string made;
  for (const char c : name) made += names::is_name_byte(c) ? c : '_';
  if (made.empty() || (made[0] >= '0' && made[0] <= '9') || names::is_keyword(made)) made.insert(0, "f_");
  return made;
}

bool StageReader::reads_line(MapReader& map, const Spot& spot, std::string& lost) {
  const auto source = map.optional_text("source");
  if (!source) return uses_line(spot);
  const auto found = fields_.find(*source);
  if (found != fields_.end() && found->second.kind == Field::Kind::line) return uses_line(spot);
  lost = fmt::format("weir parses the line only, not the value '{}'", base::escape_control(*source));
  report_.missing(map.spot("source"), lost,
                  "where the value is a field of JSON, name its inner fields in the first json stage: \"outer.inner\"");
  return false;
}

void StageReader::lose_fields(const std::vector<std::string>& names, const Spot& spot) {
  for (const std::string& name : names) {
    extract(name, {Field::Kind::unknown, 0, {}, fmt::format("the stage at line {} is not expressible", spot.place.line), false});
  }
}

std::size_t StageReader::add_parser(LineParser parser) {
  chain_.parsers.push_back(std::move(parser));
  generations_.push_back(generation_);
  return chain_.parsers.size() - 1;
}

void StageReader::json(const yaml::Node& value, const Spot& spot) {
  MapReader map(value, spot, report_);
  const yaml::Node* expressions = map.take("expressions");
  const bool drop_malformed = map.boolean("drop_malformed", false);
  std::string lost;
  std::vector<std::string> names;
  if (expressions == nullptr || !expressions->is_map() || expressions->entries.empty()) {
    report_.wrong(map.spot("expressions"), "a json stage needs expressions");
    return;
  }
  for (const yaml::Entry& entry : expressions->entries) names.push_back(entry.key);
  if (!reads_line(map, spot, lost)) {
    map.finish();
    return lose_fields(names, spot);
  }
  LineParser parser;
  std::vector<std::pair<std::string, std::string>> read;
  for (const yaml::Entry& entry : expressions->entries) {
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

void StageReader::logfmt(const yaml::Node& value, const Spot& spot) {
  MapReader map(value, spot, report_);
  const yaml::Node* mapping = map.take("mapping");
  std::string lost;
  if (mapping == nullptr || !mapping->is_map() || mapping->entries.empty()) {
    report_.wrong(map.spot("mapping"), "a logfmt stage needs a mapping");
    return;
  }
  std::vector<std::string> names;
  for (const yaml::Entry& entry : mapping->entries) names.push_back(entry.key);
  if (!reads_line(map, spot, lost)) {
    map.finish();
    return lose_fields(names, spot);
  }
  LineParser parser;
  parser.kind = LineParser::Kind::logfmt;
  for (const yaml::Entry& entry : mapping->entries) {
    const std::string field = entry.value.is_null() || entry.value.text.empty() ? entry.key : entry.value.text;
    parser.fields[field_name(entry.key)] = field;
  }
  const std::size_t index = add_parser(std::move(parser));
  for (const std::string& name : names) extract(name, {Field::Kind::parsed, index, field_name(name), {}, false});
  map.finish();
}

void StageReader::regex(const yaml::Node& value, const Spot& spot) {
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

void StageReader::set_template(const yaml::Node& value, const Spot& spot) {
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
  extract(source, {Field::Kind::unknown, 0, {}, fmt::format("the template at line {} is not expressible", spot.place.line), false});
}

}  // namespace weir::convert
