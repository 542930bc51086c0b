#include "serve/tail_frames.h"

#include "loki/push_encoder.h"
#include "record/json.h"
#include "record/timestamp.h"
#include "serve/valid_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace weir::serve {

using Entry = logql::LogQuery::Entry;
using record::append_json_string;
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
    append_json_string(out, label.name);
    out += ':';
    append_json_string(out, label.value);
  }
  out += '}';
}

bool has_categories(TailForm form) { return form == TailForm::categorized || form == TailForm::page; }

std::string entry_text(TailForm form, const Entry& entry, base::Timestamp time, std::string_view level) {
  std::string text;
  if (form == TailForm::old) {
    text = R"({"labels":)";
    append_html_safe_string(text, loki::label_string(sorted({entry.labels, entry.metadata, entry.parsed})));
    text += fmt::format(R"(,"entries":[{{"ts":"{}","line":)", record::to_rfc3339(time));
    append_html_safe_string(text, entry.line);
    return text + "}]}";
  }
  const bool categorize = has_categories(form);
  text = R"({"stream":)";
  append_object(text, categorize ? sorted({entry.labels}) : sorted({entry.labels, entry.metadata, entry.parsed}));
  text += fmt::format(R"(,"values":[["{}",)", time);
  append_html_safe_string(text, entry.line);
  if (categorize) {
    text += ",{";
    const auto member = [&text](std::string_view name) {
      if (text.back() != '{') text += ',';
      append_json_string(text, name);
      text += ':';
    };
    if (form == TailForm::page) {
      member("level");
      append_json_string(text, level);
    }
    if (!entry.metadata.empty()) {
      member("structuredMetadata");
      append_object(text, sorted({entry.metadata}));
    }
    if (!entry.parsed.empty()) {
      member("parsed");
      append_object(text, sorted({entry.parsed}));
    }
    text += '}';
  }
  return text + "]]}";
}

}  // namespace

bool TailFrames::add(const Entry& entry, base::Timestamp time, base::Monotonic arrived, std::string_view level) {
  // One entry always has room: it may be larger than the limit.
  if (bytes_ > 0 && bytes_ + entry.line.size() > limits_.bytes) return false;
  std::string text = entry_text(form_, entry, time, level);
  bytes_ += text.size();
  waiting_.push_back({time, arrived, std::move(text)});
  return true;
}

void TailFrames::drop(const Entry& entry, base::Timestamp time) {
  ++dropped_count_;
  if (dropped_.size() >= limits_.dropped || dropped_bytes_ >= limits_.dropped_bytes) return;
  dropped_.push_back(dropped_text(entry, time));
  dropped_bytes_ += dropped_.back().size();
}

std::string TailFrames::dropped_text(const Entry& entry, base::Timestamp time) const {
  const bool old = form_ == TailForm::old;
  std::string text = fmt::format(R"({{"timestamp":"{}","labels":)", old ? record::to_rfc3339(time) : std::to_string(time));
  if (old) {
    append_html_safe_string(text, loki::label_string(sorted({entry.labels})));
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
  if (form_ == TailForm::old && dropped_.empty()) frame += R"(,"dropped_entries":null)";
  if (!dropped_.empty()) {
    frame += R"(,"dropped_entries":[)";
    for (const std::string& one : dropped_) {
      if (&one != &dropped_.front()) frame += ',';
      frame += one;
    }
    frame += ']';
    dropped_.clear();
    dropped_bytes_ = 0;
  }
  if (has_categories(form_)) frame += R"(,"encodingFlags":["categorize-labels"])";
  frame += '}';
  if (form_ == TailForm::old) frame += '\n';
  replace_lone_surrogates(frame);
  return frame;
}

}  // namespace weir::serve
