#include "tail/journal_json.h"

#include "record/json.h"
#include "record/json_scanner.h"

#include <charconv>
#include <limits>
#include <optional>

namespace weir::tail {
namespace {

using record::JsonScanner;
using record::JsonString;

constexpr int kMaxDepth = 16;
constexpr std::uint64_t kNanoseconds = 1000;  // of a microsecond

enum class Kind : std::uint8_t { text, missing, other, wrong };

bool literal(JsonScanner& in, std::string_view word) {
  in.space();
  if (std::string_view(in.at_, static_cast<std::size_t>(in.end_ - in.at_)).substr(0, word.size()) != word) return false;
  in.at_ += word.size();
  return true;
}

Kind read_string(JsonScanner& in, std::string& out) {
  JsonString text;
  if (!in.string(text)) return Kind::wrong;
  if (text.escaped) {
    out.resize(text.data.size());
    out.resize(record::unescape(out.data(), text.data));
  } else {
    out = text.data;
  }
  return Kind::text;
}

// A number from 0 to 255 is the next byte.
bool read_byte(JsonScanner& in, std::string& out) {
  in.space();
  unsigned value = 0;
  const auto [end, error] = std::from_chars(in.at_, in.end_, value);
  if (error != std::errc() || value > 255) return false;
  in.at_ = end;
  out.push_back(static_cast<char>(value));
  return true;
}

// Reads any value; `out` gets the bytes of the first one in it.
Kind read_value(JsonScanner& in, std::string& out, int depth = 0) {
  out.clear();
  if (in.peek('"')) return read_string(in, out);
  if (literal(in, "null")) return Kind::missing;
  if (!in.peek('[')) return in.skip(depth) ? Kind::other : Kind::wrong;
  in.accept('[');
  if (in.accept(']')) return Kind::text;
  in.space();
  const bool bytes = in.at_ < in.end_ && *in.at_ >= '0' && *in.at_ <= '9';
  Kind first = Kind::text;
  if (bytes) {
    do {
      if (!read_byte(in, out)) return Kind::wrong;
    } while (in.accept(','));
  } else {
    if (depth > 0) return in.skip(depth) ? Kind::other : Kind::wrong;
    first = read_value(in, out, depth + 1);
    while (first != Kind::wrong && in.accept(',')) {
      if (!in.skip(depth + 1)) return Kind::wrong;
    }
  }
  return in.accept(']') ? first : Kind::wrong;
}

}  // namespace

JournalJson::Outcome JournalJson::read(std::string_view line, record::Batch& batch) {
  records_.begin();
  JsonScanner in(line, kMaxDepth);
  if (!in.accept('{')) return Outcome::malformed;
  bool has_time = false, cut = false;
  JsonString key;
  do {
    if (!in.string(key) || !in.take(':', {})) return Outcome::malformed;
    const bool is_time = key.data == "__REALTIME_TIMESTAMP";
    if (!is_time && !records_.wants(key.data)) {
      if (!in.skip()) return Outcome::malformed;
      continue;
    }
    const Kind kind = read_value(in, value_);
    if (kind == Kind::wrong) return Outcome::malformed;
    if (kind == Kind::missing) cut = cut || key.data == "MESSAGE";
    if (kind != Kind::text) continue;
    if (is_time) {
      std::uint64_t microseconds = 0;
      const auto [end, error] = std::from_chars(value_.data(), value_.data() + value_.size(), microseconds);
      has_time = error == std::errc() && end == value_.data() + value_.size() &&
                 microseconds <= std::numeric_limits<base::Timestamp>::max() / kNanoseconds;
      if (has_time) time_ = static_cast<base::Timestamp>(microseconds * kNanoseconds);
    }
    records_.field(key.data, value_, batch);
  } while (in.accept(','));
  if (!in.accept('}')) return Outcome::malformed;
  in.space();
  if (!in.at_end() || !has_time) return Outcome::malformed;
  return cut ? Outcome::cut : Outcome::entry;
}

}  // namespace weir::tail
