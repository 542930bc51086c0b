#include "serve/stream_groups.h"

#include "gotext/unicode.h"
#include "record/json.h"
#include "record/json_scanner.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace weir::serve {
namespace {

using record::append_json_string;
using record::Batch;
using record::Label;
using record::Record;

std::string decoded(const record::JsonString& text) {
  if (!text.escaped) return std::string(text.data);
  std::string plain(text.data.size(), '\0');
  plain.resize(record::unescape(plain.data(), text.data));
  return plain;
}

std::string_view parsed_of(const Record& record) { return record.extra == nullptr ? std::string_view() : record.extra->parsed; }

void append_member(std::string& out, std::string_view name, std::string_view value) {
  if (out.back() != '{') out += ',';
  append_json_string(out, name);
  out += ':';
  append_json_string(out, value);
}

// As Loki prints a set of labels, which is what it sorts streams by.
std::string label_text(const Pairs& labels) {
  std::string text = "{";
  for (const auto& [name, value] : labels) {
    if (text.size() > 1) text += ", ";
    text += name;
    text += '=';
    gotext::append_quoted(text, value);
  }
  return text + '}';
}

}  // namespace

Pairs pairs_of(std::string_view object) {
  Pairs pairs;
  record::JsonScanner scanner(object, 1);
  if (!scanner.take('{', {}) || scanner.accept('}')) return pairs;
  do {
    record::JsonString name, value;
    if (!scanner.string(name) || !scanner.take(':', {}) || !scanner.string(value)) break;
    pairs.emplace_back(decoded(name), decoded(value));
  } while (scanner.accept(','));
  return pairs;
}

StreamGroups::Stream& StreamGroups::stream_of(const Record& record) {
  key_.assign(reinterpret_cast<const char*>(&record.labels), sizeof record.labels);
  if (!options_.categorize) {
    for (const Label& label : record.metadata) {
      for (const std::string_view part : {label.name, label.value}) {
        const std::size_t size = part.size();
        key_.append(reinterpret_cast<const char*>(&size), sizeof size);
        key_ += part;
      }
    }
    key_ += parsed_of(record);
  }
  const auto found = known_.find(key_);
  if (found != known_.end()) return *found->second.stream;

  Pairs labels;
  for (const Label& label : record.labels->labels()) labels.emplace_back(label.name, label.value);
  if (!options_.categorize) {
    for (const Label& label : record.metadata) labels.emplace_back(label.name, label.value);
    std::ranges::move(pairs_of(parsed_of(record)), std::back_inserter(labels));
    std::ranges::stable_sort(labels, {}, &Pairs::value_type::first);
  }
  const std::string text = label_text(labels);
  const auto [place, fresh] = streams_.try_emplace(text);
  Stream& stream = place->second;
  if (fresh) {
    if (options_.legacy) {
      append_json_string(stream.head, text);
    } else {
      stream.head = "{";
      for (const auto& [name, value] : labels) append_member(stream.head, name, value);
      stream.head += '}';
    }
    bytes_ += stream.head.size() + 40;
  }
  known_.emplace(key_, Known{record::LabelSetRef::share(record.labels), &stream});
  bytes_ += key_.size();
  return stream;
}

void StreamGroups::add(Record& record, Batch& batch) {
  Stream& stream = stream_of(record);
  std::string& out = stream.values;
  const std::size_t before = out.size();
  if (options_.legacy) {
    out += R"({"ts":")";
    out += record::to_rfc3339(record.timestamp);
    out += R"(","line":)";
    append_json_string(out, batch.line(record));
    out += '}';
  } else {
    fmt::format_to(std::back_inserter(out), "[\"{}\",", record.timestamp);
    append_json_string(out, batch.line(record));
    if (options_.categorize) {
      out += ",{";
      if (!record.metadata.empty()) {
        out += R"("structuredMetadata":{)";
        for (const Label& label : record.metadata) append_member(out, label.name, label.value);
        out += '}';
      }
      if (const std::string_view parsed = parsed_of(record); parsed.size() > 2) {
        if (!record.metadata.empty()) out += ',';
        out += R"("parsed":)";
        out += parsed;
      }
      out += '}';
    }
    out += ']';
  }
  stream.ends.push_back(out.size());
  bytes_ += out.size() - before + 1;
  ++entries_;
}

void StreamGroups::take_json(std::string& out) {
  out.reserve(out.size() + bytes_ + 64);
  out += '[';
  bool first = true;
  for (auto& [text, stream] : streams_) {
    if (!std::exchange(first, false)) out += ',';
    out += options_.legacy ? R"({"labels":)" : R"({"stream":)";
    out += stream.head;
    out += options_.legacy ? R"(,"entries":[)" : R"(,"values":[)";
    const std::size_t count = stream.ends.size();
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = options_.backward ? count - 1 - i : i;
      const std::size_t begin = at == 0 ? 0 : stream.ends[at - 1];
      if (i > 0) out += ',';
      out.append(stream.values, begin, stream.ends[at] - begin);
    }
    out += "]}";
    stream.values = {};
  }
  out += ']';
  streams_.clear();
  known_.clear();
  entries_ = bytes_ = 0;
}

}  // namespace weir::serve
