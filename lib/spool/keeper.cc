// Positions in a file (weir-spool.5): a byte with the form (1: plain, 2: a varint with the size, then a zstd frame of the
// plain form), then entries to the end. An entry: number of the log, flags, and what the flags say follows.
//
// 'Repeat' is decided by generation, not by comparing generation numbers: a file that was forgotten and comes back gets a higher
// number than the live one, and must not make the live one's records look old.
#include "spool/keeper.h"

#include "spool/compression.h"
#include "spool/wire.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::spool {
namespace {

constexpr std::uint8_t kPlain = 1;
constexpr std::uint8_t kPacked = 2;
constexpr std::size_t kPackFrom = 512;               // bytes; smaller ones gain nothing
constexpr std::uint64_t kMaxUnpacked = 256ULL << 20;

// Flags of an entry.
constexpr std::uint64_t kHasKey = 1;
constexpr std::uint64_t kHasGenerations = 2;
constexpr std::uint64_t kGone = 4;
constexpr std::uint64_t kStarted = 8;

constexpr std::size_t kFinishedKept = 8;   // of a log
constexpr std::size_t kIdentitiesKept = 8; // of a growing file
constexpr std::size_t kGoneKept = 256;     // logs
constexpr std::size_t kBoundKept = 32;     // generations of a log that a stream has named, if the oldest is finished

struct Print {
  std::uint32_t head_size = 0;
  std::uint64_t head_hash = 0, check_end = 0, check_hash = 0;
  friend bool operator==(const Print&, const Print&) = default;
};

struct StoredGeneration {
  record::Generation facts;
  std::uint64_t end[2] = {0, 0};    // safe
  std::uint64_t taken[2] = {0, 0};  // seen and taken, in memory only
  std::vector<Print> earlier;       // identities it had while it grew, oldest first
  bool closing = false;             // `done` was seen …
  bool closing_gone = false;
  std::uint64_t closing_end = 0;    // … and takes effect when everything up to here is safe
  bool moved = false;

  [[nodiscard]] Print print() const { return {facts.file.head_size, facts.file.head_hash, facts.file.check_end, facts.file.check_hash}; }
};
using GenerationPtr = std::shared_ptr<StoredGeneration>;

struct Log {
  std::uint32_t number = 0;  // in the file
  std::string key;
  std::vector<GenerationPtr> generations;  // by number
  record::Place resume;
  bool started = false;  // something of it is safe; before that it is no position
  bool gone = false;
  std::uint64_t gone_since = 0;  // counts up
  bool moved = false;
  bool key_stored = false;
  bool generations_moved = false;
  std::uint32_t bound = 0;  // how many numbers of the stream stand for it
};

struct BoundGeneration {
  std::uint32_t local = 0;
  GenerationPtr stored;
  std::uint64_t floor[2] = {0, 0};  // what this stream need not bring
  bool finished = false;            // was finished before this stream announced it
};

struct BoundLog {
  Log* log = nullptr;
  std::vector<BoundGeneration> generations;  // newest last
};

bool same_file(const StoredGeneration& stored, const record::Marker& marker) {
  if (stored.facts.file.inode != marker.inode) return false;
  const Print announced{marker.head_size, marker.head_hash, marker.check_end, marker.check_hash};
  const auto fits = [&](const Print& known) {
    if (known.head_size != announced.head_size || known.head_hash != announced.head_hash) return false;
    if (known.check_end == 0 || announced.check_end == 0) return true;
    return known.check_end == announced.check_end && known.check_hash == announced.check_hash;
  };
  return fits(stored.print()) || std::ranges::any_of(stored.earlier, fits);
}

bool same_path(const std::string& a, const std::string& b) {
  if (a == b) return true;
  std::error_code error;
  if (std::filesystem::equivalent(a, b, error) && !error) return true;
  const auto x = std::filesystem::weakly_canonical(a, error);
  if (error) return false;
  const auto y = std::filesystem::weakly_canonical(b, error);
  return !error && x == y;
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

GenerationPtr take_generation(wire::Cursor& cursor, std::string_view key) {
  auto generation = std::make_shared<StoredGeneration>();
  record::FileIdentity& file = generation->facts.file;
  generation->facts.number = static_cast<std::uint32_t>(cursor.varint());
  const std::uint8_t flags = cursor.byte();
  generation->facts.done = (flags & 1) != 0;
  file.path = (flags & 2) != 0 ? cursor.bytes() : key;
  file.inode = cursor.varint();
  file.device = cursor.varint();
  std::uint64_t prints = cursor.varint();
  for (; prints > 0 && !cursor.failed(); --prints) {
    Print print;
    print.head_size = static_cast<std::uint32_t>(cursor.varint());
    print.head_hash = cursor.word();
    print.check_end = cursor.varint();
    if (print.check_end != 0) print.check_hash = cursor.word();
    if (prints > 1) {
      generation->earlier.push_back(print);
    } else {
      file.head_size = print.head_size;
      file.head_hash = print.head_hash;
      file.check_end = print.check_end;
      file.check_hash = print.check_hash;
    }
  }
  return generation;
}

std::string wrap(std::string plain) {
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

base::Error damaged() { return base::fail(base::Code::corrupt, "cannot read positions: they are damaged"); }

// The entries of a snapshot or delta.
base::Result<std::string> unwrap(std::string_view encoded) {
  if (encoded.empty()) return std::string();
  wire::Cursor cursor(encoded);
  const std::uint8_t form = cursor.byte();
  if (form == kPlain) return std::string(encoded.substr(1));
  if (form != kPacked) return damaged();
  const std::uint64_t size = cursor.varint();
  if (cursor.failed() || size > kMaxUnpacked) return damaged();
  std::string plain(size, '\0');
  if (!Decompressor().read(cursor.take(cursor.left()), plain.data(), size)) return damaged();
  return plain;
}

}  // namespace

struct Keeper::State {
  std::string checkpoint;
  std::vector<std::unique_ptr<Log>> logs;
  std::unordered_map<std::string_view, Log*> by_key;      // keys live in the logs
  std::unordered_map<std::uint32_t, Log*> by_number;
  std::uint32_t next_number = 1;
  std::uint64_t next_gone = 1;
  // By the stream's log number, until the log is gone: a node's pods come and go for as long as a stream lasts.
  std::unordered_map<std::uint32_t, BoundLog> stream;
  std::uint32_t latest = 0;  // the records of a batch are of few logs
  BoundLog* latest_bound = nullptr;
  std::uint64_t repeats = 0;
  bool moved = false;

  Log& log_of(std::string_view key) {
    const auto found = by_key.find(key);
    if (found != by_key.end()) return *found->second;
    return add_log(next_number, key);
  }

  Log& add_log(std::uint32_t number, std::string_view key) {
    Log& log = *logs.emplace_back(std::make_unique<Log>());
    log.number = number;
    log.key = key;
    by_key[log.key] = &log;
    by_number[number] = &log;
    next_number = std::max(next_number, number + 1);
    return log;
  }

  BoundLog* find(std::uint32_t log) {
    if (latest_bound != nullptr && latest == log) return latest_bound;
    const auto found = stream.find(log);
    if (found == stream.end()) return nullptr;
    latest = log;
    return latest_bound = &found->second;
  }

  void unbind(std::uint32_t log) {
    const auto found = stream.find(log);
    if (found == stream.end()) return;
    if (found->second.log != nullptr) --found->second.log->bound;
    latest_bound = nullptr;
    stream.erase(found);
  }

  void unbind_all() {
    for (auto& [number, bound] : stream) --bound.log->bound;
    latest_bound = nullptr;
    stream.clear();
  }

  [[nodiscard]] std::uint64_t oldest_gone() const { return next_gone > kGoneKept ? next_gone - kGoneKept : 0; }

  // Logs that a snapshot leaves out, once it is stored that they are gone.
  void forget_gone() {
    const std::uint64_t oldest = oldest_gone();
    std::erase_if(logs, [&](const std::unique_ptr<Log>& log) {
      if (!log->gone || log->gone_since >= oldest || log->bound > 0 || log->moved) return false;
      by_key.erase(log->key);
      by_number.erase(log->number);
      return true;
    });
  }

  BoundGeneration* find(std::uint32_t log, std::uint32_t generation) {
    BoundLog* const bound = find(log);
    if (bound == nullptr) return nullptr;
    std::vector<BoundGeneration>& generations = bound->generations;
    for (std::size_t i = generations.size(); i-- > 0;) {
      if (generations[i].local == generation) return &generations[i];
    }
    return nullptr;
  }

  void touch(Log& log) { log.moved = moved = true; }

  void close(Log& log, StoredGeneration& generation) {
    generation.closing = false;
    generation.facts.done = true;
    log.generations_moved = true;
    log.started = true;
    if (generation.closing_gone && !log.gone) {
      log.gone = true;
      log.gone_since = next_gone++;
    }
    std::size_t finished = 0;
    for (auto at = log.generations.end(); at != log.generations.begin();) {
      --at;
      if ((*at)->facts.done && ++finished > kFinishedKept && (*at)->facts.number != log.resume.generation) at = log.generations.erase(at);
    }
    touch(log);
  }

  base::Result<void> introduce(const record::Source& source, const record::Marker& marker) {
    if (source.kind != record::Source::Kind::file) {
      return base::fail(base::Code::usage, "cannot keep positions: a generation marker names no place in a log");
    }
    Log& log = log_of(marker.log_key);
    if (const BoundLog* known = find(source.log); known == nullptr || known->log != &log) {
      unbind(source.log);
      stream[source.log].log = &log;
      ++log.bound;
    }
    BoundLog& bound = *find(source.log);

    if (BoundGeneration* known = find(source.log, source.generation); known != nullptr) {
      grow(log, *known->stored, marker);
      return {};
    }
    GenerationPtr match;
    for (auto at = log.generations.rbegin(); at != log.generations.rend(); ++at) {
      const bool taken = std::ranges::any_of(bound.generations, [&](const BoundGeneration& other) { return other.stored == *at; });
      if (taken || !same_file(**at, marker)) continue;
      const record::FileIdentity& file = (*at)->facts.file;
      const bool exact = file.path == marker.path && file.device == marker.device && file.check_end == marker.check_end;
      if (!match || exact) match = *at;
      if (exact) break;
    }
    if (match) {
      grow(log, *match, marker);
    } else {
      match = std::make_shared<StoredGeneration>();
      match->facts.number = log.generations.empty() ? log.resume.generation + 1 : log.generations.back()->facts.number + 1;
      match->facts.file = {std::string(marker.path), marker.inode,     marker.device,    marker.head_size,
                           marker.head_hash,         marker.check_end, marker.check_hash};
      if (!log.started && log.generations.empty()) log.resume = {match->facts.number, 0};
      log.generations.push_back(match);
      log.generations_moved = true;
      if (std::exchange(log.gone, false)) log.key_stored = false;  // a snapshot may have left it out
    }
    BoundGeneration fresh{source.generation, match, {}, match->facts.done};
    for (int s = 0; s < 2; ++s) fresh.floor[s] = std::max(match->end[s], match->taken[s]);
    bound.generations.push_back(std::move(fresh));
    if (bound.generations.size() > kBoundKept && bound.generations.front().stored->facts.done) bound.generations.erase(bound.generations.begin());
    return {};
  }

  // The file is announced again: a longer head, a later check, another path after a rename, another device after a boot.
  static void grow(Log& log, StoredGeneration& generation, const record::Marker& marker) {
    record::FileIdentity& file = generation.facts.file;
    const Print before = generation.print();
    const Print announced{marker.head_size, marker.head_hash, marker.check_end, marker.check_hash};
    if (file.path == marker.path && file.device == marker.device && file.inode == marker.inode && before == announced) return;
    file.path = marker.path;
    file.device = marker.device;
    file.inode = marker.inode;
    log.generations_moved = true;
    // A reader that started early announces an identity that has been outgrown; the one that says more stays.
    const bool says_more = announced.head_size > before.head_size ||
                           (announced.head_size == before.head_size && announced.check_end > before.check_end);
    if (!says_more) return;
    generation.earlier.push_back(before);
    if (generation.earlier.size() > kIdentitiesKept) generation.earlier.erase(generation.earlier.begin());
    file.head_size = marker.head_size;
    file.head_hash = marker.head_hash;
    file.check_end = marker.check_end;
    file.check_hash = marker.check_hash;
  }

  base::Result<Verdict> see_marker(const record::Record& record) {
    const record::Marker& marker = *record.marker;
    using Type = record::Marker::Type;
    if (marker.type == Type::begin) {
      if (marker.spool != 0) {
        return base::fail(base::Code::usage, "cannot keep positions in '{}': these records come out of the spool '{}', which waits for "
                          "their acknowledgement", checkpoint, marker.checkpoint)
            .with_hint("only push acknowledges; use one buffer in a chain");
      }
      if (!same_path(std::string(marker.checkpoint), checkpoint)) {
        return base::fail(base::Code::usage, "cannot keep positions in '{}': tail starts from those in '{}'", checkpoint, marker.checkpoint)
            .with_hint(fmt::format("give tail --checkpoint {}", checkpoint));
      }
      unbind_all();
    } else if (marker.type == Type::generation) {
      if (auto introduced = introduce(record.source, marker); !introduced) return std::move(introduced).error();
    } else if (record.source) {
      auto checked = check(record.source);
      if (!checked) return std::move(checked).error();
      if (marker.type == Type::done) {
        Log& log = *find(record.source.log)->log;
        StoredGeneration& stored = *(*checked)->stored;
        stored.closing = true;
        stored.closing_gone = marker.gone;
        stored.closing_end = record.source.end;
        if (stored.closing_end <= std::max(stored.end[0], stored.end[1]) && !(stored.facts.done && !marker.gone)) {
          close(log, stored);
          if (log.gone) unbind(record.source.log);
        }
      }
    }
    return Verdict::take;
  }

  base::Result<BoundGeneration*> check(const record::Source& source) {
    if (source.kind == record::Source::Kind::block) {
      return base::fail(base::Code::usage, "cannot keep positions in '{}': a record comes out of another spool", checkpoint)
          .with_hint("only push acknowledges; use one buffer in a chain");
    }
    BoundGeneration* bound = find(source.log, source.generation);
    if (bound == nullptr || (source.resume_generation != source.generation && find(source.log, source.resume_generation) == nullptr)) {
      return base::fail(base::Code::usage, "cannot keep positions in '{}': no marker has introduced the file of source {}", checkpoint,
                        source.to_string())
          .with_hint("something between tail and here removed lines that have no `line` key; let them pass, or leave --checkpoint out");
    }
    return bound;
  }

  void put_entry(std::string& out, const Log& log, bool whole) const {
    const bool key = whole || !log.key_stored;
    const bool generations = whole || log.generations_moved;
    wire::put_varint(out, log.number);
    wire::put_varint(out, (key ? kHasKey : 0) | (generations ? kHasGenerations : 0) | (log.gone ? kGone : 0) | (log.started ? kStarted : 0));
    if (key) wire::put_bytes(out, log.key);
    if (generations) {
      wire::put_varint(out, log.generations.size());
      for (const GenerationPtr& generation : log.generations) put_generation(out, *generation, log.key);
    }
    const auto counts = [&](const GenerationPtr& generation) { return generations || generation->moved; };
    wire::put_varint(out, static_cast<std::uint64_t>(std::ranges::count_if(log.generations, counts)));
    for (const GenerationPtr& generation : log.generations) {
      if (!counts(generation)) continue;
      wire::put_varint(out, generation->facts.number);
      wire::put_varint(out, generation->end[0]);
      wire::put_varint(out, generation->end[1]);
    }
    wire::put_varint(out, log.resume.generation);
    wire::put_varint(out, log.resume.offset);
  }

  base::Result<void> take_entries(std::string_view plain) {
    wire::Cursor cursor(plain);
    while (cursor.left() > 0) {
      const auto number = static_cast<std::uint32_t>(cursor.varint());
      const std::uint64_t flags = cursor.varint();
      Log* log = nullptr;
      if (const auto found = by_number.find(number); found != by_number.end()) log = found->second;
      if ((flags & kHasKey) != 0) {
        const std::string_view key = cursor.bytes();
        if (log == nullptr) log = &add_log(number, key);
      }
      if (log == nullptr) return damaged();
      log->key_stored = true;
      log->started = (flags & kStarted) != 0;
      const bool gone = (flags & kGone) != 0;
      if (gone && !log->gone) log->gone_since = next_gone++;
      log->gone = gone;
      if ((flags & kHasGenerations) != 0) {
        const std::uint64_t count = cursor.varint();
        if (count > cursor.left()) return damaged();
        log->generations.clear();
        for (std::uint64_t i = 0; i < count; ++i) log->generations.push_back(take_generation(cursor, log->key));
      }
      const std::uint64_t ends = cursor.varint();
      if (ends > cursor.left()) return damaged();
      for (std::uint64_t i = 0; i < ends; ++i) {
        const auto generation = static_cast<std::uint32_t>(cursor.varint());
        const std::uint64_t end[2] = {cursor.varint(), cursor.varint()};
        const auto at = std::ranges::find_if(log->generations, [&](const GenerationPtr& one) { return one->facts.number == generation; });
        if (at == log->generations.end()) return damaged();
        for (int s = 0; s < 2; ++s) (*at)->end[s] = end[s];
      }
      log->resume.generation = static_cast<std::uint32_t>(cursor.varint());
      log->resume.offset = cursor.varint();
      if (cursor.failed()) return damaged();
    }
    return {};
  }
};

Keeper::Keeper(std::string checkpoint) : state_(std::make_unique<State>()) { state_->checkpoint = std::move(checkpoint); }
Keeper::~Keeper() = default;
Keeper::Keeper(Keeper&&) noexcept = default;
Keeper& Keeper::operator=(Keeper&&) noexcept = default;

base::Result<Verdict> Keeper::see(const record::Record& record) {
  if (record.marker != nullptr) return state_->see_marker(record);
  if (!record.source || record.source.kind == record::Source::Kind::rejected) return Verdict::take;
  auto bound = state_->check(record.source);
  if (!bound) return std::move(bound).error();
  const BoundGeneration& generation = **bound;
  const int s = record.source.substream & 1;
  // A line that was open when its file was finished goes on in the next one, but for one case: the file is gone, and the gap that says so
  // has its place in it.
  const bool left_open = state_->find(record.source.log)->log->resume.generation == generation.stored->facts.number;
  if ((generation.finished && !left_open) || record.source.end <= generation.floor[s]) {
    ++state_->repeats;
    return Verdict::repeat;
  }
  std::uint64_t& taken = generation.stored->taken[s];
  taken = std::max(taken, record.source.end);
  return Verdict::take;
}

void Keeper::advance(const record::Source& source) {
  if (source.kind != record::Source::Kind::file) return;
  BoundGeneration* bound = state_->find(source.log, source.generation);
  BoundGeneration* resume = state_->find(source.log, source.resume_generation);
  if (bound == nullptr || resume == nullptr) return;
  Log& log = *state_->find(source.log)->log;
  StoredGeneration& stored = *bound->stored;
  std::uint64_t& end = stored.end[source.substream & 1];
  const record::Place place{resume->stored->facts.number, source.resume};
  if (source.end > end || (source.end == end && (log.resume != place || !log.started))) {
    end = source.end;
    stored.moved = true;
    log.resume = place;
    log.started = true;
    state_->touch(log);
  }
  if (!stored.closing || source.end < stored.closing_end) return;
  state_->close(log, stored);
  if (log.gone) state_->unbind(source.log);  // nothing more comes of it under this number
}

void Keeper::advance_alone(const record::Source& source) {
  if (source.kind != record::Source::Kind::file) return;
  const BoundGeneration* bound = state_->find(source.log, source.generation);
  if (bound == nullptr) return;
  std::uint64_t& end = bound->stored->end[source.substream & 1];
  if (source.end <= end) return;
  end = source.end;
  bound->stored->moved = true;
  state_->touch(*state_->find(source.log)->log);
}

bool Keeper::follows(std::uint32_t log) const { return state_->find(log) != nullptr; }

std::string Keeper::delta() const {
  if (!state_->moved) return {};
  std::string plain;
  for (const auto& log : state_->logs) {
    if (log->moved) state_->put_entry(plain, *log, false);
  }
  return wrap(std::move(plain));
}

bool Keeper::moved() const { return state_->moved; }

void Keeper::committed() {
  for (const auto& log : state_->logs) {
    if (!log->moved) continue;
    log->moved = log->generations_moved = false;
    log->key_stored = true;
    for (const GenerationPtr& generation : log->generations) generation->moved = false;
  }
  state_->moved = false;
  state_->forget_gone();
}

std::string Keeper::snapshot() const {
  std::string plain;
  for (const auto& log : state_->logs) {
    if (log->gone && log->gone_since < state_->oldest_gone()) continue;
    state_->put_entry(plain, *log, true);
  }
  return wrap(std::move(plain));
}

base::Result<void> Keeper::load(std::string_view encoded) {
  auto entries = unwrap(encoded);
  if (!entries) return std::move(entries).error();
  return state_->take_entries(*entries);
}

record::Positions Keeper::positions(bool also_gone) const {
  record::Positions positions;
  for (const auto& log : state_->logs) {
    if ((log->gone && !also_gone) || !log->started) continue;
    record::LogPosition& position = positions[log->key];
    position.resume = log->resume;
    position.gone = log->gone;
    for (const GenerationPtr& generation : log->generations) {
      const std::uint32_t number = generation->facts.number;
      for (int s = 0; s < 2; ++s) {
        if (generation->end[s] > 0) position.end[s] = {number, generation->end[s]};
      }
      const bool to_be_read = number == log->resume.generation || (number > log->resume.generation && !generation->facts.done);
      if (!to_be_read && !generation->facts.done) continue;
      record::Generation& known = (to_be_read ? position.generations : position.finished).emplace_back(generation->facts);
      known.end = std::max(generation->end[0], generation->end[1]);
    }
  }
  return positions;
}

std::uint64_t Keeper::repeats() const { return state_->repeats; }

namespace {

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
  return all.empty() ? std::string() : wrap(std::move(all));
}

}  // namespace weir::spool
