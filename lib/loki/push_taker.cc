#include "loki/push_taker.h"

#include "base/utf8.h"
#include "loki/push_encoder.h"
#include "loki/push_labels.h"
#include "names/label_name.h"
#include "names/level.h"
#include "names/service_name.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <limits>

namespace weir::loki {

using record::Label;

namespace {

constexpr std::size_t kMostStreams = 16'384;  // that are remembered
constexpr std::size_t kMostComplaints = 100;  // different ones in one answer
constexpr std::size_t kMostBehind = 10;       // entries too far behind that are listed, as Loki does
// What one takes in memory until it is stored, about: in the batch, in the block, and in the table of streams.
constexpr std::size_t kEntryCost = 256, kPairCost = 2 * sizeof(Label), kStreamCost = 4 << 10;
constexpr std::size_t kUsualLabels = 512;          // bytes of labels, which kStreamCost has in it
constexpr std::size_t kCopies = 8;                 // of longer labels: as a set, as JSON, in names and complaints
constexpr std::size_t kMostLongLabels = 32 << 20;  // bytes of memory that they take of the streams that are remembered
constexpr std::size_t kManyStreams = 2'048;        // new ones of a request: then trim() forgets all
// Seconds, milliseconds and microseconds of our days, taken for nanoseconds, are times before the end of this month.
constexpr base::Timestamp kFebruary1970 = 31 * 24 * base::kHour;
constexpr std::size_t kMostShown = 200;  // bytes of a stream in advice
constexpr std::string_view kYearOne = "0001-01-01T00:00:00Z";

std::string seconds(base::Timestamp time) {
  const base::Timestamp rest = ((time % base::kSecond) + base::kSecond) % base::kSecond;
  return record::to_rfc3339(time - rest);
}

// RFC 3339, of a time in the years 1 to 9999 that nanoseconds cannot tell.
std::string far_time(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                     parts.tm_min, parts.tm_sec);
}

// The metadata of an entry that came with none: its level alone. Empty where the level is none of the usual words.
std::span<const Label> level_alone(std::string_view level) {
  static constexpr std::array<Label, 8> kLevels = {{{names::kDetectedLevel, "unknown"},
                                                    {names::kDetectedLevel, "info"},
                                                    {names::kDetectedLevel, "error"},
                                                    {names::kDetectedLevel, "warn"},
                                                    {names::kDetectedLevel, "debug"},
                                                    {names::kDetectedLevel, "trace"},
                                                    {names::kDetectedLevel, "critical"},
                                                    {names::kDetectedLevel, "fatal"}}};
  for (const Label& one : kLevels) {
    if (one.value == level) return {&one, 1};
  }
  return {};
}

// In the order in which Loki finds them.
std::optional<Refusal> refuse_stream(std::span<const Label> labels, std::string_view name, const PushLimits& limits) {
  if (labels.empty()) return Refusal{"missing_labels", "error at least one label pair is required per stream"};
  const auto counted =
      static_cast<std::size_t>(std::ranges::count_if(labels, [](const Label& label) { return label.name != names::kServiceName; }));
  if (limits.max_labels != 0 && counted > limits.max_labels) {
    return Refusal{"max_label_names_per_series",
                   fmt::format("entry for stream '{}' has {} label names; limit {}", name, counted, limits.max_labels)};
  }
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (limits.max_label_name != 0 && labels[i].name.size() > limits.max_label_name)
      return Refusal{"label_name_too_long", fmt::format("stream '{}' has label name too long: '{}'", name, labels[i].name)};
    if (limits.max_label_value != 0 && labels[i].value.size() > limits.max_label_value)
      return Refusal{"label_value_too_long", fmt::format("stream '{}' has label value too long: '{}'", name, labels[i].value)};
    if (i > 0 && labels[i].name == labels[i - 1].name)
      return Refusal{"duplicate_label_names", fmt::format("stream '{}' has duplicate label name: '{}'", name, labels[i].name)};
  }
  return std::nullopt;
}

}  // namespace

void PushTaker::begin(std::string_view tenant, base::Timestamp now, record::Batch& out) {
  now_ = now;
  tenant_ = tenant.empty() ? std::string_view() : out.copy(tenant);
  out_ = &out;
  first_ = out.records.size();
  cost_ = new_streams_ = 0;
  has_streams_ = false;
  newest_before_.clear();
  verdict_ = {};
  complaints_.clear();
  more_complaints_ = 0;
  stream_ = nullptr;
  behind_.clear();
  behind_count_ = 0;
}

void PushTaker::stream(std::string_view labels) {
  end_stream();
  has_streams_ = true;
  charge(kEntryCost);
  stream_ = &read_stream(labels);
  if (options_.max_behind > 0) newest_before_.emplace_back(stream_, stream_->newest);
  labels_ = out_->hold(stream_->set);
  entries_ = 0;
  // What is known of the metadata may be views into the request before, and has the level of other labels.
  metadata_in_.clear();
  metadata_.clear();
  metadata_bytes_ = metadata_count_ = 0;
  metadata_level_ = latest_level_ = {};
  has_own_level_ = false;
  latest_ = {};
}

void PushTaker::charge(std::size_t bytes) {
  cost_ += bytes;
  if (cost_ <= options_.most_unpacked) return;
  throw PushRefused{413, fmt::format("too many entries or streams in one request: they need more than {} bytes of memory; send "
                                     "smaller requests",
                                     options_.most_unpacked)};
}

bool PushTaker::trim() {
  if (new_streams_ <= kManyStreams && long_labels_ <= kMostLongLabels) return false;
  new_streams_ = 0;
  stream_ = nullptr;
  forget_streams();
  return true;
}

void PushTaker::forget_streams() {
  streams_ = {};
  long_labels_ = 0;
  newest_before_.clear();
}

void PushTaker::undo() {
  out_->records.resize(first_);
  // The latest first: a stream may come more than once.
  for (; !newest_before_.empty(); newest_before_.pop_back()) newest_before_.back().first->newest = newest_before_.back().second;
}

// Loki keeps what is not UTF-8, and its answers have U+FFFD there.
std::string_view PushTaker::valid(std::string_view text) {
  if (base::is_utf8(text)) return text;
  std::size_t replaced = 0;
  return out_->copy(base::replace_invalid_utf8(text, replaced));
}

PushTaker::Stream& PushTaker::read_stream(std::string_view labels) {
  key_.assign(tenant_);
  key_ += '\n';
  key_ += labels;
  if (const auto known = streams_.find(key_); known != streams_.end()) return known->second;
  const std::size_t long_labels = labels.size() > kUsualLabels ? kCopies * labels.size() : 0;
  charge(kStreamCost + long_labels);
  ++new_streams_;
  PushedLabels read = read_pushed_labels(labels);
  if (read.error) throw PushRefused{400, fmt::format("couldn't parse labels: {}", *read.error)};
  std::vector<Label> sorted;
  for (const auto& [name, value] : read.labels) {
    if (!value.empty()) sorted.push_back({name, value});
  }
  const auto value_of = [&sorted](std::string_view name) {
    const auto found = std::ranges::find(sorted, name, &Label::name);
    return found == sorted.end() ? std::string_view() : found->value;
  };
  if (options_.discover_service_name && value_of(names::kServiceName).empty()) {
    const std::string_view name = names::service_name(value_of);
    sorted.push_back({names::kServiceName, name});
  }
  std::ranges::stable_sort(sorted, {}, &Label::name);
  Stream stream;
  stream.name = label_string(sorted);
  stream.refusal = refuse_stream(sorted, stream.name, options_.limits);
  stream.set = record::LabelSet::intern(sorted);
  stream.level = names::level_of_labels(stream.set->labels());
  if (streams_.size() >= kMostStreams || long_labels_ > kMostLongLabels) forget_streams();
  long_labels_ += long_labels;
  return streams_.emplace(key_, std::move(stream)).first->second;
}

void PushTaker::entry(const PushedEntry& entry) {
  ++entries_;
  if (stream_->refusal) {
    ++verdict_.refused[stream_->refusal->reason];
    return;
  }
  read_metadata(entry.metadata);
  if (auto refusal = check(entry)) return refuse(*std::move(refusal));
  if (options_.max_behind > 0 && is_behind(entry)) return;
  if (entry.time < kFebruary1970 && entry.time >= 0 && verdict_.advice.empty()) advise_on_time(entry.time);
  const std::string_view line = valid(entry.line);
  charge(kEntryCost + line.size() + entry.metadata.size() * kPairCost + metadata_bytes_);
  record::Record& record = out_->records.emplace_back();
  record.timestamp = entry.time;
  record.labels = labels_;
  record.line = record::Text::bytes(line);
  record.metadata = options_.discover_levels ? with_level(line) : std::span<const Label>(latest_);
  record.tenant = tenant_;
  ++verdict_.records;
  verdict_.bytes += line.size();
}

// As Loki's distributor does, in its order.
std::optional<Refusal> PushTaker::check(const PushedEntry& entry) {
  const PushLimits& limits = options_.limits;
  if (entry.beyond && *entry.beyond > 0) {
    return Refusal{"too_far_in_future",
                   fmt::format("entry for stream '{}' has timestamp too new: {}", stream_->name, far_time(*entry.beyond))};
  }
  if (!entry.has_time || entry.beyond) {
    const auto oldest = limits.max_age != 0 ? now_ - limits.max_age : std::numeric_limits<base::Timestamp>::min();
    return Refusal{"greater_than_max_sample_age",
                   fmt::format("entry for stream '{}' has timestamp too old: {}, oldest acceptable timestamp is: {}", stream_->name,
                               entry.beyond ? far_time(*entry.beyond) : std::string(kYearOne),
                               limits.max_age != 0 ? seconds(oldest) : "1677-09-21T00:12:44Z")};
  }
  if (const TimeCheck found = check_time(entry.time, now_, limits); found != TimeCheck::fine)
    return refuse_time(found, entry.time, stream_->name, now_, limits);
  auto refusal = refuse_record({entry.line.size(), metadata_bytes_, metadata_count_}, stream_->name, limits);
  if (refusal && refusal->reason != "line_too_long") {
    refusal->text += fmt::format(". Please see `limits_config.{}` or contact your Loki administrator to increase it",
                                 refusal->reason == "structured_metadata_too_large" ? "max_structured_metadata_size"
                                                                                    : "max_structured_metadata_entries_count");
  }
  return refusal;
}

void PushTaker::advise_on_time(base::Timestamp time) {
  const std::string_view unit = time < 100 * base::kSecond ? "seconds" : time < 28 * base::kHour ? "milliseconds" : "microseconds";
  const std::string_view name = stream_->name;
  verdict_.advice = fmt::format(
      "entries are stored with times of January 1970, such as {}, in stream {}{}: does the client send {}? Loki's API has "
      "nanoseconds",
      record::to_rfc3339(time), name.substr(0, kMostShown), name.size() > kMostShown ? "…" : "", unit);
}

// As Loki's ingester does.
bool PushTaker::is_behind(const PushedEntry& entry) {
  if (entry.time < stream_->newest && stream_->newest - options_.max_behind > entry.time) {
    if (behind_.size() < kMostBehind) behind_.push_back(entry.time);
    ++behind_count_;
    ++verdict_.refused["too_far_behind"];
    return true;
  }
  stream_->newest = std::max(stream_->newest, entry.time);
  return false;
}

void PushTaker::read_metadata(std::span<const Label> metadata) {
  if (std::ranges::equal(metadata, metadata_in_)) return;
  metadata_in_.assign(metadata.begin(), metadata.end());
  metadata_.clear();
  metadata_bytes_ = metadata_count_ = 0;
  has_own_level_ = false;
  latest_ = {};
  for (const Label& one : metadata) {
    Label label{normalised_name(one.name), valid(one.value)};
    if (label.value.find(base::kReplacementText) != std::string_view::npos) {
      std::string text(label.value);
      for (std::size_t at = 0; (at = text.find(base::kReplacementText, at)) != std::string::npos; ++at)
        text.replace(at, base::kReplacementText.size(), " ");
      label.value = out_->copy(text);
    }
    if (label.value.empty()) continue;
    metadata_bytes_ += label.name.size() + label.value.size();
    ++metadata_count_;
    if (options_.discover_levels && label.name == names::kDetectedLevel) {
      label.value = names::normalize_level(label.value);
      has_own_level_ = true;
    }
    metadata_.push_back(label);
  }
  std::ranges::stable_sort(metadata_, {}, &Label::name);
  metadata_level_ = options_.discover_levels && !has_own_level_ ? names::level_of_metadata(metadata_) : std::string_view();
  if (!options_.discover_levels || has_own_level_) {
    const auto kept = out_->allocate_labels(metadata_.size());
    std::ranges::copy(metadata_, kept.begin());
    latest_ = kept;
  }
}

std::string_view PushTaker::normalised_name(std::string_view name) {
  if (names::is_metadata_name(name)) return name;
  if (name.empty()) throw PushRefused{500, "label name is empty"};
  const std::string made = names::metadata_name(name);
  if (made.starts_with(names::kUnnamed))
    throw PushRefused{500, fmt::format("normalization for label name \"{}\" resulted in invalid name \"_\"", name)};
  return out_->copy(made);
}

std::span<const Label> PushTaker::with_level(std::string_view line) {
  if (has_own_level_) return latest_;
  std::string_view level = stream_->level;
  if (level.empty()) level = metadata_level_;
  if (level.empty()) level = names::level_of_line(line);
  if (level.empty()) level = "unknown";
  if (!latest_.empty() && latest_level_ == level) return latest_;
  latest_level_ = level;
  if (metadata_.empty()) {
    latest_ = level_alone(level);
    if (!latest_.empty()) return latest_;
  }
  const auto made = out_->allocate_labels(metadata_.size() + 1);
  std::ranges::copy(metadata_, made.begin());
  made.back() = {names::kDetectedLevel, level};
  return latest_ = made;
}

void PushTaker::refuse(Refusal refusal, std::uint64_t entries) {
  verdict_.refused[refusal.reason] += entries;
  for (auto& [text, count] : complaints_) {
    if (text != refusal.text) continue;
    ++count;
    return;
  }
  if (complaints_.size() < kMostComplaints) {
    complaints_.emplace_back(std::move(refusal.text), 1);
  } else {
    ++more_complaints_;
  }
}

void PushTaker::end_stream() {
  if (stream_ == nullptr) return;
  if (stream_->refusal && entries_ > 0) refuse(*stream_->refusal, 0);
  if (behind_count_ > 0) {
    std::string text;
    const std::string oldest = seconds(stream_->newest - options_.max_behind);
    for (const base::Timestamp time : behind_) {
      text += fmt::format(
          "entry with timestamp {} ignored, reason: 'entry too far behind, entry timestamp is: {}, oldest acceptable "
          "timestamp is: {}',\n",
          record::to_rfc3339(time), seconds(time), oldest);
    }
    text += fmt::format("user '{}', total ignored: {} out of {} for stream: {}", tenant_.empty() ? "fake" : tenant_, behind_count_,
                        entries_, stream_->name);
    complaints_.emplace_back(std::move(text), 1);
    behind_.clear();
    behind_count_ = 0;
  }
  stream_ = nullptr;
}

PushVerdict PushTaker::end() {
  end_stream();
  if (!has_streams_) throw PushRefused{422, "error at least one valid stream is required for ingestion"};
  if (!complaints_.empty()) {
    verdict_.status = 400;
    const bool grouped = std::ranges::any_of(complaints_, [](const auto& one) { return one.second > 1; });
    for (const auto& [text, count] : complaints_) {
      if (!verdict_.text.empty()) verdict_.text += "; ";
      if (grouped) verdict_.text += fmt::format("{} errors like: ", count);
      verdict_.text += text;
    }
    if (more_complaints_ > 0) verdict_.text += fmt::format("; and {} more", more_complaints_);
    verdict_.text += '\n';
  }
  return std::move(verdict_);
}

}  // namespace weir::loki
