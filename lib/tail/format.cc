#include "tail/format.h"

#include "record/timestamp.h"

#include <algorithm>
#include <cstring>

namespace weir::tail {
namespace {

// A time in UTC whose second is cached costs the digits of its fraction; any other is parsed in full.
std::optional<base::Timestamp> parse_time(std::string_view text, SecondCache& cache) {
  constexpr std::size_t kSecondSize = sizeof cache.text, kMaxDigits = 9;
  const bool utc_fraction = text.size() > kSecondSize + 2 && text.size() <= kSecondSize + 2 + kMaxDigits && text[kSecondSize] == '.' && text.back() == 'Z';
  if (utc_fraction && cache.second != 0 && std::memcmp(text.data(), cache.text, kSecondSize) == 0) {
    std::uint32_t fraction = 0;
    std::size_t at = kSecondSize + 1;
    for (; at + 1 < text.size(); ++at) {
      const unsigned digit = static_cast<unsigned char>(text[at]) - unsigned{'0'};
      if (digit > 9) return std::nullopt;
      fraction = fraction * 10 + digit;
    }
    for (; at < kSecondSize + 1 + kMaxDigits; ++at) fraction *= 10;
    return cache.second + fraction;
  }
  const auto time = record::parse_rfc3339(text);
  // Not for a leap second, which stands for another one.
  if (time && utc_fraction && *time > 0 && text[17] != '6') {
    std::memcpy(cache.text, text.data(), kSecondSize);
    cache.second = *time - *time % base::kSecond;
  }
  return time;
}

// A reader of the one JSON shape that docker writes; strings are left as they are, checked for valid escapes.
class DockerParser {
 public:
  explicit DockerParser(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  std::optional<DockerLine> parse() {
    DockerLine line;
    bool has_log = false, has_time = false;
    if (!take('{')) return std::nullopt;
    if (take('}')) return std::nullopt;
    do {
      const auto key = string();
      if (!key || !take(':')) return std::nullopt;
      if (*key == "log" || *key == "stream" || *key == "time") {
        const auto value = string();
        if (!value) return std::nullopt;
        if (*key == "log") {
          line.log = *value;
          has_log = true;
        } else if (*key == "stream") {
          if (*value == "stdout") line.stream = Stream::standard_output;
          if (*value == "stderr") line.stream = Stream::standard_error;
        } else {
          const auto time = record::parse_rfc3339(*value);
          if (!time) return std::nullopt;
          line.timestamp = *time;
          has_time = true;
        }
      } else if (!skip(0)) {
        return std::nullopt;
      }
    } while (take(','));
    if (!take('}') || !has_log || !has_time) return std::nullopt;
    skip_space();
    return at_ == end_ ? std::optional(line) : std::nullopt;
  }

 private:
  void skip_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }
  bool take(char c) {
    skip_space();
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  std::optional<std::string_view> string() {
    if (!take('"')) return std::nullopt;
    const char* const begin = at_;
    while (at_ != end_ && *at_ != '"') {
      if (static_cast<unsigned char>(*at_) < 0x20) return std::nullopt;
      if (*at_ == '\\') {
        if (!escape()) return std::nullopt;
      } else {
        ++at_;
      }
    }
    if (at_ == end_) return std::nullopt;
    return std::string_view(begin, static_cast<std::size_t>(at_++ - begin));
  }
  bool escape() {
    if (end_ - at_ < 2) return false;
    if (at_[1] != 'u') {
      const bool known = std::strchr("\"\\/bfnrt", at_[1]) != nullptr && at_[1] != 0;
      at_ += 2;
      return known;
    }
    if (end_ - at_ < 6) return false;
    for (int i = 2; i < 6; ++i) {
      const char c = at_[i];
      if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) return false;
    }
    at_ += 6;
    return true;
  }
  bool skip(int depth) {  // any value
    skip_space();
    if (at_ == end_ || depth > 16) return false;
    if (*at_ == '"') return string().has_value();
    if (*at_ == '{' || *at_ == '[') {
      const char close = *at_ == '{' ? '}' : ']';
      ++at_;
      if (take(close)) return true;
      do {
        if (close == '}' && (!string() || !take(':'))) return false;
        if (!skip(depth + 1)) return false;
      } while (take(','));
      return take(close);
    }
    const char* const begin = at_;
    while (at_ != end_ && std::strchr(",}] \t\r", *at_) == nullptr) ++at_;
    return at_ != begin;
  }

  const char* at_;
  const char* end_;
};

}  // namespace

std::optional<CriHeader> parse_cri(std::string_view line, SecondCache& cache) {
  // The shortest: "2024-05-01T10:00:00Z stdout F".
  constexpr std::size_t kShortest = 29, kLongestTime = 48, kLongestTags = 64;
  if (line.size() < kShortest || line[4] != '-') return std::nullopt;
  const char* const begin = line.data();
  const char* const end = begin + line.size();
  const auto* space = static_cast<const char*>(std::memchr(begin, ' ', std::min(line.size(), kLongestTime)));
  if (space == nullptr) return std::nullopt;
  const auto time_size = static_cast<std::size_t>(space - begin);
  if (line.size() < time_size + 9) return std::nullopt;
  CriHeader header;
  const char* at = space + 1;
  if (std::memcmp(at, "stdout ", 7) == 0) {
    header.stream = Stream::standard_output;
  } else if (std::memcmp(at, "stderr ", 7) == 0) {
    header.stream = Stream::standard_error;
  } else {
    return std::nullopt;
  }
  at += 7;
  header.partial = *at == 'P';
  if (!header.partial && *at != 'F') return std::nullopt;
  ++at;
  if (at != end && *at == ':') {
    const auto left = static_cast<std::size_t>(end - at);
    const auto* tags_end = static_cast<const char*>(std::memchr(at, ' ', std::min(left, kLongestTags)));
    if (tags_end == nullptr && left > kLongestTags) return std::nullopt;
    at = tags_end == nullptr ? end : tags_end;
  }
  if (at != end && *at++ != ' ') return std::nullopt;
  header.size = static_cast<std::uint32_t>(at - begin);
  const auto time = parse_time({begin, time_size}, cache);
  if (!time) return std::nullopt;
  header.timestamp = *time;
  return header;
}

std::optional<DockerLine> parse_docker(std::string_view line) {
  if (line.empty() || line[0] != '{') return std::nullopt;
  return DockerParser(line).parse();
}

Format detect_format(std::string_view text, int lines) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  for (int i = 0; i < lines && !text.empty(); ++i) {
    const std::size_t newline = text.find('\n');
    std::string_view line = text.substr(0, newline);
    line.remove_prefix(std::min(line.find_first_not_of('\0'), line.size()));
    if (parse_cri(line)) return Format::cri;
    if (parse_docker(line)) return Format::docker;
    if (newline == std::string_view::npos) break;
    text.remove_prefix(newline + 1);
  }
  return Format::raw;
}

}  // namespace weir::tail
