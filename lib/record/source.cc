#include "record/source.h"

#include "record/positions.h"

#include <charconv>
#include <cstring>

namespace weir::record {
namespace {

// Takes "<number>" up to the next '.' or the end off the front of `text`.
template <typename T>
bool take_number(std::string_view& text, T& out, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  if (error != std::errc() || end == text.data()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.empty()) return true;
  if (text.front() != '.') return false;
  text.remove_prefix(1);
  return !text.empty();
}

char* put(char* out, std::uint64_t number) { return std::to_chars(out, out + 20, number).ptr; }

}  // namespace

Source Source::in_file(std::uint32_t log, std::uint32_t generation, std::uint8_t substream, std::uint64_t end) {
  Source source;
  source.kind = Kind::file;
  source.substream = substream;
  source.log = log;
  source.generation = source.resume_generation = generation;
  source.end = source.resume = end;
  return source;
}

Source Source::in_spool(std::uint64_t spool, std::uint64_t block, std::uint32_t ordinal) {
  Source source;
  source.kind = Kind::block;
  source.spool = spool;
  source.block = block;
  source.ordinal = ordinal;
  return source;
}

Source Source::in_rejected(std::uint64_t spool, std::uint64_t row) {
  Source source;
  source.kind = Kind::rejected;
  source.spool = spool;
  source.block = row;
  return source;
}

std::optional<Source> Source::parse(std::string_view text) {
  if (text.size() < 3 || text[1] != '.') return std::nullopt;
  Source source;
  const char kind = text[0];
  text.remove_prefix(2);
  if (kind == 'b' || kind == 'r') {
    source.kind = kind == 'b' ? Kind::block : Kind::rejected;
    if (text.find('.') != 16 || !take_number(text, source.spool, 16)) return std::nullopt;
    const bool place = take_number(text, source.block) && (kind == 'r' || take_number(text, source.ordinal));
    return place && text.empty() ? std::optional(source) : std::nullopt;
  }
  if (kind != 'f') return std::nullopt;
  source.kind = Kind::file;
  if (!take_number(text, source.log) || !take_number(text, source.generation)) return std::nullopt;
  if (text.size() < 3 || (text[0] != 'o' && text[0] != 'e') || text[1] != '.') return std::nullopt;
  source.substream = text[0] == 'e' ? 1 : 0;
  text.remove_prefix(2);
  if (!take_number(text, source.end)) return std::nullopt;
  source.resume = source.end;
  source.resume_generation = source.generation;
  if (!text.empty() && !take_number(text, source.resume)) return std::nullopt;
  if (!text.empty() && !take_number(text, source.resume_generation)) return std::nullopt;
  return text.empty() ? std::optional(source) : std::nullopt;
}

std::size_t Source::print(char* out) const {
  char* at = out;
  if (kind == Kind::block || kind == Kind::rejected) {
    *at++ = kind == Kind::block ? 'b' : 'r';
    *at++ = '.';
    for (int shift = 60; shift >= 0; shift -= 4) *at++ = "0123456789abcdef"[(spool >> shift) & 15];
    *at++ = '.';
    at = put(at, block);
    if (kind == Kind::block) {
      *at++ = '.';
      at = put(at, ordinal);
    }
  } else if (kind == Kind::file) {
    *at++ = 'f';
    *at++ = '.';
    at = put(at, log);
    *at++ = '.';
    at = put(at, generation);
    *at++ = '.';
    *at++ = substream == 1 ? 'e' : 'o';
    *at++ = '.';
    at = put(at, end);
    if (resume_generation != generation || resume != end) {
      *at++ = '.';
      at = put(at, resume);
    }
    if (resume_generation != generation) {
      *at++ = '.';
      at = put(at, resume_generation);
    }
  }
  return static_cast<std::size_t>(at - out);
}

std::string Source::to_string() const {
  char text[kMaxText];
  return {text, print(text)};
}

std::string_view marker_name(Marker::Type type) {
  switch (type) {
    case Marker::Type::position:
      return "position";
    case Marker::Type::begin:
      return "begin";
    case Marker::Type::generation:
      return "generation";
    case Marker::Type::done:
      return "done";
    case Marker::Type::block:
      return "block";
    case Marker::Type::end:
      return "end";
    case Marker::Type::rejected:
      return "rejected";
    case Marker::Type::release:
      return "release";
    case Marker::Type::release_ended:
      return "release_ended";
  }
  return "";
}

std::uint64_t fnv1a(std::string_view bytes, std::uint64_t before) {
  std::uint64_t hash = before;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace weir::record
