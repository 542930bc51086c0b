#include "smoke/plan.h"

#include "record/record.h"

#include <fmt/format.h>

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <charconv>

namespace weir::smoke {

using base::Duration;
using base::Result;
using base::Timestamp;

namespace {

constexpr std::uint32_t kLargeOfBatch = 3;
constexpr std::uint32_t kLeastWithLarge = 4;  // a smaller batch has no large lines
constexpr std::string_view kSame = "same";

constexpr std::array<std::string_view, 24> kWords = {
    "request", "accepted", "cart",  "checkout", "pod",     "node",    "timeout", "retry",  "flush",  "cache", "lookup", "served",
    "upload",  "session",  "token", "expired",  "renewed", "invoice", "payment", "parcel", "weight", "route", "queue",  "drained"};

constexpr std::array<std::string_view, 6> kScripts = {
    "Größe, façade, naïve – “quoted” … €",
    "日本語のログ 中文日志 한국어 로그",
    "Ελληνικά Кириллица עברית العربية हिन्दी ไทย",
    "\U0001f600 \U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \U00010348",
    "e\u0301 is not \u00e9; \ufb01 \u212b \u00a0 \u2028 \u200b",
    "\u202eright to left\u202c \ufeff zero width",
};

// SplitMix64: the same numbers everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  std::string_view word() { return kWords[below(kWords.size())]; }
  std::string words(std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) text += ' ';
      text += word();
    }
    return text;
  }

 private:
  std::uint64_t state_;
};

std::string text_of(Kind kind, Random& random, Form form, std::size_t head) {
  switch (kind) {
    case Kind::plain:
    case Kind::same_time:
      return fmt::format("{} in {} ms", random.words(6), random.below(10'000));
    case Kind::unicode:
      return fmt::format("{} {}", kScripts[random.below(kScripts.size())], random.word());
    case Kind::quotes:
      return fmt::format("say \"{}\" or '{}' C:\\path\\{} \t `tick` <b>&amp;</b> %s {{{{.x}}}} \x1b[31mred\x1b[0m  ", random.word(),
                         random.word(), random.word());
    case Kind::json:
      return fmt::format(R"({{"level":"info","msg":"{} \"{}\"","ms":{},"ok":true,"tags":["{}"]}})", random.words(3), random.word(),
                         random.below(1000), random.word());
    case Kind::multi_line:
      if (form == Form::line)
        return fmt::format("    at {}.{}({}.java:{})", random.word(), random.word(), random.word(), random.below(900));
      return fmt::format("error: {}\n\tat {}.{}({}.go:{})\n\nCaused by: {}\n", random.words(3), random.word(), random.word(),
                         random.word(), random.below(900), random.words(2));
    case Kind::same_line:
      return "weir smoke: this line is the same in every batch";
    case Kind::large: {
      const std::string piece = random.words(40);
      std::string text;
      text.reserve(kLargeLine);
      while (head + text.size() + piece.size() + 2 <= kLargeLine) (text += piece) += ' ';
      text.append(kLargeLine - head - text.size(), '.');
      return text;
    }
  }
  return {};
}

}  // namespace

std::string_view word_of(Kind kind) {
  switch (kind) {
    case Kind::plain:
      return "plain";
    case Kind::same_time:
      return "same time";
    case Kind::unicode:
      return "Unicode";
    case Kind::quotes:
      return "quotes";
    case Kind::json:
      return "JSON";
    case Kind::multi_line:
      return "multi-line";
    case Kind::same_line:
      return "same line";
    case Kind::large:
      return "100 KiB";
  }
  return {};
}

PlannedBatch Plan::batch(std::uint32_t index) const {
  const std::uint32_t first = index * kBatchRecords + 1;
  return {first, std::min(kBatchRecords, spec_.records - first + 1), index % spec_.streams + 1};
}

std::uint32_t Plan::stream_of(std::uint32_t number) const { return (number - 1) / kBatchRecords % spec_.streams + 1; }

Kind Plan::kind_of(std::uint32_t number) const {
  const std::uint32_t index = (number - 1) / kBatchRecords, place = (number - 1) % kBatchRecords;
  const std::uint32_t size = batch(index).size;
  const bool large = spec_.large == Large::all || (spec_.large == Large::one && index == 0);
  if (large && size >= kLeastWithLarge && place + kLargeOfBatch >= size) return Kind::large;
  constexpr std::array<Kind, 3> mixed = {Kind::unicode, Kind::quotes, Kind::json};
  switch (place) {
    case 1:
      return Kind::same_time;
    case 2:
      return mixed[index % mixed.size()];
    case 3:
      return Kind::multi_line;
    case 4:
      return Kind::same_line;
    case 6:
      return mixed[(index + 1) % mixed.size()];
    case 7:
      return mixed[(index + 2) % mixed.size()];
    default:
      return Kind::plain;
  }
}

Timestamp Plan::time_of(std::uint32_t number) const {
  const std::uint32_t shown = kind_of(number) == Kind::same_time ? number - 1 : number;
  return spec_.begin + static_cast<Duration>(shown - 1) * spec_.gap;
}

std::string Plan::mark() const { return fmt::format("weir-smoke run={} record=", spec_.run); }

PlannedRecord Plan::record(std::uint32_t number) const {
  PlannedRecord record;
  record.number = number;
  record.stream = stream_of(number);
  record.kind = kind_of(number);
  record.time = time_of(number);
  Random random(spec_.seed * 0x100000001b3U + number);
  std::string head;
  if (spec_.form == Form::line) {
    head = record.kind == Kind::same_line ? fmt::format("{}{} ", mark(), kSame) : fmt::format("{}{} ", mark(), number);
    // A continuation line, as in a stack trace.
    if (record.kind == Kind::multi_line) head.insert(0, "    ");
  } else {
    record.metadata = {{std::string(kRunName), spec_.run},
                       {std::string(kRecordName), fmt::to_string(number)},
                       {std::string(kNoteName), fmt::format("{} / \"{}\"", kScripts[number % 3], random.word())}};
  }
  record.line = head + text_of(record.kind, random, spec_.form, head.size());
  return record;
}

std::optional<Identity> identify(const Plan& plan, std::string_view line, std::span<const record::Label> metadata) {
  std::string_view text;
  if (plan.spec().form == Form::metadata) {
    if (record::find(metadata, kRunName) != plan.spec().run) return std::nullopt;
    text = record::find(metadata, kRecordName);
  } else {
    const std::string mark = plan.mark();
    const std::size_t at = line.find(mark);
    if (at == std::string_view::npos) return std::nullopt;
    text = line.substr(at + mark.size());
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos) return std::nullopt;  // cut within the number
    text = text.substr(0, space);
    if (text == kSame) return Identity{0, true};
  }
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number == 0 || number > plan.records()) return std::nullopt;
  return Identity{number, false};
}

Result<std::string> new_run_id() {
  std::array<unsigned char, 6> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    return base::io_error(errno, "read random bytes");
  std::string id;
  for (const unsigned char byte : bytes) id += fmt::format("{:02x}", byte);
  return id;
}

}  // namespace weir::smoke
