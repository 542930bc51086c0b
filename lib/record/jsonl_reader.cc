#include "record/jsonl_reader.h"

#include "record/base64.h"
#include "record/json.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstring>
#include <unordered_map>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

// The grammar is RFC 8259's. The scanner knows that nearly every line is one flat object of a few known keys whose largest
// value is a string that nobody looks into: finding the end of a string is the hot loop, sixteen bytes a step.
namespace weir::record {
namespace {

using base::Code;
using base::Timestamp;

constexpr Timestamp kEarliest = 631'152'000 * base::kSecond;  // 1990-01-01: smaller integers are not nanoseconds
constexpr Timestamp kEnd = 9'214'646'400 * base::kSecond;    // 2262-01-01: what is later could not be written in RFC 3339 and read again
constexpr std::size_t kMaxKnownSets = 4096;

struct String {
  std::string_view data;  // between the quotes
  bool escaped = false;   // has a backslash
};

struct Failure {
  const char* at;
  std::string_view what;
};

constexpr bool simple_escape(char c) {
  return c == '"' || c == '\\' || c == 'n' || c == 't' || c == '/' || c == 'r' || c == 'b' || c == 'f';
}

// Throws nothing, allocates nothing: the first failure is kept and every further call returns false.
class Scanner {
 public:
  Scanner(std::string_view text, int max_depth) : at_(text.data()), end_(text.data() + text.size()), max_depth_(max_depth) {}

  const char* at_;
  const char* const end_;
  Failure failure{nullptr, {}};
  bool high = false;  // some string holds bytes >= 0x80

  bool fail(std::string_view what) {
    if (failure.at == nullptr) failure = {at_, what};
    return false;
  }
  void space() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\r' || *at_ == '\n')) ++at_;
  }
  bool take(char c, std::string_view what) {
    space();
    if (at_ < end_ && *at_ == c) {
      ++at_;
      return true;
    }
    return fail(what);
  }
  bool peek(char c) {
    space();
    return at_ < end_ && *at_ == c;
  }

  // At the opening quote.
  bool string(String& out) {
    if (!take('"', "a string is expected")) return false;
    const char* const begin = at_;
    while (true) {
      at_ = special(at_);
      if (at_ >= end_) return fail("the string is not closed");
      const auto byte = static_cast<unsigned char>(*at_);
      if (byte == '"') break;
      if (byte < 0x20) return fail("a control byte in a string");
      out.escaped = true;
      if (end_ - at_ < 2) return fail("the string is not closed");
      if (at_[1] == 'u') {
        if (end_ - at_ < 6) return fail("a bad \\u escape");
        for (int i = 2; i < 6; ++i) {
          if (std::isxdigit(static_cast<unsigned char>(at_[i])) == 0) return fail("a bad \\u escape");
        }
        at_ += 6;
      } else {
        if (!simple_escape(at_[1])) return fail("a bad escape");
        at_ += 2;
      }
    }
    out.data = {begin, static_cast<std::size_t>(at_ - begin)};
    ++at_;
    return true;
  }

  // Any value, without looking into it.
  bool skip(int depth = 0) {
    space();
    if (at_ >= end_) return fail("a value is missing");
    switch (*at_) {
      case '"': {
        String ignored;
        return string(ignored);
      }
      case '{':
      case '[': {
        if (depth >= max_depth_) return fail("nested too deep");
        const bool object = *at_ == '{';
        const char close = object ? '}' : ']';
        ++at_;
        if (peek(close)) {
          ++at_;
          return true;
        }
        while (true) {
          if (object) {
            String ignored;
            space();
            if (!string(ignored) || !take(':', "a colon is expected")) return false;
          }
          if (!skip(depth + 1)) return false;
          if (peek(',')) {
            ++at_;
            continue;
          }
          return take(close, object ? "a comma or } is expected" : "a comma or ] is expected");
        }
      }
      case 't': return word("true");
      case 'f': return word("false");
      case 'n': return word("null");
      default: return number();
    }
  }

  bool word(std::string_view text) {
    space();
    if (std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(text)) {
      at_ += text.size();
      return true;
    }
    return fail("this is not JSON");
  }

  bool number() {
    const char* const begin = at_;
    if (at_ < end_ && *at_ == '-') ++at_;
    const auto run = [this] {
      const char* const first = at_;
      while (at_ < end_ && *at_ >= '0' && *at_ <= '9') ++at_;
      return at_ > first;
    };
    const char* const whole = at_;
    if (!run() || (*whole == '0' && at_ - whole > 1)) {
      at_ = begin;
      return fail("this is not JSON");
    }
    if (at_ < end_ && *at_ == '.') {
      ++at_;
      if (!run()) return fail("a bad number");
    }
    if (at_ < end_ && (*at_ == 'e' || *at_ == 'E')) {
      ++at_;
      if (at_ < end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      if (!run()) return fail("a bad number");
    }
    return true;
  }

 private:
  // The next quote, backslash or control byte; remembers whether it passed a byte >= 0x80.
  const char* special(const char* at) {
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), limit = _mm_set1_epi8(0x1f);
    for (; end_ - at >= 16; at += 16) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
      // Unsigned bytes <= 0x1f are those that a minimum with 0x1f leaves alone.
      const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, limit), bytes);
      const __m128i found = _mm_or_si128(control, _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
      const auto mask = static_cast<unsigned>(_mm_movemask_epi8(found));
      if (_mm_movemask_epi8(bytes) != 0) high = true;  // perhaps of what follows the string: harmless
      if (mask != 0) return at + __builtin_ctz(mask);
    }
#endif
    for (; at < end_; ++at) {
      const auto byte = static_cast<unsigned char>(*at);
      if (byte == '"' || byte == '\\' || byte < 0x20) return at;
      if (byte >= 0x80) high = true;
    }
    return end_;
  }

  const int max_depth_;
};

// What one line said, before it becomes a record.
struct Members {
  bool has_line = false, has_timestamp = false, has_marker = false, has_value = false;
  String line;
  Timestamp timestamp = 0;
  Marker marker;
  Record record;
  Extra extra;
  bool has_extra = false;
};

}  // namespace

struct JsonlReader::State {
  const base::Clock& clock;
  const Limits limits;
  ReaderStats stats;

  struct Known {
    std::string raw;
    LabelSetRef set;
    bool high = false;  // holds bytes >= 0x80
  };
  std::array<Known, 4> recent;  // a run of records of one pod switches between two sets
  std::size_t next_recent = 0;
  std::unordered_map<std::string, LabelSetRef> known;
  std::vector<Label> scratch;

  State(const base::Clock& clock_in, Limits limits_in) : clock(clock_in), limits(limits_in) {}

  std::string_view decode(const String& string, Batch& batch) const {
    if (!string.escaped) return string.data;
    char* to = batch.allocate(string.data.size());
    const std::size_t size = unescape(to, string.data);
    batch.shrink(to, size);
    return {to, size};
  }

  // `{"name":"value",…}` into scratch.
  bool pairs(Scanner& in, Batch& batch) {
    scratch.clear();
    if (!in.take('{', "an object is expected")) return false;
    if (in.peek('}')) {
      ++in.at_;
      return true;
    }
    while (true) {
      String name, value;
      in.space();
      if (!in.string(name) || !in.take(':', "a colon is expected")) return false;
      in.space();
      if (in.at_ < in.end_ && *in.at_ != '"') return in.fail("values of labels and metadata are strings");
      if (!in.string(value)) return false;
      scratch.push_back({decode(name, batch), decode(value, batch)});
      if (in.peek(',')) {
        ++in.at_;
        continue;
      }
      return in.take('}', "a comma or } is expected");
    }
  }

  bool labels(Scanner& in, Batch& batch, Record& record) {
    in.space();
    const auto left = static_cast<std::size_t>(in.end_ - in.at_);
    for (const Known& candidate : recent) {
      // An object's text is never the beginning of another object's text, so an equal prefix is the whole.
      const std::size_t size = candidate.raw.size();
      if (size != 0 && size <= left && std::memcmp(candidate.raw.data(), in.at_, size) == 0) {
        record.labels = batch.hold(candidate.set);
        in.high = in.high || candidate.high;
        in.at_ += size;
        return true;
      }
    }
    const char* const begin = in.at_;
    if (!pairs(in, batch)) return false;
    for (const Label& label : scratch) {
      if (label.name.empty()) return in.fail("a label without a name");
    }
    std::string raw(begin, static_cast<std::size_t>(in.at_ - begin));
    if (known.size() >= kMaxKnownSets) known.clear();
    auto [entry, is_new] = known.try_emplace(raw);
    if (is_new) entry->second = LabelSet::intern(scratch);
    record.labels = batch.hold(entry->second);
    const bool high = std::ranges::any_of(raw, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
    recent[next_recent] = {std::move(raw), entry->second, high};
    next_recent = (next_recent + 1) % recent.size();
    return true;
  }

  static bool timestamp(Scanner& in, Members& out) {
    in.space();
    const char* const begin = in.at_;
    std::string_view text;
    std::string decoded;
    bool quoted = false;
    const auto wrong = [&](std::string_view what) {
      in.at_ = begin;
      return in.fail(what);
    };
    if (in.peek('"')) {
      String string;
      if (!in.string(string)) return false;
      text = string.data;
      if (string.escaped) {
        decoded.resize(text.size());
        decoded.resize(unescape(decoded.data(), text));
        text = decoded;
      }
      quoted = true;
    } else {
      if (in.at_ < in.end_ && *in.at_ != '-' && (*in.at_ < '0' || *in.at_ > '9')) return wrong("the timestamp is no string and no number");
      if (!in.number()) return false;
      text = {begin, static_cast<std::size_t>(in.at_ - begin)};
    }
    if (quoted) {
      if (const auto time = parse_rfc3339(text)) {
        out.timestamp = *time;
        return out.has_timestamp = true;
      }
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out.timestamp);
    if (error != std::errc() || end != text.data() + text.size()) return wrong("the timestamp is neither RFC 3339, from 1678 to 2261, nor integer nanoseconds");
    if (out.timestamp < kEarliest) return wrong("the timestamp lies before 1990: seconds, ms or \xc2\xb5s? nanoseconds are expected");
    if (out.timestamp >= kEnd) return wrong("the timestamp lies after 2261");
    return out.has_timestamp = true;
  }

  template <typename T>
  static bool integer(Scanner& in, T& out) {
    in.space();
    const char* const begin = in.at_;
    if (!in.number()) return false;
    const auto [end, error] = std::from_chars(begin, in.at_, out);
    return (error == std::errc() && end == in.at_) || in.fail("an integer is expected");
  }

  static bool hex(Scanner& in, std::uint64_t& out) {
    String text;
    in.space();
    if (!in.string(text)) return false;
    const auto [end, error] = std::from_chars(text.data.data(), text.data.data() + text.data.size(), out, 16);
    return (error == std::errc() && end == text.data.data() + text.data.size() && text.data.size() == 16) ||
           in.fail("sixteen hexadecimal digits are expected");
  }

  bool text(Scanner& in, Batch& batch, std::string_view& out) {
    String string;
    in.space();
    if (!in.string(string)) return false;
    out = decode(string, batch);
    return true;
  }

  bool marker_member(Scanner& in, Batch& batch, std::string_view key, Marker& marker) {
    if (key == "type") {
      std::string_view name;
      if (!text(in, batch, name)) return false;
      for (const Marker::Type type : {Marker::Type::begin, Marker::Type::generation, Marker::Type::done, Marker::Type::block, Marker::Type::end,
                                      Marker::Type::rejected}) {
        if (marker_name(type) != name) continue;
        marker.type = type;
        return true;
      }
      return in.fail("a marker of unknown type");
    }
    if (key == "checkpoint") return text(in, batch, marker.checkpoint);
    if (key == "spool") return hex(in, marker.spool);
    if (key == "path") return text(in, batch, marker.path);
    if (key == "log") return text(in, batch, marker.log_key);
    if (key == "inode") return integer(in, marker.inode);
    if (key == "device") return integer(in, marker.device);
    if (key == "head_size") return integer(in, marker.head_size);
    if (key == "head_hash") return hex(in, marker.head_hash);
    if (key == "check_end") return integer(in, marker.check_end);
    if (key == "check_hash") return hex(in, marker.check_hash);
    if (key == "gone") return boolean(in, marker.gone);
    if (key == "positions") {
      std::string_view encoded;
      if (!text(in, batch, encoded)) return false;
      char* to = batch.allocate(encoded.size() / 4 * 3 + 3);
      const auto size = decode_base64(to, encoded);
      if (!size) return in.fail("base64 is expected");
      batch.shrink(to, *size);
      marker.positions = {to, *size};
      return true;
    }
    return in.skip();
  }

  bool marker(Scanner& in, Batch& batch, Members& out) {
    if (!in.take('{', "an object is expected")) return false;
    while (!in.peek('}')) {
      String key;
      if (!in.string(key) || !in.take(':', "a colon is expected") || !marker_member(in, batch, decode(key, batch), out.marker)) return false;
      if (in.peek(',')) {
        ++in.at_;
      } else if (!in.peek('}')) {
        return in.fail("a comma or } is expected");
      }
    }
    ++in.at_;
    if (out.marker.type == Marker::Type::position) return in.fail("a marker without a type");
    return out.has_marker = true;
  }

  static bool boolean(Scanner& in, bool& out) {
    in.space();
    if (in.at_ < in.end_ && *in.at_ != 't' && *in.at_ != 'f') return in.fail("true or false is expected");
    out = in.at_ < in.end_ && *in.at_ == 't';
    return out ? in.word("true") : in.word("false");
  }

  // A value of which only the text is kept.
  static bool raw(Scanner& in, std::string_view& out, char first, std::string_view what) {
    in.space();
    if (in.at_ >= in.end_ || *in.at_ != first) return in.fail(what);
    const char* const begin = in.at_;
    if (!in.skip()) return false;
    out = {begin, static_cast<std::size_t>(in.at_ - begin)};
    return true;
  }

  static void add_unknown(Batch& batch, Extra& extra, std::string_view member) {
    if (extra.unknown.empty()) {
      extra.unknown = member;
      return;
    }
    char* to = batch.allocate(extra.unknown.size() + 1 + member.size());
    std::memcpy(to, extra.unknown.data(), extra.unknown.size());
    to[extra.unknown.size()] = ',';
    std::memcpy(to + extra.unknown.size() + 1, member.data(), member.size());
    extra.unknown = {to, extra.unknown.size() + 1 + member.size()};
  }

  bool member(Scanner& in, Batch& batch, Members& out) {
    in.space();
    const char* const begin = in.at_;
    String key;
    if (!in.string(key) || !in.take(':', "a colon is expected")) return false;
    if (key.escaped) key.data = decode(key, batch);
    switch (key.data.size()) {
      case 4:
        if (key.data == "line") {
          out.line = {};
          in.space();
          if (in.at_ < in.end_ && *in.at_ != '"') return in.fail("line is a string");
          return out.has_line = in.string(out.line);
        }
        if (key.data == "held") return boolean(in, out.record.held);
        break;
      case 5:
        if (key.data == "value") return out.has_extra = out.has_value = raw(in, out.extra.value, '"', "value is a string");
        break;
      case 6:
        if (key.data == "labels") return labels(in, batch, out.record);
        if (key.data == "tenant") return text(in, batch, out.record.tenant);
        if (key.data == "marker") return marker(in, batch, out);
        if (key.data == "source") {
          std::string_view value;
          if (!text(in, batch, value)) return false;
          const auto source = Source::parse(value);
          if (!source) return in.fail("source has an unknown form");
          out.record.source = *source;
          return true;
        }
        if (key.data == "parsed") return out.has_extra = raw(in, out.extra.parsed, '{', "parsed is an object");
        break;
      case 8:
        if (key.data == "metadata") {
          if (!pairs(in, batch)) return false;
          const std::span<Label> metadata = batch.allocate_labels(scratch.size());
          std::copy(scratch.begin(), scratch.end(), metadata.begin());
          out.record.metadata = metadata;
          return true;
        }
        if (key.data == "rejected") return out.has_extra = raw(in, out.extra.rejected, '{', "rejected is an object");
        break;
      case 9:
        if (key.data == "timestamp") return timestamp(in, out);
        break;
      default: break;
    }
    if (!in.skip()) return false;
    out.has_extra = true;
    add_unknown(batch, out.extra, {begin, static_cast<std::size_t>(in.at_ - begin)});
    return true;
  }

  bool object(Scanner& in, Batch& batch, Members& out) {
    if (!in.take('{', "a JSON object is expected")) return false;
    while (!in.peek('}')) {
      if (!member(in, batch, out)) return false;
      if (in.peek(',')) {
        ++in.at_;
        if (in.peek('}')) return in.fail("a key is expected");
      } else if (!in.peek('}')) {
        return in.fail("a comma or } is expected");
      }
    }
    ++in.at_;
    in.space();
    if (in.at_ < in.end_) return in.fail("something follows the record");
    if (out.has_line || out.has_value || out.has_marker || out.record.source) return true;
    return in.fail("neither line nor source");
  }

  // Raw JSON whose strings hold bytes that are not UTF-8, with those written as \udcXX. Outside of strings all is ASCII.
  static std::string_view repair(Batch& batch, std::string_view raw) {
    if (is_utf8(raw)) return raw;
    const auto ascii = [raw](std::size_t at) { return static_cast<unsigned char>(raw[at]) < 0x80; };
    std::string out;
    for (std::size_t at = 0; at < raw.size();) {
      const std::size_t begin = at;
      const bool plain = ascii(at);
      while (at < raw.size() && ascii(at) == plain) ++at;
      if (plain) {
        out += raw.substr(begin, at - begin);
      } else {
        append_escaped(out, raw.substr(begin, at - begin));
      }
    }
    return batch.copy(out);
  }

  void invalid(std::string_view line, std::string_view why, Batch& batch) {
    ++stats.invalid;
    Record& record = batch.records.emplace_back();
    record.timestamp = clock.wall();
    record.labels = batch.hold(LabelSet::empty());
    record.line = Text::bytes(line);
    record.invalid = true;
    set_metadata(batch, record, "weir_error", why);
  }
};

JsonlReader::JsonlReader(const base::Clock& clock, Limits limits) : state_(std::make_unique<State>(clock, limits)) {}
JsonlReader::~JsonlReader() = default;

const ReaderStats& JsonlReader::stats() const { return state_->stats; }

void JsonlReader::keep_piece(std::string_view piece, Batch& batch) {
  if (!piece.empty()) state_->invalid(piece, fmt::format("part of a line that is longer than the limit of {} bytes", state_->limits.max_line), batch);
}

base::Result<void> JsonlReader::parse(std::string_view line, Batch& batch) {
  State& state = *state_;
  if (line.find_first_not_of(" \t\r\n") == std::string_view::npos) return {};
  ++state.stats.lines;
  if (line.size() > state.limits.max_line) {
    const std::string why = fmt::format("a line of {} bytes is longer than the limit of {}", line.size(), state.limits.max_line);
    for (std::size_t at = 0; at < line.size(); at += state.limits.max_line) state.invalid(line.substr(at, state.limits.max_line), why, batch);
    return base::fail(Code::parse, "{}", why);
  }
  Scanner in(line, state.limits.max_depth);
  Members members;
  if (!state.object(in, batch, members)) {
    const std::string why = fmt::format("column {}: {}", in.failure.at - line.data() + 1, in.failure.what);
    state.invalid(line, why, batch);
    return base::fail(Code::parse, "{}", why);
  }
  const bool broken_utf8 = in.high && !is_utf8(line);
  Record& record = batch.records.emplace_back(members.record);
  if (record.labels == nullptr) record.labels = batch.hold(LabelSet::empty());
  record.raw = broken_utf8 ? std::string_view() : line;
  if (members.has_extra) {
    if (broken_utf8) {
      for (std::string_view* part : {&members.extra.unknown, &members.extra.rejected, &members.extra.parsed, &members.extra.value}) {
        *part = State::repair(batch, *part);
      }
    }
    auto* extra = batch.make<Extra>();
    *extra = members.extra;
    record.extra = extra;
  }
  if (!members.has_line && !members.has_value) {
    auto* marker = batch.make<Marker>();
    *marker = members.marker;
    record.marker = marker;
    return {};
  }
  record.sample = !members.has_line;
  if (members.has_timestamp) {
    record.timestamp = members.timestamp;
  } else {
    record.timestamp = state.clock.wall();
    record.touch();
  }
  if (broken_utf8) {
    record.line = Text::bytes(state.decode(members.line, batch));
  } else {
    record.line = {members.line.data, members.line.escaped ? Text::Form::json : Text::Form::clean};
  }
  return {};
}

}  // namespace weir::record
