#include "serve/line_objects.h"

#include "record/json.h"

#include <fmt/format.h>

#include <iterator>

namespace weir::serve {

using record::append_json_string;

void append_line_members(std::string& out, record::Record& record, record::Batch& batch, std::string_view level) {
  fmt::format_to(std::back_inserter(out), "\"ts\":\"{}\"", record.timestamp);
  if (!record.metadata.empty()) {
    out += R"(,"metadata":{)";
    for (const record::Label& label : record.metadata) {
      if (out.back() != '{') out += ',';
      append_json_string(out, label.name);
      out += ':';
      append_json_string(out, label.value);
    }
    out += '}';
  }
  if (record.extra != nullptr && record.extra->parsed.size() > 2) {
    out += R"(,"parsed":)";
    out += record.extra->parsed;
  }
  out += R"(,"line":)";
  append_json_string(out, batch.line(record));
  out += R"(,"level":)";
  append_json_string(out, level);
}

std::uint64_t StreamNumbers::of(const record::LabelSet& labels, std::string& out) {
  const auto [found, fresh] = known_.try_emplace(&labels);
  if (fresh) {
    found->second = {record::LabelSetRef::share(&labels), known_.size()};
    fmt::format_to(std::back_inserter(out), "{{\"type\":\"stream\",\"id\":{},\"labels\":{}}}\n", found->second.number,
                   labels.json());
  }
  return found->second.number;
}

}  // namespace weir::serve
