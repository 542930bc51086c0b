#include "tail/format.h"

#include "record/json_scanner.h"
#include "record/timestamp.h"

#include <algorithm>
#include <cstring>

namespace weir::tail {
std::optional<base::Timestamp> parse_cached_time(std::string_view text, SecondCache& cache) {
  constexpr std::size_t kSecondSize = sizeof cache.text, kMaxDigits = 9;
  const bool utc_fraction = text.size() > kSecondSize + 2 && text.size() <= kSecondSize + 2 + kMaxDigits &&
                            text[kSecondSize] == '.' && text.back() == 'Z';
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
  const auto time = parse_cached_time({begin, time_size}, cache);
  if (!time) return std::nullopt;
  header.timestamp = *time;
  return header;
}

std::optional<DockerLine> parse_docker(std::string_view line) {
  if (line.empty() || line[0] != '{') return std::nullopt;
  constexpr int kMaxDepth = 16;
  record::JsonScanner in(line, kMaxDepth);
  DockerLine out;
  bool has_log = false, has_time = false;
  record::JsonString key, value;
  if (!in.take('{', {})) return std::nullopt;
  do {
    if (!in.string(key) || !in.take(':', {})) return std::nullopt;
    if (key.data == "log") {
      if (!in.string(value)) return std::nullopt;
      out.log = value.data;
      has_log = true;
    } else if (key.data == "stream") {
      if (!in.string(value)) return std::nullopt;
      if (value.data == "stdout") out.stream = Stream::standard_output;
      if (value.data == "stderr") out.stream = Stream::standard_error;
    } else if (key.data == "time") {
      if (!in.string(value)) return std::nullopt;
      const auto time = record::parse_rfc3339(value.data);
      if (!time) return std::nullopt;
      out.timestamp = *time;
      has_time = true;
    } else if (!in.skip()) {
      return std::nullopt;
    }
  } while (in.accept(','));
  if (!in.take('}', {}) || !has_log || !has_time) return std::nullopt;
  in.space();
  return in.at_end() ? std::optional(out) : std::nullopt;
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
