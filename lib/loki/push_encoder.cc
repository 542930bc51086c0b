#include "loki/push_encoder.h"

#include "base/utf8.h"
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

bool letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// Code points that Go's strconv.IsPrint refuses and that occur in logs: control characters, the soft hyphen, separators and
// formatting characters, surrogates, private use, noncharacters. Any escape that Go's Unquote accepts gives the same label in
// Loki. So a code point that is missing here is only sent in another form than Loki would print.
bool printable(std::uint32_t c) {
  if (c < 0x20 || (c >= 0x7f && c <= 0xa0) || c == 0xad) return false;
  if ((c >= 0x2000 && c <= 0x200f) || (c >= 0x2028 && c <= 0x202f) || (c >= 0x205f && c <= 0x206f)) return false;
  if (c == 0x1680 || c == 0x180e || c == 0x3000 || c == 0xfeff || (c >= 0xfff0 && c <= 0xfffb)) return false;
  if (c >= 0xe000 && c <= 0xf8ff) return false;
  return (c & 0xfffe) != 0xfffe && c < 0xe0000;
}

void append_quoted(std::string& out, std::string_view utf8) {
  out += '"';
  std::size_t i = 0;
  while (i < utf8.size()) {
    const auto byte = static_cast<unsigned char>(utf8[i]);
    if (byte < 0x80) {
      ++i;
      switch (byte) {
        case '"': out += "\\\""; break;
        case '\\': out += "\\\\"; break;
        case '\a': out += "\\a"; break;
        case '\b': out += "\\b"; break;
        case '\f': out += "\\f"; break;
        case '\n': out += "\\n"; break;
        case '\r': out += "\\r"; break;
        case '\t': out += "\\t"; break;
        case '\v': out += "\\v"; break;
        default:
          if (byte < 0x20 || byte == 0x7f) {
            fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
          } else {
            out += static_cast<char>(byte);
          }
      }
      continue;
    }
    const std::size_t size = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    std::uint32_t c = byte & (0xffU >> (size + 1));
    for (std::size_t k = 1; k < size; ++k) c = c << 6 | (static_cast<unsigned char>(utf8[i + k]) & 0x3f);
    if (printable(c)) {
      out.append(utf8, i, size);
    } else if (c < 0x10000) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
    } else {
      fmt::format_to(std::back_inserter(out), "\\U{:08x}", c);
    }
    i += size;
  }
  out += '"';
}

// Loki keeps two underscores at either end when both ends have them.
bool is_reserved(std::string_view name) { return name.size() >= 4 && name.starts_with("__") && name.ends_with("__"); }

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD, which Loki's parser uses for bytes that are not UTF-8
constexpr std::string_view kUnnamed = "weir_unnamed";
constexpr std::size_t kLongestTenant = 150;
constexpr std::size_t kNamedBytes = 100;  // bytes of a name that are written in hexadecimal

bool tenant_byte(char c) {
  return letter_or_digit(c) || (c != '\0' && std::string_view("!-_.*'():").find(c) != std::string_view::npos);
}

bool is_label_value(std::string_view value) { return base::is_utf8(value) && value.find(kReplacement) == std::string_view::npos; }

// Writes U+FFFD and bytes that are not UTF-8 as \xHH. Doubles backslashes, so that this can be undone.
std::string escape_value(std::string_view value) {
  std::string out;
  const auto byte = [&out](char c) { fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c)); };
  for (std::size_t at = 0; at < value.size();) {
    const auto lead = static_cast<unsigned char>(value[at]);
    const std::size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    const std::string_view character = value.substr(at, size);
    if (character == "\\") {
      out += "\\\\";
    } else if (character == kReplacement) {
      for (const char c : character) byte(c);
    } else if (character.size() == size && base::is_utf8(character)) {
      out += character;
    } else {
      byte(value[at++]);
      continue;
    }
    at += size;
  }
  return out;
}

std::string tenant_of(std::string_view tenant) {
  if (is_tenant(tenant) || tenant.size() > kLongestTenant) return std::string(tenant);
  const bool dots = tenant == "." || tenant == "..";
  std::string out;
  for (const char c : tenant) {
    if (tenant_byte(c) && c != '(' && c != ')' && !dots) {
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

bool is_tenant(std::string_view tenant) {
  if (tenant.size() > kLongestTenant || tenant == "." || tenant == "..") return false;
  return std::all_of(tenant.begin(), tenant.end(), tenant_byte);
}

std::string label_string(std::span<const record::Label> labels) {
  std::string out = "{";
  for (const record::Label& label : labels) {
    if (out.size() > 1) out += ", ";
    out += label.name;
    out += '=';
    append_quoted(out, label.value);
  }
  out += '}';
  return out;
}

bool is_metadata_name(std::string_view name) {
  // The quick answer: most names have no two underscores in a row.
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  if (is_reserved(name)) name = name.substr(2, name.size() - 4);
  bool underscore = false;
  bool other = false;
  for (const char c : name) {
    if (c == '_') {
      if (underscore) return false;
      underscore = true;
    } else if (letter_or_digit(c)) {
      underscore = false;
      other = true;
    } else {
      return false;
    }
  }
  return other;
}

std::string metadata_name(std::string_view name) {
  std::string out;
  const bool reserved = is_reserved(name);
  if (!name.empty() && name[0] >= '0' && name[0] <= '9') out = "key_";
  bool other = false;
  bool underscore = false;
  for (const char c : reserved ? name.substr(2, name.size() - 4) : name) {
    if (letter_or_digit(c)) {
      out += c;
      other = true;
      underscore = false;
    } else if (!std::exchange(underscore, true)) {
      out += '_';
    }
  }
  if (other) return reserved ? "__" + out + "__" : out;
  out = kUnnamed;
  if (!name.empty()) out += '_';
  for (const char c : name.substr(0, kNamedBytes)) fmt::format_to(std::back_inserter(out), "{:02x}", static_cast<unsigned char>(c));
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
    const std::string name = is_metadata_name(pair.name) ? std::string(pair.name) : metadata_name(pair.name);
    if (name.starts_with(kUnnamed) && !pair.name.starts_with(kUnnamed)) ++metadata_renamed_;
    if (base::is_utf8(pair.value)) {
      add_pair(name, pair.value);
    } else {
      add_pair(name, base::replace_invalid_utf8(pair.value, replaced));
    }
  }
}

std::optional<Refusal> PushEncoder::prepare(const record::Record& record, std::string_view stream, std::optional<base::Timestamp> now,
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
