#include "spool/positions_codec.h"

#include "spool/compression.h"
#include "spool/wire.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace weir::spool {
namespace {

constexpr std::uint8_t kPlain = 1;
constexpr std::uint8_t kPacked = 2;
constexpr std::size_t kPackFrom = 512;  // bytes; smaller ones gain nothing
constexpr std::uint64_t kMaxUnpacked = 256ULL << 20;

// Flags of an entry.
constexpr std::uint64_t kHasKey = 1;
constexpr std::uint64_t kHasGenerations = 2;
constexpr std::uint64_t kGone = 4;
constexpr std::uint64_t kStarted = 8;

void set_print(record::FileIdentity& file, const Print& print) {
  file.head_size = print.head_size;
  file.head_hash = print.head_hash;
  file.check_end = print.check_end;
  file.check_hash = print.check_hash;
}

void put_generation(std::string& out, const StoredGeneration& generation, std::string_view key) {
  const record::FileIdentity& file = generation.facts.file;
  wire::put_varint(out, generation.facts.number);
  out.push_back(static_cast<char>((generation.facts.done ? 1 : 0) | (file.path == key ? 0 : 2)));
  if (file.path != key) wire::put_bytes(out, file.path);
  wire::put_varint(out, file.inode);
  wire::put_varint(out, file.device);
  wire::put_varint(out, generation.earlier.size() + 1);
  const auto put_print = [&out](const Print& print) {
    wire::put_varint(out, print.head_size);
    wire::put_word(out, print.head_hash);
    wire::put_varint(out, print.check_end);
    if (print.check_end != 0) wire::put_word(out, print.check_hash);
  };
  for (const Print& print : generation.earlier) put_print(print);
  put_print(generation.print());
}

StoredGeneration take_generation(wire::Cursor& cursor, std::string_view key) {
  StoredGeneration generation;
  record::FileIdentity& file = generation.facts.file;
  generation.facts.number = static_cast<std::uint32_t>(cursor.varint());
  const std::uint8_t flags = cursor.byte();
  generation.facts.done = (flags & 1) != 0;
  file.path = (flags & 2) != 0 ? cursor.bytes() : key;
  file.inode = cursor.varint();
  file.device = cursor.varint();
  for (std::uint64_t prints = cursor.varint(); prints > 0 && !cursor.failed(); --prints) {
    Print print;
    print.head_size = static_cast<std::uint32_t>(cursor.varint());
    print.head_hash = cursor.word();
    print.check_end = cursor.varint();
    if (print.check_end != 0) print.check_hash = cursor.word();
    if (prints > 1) {
      generation.earlier.push_back(print);
    } else {
      set_print(file, print);
    }
  }
  return generation;
}

base::Result<std::string> unwrap(std::string_view encoded) {
  if (encoded.empty()) return std::string();
  wire::Cursor cursor(encoded);
  const std::uint8_t form = cursor.byte();
  if (form == kPlain) return std::string(encoded.substr(1));
  if (form != kPacked) return damaged_positions();
  const std::uint64_t size = cursor.varint();
  if (cursor.failed() || size > kMaxUnpacked) return damaged_positions();
  std::string plain(size, '\0');
  if (!Decompressor().read(cursor.take(cursor.left()), plain.data(), size)) return damaged_positions();
  return plain;
}

base::Result<PositionEntry> take_entry(wire::Cursor& cursor, const std::function<std::string_view(std::uint32_t)>& key_of) {
  PositionEntry entry;
  entry.number = static_cast<std::uint32_t>(cursor.varint());
  const std::uint64_t flags = cursor.varint();
  entry.gone = (flags & kGone) != 0;
  entry.started = (flags & kStarted) != 0;
  entry.has_key = (flags & kHasKey) != 0;
  entry.has_generations = (flags & kHasGenerations) != 0;
  if (entry.has_key) entry.key = cursor.bytes();
  if (const std::string_view known = key_of(entry.number); !known.empty()) entry.key = known;
  if (entry.has_generations) {
    const std::uint64_t count = cursor.varint();
    if (count > cursor.left()) return damaged_positions();
    for (std::uint64_t i = 0; i < count; ++i) entry.generations.push_back(take_generation(cursor, entry.key));
  }
  const std::uint64_t ends = cursor.varint();
  if (ends > cursor.left()) return damaged_positions();
  for (std::uint64_t i = 0; i < ends; ++i) {
    GenerationEnd& end = entry.ends.emplace_back();
    end.generation = static_cast<std::uint32_t>(cursor.varint());
    for (std::uint64_t& offset : end.end) offset = cursor.varint();
  }
  entry.resume.generation = static_cast<std::uint32_t>(cursor.varint());
  entry.resume.offset = cursor.varint();
  if (cursor.failed()) return damaged_positions();
  return entry;
}

// What several entries of one log say together.
struct JoinedEntry {
  std::uint64_t flags = 0;
  std::string_view key, generations;  // as they are encoded, without their lengths
  std::uint64_t generation_count = 0;
  std::map<std::uint64_t, std::array<std::uint64_t, 2>> ends;
  std::array<std::uint64_t, 2> resume{};
};

void join_entry(wire::Cursor& cursor, std::string_view plain, std::map<std::uint64_t, JoinedEntry>& joined) {
  JoinedEntry& entry = joined[cursor.varint()];
  const std::uint64_t flags = cursor.varint();
  entry.flags = (flags & ~(kHasKey | kHasGenerations)) | ((entry.flags | flags) & (kHasKey | kHasGenerations));
  if ((flags & kHasKey) != 0) entry.key = cursor.bytes();
  if ((flags & kHasGenerations) != 0) {
    entry.ends.clear();
    entry.generation_count = cursor.varint();
    const std::size_t from = plain.size() - cursor.left();
    for (std::uint64_t i = 0; i < entry.generation_count && !cursor.failed(); ++i) take_generation(cursor, entry.key);
    entry.generations = plain.substr(from, plain.size() - cursor.left() - from);
  }
  for (std::uint64_t count = cursor.varint(); count > 0 && !cursor.failed(); --count) {
    const std::uint64_t generation = cursor.varint();
    entry.ends[generation] = {cursor.varint(), cursor.varint()};
  }
  entry.resume = {cursor.varint(), cursor.varint()};
}

}  // namespace

bool Print::fits(const Print& other) const {
  if (head_size != other.head_size || head_hash != other.head_hash) return false;
  return check_end == 0 || other.check_end == 0 || (check_end == other.check_end && check_hash == other.check_hash);
}

bool Print::covers_more_than(const Print& other) const {
  return head_size > other.head_size || (head_size == other.head_size && check_end > other.check_end);
}

Print print_of(const record::FileIdentity& file) { return {file.head_size, file.head_hash, file.check_end, file.check_hash}; }

bool StoredGeneration::is(const record::FileIdentity& announced) const {
  if (facts.file.inode != announced.inode) return false;
  const auto fits = [theirs = print_of(announced)](const Print& known) { return known.fits(theirs); };
  return fits(print()) || std::ranges::any_of(earlier, fits);
}

bool StoredGeneration::announce(const record::FileIdentity& announced) {
  record::FileIdentity& file = facts.file;
  if (file == announced) return false;
  const Print before = print(), now = print_of(announced);
  file.path = announced.path;
  file.device = announced.device;
  file.inode = announced.inode;
  if (!now.covers_more_than(before)) return true;
  earlier.push_back(before);
  if (earlier.size() > kIdentitiesKept) earlier.erase(earlier.begin());
  set_print(file, now);
  return true;
}

base::Error damaged_positions() { return base::fail(base::Code::corrupt, "cannot read positions: they are damaged"); }

void put_entry(std::string& out, const EntryHead& head, std::span<const StoredGeneration* const> generations,
               std::span<const StoredGeneration* const> moved) {
  wire::put_varint(out, head.number);
  wire::put_varint(out, (head.has_key ? kHasKey : 0) | (head.has_generations ? kHasGenerations : 0) | (head.gone ? kGone : 0) |
                            (head.started ? kStarted : 0));
  if (head.has_key) wire::put_bytes(out, head.key);
  if (head.has_generations) {
    wire::put_varint(out, generations.size());
    for (const StoredGeneration* generation : generations) put_generation(out, *generation, head.key);
  }
  wire::put_varint(out, moved.size());
  for (const StoredGeneration* generation : moved) {
    wire::put_varint(out, generation->facts.number);
    for (const std::uint64_t end : generation->end) wire::put_varint(out, end);
  }
  wire::put_varint(out, head.resume.generation);
  wire::put_varint(out, head.resume.offset);
}

std::string pack_entries(std::string plain) {
  std::string out;
  if (plain.size() < kPackFrom) {
    out.reserve(plain.size() + 1);
    out.push_back(static_cast<char>(kPlain));
    out += plain;
    return out;
  }
  out.push_back(static_cast<char>(kPacked));
  wire::put_varint(out, plain.size());
  Compressor(Effort::fast).append(out, plain);
  return out;
}

base::Result<void> for_each_entry(std::string_view packed, const std::function<std::string_view(std::uint32_t)>& key_of,
                                  const std::function<base::Result<void>(const PositionEntry&)>& each) {
  auto plain = unwrap(packed);
  if (!plain) return std::move(plain).error();
  wire::Cursor cursor(*plain);
  while (cursor.left() > 0) {
    auto entry = take_entry(cursor, key_of);
    if (!entry) return std::move(entry).error();
    if (auto done = each(*entry); !done) return done;
  }
  return {};
}

std::string join_deltas(std::span<const std::string_view> deltas) {
  std::vector<std::string> plains;
  for (const std::string_view delta : deltas) {
    if (auto entries = unwrap(delta)) plains.push_back(std::move(*entries));
  }
  std::map<std::uint64_t, JoinedEntry> joined;
  for (const std::string& plain : plains) {
    wire::Cursor cursor(plain);
    while (cursor.left() > 0) join_entry(cursor, plain, joined);
  }
  std::string all;
  for (const auto& [number, entry] : joined) {
    wire::put_varint(all, number);
    wire::put_varint(all, entry.flags);
    if ((entry.flags & kHasKey) != 0) wire::put_bytes(all, entry.key);
    if ((entry.flags & kHasGenerations) != 0) {
      wire::put_varint(all, entry.generation_count);
      all += entry.generations;
    }
    wire::put_varint(all, entry.ends.size());
    for (const auto& [generation, end] : entry.ends) {
      wire::put_varint(all, generation);
      for (const std::uint64_t offset : end) wire::put_varint(all, offset);
    }
    for (const std::uint64_t part : entry.resume) wire::put_varint(all, part);
  }
  return all.empty() ? std::string() : pack_entries(std::move(all));
}

}  // namespace weir::spool
