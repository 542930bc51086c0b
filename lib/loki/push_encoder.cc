#include "loki/push_encoder.h"

#include "base/quote.h"
#include "base/utf8.h"
#include "names/label_name.h"
#include "record/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <utility>

namespace weir::loki {
namespace {

// Field number and wire type in one byte: 2 (length-delimited) or 0 (varint). All field numbers here are below 16.
constexpr char kBytes1 = (1 << 3) | 2;
constexpr char kBytes2 = (2 << 3) | 2;
constexpr char kBytes3 = (3 << 3) | 2;
constexpr char kVarint1 = 1 << 3;
constexpr char kVarint2 = 2 << 3;

bool is_label_value(std::string_view value) {
  return base::is_utf8(value) && value.find(base::kReplacementText) == std::string_view::npos;
}

// U+FFFD, which Loki's parser takes for bytes that are not UTF-8, and such bytes as \xHH; backslashes doubled, so that this can be
// undone.
std::string escape_value(std::string_view value) {
  std::string out;
  while (!value.empty()) {
    const std::size_t length = base::utf8_length(value);
    const std::string_view character = value.substr(0, std::max<std::size_t>(length, 1));
    value.remove_prefix(character.size());
    if (character == "\\") {
      out += "\\\\";
    } else if (length != 0 && character != base::kReplacementText) {
      out += character;
    } else {
      for (const char c : character) fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string tenant_of(std::string_view tenant) {
  if (is_tenant(tenant) || tenant.size() > names::kLongestTenant) return std::string(tenant);
  const bool dots = tenant == "." || tenant == "..";
  std::string out;
  for (const char c : tenant) {
    if (names::is_tenant_byte(c) && c != '(' && c != ')' && !dots) {
      out += c;
    } else {
      fmt::format_to(std::back_inserter(out), "({:02x})", static_cast<unsigned char>(c));
    }
  }
  return out;
}

struct TimestampParts {
  std::int64_t seconds;
  std::uint32_t nanos;
};

TimestampParts split(base::Timestamp time) {
  std::int64_t seconds = time / base::kSecond;
  std::int64_t nanos = time % base::kSecond;
  if (nanos < 0) {
    nanos += base::kSecond;
    --seconds;
  }
  return {seconds, static_cast<std::uint32_t>(nanos)};
}

std::size_t field_size(std::size_t size) { return 1 + varint_size(size) + size; }

}  // namespace

std::size_t varint_size(std::uint64_t value) {
  std::size_t size = 1;
  while (value >= 0x80) {
    value >>= 7;
    ++size;
  }
  return size;
}

char* write_varint(char* out, std::uint64_t value) {
  while (value >= 0x80) {
    *out++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *out++ = static_cast<char>(value);
  return out;
}

PushedStream::PushedStream(const record::LabelSet& set, std::string_view tenant_) : tenant(tenant_of(tenant_)) {
  std::string escaped;
  for (const record::Label& label : set.labels()) {
    if (label.name == "detected_level" || label.name.starts_with("__")) continue;
    labels.push_back(label);
    if (is_label_value(label.value)) continue;
    labels.back().value = values_.emplace_back(escape_value(label.value));
    if (!escaped.empty()) escaped += ',';
    escaped += label.name;
  }
  name = label_string(labels);
  if (!escaped.empty()) notes.emplace_back("weir_escaped_labels", std::move(escaped));
  if (tenant != tenant_) notes.emplace_back("weir_tenant", is_label_value(tenant_) ? std::string(tenant_) : escape_value(tenant_));
}

std::string label_string(std::span<const record::Label> labels) {
  std::string out = "{";
  for (const record::Label& label : labels) {
    if (out.size() > 1) out += ", ";
    out += label.name;
    out += '=';
    base::append_quoted(out, label.value);
  }
  out += '}';
  return out;
}

void PushEncoder::add_pair(std::string_view name, std::string_view value) {
  std::array<char, 16> head;
  char* at = head.data();
  *at++ = kBytes3;
  at = write_varint(at, field_size(name.size()) + field_size(value.size()));
  *at++ = kBytes1;
  at = write_varint(at, name.size());
  metadata_.append(head.data(), static_cast<std::size_t>(at - head.data()));
  metadata_ += name;
  at = head.data();
  *at++ = kBytes2;
  at = write_varint(at, value.size());
  metadata_.append(head.data(), static_cast<std::size_t>(at - head.data()));
  metadata_ += value;
  metadata_bytes_ += name.size() + value.size();
  ++metadata_count_;
}

void PushEncoder::encode_metadata(std::span<const record::Label> metadata) {
  // Is the metadata the same as that of the record before? The comparison builds no string.
  if (metadata.size() == same_count_) {
    const char* at = same_.data();
    const char* const end = at + same_.size();
    const auto next_is = [&](std::string_view text) {
      std::uint32_t size = 0;
      if (static_cast<std::size_t>(end - at) < sizeof(size)) return false;
      std::memcpy(&size, at, sizeof(size));
      if (size != text.size() || std::memcmp(at + sizeof(size), text.data(), size) != 0) return false;
      at += sizeof(size) + size;
      return true;
    };
    bool same = true;
    for (std::size_t i = 0; same && i < metadata.size(); ++i) same = next_is(metadata[i].name) && next_is(metadata[i].value);
    if (same) return;
  }
  same_.clear();
  same_count_ = metadata.size();
  metadata_.clear();
  metadata_bytes_ = metadata_count_ = metadata_renamed_ = 0;
  for (const record::Label& pair : metadata) {
    for (const std::string_view text : {pair.name, pair.value}) {
      const auto size = static_cast<std::uint32_t>(text.size());
      same_.append(reinterpret_cast<const char*>(&size), sizeof(size));
      same_ += text;
    }
    if (pair.value.empty()) continue;
    std::size_t replaced = 0;
    const std::string name = names::is_metadata_name(pair.name) ? std::string(pair.name) : names::metadata_name(pair.name);
    if (name.starts_with(names::kUnnamed) && !pair.name.starts_with(names::kUnnamed)) ++metadata_renamed_;
    if (base::is_utf8(pair.value)) {
      add_pair(name, pair.value);
    } else {
      add_pair(name, base::replace_invalid_utf8(pair.value, replaced));
    }
  }
}

std::optional<Refusal> PushEncoder::prepare(const record::Record& record, std::string_view stream,
                                            std::optional<base::Timestamp> now,
                                            std::span<const std::pair<std::string, std::string>> notes) {
  if (now) {
    if (const TimeCheck found = check_time(record.timestamp, *now, limits_); found != TimeCheck::fine)
      return refuse_time(found, record.timestamp, stream, *now, limits_);
  }
  entry_ = {};
  timestamp_ = record.timestamp;

  line_ = record.line.data;
  if (!record.line.decoded()) {
    if (decoded_.size() < line_.size()) decoded_.resize(line_.size());
    line_ = std::string_view(decoded_).substr(0, record::unescape(decoded_.data(), line_));
  }
  if (record.line.form != record::Text::Form::clean && !base::is_utf8(line_)) {
    repaired_ = base::replace_invalid_utf8(line_, entry_.invalid);
    line_ = repaired_;
  }

  if (with_metadata_) {
    if (entry_.invalid == 0 && notes.empty()) {
      encode_metadata(record.metadata);
    } else {
      const std::string count = fmt::format_int(entry_.invalid).str();
      extended_.assign(record.metadata.begin(), record.metadata.end());
      if (entry_.invalid != 0) extended_.push_back({"weir_invalid_utf8", count});
      for (const auto& [name, value] : notes) extended_.push_back({name, value});
      encode_metadata(extended_);
    }
    entry_.renamed = metadata_renamed_;
  }
  entry_.raw = line_.size() + metadata_bytes_;
  return refuse_record({line_.size(), metadata_bytes_, metadata_count_}, stream, limits_);
}

void PushEncoder::append(PageBuffer& out) const {
  const TimestampParts time = split(timestamp_);
  // proto3 leaves out zero values. We do too, because Loki's own encoder does: equal records give equal bytes.
  const std::size_t seconds_size = time.seconds == 0 ? 0 : 1 + varint_size(static_cast<std::uint64_t>(time.seconds));
  const std::size_t time_size = seconds_size + (time.nanos == 0 ? 0 : 1 + varint_size(time.nanos));
  const std::size_t size = field_size(time_size) + (line_.empty() ? 0 : field_size(line_.size())) + metadata_.size();

  std::array<char, 64> head;
  char* at = head.data();
  *at++ = kBytes2;
  at = write_varint(at, size);
  *at++ = kBytes1;
  at = write_varint(at, time_size);
  if (time.seconds != 0) {
    *at++ = kVarint1;
    at = write_varint(at, static_cast<std::uint64_t>(time.seconds));
  }
  if (time.nanos != 0) {
    *at++ = kVarint2;
    at = write_varint(at, time.nanos);
  }
  if (!line_.empty()) {
    *at++ = kBytes2;
    at = write_varint(at, line_.size());
  }
  const auto head_size = static_cast<std::size_t>(at - head.data());
  if (char* place = out.room(head_size + line_.size() + metadata_.size())) {
    std::memcpy(place, head.data(), head_size);
    std::memcpy(place + head_size, line_.data(), line_.size());
    std::memcpy(place + head_size + line_.size(), metadata_.data(), metadata_.size());
    return;
  }
  out.append({head.data(), head_size});
  out.append(line_);
  out.append(metadata_);
}

}  // namespace weir::loki
