#include "record/jsonl_reader.h"

#include "base/base64.h"
#include "base/utf8.h"
#include "record/json.h"
#include "record/json_scanner.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <unordered_map>

namespace weir::record {
namespace {

using base::Code;
using base::Timestamp;

constexpr Timestamp kEarliest = 631'152'000 * base::kSecond;  // 1990-01-01: smaller integers are not nanoseconds
constexpr Timestamp kEnd =
    9'214'646'400 * base::kSecond;  // 2262-01-01: what is later could not be written in RFC 3339 and read again
constexpr std::size_t kMaxKnownSets = 1280;
constexpr std::size_t kMaxKnownBytes = 8 << 20;  // of the texts of those sets
constexpr std::size_t kMaxKnownText = 64 << 10;  // a larger set is read each time
constexpr std::size_t kKeptScratch = 256 << 10;

// The string as bytes of the batch, or of the line where nothing is escaped.
std::string_view decoded_into(Batch& batch, const JsonString& string) {
  if (!string.escaped) return string.data;
  char* const to = batch.allocate(string.data.size());
  const std::size_t size = unescape(to, string.data);
  batch.shrink(to, size);
  return {to, size};
}

// What one line said, before it becomes a record.
struct Members {
  bool has_line = false, has_timestamp = false, has_marker = false, has_value = false;
  JsonString line;
  Timestamp timestamp = 0;
  Marker marker;
  JsonString positions;  // of the marker, base64
  const char* positions_end = nullptr;
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
  std::size_t known_bytes = 0;

  // Parts of the current line. They are copied into the batch only when the whole line is a record, so that other lines do not fill
  // it.
  std::vector<Label> label_pairs;
  std::vector<Label> metadata_pairs;
  std::vector<std::string_view> unknown;  // members, neighbours with a comma between them as one
  // Decoded strings. What is decoded is never longer than what it was read from, so there is room for all of a line.
  std::unique_ptr<char[]> decoded;
  std::size_t decoded_room = 0, decoded_size = 0;
  std::size_t line_size = 0;

  State(const base::Clock& clock_in, Limits limits_in) : clock(clock_in), limits(limits_in) {}

  void begin(std::size_t size) {
    line_size = size;
    decoded_size = 0;
    metadata_pairs.clear();
    unknown.clear();
  }
  // Gives back what an unusual line took.
  void end() {
    if (decoded_room > kKeptScratch) {
      decoded.reset();
      decoded_room = 0;
    }
    for (std::vector<Label>* pairs : {&label_pairs, &metadata_pairs}) {
      if (pairs->capacity() * sizeof(Label) > kKeptScratch) *pairs = {};
    }
    if (unknown.capacity() * sizeof(std::string_view) > kKeptScratch) unknown = {};
  }

  // A view into the line or into `decoded`, good until the next line.
  std::string_view decode(const JsonString& string) {
    if (!string.escaped) return string.data;
    if (decoded_room < line_size) {
      // The first of this line: only the line's beginning makes its size known.
      decoded = std::make_unique_for_overwrite<char[]>(line_size);
      decoded_room = line_size;
    }
    char* to = decoded.get() + decoded_size;
    const std::size_t size = unescape(to, string.data);
    decoded_size += size;
    return {to, size};
  }
  // The same as memory of the batch.
  std::string_view kept(std::string_view text, Batch& batch) const {
    const auto at = reinterpret_cast<std::uintptr_t>(text.data()), from = reinterpret_cast<std::uintptr_t>(decoded.get());
    return at - from < decoded_size ? batch.copy(text) : text;
  }

  // `{"name":"value",…}`.
  bool pairs(JsonScanner& in, std::vector<Label>& out) {
    out.clear();
    if (!in.take('{', "an object is expected")) return false;
    if (in.peek('}')) {
      ++in.at_;
      return true;
    }
    while (true) {
      JsonString name, value;
      in.space();
      if (!in.string(name) || !in.take(':', "a colon is expected")) return false;
      in.space();
      if (in.at_ < in.end_ && *in.at_ != '"') return in.fail("values of labels and metadata are strings");
      if (!in.string(value)) return false;
      const std::string_view decoded_name = decode(name);
      out.push_back({decoded_name, decode(value)});
      if (in.peek(',')) {
        ++in.at_;
        continue;
      }
      return in.take('}', "a comma or } is expected");
    }
  }

  bool labels(JsonScanner& in, Batch& batch, Record& record) {
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
    if (!pairs(in, label_pairs)) return false;
    for (const Label& label : label_pairs) {
      if (label.name.empty()) return in.fail("a label without a name");
    }
    const std::string_view text(begin, static_cast<std::size_t>(in.at_ - begin));
    if (text.size() > kMaxKnownText) {
      record.labels = batch.hold(LabelSet::intern(label_pairs));
      return true;
    }
    std::string raw(text);
    if (known.size() >= kMaxKnownSets || known_bytes >= kMaxKnownBytes) {
      known.clear();
      known_bytes = 0;
    }
    auto [entry, is_new] = known.try_emplace(raw);
    if (is_new) {
      entry->second = LabelSet::intern(label_pairs);
      known_bytes += raw.size();
    }
    record.labels = batch.hold(entry->second);
    const bool high = std::ranges::any_of(raw, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
    recent[next_recent] = {std::move(raw), entry->second, high};
    next_recent = (next_recent + 1) % recent.size();
    return true;
  }

  static bool timestamp(JsonScanner& in, Members& out) {
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
      JsonString string;
      if (!in.string(string)) return false;
      text = string.data;
      if (string.escaped) {
        decoded.resize(text.size());
        decoded.resize(unescape(decoded.data(), text));
        text = decoded;
      }
      quoted = true;
    } else {
      if (in.at_ < in.end_ && *in.at_ != '-' && (*in.at_ < '0' || *in.at_ > '9'))
        return wrong("the timestamp must be a string or a number");
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
    if (error != std::errc() || end != text.data() + text.size())
      return wrong("the timestamp is neither RFC 3339, from 1678 to 2261, nor integer nanoseconds");
    if (out.timestamp < kEarliest)
      return wrong("the timestamp lies before 1990: seconds, ms or \xc2\xb5s? nanoseconds are expected");
    if (out.timestamp >= kEnd) return wrong("the timestamp lies after 2261");
    return out.has_timestamp = true;
  }

  template <typename T>
  static bool integer(JsonScanner& in, T& out) {
    in.space();
    const char* const begin = in.at_;
    if (!in.number()) return false;
    const auto [end, error] = std::from_chars(begin, in.at_, out);
    return (error == std::errc() && end == in.at_) || in.fail("an integer is expected");
  }

  static bool hex(JsonScanner& in, std::uint64_t& out) {
    JsonString text;
    in.space();
    if (!in.string(text)) return false;
    const auto [end, error] = std::from_chars(text.data.data(), text.data.data() + text.data.size(), out, 16);
    return (error == std::errc() && end == text.data.data() + text.data.size() && text.data.size() == 16) ||
           in.fail("sixteen hexadecimal digits are expected");
  }

  bool text(JsonScanner& in, std::string_view& out) {
    JsonString string;
    in.space();
    if (!in.string(string)) return false;
    out = decode(string);
    return true;
  }

  bool time(JsonScanner& in, Timestamp& out) {
    std::string_view written;
    if (!text(in, written)) return false;
    const auto time = parse_rfc3339(written);
    if (!time) return in.fail("a time as RFC 3339 is expected");
    out = *time;
    return true;
  }

  bool marker_member(JsonScanner& in, std::string_view key, Members& out) {
    Marker& marker = out.marker;
    if (key == "type") {
      std::string_view name;
      if (!text(in, name)) return false;
      for (const Marker::Type type :
           {Marker::Type::begin, Marker::Type::generation, Marker::Type::done, Marker::Type::block, Marker::Type::end,
            Marker::Type::rejected, Marker::Type::release, Marker::Type::release_ended}) {
        if (marker_name(type) != name) continue;
        marker.type = type;
        return true;
      }
      return in.fail("a marker of unknown type");
    }
    if (key == "checkpoint") return text(in, marker.checkpoint);
    if (key == "spool") return hex(in, marker.spool);
    if (key == "path") return text(in, marker.file.path);
    if (key == "log") return text(in, marker.log_key);
    if (key == "inode") return integer(in, marker.file.inode);
    if (key == "device") return integer(in, marker.file.device);
    if (key == "head_size") return integer(in, marker.file.head_size);
    if (key == "head_hash") return hex(in, marker.file.head_hash);
    if (key == "check_end") return integer(in, marker.file.check_end);
    if (key == "check_hash") return hex(in, marker.file.check_hash);
    if (key == "gone") return boolean(in, marker.gone);
    if (key == "release") return text(in, marker.release);
    if (key == "query") return text(in, marker.query);
    if (key == "from") return time(in, marker.range.from);
    if (key == "to") return time(in, marker.range.to);
    if (key == "positions") {
      in.space();
      out.positions = {};
      if (!in.string(out.positions)) return false;
      out.positions_end = in.at_;
      return true;
    }
    return in.skip();
  }

  bool marker(JsonScanner& in, Members& out) {
    if (!in.take('{', "an object is expected")) return false;
    while (!in.peek('}')) {
      JsonString key;
      if (!in.string(key) || !in.take(':', "a colon is expected") || !marker_member(in, decode(key), out)) return false;
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

  static bool boolean(JsonScanner& in, bool& out) {
    in.space();
    if (in.at_ < in.end_ && *in.at_ != 't' && *in.at_ != 'f') return in.fail("true or false is expected");
    out = in.at_ < in.end_ && *in.at_ == 't';
    return out ? in.word("true") : in.word("false");
  }

  // A value of which only the text is kept.
  static bool raw(JsonScanner& in, std::string_view& out, char first, std::string_view what) {
    in.space();
    if (in.at_ >= in.end_ || *in.at_ != first) return in.fail(what);
    const char* const begin = in.at_;
    if (!in.skip()) return false;
    out = {begin, static_cast<std::size_t>(in.at_ - begin)};
    return true;
  }

  void add_unknown(std::string_view member) {
    if (!unknown.empty()) {
      std::string_view& last = unknown.back();
      const char* const end = last.data() + last.size();
      if (*end == ',' && end + 1 == member.data()) {
        last = {last.data(), last.size() + 1 + member.size()};
        return;
      }
    }
    unknown.push_back(member);
  }

  std::string_view joined_unknown(Batch& batch) const {
    if (unknown.size() < 2) return unknown.empty() ? std::string_view() : unknown.front();
    std::size_t size = unknown.size() - 1;
    for (const std::string_view part : unknown) size += part.size();
    char* const begin = batch.allocate(size);
    char* to = begin;
    for (const std::string_view part : unknown) {
      if (to != begin) *to++ = ',';
      std::memcpy(to, part.data(), part.size());
      to += part.size();
    }
    return {begin, size};
  }

  // Gives the marker memory of the batch.
  bool keep_marker(Members& members, JsonScanner& in, Batch& batch) {
    Marker& marker = members.marker;
    if (members.positions_end != nullptr) {
      const std::string_view encoded = decode(members.positions);
      char* const to = batch.allocate(encoded.size() / 4 * 3 + 3);
      const auto size = base::decode_base64(to, encoded);
      batch.shrink(to, size.value_or(0));
      if (!size) {
        in.at_ = members.positions_end;
        return in.fail("base64 is expected");
      }
      marker.positions = {to, *size};
    }
    for (std::string_view* text : {&marker.checkpoint, &marker.file.path, &marker.log_key, &marker.release, &marker.query})
      *text = kept(*text, batch);
    return true;
  }

  bool member(JsonScanner& in, Batch& batch, Members& out) {
    in.space();
    const char* const begin = in.at_;
    JsonString key;
    if (!in.string(key) || !in.take(':', "a colon is expected")) return false;
    if (key.escaped) key.data = decode(key);
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
        if (key.data == "tenant") return text(in, out.record.tenant);
        if (key.data == "marker") return marker(in, out);
        if (key.data == "source") {
          std::string_view value;
          if (!text(in, value)) return false;
          const auto source = Source::parse(value);
          if (!source) return in.fail("source has an unknown form");
          out.record.source = *source;
          return true;
        }
        if (key.data == "parsed") return out.has_extra = raw(in, out.extra.parsed, '{', "parsed is an object");
        break;
      case 8:
        if (key.data == "metadata") return pairs(in, metadata_pairs);
        if (key.data == "rejected") return out.has_extra = raw(in, out.extra.rejected, '{', "rejected is an object");
        break;
      case 9:
        if (key.data == "timestamp") return timestamp(in, out);
        break;
      default:
        break;
    }
    if (!in.skip()) return false;
    out.has_extra = true;
    add_unknown({begin, static_cast<std::size_t>(in.at_ - begin)});
    return true;
  }

  bool object(JsonScanner& in, Batch& batch, Members& out) {
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
    return in.fail("a JSON object without the key line; for a program's own JSON put `weir tail -` in front");
  }

  // Raw JSON whose strings hold bytes that are not UTF-8, with those written as \udcXX. Outside of strings all is ASCII.
  static std::string_view repair(Batch& batch, std::string_view raw) {
    if (base::is_utf8(raw)) return raw;
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
  if (!piece.empty())
    state_->invalid(piece, fmt::format("part of a line that is longer than the limit of {} bytes", state_->limits.max_line), batch);
}

base::Result<void> JsonlReader::parse(std::string_view line, Batch& batch) {
  State& state = *state_;
  if (line.find_first_not_of(" \t\r\n") == std::string_view::npos) return {};
  ++state.stats.lines;
  if (line.size() > state.limits.max_line) {
    const std::string why = fmt::format("a line of {} bytes is longer than the limit of {}", line.size(), state.limits.max_line);
    for (std::size_t at = 0; at < line.size(); at += state.limits.max_line)
      state.invalid(line.substr(at, state.limits.max_line), why, batch);
    return base::fail(Code::parse, "{}", why);
  }
  JsonScanner in(line, state.limits.max_depth);
  Members members;
  state.begin(line.size());
  if (!state.object(in, batch, members) || (members.has_marker && !state.keep_marker(members, in, batch))) {
    state.end();
    const std::string why = fmt::format("column {}: {}", in.failure.at - line.data() + 1, in.failure.what);
    state.invalid(line, why, batch);
    return base::fail(Code::parse, "{}", why);
  }
  const bool broken_utf8 = in.high && !base::is_utf8(line);
  Record& record = batch.records.emplace_back(members.record);
  if (record.labels == nullptr) record.labels = batch.hold(LabelSet::empty());
  record.raw = broken_utf8 ? std::string_view() : line;
  if (state.decoded_size != 0) record.tenant = state.kept(record.tenant, batch);
  if (!state.metadata_pairs.empty()) {
    const std::span<Label> metadata = batch.allocate_labels(state.metadata_pairs.size());
    std::ranges::copy(state.metadata_pairs, metadata.begin());
    if (state.decoded_size != 0) {
      for (Label& pair : metadata) pair = {state.kept(pair.name, batch), state.kept(pair.value, batch)};
    }
    record.metadata = metadata;
  }
  if (members.has_extra) {
    members.extra.unknown = state.joined_unknown(batch);
    if (broken_utf8) {
      for (std::string_view* part :
           {&members.extra.unknown, &members.extra.rejected, &members.extra.parsed, &members.extra.value}) {
        *part = State::repair(batch, *part);
      }
    }
    auto* extra = batch.make<Extra>();
    *extra = members.extra;
    record.extra = extra;
  }
  state.end();
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
    record.line = Text::bytes(decoded_into(batch, members.line));
  } else {
    record.line = {members.line.data, members.line.escaped ? Text::Form::json : Text::Form::clean};
  }
  return {};
}

}  // namespace weir::record
