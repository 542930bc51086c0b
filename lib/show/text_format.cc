#include "show/text_format.h"

#include "base/visible.h"
#include "names/level.h"
#include "record/context_mark.h"
#include "record/timestamp.h"
#include "show/columns.h"
#include "show/identity.h"
#include "show/members.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

namespace weir::show {

using record::Batch;
using record::Label;
using record::LabelSet;
using record::Record;

namespace {

constexpr std::size_t kMostSets = 4096;       // sets that are remembered; the set of a pod is a few hundred bytes
constexpr std::size_t kMostBytes = 16 << 20;  // bytes of the remembered sets
constexpr std::size_t kWidestWho = 60;        // columns that alignment may take
constexpr std::size_t kContinuation = 4;      // where further lines of a record begin

// The value of `__error__` in the object of `parsed`, which weir itself wrote, without spaces.
std::string_view parse_error(std::string_view parsed) {
  constexpr std::string_view key = "\"__error__\":\"";
  const std::size_t at = parsed.find(key);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = parsed.substr(at + key.size());
  return rest.substr(0, rest.find('"'));
}

// `refused with 400 by http://loki:3100 for tenant shop on 2026-05-01 12:00:00: entry … too old`, made from the object of
// `rejected`. Another text is given back unchanged.
std::string why_rejected(std::string_view object) {
  std::string reason, status, url, tenant, time;
  const bool whole = for_each_member(object, [&](std::string_view key, std::string_view value) {
    for (const auto& [name, to] : {std::pair<std::string_view, std::string*>{"reason", &reason},
                                   {"status", &status},
                                   {"url", &url},
                                   {"tenant", &tenant},
                                   {"time", &time}})
      if (key == name) *to = value;
  });
  if (!whole) return std::string(object);
  std::string text = status.empty() || status == "0" ? "refused before it was sent" : "refused with " + status;
  if (!url.empty()) text += (status.empty() || status == "0" ? " to " : " by ") + url;
  if (!tenant.empty()) text += " for tenant " + tenant;
  if (const auto at = record::parse_rfc3339(time)) text += " on " + full_text(*at);
  return text + (reason.empty() ? "" : ": " + reason);
}

std::string rejection(const Record& record) {
  return record.extra == nullptr || record.extra->rejected.empty() ? std::string() : why_rejected(record.extra->rejected);
}

std::string_view sample_value(const Record& record) {
  const std::string_view value = record.extra == nullptr ? std::string_view() : record.extra->value;
  return value.size() >= 2 ? value.substr(1, value.size() - 2) : value;
}

}  // namespace

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
  if (!options_.screen) return text;
  pending_header_ = std::move(text);
  return {};
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
    if (options_.terminal) entry.level = level_named(names::level_of_labels(set->labels()));
  }
  const bool with_namespace = !shared_.contains("namespace") && !set->get("pod").empty();
  const std::string who = source_of(*set, with_namespace);
  entry.who = visible(who);
  entry.style = kStyles[std::hash<std::string_view>()(who) % kStyles.size()];
  const std::size_t width = options_.canvas.width;
  if (width > 0) entry.who = cut_middle(entry.who, width / 2, cut_mark(options_.canvas));
  entry.columns = columns_of(entry.who);
  const std::size_t widest = width > 0 ? std::min(kWidestWho, width / 3) : kWidestWho;
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
  entry.tail = std::move(tail);
  return entry;
}

Level TextFormat::level(Batch& batch, Record& record) { return level_of(batch, record, shown(record.labels).level); }

std::string_view TextFormat::time_text(base::Timestamp time) {
  time_.set(time);
  time_text_.clear();
  if (options_.screen) {
    time_.append_clock(time_text_);
  } else {
    time_.append_full(time_text_);
  }
  return time_text_;
}

std::string_view TextFormat::notes(const Record& record) {
  notes_.assign(shown(record.labels).tail);
  const auto add = [this](std::string_view name, std::string_view value) {
    ((notes_ += ' ') += name) += '=';
    append_value(notes_, value);
  };
  for (const Label& label : record.metadata) {
    if (label.name.starts_with("weir_") && !record::is_context_mark(label.name)) add(label.name, label.value);
  }
  if (record.extra != nullptr) {
    if (const std::string_view error = parse_error(record.extra->parsed); !error.empty()) add("__error__", error);
  }
  if (record.held) notes_ += " [held]";
  return notes_;
}

void TextFormat::append_plain(std::string& out, Batch& batch, Record& record) {
  (out += time_text(record.timestamp)) += ' ';
  if (record.sample) {
    base::append_visible(out, sample_value(record));
    if (const std::string labels = selector_of(*record.labels); !labels.empty()) base::append_visible(out += ' ', labels);
    out += '\n';
    return;
  }
  if (const Shown& who = shown(record.labels); !who.who.empty()) (out += who.who) += ' ';
  base::append_visible_line(out, batch.line(record));
  base::append_visible(out, notes(record));
  if (const std::string why = rejection(record); !why.empty()) base::append_visible(out, fmt::format(" [{}]", why));
  out += '\n';
}

void TextFormat::append_day(std::string& out) {
  if (!options_.screen || day_ == time_.day()) return;
  day_ = time_.day();
  LineWriter line(out, options_.canvas);
  line.put(fmt::format("{} {}", day_, time_.zone()), Style::bold);
  if (!pending_header_.empty()) {
    line.put("  ");
    line.set_indent(line.column());
    line.put(pending_header_, Style::dim);
    pending_header_.clear();
  }
  line.end();
}

void TextFormat::append_on_terminal(std::string& out, Batch& batch, Record& record) {
  const std::string_view time = time_text(record.timestamp);
  append_day(out);
  Canvas canvas = options_.canvas;
  if (!options_.wrap) canvas.width = 0;
  LineWriter line(out, canvas);
  line.put(time, Style::dim);
  line.put(" ");
  if (record.sample) {
    line.put(sample_value(record), Style::bold);
    line.set_indent(line.column() + 1);
    if (const std::string labels = selector_of(*record.labels); !labels.empty()) line.put(" " + labels);
    line.end();
    return;
  }
  const Shown& who = shown(record.labels);
  const std::size_t text_column = line.column() + (who_columns_ > 0 ? who_columns_ + 1 : 0);
  line.set_indent(text_column);
  line.put(who.who, who.style);
  if (who.columns > 0) line.put(" ");
  line.pad_to(text_column);
  if (line.column() > text_column && line.left() < LineWriter::kLeastText) line.break_line();
  const Style style = options_.canvas.color ? style_of(level(batch, record)) : Style::plain;
  line.put_lines(batch.line(record), kContinuation, style);
  // Each label stays together.
  std::string_view rest = notes(record);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(' ', 1), rest.size());
    line.put(rest.substr(0, end), Style::dim);
    rest.remove_prefix(end);
  }
  if (const std::string why = rejection(record); !why.empty()) {
    line.set_indent(kContinuation);
    line.break_line();
    line.put(why, Style::dim);
  }
  line.end();
}

void TextFormat::append(std::string& out, Batch& batch, Record& record) {
  if (options_.terminal) {
    append_on_terminal(out, batch, record);
  } else {
    append_plain(out, batch, record);
  }
}

}  // namespace weir::show
