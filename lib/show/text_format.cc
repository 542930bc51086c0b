#include "show/text_format.h"

#include "base/visible.h"
#include "gotext/json_reader.h"
#include "gotext/scratch.h"
#include "gotext/unicode.h"
#include "record/context_mark.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>

namespace weir::show {

using record::Batch;
using record::Label;
using record::LabelSet;
using record::Record;

namespace {

constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kReset = "\x1b[0m";
constexpr std::size_t kMostSets = 4096;       // sets that are remembered; the set of a pod is a few hundred bytes
constexpr std::size_t kMostBytes = 16 << 20;  // bytes of the remembered sets
constexpr std::size_t kWidestWho = 60;        // columns that alignment may take

// Colours that can be read on dark and on light backgrounds.
constexpr std::array<int, 10> kColors = {36, 33, 32, 35, 34, 96, 93, 92, 95, 94};

// The labels that can stand for a record without a pod, in this order.
constexpr std::array<std::string_view, 7> kSourceLabels = {"app", "service_name", "unit",    "systemd_unit",
                                                           "job", "host",         "instance"};

void append_quoted_value(std::string& out, std::string_view value) {
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
  const bool bare = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return c > 0x20 && c != 0x7f && c != '"' && c != '=' && c != '\\';
  });
  if (bare) {
    out += value;
    return;
  }
  append_quoted_value(out, value);
}

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// Whether the label adds nothing to the pod's name. Loki makes service_name from another label, and the file of a pod's log
// belongs to the pod.
bool goes_without_saying(const LabelSet& set, const Label& label) {
  if (label.name.starts_with("__")) return true;  // Loki's own, such as the shard of a busy stream
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
  for (const std::string_view source : kSourceLabels) {
    if (!set.get(source).empty()) return name == source;
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

// The value of `__error__` in the object of `parsed`, which weir itself wrote, without spaces.
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
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", local.tm_year + 1900, local.tm_mon + 1, local.tm_mday, local.tm_hour,
                     local.tm_min, local.tm_sec);
}

// `refused with 400 by http://loki:3100 for tenant shop on 2026-05-01 12:00:00: entry … too old`, made from the object of
// `rejected`. Another text is given back unchanged.
std::string why_rejected(std::string_view object) {
  std::string reason, status, url, tenant, time;
  gotext::JsonCursor cursor(object);
  gotext::Scratch scratch;
  std::string_view key;
  bool escapes = false;
  bool done = false;
  if (!cursor.enter_object()) return std::string(object);
  while (true) {
    gotext::JsonValue value;
    if (!cursor.next_member(key, escapes, done)) return std::string(object);
    if (done) break;
    if (!cursor.value(value) || !cursor.separator()) return std::string(object);
    for (const auto& [name, to] : {std::pair<std::string_view, std::string*>{"reason", &reason},
                                   {"status", &status},
                                   {"url", &url},
                                   {"tenant", &tenant},
                                   {"time", &time}})
      if (key == name) *to = gotext::json_unescape(value.text, value.has_escapes, scratch).value_or(value.text);
  }
  std::string text = status.empty() || status == "0" ? "refused before it was sent" : "refused with " + status;
  if (!url.empty()) text += (status.empty() || status == "0" ? " to " : " by ") + url;
  if (!tenant.empty()) text += " for tenant " + tenant;
  if (const auto at = record::parse_rfc3339(time)) text += " on " + local_time(*at);
  return text + (reason.empty() ? "" : ": " + reason);
}

}  // namespace

void append_visible(std::string& out, std::string_view text, bool indent) {
  while (true) {
    const std::size_t shown = base::visible_prefix(text);
    out += text.substr(0, shown);
    text.remove_prefix(shown);
    if (text.empty()) return;
    if (text[0] == '\t') {
      out += '\t';
      text.remove_prefix(1);
    } else if (text[0] == '\n' && indent) {
      out += "\n    ";
      text.remove_prefix(1);
    } else {
      text.remove_prefix(base::append_escape(out, text));
    }
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
  if (!learned_) {
    for (const Label& label : set.labels()) shared_.emplace(label.name, label.value);
    learned_ = true;
    return;
  }
  const std::size_t erased = std::erase_if(shared_, [&](const auto& one) { return set.get(one.first) != one.second; });
  if (erased > 0) ++version_;
}

std::string TextFormat::header() {
  std::string text;
  for (const auto& [name, value] : shared_) {
    const bool is_said = std::all_of(cache_.begin(), cache_.end(), [&name = name, &value = value](const auto& entry) {
      return names_the_source(*entry.second.set, name) || goes_without_saying(*entry.second.set, {name, value});
    });
    if (is_said) continue;
    announced_.insert(name);
    text += text.empty() ? "{" : ", ";
    (text += name) += '=';
    append_quoted_value(text, value);
  }
  if (!text.empty()) text += '}';
  return text;
}

TextFormat::Shown& TextFormat::shown(const LabelSet* set) {
  if ((cache_.size() > kMostSets || cache_bytes_ > kMostBytes) && !cache_.contains(set)) {
    cache_.clear();
    cache_bytes_ = 0;
    last_set_ = nullptr;
  }
  Shown& entry = cache_[set];
  if (entry.version == version_) return entry;
  entry.version = version_;
  if (!entry.set) {
    entry.set = record::LabelSetRef::share(set);
    cache_bytes_ += set->json().size();
  }
  const bool with_namespace = !shared_.contains("namespace") && !set->get("pod").empty();
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
  // The labels to show, by name: those of this set that are not shared, and those of the header that this set lacks.
  std::vector<Label> shown;
  for (const Label& label : set->labels()) {
    if (!shared_.contains(label.name)) shown.push_back(label);
  }
  for (const std::string& name : announced_) {
    if (!shared_.contains(name) && set->get(name).empty()) shown.push_back({name, {}});
  }
  std::ranges::sort(shown, {}, &Label::name);
  for (const Label& label : shown) {
    if (names_the_source(*set, label.name) || (with_namespace && label.name == "namespace")) continue;
    if (goes_without_saying(*set, label)) continue;
    ((tail += ' ') += label.name) += '=';
    append_value(tail, label.value);
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
    minute_text_ = fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:", local.tm_year + 1900, local.tm_mon + 1, local.tm_mday,
                               local.tm_hour, local.tm_min);
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
    std::string text;
    ((text += ' ') += name) += '=';
    append_value(text, value);
    if (options_.terminal) {
      append_visible(out, text, false);
    } else {
      out += text;
    }
  };
  for (const Label& label : record.metadata) {
    if (label.name.starts_with("weir_") && !record::is_context_mark(label.name)) add(label.name, label.value);
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
  if (options_.terminal) {
    append_visible(out, value, false);
  } else {
    out += value;
  }
  std::string labels;
  for (const Label& label : record.labels->labels()) {
    ((labels += labels.empty() ? "{" : ", ") += label.name) += '=';
    gotext::append_quoted(labels, label.value);
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

}  // namespace weir::show
