#include "stages/text_format.h"

#include "logql/json_reader.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>

namespace weir::stages {

using record::Batch;
using record::Label;
using record::LabelSet;
using record::Record;

namespace {

constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kReset = "\x1b[0m";
constexpr std::size_t kMostSets = 4096;     // remembered; a pod's set is some hundred bytes
constexpr std::size_t kWidestWho = 60;      // columns that alignment may take

// Colours that can be read on dark and on light ground.
constexpr std::array<int, 10> kColors = {36, 33, 32, 35, 34, 96, 93, 92, 95, 94};

// What stands for a record where no pod does, in this order.
constexpr std::array<std::string_view, 7> kTelling = {"app", "service_name", "unit", "systemd_unit", "job", "host", "instance"};

// Bytes of the valid UTF-8 character at the head of `text`, 0 when there is none.
std::size_t character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const std::size_t size = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
  if (size == 0 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (size == 3 && ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) >= 0xa0))) return 0;
  if (size == 4 && ((first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) >= 0x90))) return 0;
  return size;
}

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

void append_quoted(std::string& out, std::string_view value) {
  out += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_value(std::string& out, std::string_view value) {
  const bool bare = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) { return c > 0x20 && c != 0x7f && c != '"' && c != '=' && c != '\\'; });
  if (bare) {
    out += value;
    return;
  }
  append_quoted(out, value);
}

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// Whether the label says nothing that the pod's name does not say: Loki makes service_name of another label, and the file of a
// pod's log is its pod.
bool goes_without_saying(const LabelSet& set, const Label& label) {
  if (label.name.starts_with("__")) return true;  // Loki's own, such as the shard that it put a busy stream into
  if (label.name == "stream") return label.value == "stdout";
  if (label.name == "filename") return !set.get("pod").empty();
  if (label.name != "service_name") return false;
  for (const std::string_view other : {"app", "container", "job", "namespace", "pod"}) {
    if (set.get(other) == label.value) return true;
  }
  return false;
}

bool names_the_source(const LabelSet& set, std::string_view name) {
  if (!set.get("pod").empty()) return name == "pod" || name == "container";
  if (!set.get("filename").empty()) return name == "filename";
  for (const std::string_view telling : kTelling) {
    if (!set.get(telling).empty()) return name == telling;
  }
  return false;
}

std::string source_of(const LabelSet& set, bool with_namespace) {
  std::string who;
  if (const std::string_view pod = set.get("pod"); !pod.empty()) {
    const std::string_view name_space = set.get("namespace"), container = set.get("container");
    if (with_namespace && !name_space.empty()) (who += name_space) += '/';
    who += pod;
    if (!container.empty()) (who += '/') += container;
    return who;
  }
  for (const Label& label : set.labels()) {
    if (names_the_source(set, label.name)) return std::string(label.value);
  }
  return who;
}

// The value of `__error__` in the object of `parsed`, which weir wrote itself without spaces.
std::string_view parse_error(std::string_view parsed) {
  constexpr std::string_view key = "\"__error__\":\"";
  const std::size_t at = parsed.find(key);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = parsed.substr(at + key.size());
  return rest.substr(0, rest.find('"'));
}

std::string local_time(base::Timestamp time) {
  const auto seconds = static_cast<std::time_t>(time / base::kSecond);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", local.tm_year + 1900, local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec);
}

// `refused with 400 by http://loki:3100 for tenant shop on 2026-05-01 12:00:00: entry … too old`, of the object of `rejected`; the object as
// it is when it is none.
std::string why_rejected(std::string_view object) {
  std::string reason, status, url, tenant, time;
  logql::JsonCursor cursor(object);
  logql::Scratch scratch;
  std::string_view key;
  bool escapes = false;
  bool done = false;
  if (!cursor.enter_object()) return std::string(object);
  while (true) {
    logql::JsonValue value;
    if (!cursor.next_member(key, escapes, done)) return std::string(object);
    if (done) break;
    if (!cursor.value(value) || !cursor.separator()) return std::string(object);
    for (const auto& [name, to] : {std::pair<std::string_view, std::string*>{"reason", &reason}, {"status", &status}, {"url", &url}, {"tenant", &tenant}, {"time", &time}})
      if (key == name) *to = logql::json_unescape(value.text, value.has_escapes, scratch).value_or(value.text);
  }
  std::string text = status.empty() || status == "0" ? "refused before it was sent" : "refused with " + status;
  if (!url.empty()) text += (status.empty() || status == "0" ? " to " : " by ") + url;
  if (!tenant.empty()) text += " for tenant " + tenant;
  if (const auto at = record::parse_rfc3339(time)) text += " on " + local_time(*at);
  return text + (reason.empty() ? "" : ": " + reason);
}

}  // namespace

void append_visible(std::string& out, std::string_view text, bool indent) {
  if (is_plain(text)) {
    out += text;
    return;
  }
  constexpr std::string_view digits = "0123456789abcdef";
  const auto hex = [&](unsigned char byte) { ((out += "\\x") += digits[byte >> 4]) += digits[byte & 15]; };
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text[0]);
    const std::size_t size = character(text);
    if (size == 0 || (size == 1 && (first < 0x20 || first == 0x7f))) {
      if (first == '\n') {
        out += indent ? "\n    " : "\\n";
      } else if (first == '\t') {
        out += '\t';
      } else if (first == '\r') {
        out += "\\r";
      } else {
        hex(first);
      }
      text.remove_prefix(1);
      continue;
    }
    if (first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0) {  // C1 controls
      hex(first);
      hex(static_cast<unsigned char>(text[1]));
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(size);
  }
}

void TextFormat::learn(const Batch& batch) {
  for (const Record& record : batch.records) {
    if (record.labels == last_set_ || record.is_marker()) continue;
    if (!cache_.contains(record.labels)) learn(*record.labels);
    last_set_ = record.labels;
    shown(record.labels);
  }
}

void TextFormat::learn(const LabelSet& set) {
  const std::size_t before = differing_.size();
  if (!learned_) {
    for (const Label& label : set.labels()) shared_.emplace(label.name, label.value);
    learned_ = true;
    return;
  }
  for (auto it = shared_.begin(); it != shared_.end();) {
    if (set.get(it->first) == it->second) {
      ++it;
    } else {
      differing_.insert(it->first);
      it = shared_.erase(it);
    }
  }
  for (const Label& label : set.labels()) {
    if (shared_.find(label.name) == shared_.end()) differing_.emplace(label.name);
  }
  if (differing_.size() != before) ++version_;
}

std::string TextFormat::header() {
  std::string text;
  for (const auto& [name, value] : shared_) {
    const bool is_said = std::all_of(cache_.begin(), cache_.end(), [&](const auto& entry) {
      return names_the_source(*entry.second.set, name) || goes_without_saying(*entry.second.set, {name, value});
    });
    if (is_said) continue;
    announced_.insert(name);
    text += text.empty() ? "{" : ", ";
    (text += name) += '=';
    append_quoted(text, value);
  }
  if (!text.empty()) text += '}';
  return text;
}

TextFormat::Shown& TextFormat::shown(const LabelSet* set) {
  if (cache_.size() > kMostSets && !cache_.contains(set)) {
    cache_.clear();
    last_set_ = nullptr;
  }
  Shown& entry = cache_[set];
  if (entry.version == version_) return entry;
  entry.version = version_;
  if (!entry.set) entry.set = record::LabelSetRef::share(set);
  const bool with_namespace = differing_.contains("namespace") && !set->get("pod").empty();
  const std::string who = source_of(*set, with_namespace);
  entry.who.clear();
  entry.tail.clear();
  if (options_.terminal) {
    append_visible(entry.who, who, false);
  } else {
    entry.who = who;
  }
  entry.columns = columns_of(entry.who);
  entry.color = kColors[std::hash<std::string_view>()(who) % kColors.size()];
  const std::size_t widest = options_.width > 0 ? std::min(kWidestWho, static_cast<std::size_t>(options_.width) / 3) : kWidestWho;
  if (entry.columns <= widest) who_columns_ = std::max(who_columns_, entry.columns);
  std::string tail;
  for (const std::string& name : differing_) {
    const std::string_view value = set->get(name);
    if (names_the_source(*set, name) || (with_namespace && name == "namespace")) continue;
    if (goes_without_saying(*set, {name, value})) continue;
    if (value.empty() && !announced_.contains(name)) continue;
    ((tail += ' ') += name) += '=';
    append_value(tail, value);
  }
  if (options_.terminal) {
    append_visible(entry.tail, tail, false);
  } else {
    entry.tail = std::move(tail);
  }
  return entry;
}

void TextFormat::append_time(std::string& out, base::Timestamp time) {
  if (minute_text_.empty() || time < minute_ || time - minute_ >= base::kMinute) {
    const base::Timestamp rest = time % base::kMinute;
    minute_ = time - (rest < 0 ? rest + base::kMinute : rest);
    const auto seconds = static_cast<std::time_t>(minute_ / base::kSecond);
    std::tm local{};
    ::localtime_r(&seconds, &local);
    minute_text_ = fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:", local.tm_year + 1900, local.tm_mon + 1, local.tm_mday, local.tm_hour,
                               local.tm_min);
  }
  const auto milliseconds = static_cast<unsigned>((time - minute_) / base::kMillisecond);
  const auto digit = [](unsigned value) { return static_cast<char>('0' + value % 10); };
  if (options_.color) out += kDim;
  out += minute_text_;
  for (const unsigned unit : {10000U, 1000U}) out += digit(milliseconds / unit);
  out += '.';
  for (const unsigned unit : {100U, 10U, 1U}) out += digit(milliseconds / unit);
  if (options_.color) out += kReset;
}

void TextFormat::append_notes(std::string& out, const Record& record) {
  const std::size_t before = out.size();
  if (options_.color) out += kDim;
  const std::size_t start = out.size();
  out += shown(record.labels).tail;
  const auto add = [&](std::string_view name, std::string_view value) {
    ((out += ' ') += name) += '=';
    std::string text;
    append_value(text, value);
    if (options_.terminal) {
      append_visible(out, text, false);
    } else {
      out += text;
    }
  };
  for (const Label& label : record.metadata) {
    if (label.name.starts_with("weir_")) add(label.name, label.value);
  }
  if (record.extra != nullptr) {
    if (const std::string_view error = parse_error(record.extra->parsed); !error.empty()) add("__error__", error);
  }
  if (record.held) out += " [held]";
  if (record.extra != nullptr && !record.extra->rejected.empty()) {
    const std::string why = why_rejected(record.extra->rejected);
    if (options_.terminal) {
      out += "\n    ";
      append_visible(out, why, false);
    } else {
      out += fmt::format(" [{}]", why);
    }
  }
  if (out.size() == start) {
    out.resize(before);
  } else if (options_.color) {
    out += kReset;
  }
}

void TextFormat::append_sample(std::string& out, const Record& record) {
  std::string_view value = record.extra == nullptr ? std::string_view() : record.extra->value;
  if (value.size() >= 2) value = value.substr(1, value.size() - 2);
  out += value;
  std::string labels;
  for (const Label& label : record.labels->labels()) {
    ((labels += labels.empty() ? "{" : ", ") += label.name) += '=';
    append_quoted(labels, label.value);
  }
  if (!labels.empty()) {
    out += ' ';
    if (options_.terminal) {
      append_visible(out, labels, false);
    } else {
      out += labels;
    }
    out += '}';
  }
  out += '\n';
}

void TextFormat::append(std::string& out, Batch& batch, Record& record) {
  append_time(out, record.timestamp);
  out += ' ';
  if (record.sample) return append_sample(out, record);
  const Shown& who = shown(record.labels);
  if (!who.who.empty()) {
    if (options_.color) out += "\x1b[" + std::to_string(who.color) + 'm';
    out += who.who;
    if (options_.color) out += kReset;
    if (options_.terminal && who.columns < who_columns_) out.append(who_columns_ - who.columns, ' ');
    out += ' ';
  } else if (options_.terminal && who_columns_ > 0) {
    out.append(who_columns_ + 1, ' ');
  }
  const std::string_view line = batch.line(record);
  if (options_.terminal) {
    append_visible(out, line, true);
  } else {
    out += line;
  }
  append_notes(out, record);
  out += '\n';
}

}  // namespace weir::stages
