#include "serve/tail_frames.h"

#include "base/utf8.h"
#include "loki/push_encoder.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace weir::serve {

using Entry = logql::LogQuery::Entry;
using record::Label;

namespace {

std::vector<Label> sorted(std::initializer_list<std::span<const Label>> groups) {
  std::vector<Label> all;
  for (const auto& group : groups) all.insert(all.end(), group.begin(), group.end());
  std::ranges::sort(all, {}, &Label::name);
  return all;
}

void append_object(std::string& out, std::span<const Label> labels) {
  out += '{';
  for (const Label& label : labels) {
    if (out.back() != '{') out += ',';
    append_go_string(out, label.name, Escapes::label);
    out += ':';
    append_go_string(out, label.value, Escapes::label);
  }
  out += '}';
}

std::string entry_text(const TailFrames::Form& form, const Entry& entry, base::Timestamp time) {
  std::string text;
  if (form.old_form) {
    text = R"({"labels":)";
    append_go_string(text, loki::label_string(sorted({entry.labels, entry.metadata, entry.parsed})), Escapes::line);
    text += fmt::format(R"(,"entries":[{{"ts":"{}","line":)", record::to_rfc3339(time));
    append_go_string(text, entry.line, Escapes::line);
    return text + "}]}";
  }
  text = R"({"stream":)";
  append_object(text, form.categorize ? sorted({entry.labels}) : sorted({entry.labels, entry.metadata, entry.parsed}));
  text += fmt::format(R"(,"values":[["{}",)", time);
  append_go_string(text, entry.line, Escapes::line);
  if (form.categorize) {
    text += ",{";
    if (!entry.metadata.empty()) {
      text += R"("structuredMetadata":)";
      append_object(text, sorted({entry.metadata}));
    }
    if (!entry.parsed.empty()) {
      if (!entry.metadata.empty()) text += ',';
      text += R"("parsed":)";
      append_object(text, sorted({entry.parsed}));
    }
    text += '}';
  }
  return text + "]]}";
}

}  // namespace

void append_go_string(std::string& out, std::string_view text, Escapes escapes) {
  const bool all = escapes == Escapes::line;
  constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte >= 0x80) {
      const std::size_t length = base::utf8_length(text.substr(at));
      if (length == 0) {
        out += "\\ufffd";
      } else if (const std::string_view character = text.substr(at, length);
                 all && (character == "\xe2\x80\xa8" || character == "\xe2\x80\xa9")) {
        out += character.back() == '\xa8' ? "\\u2028" : "\\u2029";
      } else {
        out += character;
      }
      at += std::max<std::size_t>(length, 1);
      continue;
    }
    ++at;
    switch (byte) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (byte < 0x20 || (all && (byte == '<' || byte == '>' || byte == '&'))) {
          out += "\\u00";
          out += kHex[byte >> 4];
          out += kHex[byte & 0xf];
        } else {
          out += static_cast<char>(byte);
        }
    }
  }
  out += '"';
}

bool TailFrames::add(const Entry& entry, base::Timestamp time, base::Monotonic arrived) {
  // One entry always has room: it may be larger than the limit.
  if (bytes_ > 0 && bytes_ + entry.line.size() > limits_.bytes) return false;
  std::string text = entry_text(form_, entry, time);
  bytes_ += text.size();
  waiting_.push_back({time, arrived, std::move(text)});
  return true;
}

void TailFrames::drop(const Entry& entry, base::Timestamp time) {
  ++dropped_count_;
  if (dropped_.size() < limits_.dropped) dropped_.push_back(dropped_text(entry, time));
}

std::string TailFrames::dropped_text(const Entry& entry, base::Timestamp time) const {
  std::string text = form_.old_form ? fmt::format(R"({{"timestamp":"{}","labels":)", record::to_rfc3339(time))
                                    : fmt::format(R"({{"timestamp":"{}","labels":)", time);
  if (form_.old_form) {
    append_go_string(text, loki::label_string(sorted({entry.labels})), Escapes::line);
  } else {
    append_object(text, sorted({entry.labels}));
  }
  return text + '}';
}

std::optional<std::string> TailFrames::next(base::Monotonic arrived_before) {
  if (unsent_) return std::exchange(unsent_, std::nullopt);
  if (ready_.empty()) {
    while (!waiting_.empty() && waiting_.front().arrived < arrived_before) {
      ready_.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
    std::ranges::stable_sort(ready_, {}, &Waiting::time);
  }
  if (ready_.empty() && dropped_.empty()) return std::nullopt;
  std::string frame = R"({"streams":[)";
  for (std::size_t i = 0; i < limits_.frame_entries && !ready_.empty(); ++i) {
    if (i > 0) frame += ',';
    frame += ready_.front().text;
    bytes_ -= ready_.front().text.size();
    ready_.pop_front();
  }
  frame += ']';
  if (form_.old_form && dropped_.empty()) frame += R"(,"dropped_entries":null)";
  if (!dropped_.empty()) {
    frame += R"(,"dropped_entries":[)";
    for (const std::string& one : dropped_) {
      if (&one != &dropped_.front()) frame += ',';
      frame += one;
    }
    frame += ']';
    dropped_.clear();
  }
  if (form_.categorize && !form_.old_form) frame += R"(,"encodingFlags":["categorize-labels"])";
  frame += '}';
  if (form_.old_form) frame += '\n';
  return frame;
}

}  // namespace weir::serve
