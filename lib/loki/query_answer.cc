// The DOM lives for one answer only, and the caller bounds the size of an answer. simdjson's DOM chooses its kernel at run
// time, so a plain x86-64 build gets the fast one.
#include "loki/query_answer.h"

#include "base/utf8.h"
#include "record/json.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace weir::loki {

using base::Code;
using base::fail;
using base::Result;
using record::Batch;
using record::Label;
using record::LabelSet;
using record::LabelSetRef;
using record::Record;
namespace dom = simdjson::dom;

namespace {

// Keeps a body of ordinary size in one allocation. Answers may have any size up to simdjson's 4 GiB.
constexpr std::size_t kSmallest = 64 << 10;

base::Error unexpected(std::string_view what) { return fail(Code::network, "cannot read Loki's answer: {}", what); }

std::optional<base::Timestamp> parse_nanoseconds(std::string_view text) {
  base::Timestamp time = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), time);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return time;
}

// Appends the members of an object of strings to `labels`, as views into the parser.
bool read_labels(const dom::object& object, std::vector<Label>& labels) {
  for (const auto [name, value] : object) {
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS) return false;
    labels.push_back({name, text});
  }
  return true;
}

void drop_shards(std::vector<Label>& labels) {
  std::erase_if(labels, [](const Label& label) { return is_shard_label(label.name); });
}

std::string_view json_object(const std::vector<Label>& labels, std::string& text, Batch& batch) {
  text = "{";
  for (const Label& label : labels) {
    if (text.size() > 1) text += ',';
    record::append_json_string(text, label.name);
    text += ':';
    record::append_json_string(text, label.value);
  }
  text += '}';
  return batch.copy(text);
}

}  // namespace

bool is_shard_label(std::string_view name) { return name == "__stream_shard__" || name == "__time_shard__"; }

struct QueryAnswerParser::State {
  dom::parser parser;
  std::vector<Label> labels;
  std::string text;

  Result<dom::object> document(std::string& body);
  bool add_categories(const dom::object& categories, Batch& batch, Record& record);
  bool add_entry(const dom::array& value, const LabelSet* labels_of_stream, Batch& batch);
  bool add_stream(const dom::object& stream, bool newest_first, Batch& batch);
  bool add_sample(double seconds, std::string_view value, const LabelSet* labels_of_series, Batch& batch);
  bool add_series(const dom::object& series, Batch& batch);
};

QueryAnswerParser::QueryAnswerParser() : state_(std::make_unique<State>()) {}
QueryAnswerParser::~QueryAnswerParser() = default;

Result<dom::object> QueryAnswerParser::State::document(std::string& body) {
  const auto parse = [&](dom::object& object) {
    const std::size_t size = body.size();
    body.resize(size + simdjson::SIMDJSON_PADDING);
    if (parser.capacity() < size) {
      if (const auto error = parser.allocate(std::max(size + size / 4, kSmallest)); error != simdjson::SUCCESS) return error;
    }
    const auto error = parser.parse(body.data(), size, false).get(object);
    body.resize(size);
    return error;
  };
  dom::object object;
  auto error = parse(object);
  if (error == simdjson::UTF8_ERROR) {  // a line that is not UTF-8 must not cost the rest of the page
    std::size_t replaced = 0;
    body = base::replace_invalid_utf8(body, replaced);
    error = parse(object);
  }
  if (error != simdjson::SUCCESS) return unexpected(simdjson::error_message(error));
  return object;
}

bool QueryAnswerParser::State::add_categories(const dom::object& categories, Batch& batch, Record& record) {
  for (const auto [category, value] : categories) {
    dom::object members;
    if (value.get(members) != simdjson::SUCCESS) return false;
    labels.clear();
    if (!read_labels(members, labels)) return false;
    if (labels.empty()) continue;
    if (category == "structuredMetadata") {
      const auto metadata = batch.allocate_labels(labels.size());
      for (std::size_t i = 0; i < labels.size(); ++i) metadata[i] = {batch.copy(labels[i].name), batch.copy(labels[i].value)};
      record.metadata = metadata;
    } else if (category == "parsed") {
      auto* extra = batch.make<record::Extra>();
      extra->parsed = json_object(labels, text, batch);
      record.extra = extra;
    }
  }
  return true;
}

bool QueryAnswerParser::State::add_entry(const dom::array& value, const LabelSet* labels_of_stream, Batch& batch) {
  std::string_view time_text, line;
  auto element = value.begin();
  if (element == value.end() || (*element).get(time_text) != simdjson::SUCCESS) return false;
  ++element;
  if (element == value.end() || (*element).get(line) != simdjson::SUCCESS) return false;
  ++element;
  const auto time = parse_nanoseconds(time_text);
  if (!time) return false;
  Record record;
  record.timestamp = *time;
  record.labels = labels_of_stream;
  record.line = record::Text::bytes(batch.copy(line));
  if (element != value.end()) {
    dom::object categories;
    if ((*element).get(categories) != simdjson::SUCCESS || !add_categories(categories, batch, record)) return false;
  }
  batch.records.push_back(record);
  return true;
}

bool QueryAnswerParser::State::add_stream(const dom::object& stream, bool newest_first, Batch& batch) {
  dom::object names;
  dom::array values;
  if (stream["stream"].get(names) != simdjson::SUCCESS || stream["values"].get(values) != simdjson::SUCCESS) return false;
  labels.clear();
  if (!read_labels(names, labels)) return false;
  drop_shards(labels);
  const LabelSet* set = batch.hold(LabelSet::intern(labels));
  const auto first = static_cast<std::ptrdiff_t>(batch.records.size());
  for (const dom::element value : values) {
    dom::array entry;
    if (value.get(entry) != simdjson::SUCCESS || !add_entry(entry, set, batch)) return false;
  }
  if (newest_first) std::reverse(batch.records.begin() + first, batch.records.end());
  return true;
}

bool QueryAnswerParser::State::add_sample(double seconds, std::string_view value, const LabelSet* labels_of_series, Batch& batch) {
  constexpr double kYear2255 = 9e9;
  if (seconds > kYear2255) seconds /= 1e3;  // Loki's frontend gives the time of a scalar in milliseconds
  if (!(std::abs(seconds) < kYear2255)) return false;
  Record record;
  // Loki prints milliseconds. A double is exact enough to round them, but not to multiply them as they are.
  record.timestamp = static_cast<base::Timestamp>(std::llround(seconds * 1e3)) * base::kMillisecond;
  record.labels = labels_of_series;
  record.sample = true;
  auto* extra = batch.make<record::Extra>();
  text.clear();
  record::append_json_string(text, value);
  extra->value = batch.copy(text);
  record.extra = extra;
  batch.records.push_back(record);
  return true;
}

bool QueryAnswerParser::State::add_series(const dom::object& series, Batch& batch) {
  dom::object names;
  if (series["metric"].get(names) != simdjson::SUCCESS) return false;
  labels.clear();
  if (!read_labels(names, labels)) return false;
  const LabelSet* set = batch.hold(LabelSet::intern(labels));
  const auto add = [&](const dom::array& point) {
    double seconds = 0;
    std::string_view value;
    return point.at(0).get(seconds) == simdjson::SUCCESS && point.at(1).get(value) == simdjson::SUCCESS &&
           add_sample(seconds, value, set, batch);
  };
  dom::array point, points;
  if (series["value"].get(point) == simdjson::SUCCESS) return add(point);
  if (series["values"].get(points) != simdjson::SUCCESS) return false;
  for (const dom::element element : points) {
    if (element.get(point) != simdjson::SUCCESS || !add(point)) return false;
  }
  return true;
}

Result<QueryAnswer> QueryAnswerParser::parse_entries(std::string& body, bool newest_first, Batch& out) {
  auto document = state_->document(body);
  if (!document) return std::move(document).error();
  dom::object data;
  std::string_view type;
  dom::array result;
  if ((*document)["data"].get(data) != simdjson::SUCCESS || data["resultType"].get(type) != simdjson::SUCCESS ||
      data["result"].get(result) != simdjson::SUCCESS) {
    return unexpected("it is not an answer to a query");
  }
  QueryAnswer answer;
  answer.samples = type != "streams";
  const std::size_t first = out.records.size();
  bool good = true;
  if (type == "streams") {
    for (const dom::element element : result) {
      dom::object stream;
      good = good && element.get(stream) == simdjson::SUCCESS && state_->add_stream(stream, newest_first, out);
    }
  } else if (type == "matrix" || type == "vector") {
    for (const dom::element element : result) {
      dom::object series;
      good = good && element.get(series) == simdjson::SUCCESS && state_->add_series(series, out);
    }
  } else if (type == "scalar") {
    double seconds = 0;
    std::string_view value;
    good = result.at(0).get(seconds) == simdjson::SUCCESS && result.at(1).get(value) == simdjson::SUCCESS &&
           state_->add_sample(seconds, value, out.hold(LabelSet::empty()), out);
  } else {
    return unexpected(fmt::format("its result type '{}' is not known", type));
  }
  if (!good) {
    out.records.resize(first);
    return unexpected("an entry does not have the expected form");
  }
  answer.entries = out.records.size() - first;
  const auto begin = out.records.begin() + static_cast<std::ptrdiff_t>(first);
  const auto earlier = [](const Record& a, const Record& b) { return a.timestamp < b.timestamp; };
  if (!std::is_sorted(begin, out.records.end(), earlier)) std::stable_sort(begin, out.records.end(), earlier);
  dom::array warnings;
  if ((*document)["warnings"].get(warnings) == simdjson::SUCCESS) {
    for (const dom::element element : warnings) {
      std::string_view text;
      if (element.get(text) == simdjson::SUCCESS) answer.warnings.emplace_back(text);
    }
  }
  return answer;
}

Result<std::vector<std::string>> QueryAnswerParser::parse_strings(std::string& body) {
  auto document = state_->document(body);
  if (!document) return std::move(document).error();
  std::vector<std::string> strings;
  dom::array data;
  if ((*document)["data"].get(data) != simdjson::SUCCESS) return strings;  // Loki leaves it out when there is no value
  for (const dom::element element : data) {
    std::string_view text;
    if (element.get(text) != simdjson::SUCCESS) return unexpected("a name is not a string");
    strings.emplace_back(text);
  }
  return strings;
}

Result<std::vector<LabelSetRef>> QueryAnswerParser::parse_series(std::string& body) {
  auto document = state_->document(body);
  if (!document) return std::move(document).error();
  std::vector<LabelSetRef> series;
  dom::array data;
  if ((*document)["data"].get(data) != simdjson::SUCCESS) return series;
  for (const dom::element element : data) {
    dom::object names;
    state_->labels.clear();
    if (element.get(names) != simdjson::SUCCESS || !read_labels(names, state_->labels)) return unexpected("a series has no labels");
    drop_shards(state_->labels);
    series.push_back(LabelSet::intern(state_->labels));
  }
  std::sort(series.begin(), series.end(), [](const LabelSetRef& a, const LabelSetRef& b) { return a->json() < b->json(); });
  series.erase(std::unique(series.begin(), series.end()), series.end());
  return series;
}

Result<IndexStats> QueryAnswerParser::parse_stats(std::string& body) {
  auto document = state_->document(body);
  if (!document) return std::move(document).error();
  IndexStats stats;
  for (const auto& [name, value] : {std::pair("streams", &stats.streams), std::pair("chunks", &stats.chunks),
                                    std::pair("bytes", &stats.bytes), std::pair("entries", &stats.entries)}) {
    if ((*document)[name].get(*value) != simdjson::SUCCESS) return unexpected("it is no answer of index/stats");
  }
  return stats;
}

Result<std::vector<LabelVolume>> QueryAnswerParser::parse_volume(std::string& body, bool by_name) {
  auto document = state_->document(body);
  if (!document) return std::move(document).error();
  dom::array result;
  if ((*document)["data"]["result"].get(result) != simdjson::SUCCESS) return unexpected("it is no answer of index/volume");
  std::vector<LabelVolume> volumes;
  for (const dom::element element : result) {
    dom::object names;
    std::string_view text;
    state_->labels.clear();
    if (element["metric"].get(names) != simdjson::SUCCESS || !read_labels(names, state_->labels) ||
        element["value"].at(1).get(text) != simdjson::SUCCESS) {
      return unexpected("a volume does not have the expected form");
    }
    LabelVolume volume = {LabelSet::intern(state_->labels), {}, 0};
    if (by_name && !state_->labels.empty()) volume.name = state_->labels.front().name;
    std::from_chars(text.data(), text.data() + text.size(), volume.bytes);
    volumes.push_back(std::move(volume));
  }
  return volumes;
}

Result<std::vector<DetectedField>> QueryAnswerParser::parse_fields(std::string& body) {
  auto document = state_->document(body);
  if (!document) return std::move(document).error();
  std::vector<DetectedField> fields;
  dom::array list;
  if ((*document)["fields"].get(list) != simdjson::SUCCESS) return fields;  // left out when there are none
  for (const dom::element element : list) {
    dom::object object;
    std::string_view name, type;
    DetectedField field;
    if (element.get(object) != simdjson::SUCCESS || object["label"].get(name) != simdjson::SUCCESS ||
        object["type"].get(type) != simdjson::SUCCESS || object["cardinality"].get(field.cardinality) != simdjson::SUCCESS) {
      return unexpected("a field does not have the expected form");
    }
    field.name = name;
    field.type = type;
    dom::array parsers;
    if (object["parsers"].get(parsers) == simdjson::SUCCESS) {
      for (const dom::element parser : parsers) {
        std::string_view text;
        if (parser.get(text) == simdjson::SUCCESS) field.parsers.emplace_back(text);
      }
    }
    fields.push_back(std::move(field));
  }
  std::sort(fields.begin(), fields.end(), [](const DetectedField& a, const DetectedField& b) { return a.name < b.name; });
  return fields;
}

Result<std::vector<std::string>> QueryAnswerParser::parse_field_values(std::string& body) {
  auto document = state_->document(body);
  if (!document) return std::move(document).error();
  std::vector<std::string> values;
  dom::array list;
  if ((*document)["values"].get(list) != simdjson::SUCCESS) return values;
  for (const dom::element element : list) {
    std::string_view text;
    if (element.get(text) != simdjson::SUCCESS) return unexpected("a value is not a string");
    values.emplace_back(text);
  }
  std::sort(values.begin(), values.end());
  return values;
}

}  // namespace weir::loki
