#include "record/jsonl_writer.h"

#include "base/base64.h"
#include "record/json.h"
#include "record/timestamp.h"

#include <fmt/format.h>

namespace weir::record {
namespace {

void append_source(std::string& out, const Source& source) {
  char text[Source::kMaxText];
  out.append("\"source\":\"", 10);
  out.append(text, source.print(text));
  out += '"';
}

void append_marker(std::string& out, const Marker& marker) {
  out += "\"marker\":{\"type\":\"";
  out += marker_name(marker.type);
  out += '"';
  switch (marker.type) {
    case Marker::Type::position:
    case Marker::Type::end:
      break;
    case Marker::Type::begin:
    case Marker::Type::rejected:
      out += ",\"checkpoint\":";
      append_json_string(out, marker.checkpoint);
      if (marker.spool != 0) out += fmt::format(",\"spool\":\"{:016x}\"", marker.spool);
      break;
    case Marker::Type::generation:
      out += ",\"path\":";
      append_json_string(out, marker.file.path);
      out += ",\"log\":";
      append_json_string(out, marker.log_key);
      out += fmt::format(",\"inode\":{},\"device\":{},\"head_size\":{},\"head_hash\":\"{:016x}\"", marker.file.inode,
                         marker.file.device, marker.file.head_size, marker.file.head_hash);
      if (marker.file.check_end != 0)
        out += fmt::format(",\"check_end\":{},\"check_hash\":\"{:016x}\"", marker.file.check_end, marker.file.check_hash);
      break;
    case Marker::Type::done:
      if (marker.gone) out += ",\"gone\":true";
      break;
    case Marker::Type::release:
    case Marker::Type::release_ended:
      out += ",\"release\":";
      append_json_string(out, marker.release);
      if (marker.type == Marker::Type::release_ended) break;
      out += ",\"query\":";
      append_json_string(out, marker.query);
      if (marker.range.from != base::TimeRange::kBeginning) out += fmt::format(",\"from\":\"{}\"", to_rfc3339(marker.range.from));
      if (marker.range.to != base::TimeRange::kForever) out += fmt::format(",\"to\":\"{}\"", to_rfc3339(marker.range.to));
      break;
    case Marker::Type::block:
      out += ",\"positions\":\"";
      base::append_base64(out, marker.positions);
      out += '"';
      break;
  }
  out += '}';
}

void append_extra(std::string& out, const Extra& extra) {
  const auto member = [&out](std::string_view key, std::string_view raw) {
    if (raw.empty()) return;
    out += key;
    out += raw;
  };
  member(",\"rejected\":", extra.rejected);
  member(",\"parsed\":", extra.parsed);
  member(",\"value\":", extra.value);
  member(",", extra.unknown);
}

}  // namespace

void append_jsonl(std::string& out, const Record& record) {
  if (!record.raw.empty()) {
    out += record.raw;
    out += '\n';
    return;
  }
  if (record.is_marker()) {
    out += '{';
    if (record.source) {
      append_source(out, record.source);
      if (record.marker->type != Marker::Type::position) out += ',';
    }
    if (record.marker->type != Marker::Type::position) append_marker(out, *record.marker);
    out += "}\n";
    return;
  }
  char time[48] = "{\"timestamp\":\"";  // 14 bytes, then at most 30
  std::size_t size = 14;
  size += print_rfc3339(record.timestamp, time + size);
  out.append(time, size);
  if (record.sample) {
    out += '"';
  } else {
    out.append("\",\"line\":\"", 10);
    if (!record.line.escaped.empty()) {
      out += record.line.escaped;
    } else if (record.line.form == Text::Form::bytes) {
      append_escaped(out, record.line.data);
    } else {
      out += record.line.data;
    }
    out += '"';
  }
  if (record.labels->size() > 0) {
    out.append(",\"labels\":", 10);
    out += record.labels->json();
  }
  if (!record.metadata.empty()) {
    out.append(",\"metadata\":{", 13);
    bool first = true;
    for (const Label& pair : record.metadata) {
      if (!first) out += ',';
      first = false;
      append_json_string(out, pair.name);
      out += ':';
      append_json_string(out, pair.value);
    }
    out += '}';
  }
  if (!record.tenant.empty()) {
    out += ",\"tenant\":";
    append_json_string(out, record.tenant);
  }
  if (record.source) {
    out += ',';
    append_source(out, record.source);
  }
  if (record.held) out += ",\"held\":true";
  if (record.extra != nullptr) append_extra(out, *record.extra);
  out += "}\n";
}

}  // namespace weir::record
