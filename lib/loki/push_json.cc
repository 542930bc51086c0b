#include "loki/push_decoding.h"

#include "loki/push_encoder.h"
#include "record/timestamp.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <charconv>
#include <map>

namespace weir::loki {
namespace {

namespace dom = simdjson::dom;
using record::Label;

// What the parser keeps for the next request.
constexpr std::size_t kKeep = 4 << 20;

// The parser takes up to 12 bytes for each byte of a text that consists of numbers and brackets, and about 24 for each of these
// characters of any text. In short texts there cannot be too many.
constexpr std::size_t kMostStructure = 4 << 20, kShort = 4 << 20;

void check_structure(std::string_view text) {
  if (text.size() <= kShort) return;
  std::size_t found = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      quoted = !quoted;
    } else if (quoted) {
      i += c == '\\' ? 1 : 0;
    } else {
      found += c == ',' || c == ':' || c == '[' || c == '{' ? 1 : 0;
    }
  }
  if (found > kMostStructure) {
    throw PushRefused{413,
                      fmt::format("too many entries in one request: its JSON has more than {} commas, colons and brackets; send "
                                  "smaller requests",
                                  kMostStructure)};
  }
}

}  // namespace

struct PushJsonDecoder::State {
  dom::parser parser;
  PushTaker* taker = nullptr;
  record::Batch* out = nullptr;
  std::size_t stream = 0, entry = 0;  // where the reader is, for errors
  std::string labels;
  std::map<std::string_view, std::string> stream_labels;
  std::vector<Label> metadata;

  [[noreturn]] void refuse(std::string_view why) const {
    throw PushRefused{400, fmt::format("cannot read the JSON: stream {}, entry {}: {}", stream, entry, why)};
  }

  void read_all(const dom::element& document, bool old_form) {
    if (document.is_null()) return;
    dom::object request;
    if (document.get(request) != simdjson::SUCCESS) throw PushRefused{400, "cannot read the JSON: it must be an object"};
    dom::element streams;
    if (request["streams"].get(streams) != simdjson::SUCCESS || streams.is_null()) return;
    dom::array all;
    if (streams.get(all) != simdjson::SUCCESS) throw PushRefused{400, R"(cannot read the JSON: "streams" must be an array)"};
    for (const dom::element one : all) {
      entry = 0;
      if (dom::object object; one.get(object) == simdjson::SUCCESS) {
        if (old_form) {
          read_old_stream(object);
        } else {
          read_stream(object);
        }
      } else if (!one.is_null()) {
        refuse("a stream must be an object");
      }
      ++stream;
    }
  }

  void read_stream(const dom::object& object) {
    stream_labels.clear();
    if (dom::element given; object["stream"].get(given) == simdjson::SUCCESS && !given.is_null()) {
      dom::object pairs;
      if (given.get(pairs) != simdjson::SUCCESS) refuse(R"("stream" must be an object)");
      for (const auto [name, value] : pairs) {
        std::string_view text;
        // Loki takes what is no string as it is written.
        stream_labels[name] = value.get(text) == simdjson::SUCCESS ? std::string(text) : simdjson::minify(value);
      }
    }
    std::vector<Label> pairs;
    for (const auto& [name, value] : stream_labels) pairs.push_back({name, value});
    labels = label_string(pairs);
    taker->stream(labels);
    dom::element given;
    if (object["values"].get(given) != simdjson::SUCCESS || given.is_null()) return;
    dom::array values;
    if (given.get(values) != simdjson::SUCCESS) refuse(R"("values" must be an array)");
    for (const dom::element value : values) {
      if (!value.is_null()) read_value(value);
      ++entry;
    }
  }

  void read_value(const dom::element& value) {
    dom::array parts;
    if (value.get(parts) != simdjson::SUCCESS) refuse("it must be an array of time, line and metadata");
    PushedEntry found;
    found.has_time = false;
    metadata.clear();
    std::size_t at = 0;
    for (const dom::element part : parts) {
      if (at == 0) {
        found.time = read_time(part);
        found.has_time = true;
      } else if (at == 1) {
        if (part.get(found.line) != simdjson::SUCCESS) refuse("the line must be a string");
      } else if (at == 2) {
        read_metadata(part);
      } else {
        break;
      }
      ++at;
    }
    found.metadata = metadata;
    taker->entry(found);
  }

  base::Timestamp read_time(const dom::element& part) const {
    std::string_view text;
    base::Timestamp time = 0;
    if (part.get(text) == simdjson::SUCCESS) {
      const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
      const bool plain = !digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos &&
                         (digits.front() != '0' || digits.size() == 1);
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), time);
      if (plain && error == std::errc()) return time;
    }
    refuse("the time must be a string of nanoseconds since 1970");
  }

  void read_metadata(const dom::element& part) {
    dom::object pairs;
    if (part.get(pairs) != simdjson::SUCCESS) refuse("the metadata must be an object");
    for (const auto [name, value] : pairs) {
      std::string_view text;
      if (value.get(text) != simdjson::SUCCESS) refuse("each value of the metadata must be a string");
      metadata.push_back({name, text});
    }
  }

  void read_old_stream(const dom::object& object) {
    std::string_view given;
    if (dom::element text;
        object["labels"].get(text) == simdjson::SUCCESS && !text.is_null() && text.get(given) != simdjson::SUCCESS)
      refuse(R"("labels" must be a string)");
    taker->stream(given);
    dom::element list;
    if (object["entries"].get(list) != simdjson::SUCCESS || list.is_null()) return;
    dom::array entries;
    if (list.get(entries) != simdjson::SUCCESS) refuse(R"("entries" must be an array)");
    for (const dom::element one : entries) {
      dom::object fields;
      if (one.get(fields) != simdjson::SUCCESS) refuse("it must be an object");
      read_old_entry(fields);
      ++entry;
    }
  }

  void read_old_entry(const dom::object& fields) {
    PushedEntry found;
    found.has_time = false;
    metadata.clear();
    if (std::string_view text; fields["ts"].get(text) == simdjson::SUCCESS) {
      const auto time = record::parse_rfc3339(text);
      if (!time) refuse("\"ts\" must be a time as RFC 3339 has it");
      found.time = *time;
      found.has_time = true;
    }
    if (dom::element line; fields["line"].get(line) == simdjson::SUCCESS && line.get(found.line) != simdjson::SUCCESS)
      refuse("the line must be a string");
    if (dom::element pairs; fields["structuredMetadata"].get(pairs) == simdjson::SUCCESS) read_metadata(pairs);
    found.metadata = metadata;
    taker->entry(found);
  }
};

PushJsonDecoder::PushJsonDecoder() : state_(std::make_unique<State>()) {}
PushJsonDecoder::~PushJsonDecoder() = default;

void PushJsonDecoder::decode(std::string_view text, bool padded, bool old_form, PushTaker& taker, record::Batch& out) {
  static_assert(kPadding >= simdjson::SIMDJSON_PADDING);
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) throw PushRefused{400, "EOF"};
  check_structure(text);
  state_->taker = &taker;
  state_->out = &out;
  state_->stream = state_->entry = 0;
  dom::element document;
  // The parser copies a text that has no room behind it.
  if (const auto error = state_->parser.parse(text.data(), text.size(), !padded).get(document); error != simdjson::SUCCESS)
    throw PushRefused{400, fmt::format("cannot read the JSON: {}", simdjson::error_message(error))};
  state_->read_all(document, old_form);
}

bool PushJsonDecoder::trim() {
  if (state_->parser.capacity() <= kKeep) return false;
  state_->parser = dom::parser();
  return true;
}

}  // namespace weir::loki
