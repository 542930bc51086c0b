#include "convert/stage_reader.h"

#include "base/diagnostics.h"
#include "convert/words.h"
#include "names/label_name.h"
#include "names/tenant.h"
#include "rules/parser.h"
#include "stages/enrich_check.h"
#include "stages/line_fields.h"
#include "stages/time_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace weir::convert {
const Field* StageReader::usable(const std::string& name, const Spot& spot, const Condition& condition, std::string_view what) {
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

bool StageReader::is_new_label(const std::string& name) {
  return names::is_label_name(name) && !name.starts_with("__") && !name.starts_with("weir_") && name != "detected_level";
}

void StageReader::labels(const yaml::Node& value, const Spot& spot, const Condition& condition) {
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

void StageReader::lose_label(const std::string& label) {
  LabelFact& fact = chain_.labels[label];
  // What it was before may be there, too.
  fact.constant.reset();
  fact.unknown = true;
}

void StageReader::set_constant(const std::string& label, const std::string& value, const Spot& spot) {
  if (value.empty()) return;
  if (auto good = stages::check_label_value(label, value); !good) {
    return report_.missing(spot, good.error().message, "Loki would refuse the records");
  }
  chain_.set_constant(label, value);
  fields_.try_emplace(label, Field{Field::Kind::label, 0, label, {}, true});
}

bool StageReader::check_field(const Field& field, const std::string& as, const Spot& spot) {
  stages::LineFieldsSpec spec;
  spec.parse = chain_.parsers[field.parser].text({field.name});
  spec.to_metadata = {{field.name, names::is_metadata_name(as) ? as : "x"}};
  const auto good = stages::check(spec);
  if (good) return true;
  report_.missing(spot, good.error().message, "take the field by another parser");
  return false;
}

template <typename Use>
void StageReader::each_entry(const yaml::Node& value, const Spot& spot, const Use& use) {
  if (!value.is_map()) return report_.wrong(spot, "there must be a map of names to values");
  for (const yaml::Entry& entry : value.entries) {
    Spot own = spot.key(entry.key);
    own.place = entry.place;
    const std::string source = entry.value.is_null() || entry.value.text.empty() ? entry.key : text_of(entry.value, own, report_);
    use(entry.key, source, own);
  }
}

void StageReader::metadata(const yaml::Node& value, const Spot& spot, const Condition& condition) {
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

void StageReader::static_labels(const yaml::Node& value, const Spot& spot, const Condition& condition) {
  if (!value.is_map()) return report_.wrong(spot, "there must be a map of names to values");
  for (const yaml::Entry& entry : value.entries) {
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

void StageReader::label_drop(const yaml::Node& value, const Spot& spot, const Condition& condition) {
  for (const std::string& name : texts_of(value, spot, report_)) {
    if (!condition.always()) {
      report_.missing(spot, "enrich --keep-labels is for all records, not for those alone that a match stage selects",
                      "give these logs a pipeline of their own");
      return;
    }
    chain_.drop_label(name);
  }
}

void StageReader::label_allow(const yaml::Node& value, const Spot& spot, const Condition& condition) {
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

void StageReader::timestamp(const yaml::Node& value, const Spot& spot, const Condition& condition) {
  MapReader map(value, spot, report_);
  const std::string source = map.text("source");
  const std::string format = map.text("format");
  const auto location = map.optional_text("location");
  const std::string on_failure = map.text("action_on_failure", "fudge");
  const yaml::Node* fallbacks = map.take("fallback_formats");
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
    report_.note(spot, "a line without such a time keeps the time of the log; Promtail gives it that of the line before, and 1 ns");
  }
}

std::string StageReader::time_format(const std::string& format) {
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

void StageReader::output(const yaml::Node& value, const Spot& spot, const Condition& condition) {
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

void StageReader::tenant(const yaml::Node& value, const Spot& spot, const Condition& condition) {
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

}  // namespace weir::convert
