#include "scan/detected_fields.h"

#include "gotext/json_reader.h"
#include "gotext/quantity.h"
#include "gotext/scratch.h"
#include "names/label_name.h"
#include "record/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace weir::scan {
namespace {

using record::Batch;
using record::Label;
using record::Record;

bool is_error_label(std::string_view name) {
  return name == "__error__" || name == "__error_details__" || name == "__preserve_error__";
}

bool is_int(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return false;
  }
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool is_bool(std::string_view text) {
  constexpr std::array<std::string_view, 12> kWords = {"1", "t", "T", "TRUE",  "true",  "True",
                                                       "0", "f", "F", "FALSE", "false", "False"};
  return std::find(kWords.begin(), kWords.end(), text) != kWords.end();
}

// A key as the json parser makes it a label.
std::string as_name(std::string_view key) {
  std::string name(key);
  for (char& c : name) c = names::is_name_byte(c) ? c : '_';
  return name;
}

// The keys in the object at the cursor that together make `name`; `before`: what is made of those around it.
bool path_to(gotext::JsonCursor& cursor, const std::string& before, std::string_view name, int depth,
             std::vector<std::string>& path) {
  constexpr int kDeepest = 16;
  if (depth > kDeepest || !cursor.enter_object()) return false;
  std::string_view key;
  bool escaped = false, done = false;
  while (cursor.next_member(key, escaped, done) && !done) {
    gotext::JsonValue value;
    if (!cursor.value(value)) return false;
    std::string plain(key);
    if (escaped) plain.resize(record::unescape(plain.data(), key));
    const std::string made = before.empty() ? as_name(plain) : before + '_' + as_name(plain);
    path.push_back(std::move(plain));
    if (value.type == gotext::JsonValue::Type::object) {
      gotext::JsonCursor inner(value.text);
      if (name.starts_with(made) && path_to(inner, made, name, depth + 1, path)) return true;
    } else if (made == name || made + "_extracted" == name) {
      return true;
    }
    path.pop_back();
    if (!cursor.separator()) return false;
  }
  return false;
}

// Loki gives a size in a form that can stand in a query.
std::string as_value(std::string_view value) {
  const auto bytes = gotext::parse_bytes(value);
  const bool has_unit = !value.empty() && (value.back() < '0' || value.back() > '9') && value.back() != '.';
  return bytes && has_unit ? gotext::print_bytes(*bytes) : std::string(value);
}

}  // namespace

std::string_view detected_type(std::string_view value) {
  if (is_int(value)) return "int";
  if (gotext::parse_float(value)) return "float";
  if (is_bool(value)) return "boolean";
  if (gotext::parse_go_duration(value)) return "duration";
  if (gotext::parse_bytes(value)) return "bytes";
  return "string";
}

DetectedFields::DetectedFields(std::size_t most)
    : most_(most),
      json_(std::move(logql::LogQuery::compile("| json", {.selector_optional = true})).value()),
      logfmt_(std::move(logql::LogQuery::compile("| logfmt", {.selector_optional = true})).value()) {}

DetectedFields::Field* DetectedFields::field(std::string_view name) {
  const auto found = fields_.find(name);
  if (found != fields_.end()) return &found->second;
  if (most_ > 0 && fields_.size() >= most_) return nullptr;
  return &fields_[std::string(name)];
}

void DetectedFields::note(std::string_view name, std::string_view value, std::string_view stream, const char* parser, bool parsed) {
  if (is_error_label(name)) return;
  Field* const field = this->field(name);
  if (field == nullptr) return;
  if (field->type.empty() || stream > field->type_of) {
    field->type = detected_type(value);
    field->type_of = stream;
  }
  field->values.insert(parsed ? as_value(value) : std::string(value));
  if (parser != nullptr) field->parsers.insert(parser);
}

void DetectedFields::find_path(std::string_view name, std::string_view line) {
  const auto found = fields_.find(name);
  if (found == fields_.end() || !found->second.json_path.empty()) return;
  gotext::JsonCursor cursor(line);
  if (!path_to(cursor, {}, name, 0, found->second.json_path)) found->second.json_path.clear();
}

void DetectedFields::add(Record& record, Batch& batch) {
  const std::string_view stream = record.labels->json();
  for (const Label& label : record.metadata) note(label.name, label.value, stream, nullptr, false);
  Record bare;  // metadata would take names away
  bare.timestamp = record.timestamp;
  bare.labels = record.labels;
  bare.line = record::Text::bytes(batch.line(record));
  logql::LogQuery::Entry entry;
  const char* parser = "json";
  if (!json_.run(bare, batch, entry) || entry.errored) {
    parser = "logfmt";
    if (!logfmt_.run(bare, batch, entry) || entry.errored) parser = nullptr;
  }
  if (parser != nullptr) {
    for (const Label& label : entry.parsed) {
      note(label.name, label.value, stream, parser, true);
      if (*parser == 'j') find_path(label.name, bare.line.data);
    }
  }
  if (record.extra == nullptr || record.extra->parsed.empty()) return;
  // What the query itself extracts: an object of texts, whose names are names of labels.
  bare.line = record::Text::bytes(record.extra->parsed);
  if (!json_.run(bare, batch, entry) || entry.errored) return;
  for (const Label& label : entry.parsed) note(label.name, label.value, stream, parser, true);
}

std::vector<DetectedField> DetectedFields::fields() const {
  std::vector<DetectedField> all;
  for (const auto& [name, field] : fields_) {
    all.push_back({name, field.type, field.values.size(), {field.parsers.begin(), field.parsers.end()}, field.json_path});
  }
  return all;
}

std::vector<std::string> DetectedFields::values(std::string_view name) const {
  const auto found = fields_.find(name);
  if (found == fields_.end()) return {};
  return {found->second.values.begin(), found->second.values.end()};
}

}  // namespace weir::scan
