// The states of a log in the stream:
//   unknown      a `generation` marker introduces the log: it binds the stream's numbers to a stored log and generation
//   introduced   a record or position marker is `take` or `repeat`, depending on the ends that were safe or taken when the
//   generation
//                was bound. advance() moves the ends, and the place at which reading resumes
//   closing      a `done` marker came: the generation is finished when everything before it is safe. If the marker says so, the log
//                is gone then
//   gone         remembered for other names of its files. The next generation marker with its key brings it back
//
// Invariants: an end never moves back, and never beyond what advance() was given. A stored generation matches at most one number of
// a stream. A position that moved stays in delta() until committed(), so a commit that fails loses nothing.
//
// 'Repeat' is decided by generation, not by comparing generation numbers: a file that was forgotten and comes back gets a higher
// number than the live one, and must not make the live one's records look old.
#include "spool/keeper.h"

#include "spool/positions_codec.h"

#include <algorithm>
#include <filesystem>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::spool {
namespace {

constexpr std::size_t kFinishedKept = 8;  // of a log
constexpr std::size_t kGoneKept = 256;    // logs
constexpr std::size_t kBoundKept = 32;    // generations of a log that a stream has named, if the oldest is finished

struct KeptGeneration : StoredGeneration {
  std::uint64_t taken[2] = {0, 0};  // seen and taken, in memory only
  bool closing = false;             // `done` was seen …
  bool closing_gone = false;
  std::uint64_t closing_end = 0;  // … and takes effect when everything up to here is safe
  bool moved = false;
  // What came of it is safe, of stdout and of stderr: the ends of one say nothing of the other, whose records may come later.
  [[nodiscard]] bool all_safe() const { return taken[0] <= end[0] && taken[1] <= end[1]; }
};
using GenerationPtr = std::shared_ptr<KeptGeneration>;

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

bool same_path(const std::string& a, const std::string& b) {
  if (a == b) return true;
  std::error_code error;
  if (std::filesystem::equivalent(a, b, error) && !error) return true;
  const auto x = std::filesystem::weakly_canonical(a, error);
  if (error) return false;
  const auto y = std::filesystem::weakly_canonical(b, error);
  return !error && x == y;
}

}  // namespace

struct Keeper::State {
  std::string checkpoint;
  std::vector<std::unique_ptr<Log>> logs;
  std::unordered_map<std::string_view, Log*> by_key;  // keys live in the logs
  std::unordered_map<std::uint32_t, Log*> by_number;
  std::uint32_t next_number = 1;
  std::uint64_t next_gone = 1;
  // By the stream's log number, until the log is gone: a node's pods come and go for as long as a stream lasts.
  std::unordered_map<std::uint32_t, BoundLog> stream;
  std::uint32_t latest = 0;  // the records of a batch are of few logs
  BoundLog* latest_bound = nullptr;
  std::uint64_t repeats = 0;
  std::function<void(const record::Source&)> on_done;
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

  void close(Log& log, KeptGeneration& generation, const record::Source& source) {
    if (on_done) on_done(source);
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
      if ((*at)->facts.done && ++finished > kFinishedKept && (*at)->facts.number != log.resume.generation)
        at = log.generations.erase(at);
    }
    touch(log);
  }

  base::Result<void> introduce(const record::Source& source, const record::Marker& marker) {
    if (source.kind != record::Source::Kind::file) {
      return base::fail(base::Code::usage, "cannot keep positions: a generation marker has no place in a log");
    }
    Log& log = log_of(marker.log_key);
    if (const BoundLog* known = find(source.log); known == nullptr || known->log != &log) {
      unbind(source.log);
      stream[source.log].log = &log;
      ++log.bound;
    }
    BoundLog& bound = *find(source.log);
    const record::FileIdentity announced = marker.file.with_path(std::string(marker.file.path));

    if (BoundGeneration* known = find(source.log, source.generation); known != nullptr) {
      if (known->stored->announce(announced)) log.generations_moved = true;
      return {};
    }
    GenerationPtr match;
    for (auto at = log.generations.rbegin(); at != log.generations.rend(); ++at) {
      const bool taken = std::ranges::any_of(bound.generations, [&](const BoundGeneration& other) { return other.stored == *at; });
      if (taken || !(*at)->is(announced)) continue;
      const record::FileIdentity& file = (*at)->facts.file;
      const bool exact = file.path == announced.path && file.device == announced.device && file.check_end == announced.check_end;
      if (!match || exact) match = *at;
      if (exact) break;
    }
    if (match) {
      if (match->announce(announced)) log.generations_moved = true;
    } else {
      match = std::make_shared<KeptGeneration>();
      match->facts.number = log.generations.empty() ? log.resume.generation + 1 : log.generations.back()->facts.number + 1;
      match->facts.file = announced;
      if (!log.started && log.generations.empty()) log.resume = {match->facts.number, 0};
      log.generations.push_back(match);
      log.generations_moved = true;
      if (std::exchange(log.gone, false)) log.key_stored = false;  // a snapshot may have left it out
    }
    BoundGeneration fresh{source.generation, match, {}, match->facts.done};
    for (int s = 0; s < 2; ++s) fresh.floor[s] = std::max(match->end[s], match->taken[s]);
    bound.generations.push_back(std::move(fresh));
    if (bound.generations.size() > kBoundKept && bound.generations.front().stored->facts.done)
      bound.generations.erase(bound.generations.begin());
    return {};
  }

  base::Result<Verdict> track_marker(const record::Record& record) {
    const record::Marker& marker = *record.marker;
    using Type = record::Marker::Type;
    if (marker.type == Type::begin) {
      if (marker.spool != 0) {
        return base::fail(base::Code::usage,
                          "cannot keep positions in '{}': these records come out of the spool '{}', which waits for "
                          "their acknowledgement",
                          checkpoint, marker.checkpoint)
            .with_hint("only push acknowledges; use one buffer in a chain");
      }
      if (!same_path(std::string(marker.checkpoint), checkpoint)) {
        return base::fail(base::Code::usage, "cannot keep positions in '{}': tail starts from those in '{}'", checkpoint,
                          marker.checkpoint)
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
        KeptGeneration& stored = *(*checked)->stored;
        stored.closing = true;
        stored.closing_gone = marker.gone;
        stored.closing_end = record.source.end;
        if (stored.closing_end <= std::max(stored.end[0], stored.end[1]) && stored.all_safe() &&
            !(stored.facts.done && !marker.gone)) {
          close(log, stored, record.source);
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
    if (bound == nullptr ||
        (source.resume_generation != source.generation && find(source.log, source.resume_generation) == nullptr)) {
      return base::fail(base::Code::usage, "cannot keep positions in '{}': no marker has introduced the file of source {}",
                        checkpoint, source.to_string())
          .with_hint(
              "something between tail and here removed lines that have no `line` key; let them pass, or leave --checkpoint out");
    }
    return bound;
  }

  void put_log(std::string& out, const Log& log, bool whole) const {
    const EntryHead head{.number = log.number,
                         .gone = log.gone,
                         .started = log.started,
                         .has_key = whole || !log.key_stored,
                         .has_generations = whole || log.generations_moved,
                         .key = log.key,
                         .resume = log.resume};
    std::vector<const StoredGeneration*> generations, with_end;
    for (const GenerationPtr& generation : log.generations) {
      generations.push_back(generation.get());
      if (head.has_generations || generation->moved) with_end.push_back(generation.get());
    }
    put_entry(out, head, generations, with_end);
  }

  base::Result<void> take(const PositionEntry& entry) {
    const auto found = by_number.find(entry.number);
    if (found == by_number.end() && !entry.has_key) return damaged_positions();
    Log& log = found != by_number.end() ? *found->second : add_log(entry.number, entry.key);
    log.key_stored = true;
    log.started = entry.started;
    if (entry.gone && !log.gone) log.gone_since = next_gone++;
    log.gone = entry.gone;
    if (entry.has_generations) {
      log.generations.clear();
      for (const StoredGeneration& stored : entry.generations) {
        static_cast<StoredGeneration&>(*log.generations.emplace_back(std::make_shared<KeptGeneration>())) = stored;
      }
    }
    for (const GenerationEnd& one : entry.ends) {
      const auto at =
          std::ranges::find_if(log.generations, [&](const GenerationPtr& known) { return known->facts.number == one.generation; });
      if (at == log.generations.end()) return damaged_positions();
      std::ranges::copy(one.end, (*at)->end);
    }
    log.resume = entry.resume;
    return {};
  }
};

Keeper::Keeper(std::string checkpoint) : state_(std::make_unique<State>()) { state_->checkpoint = std::move(checkpoint); }
Keeper::~Keeper() = default;
Keeper::Keeper(Keeper&&) noexcept = default;
Keeper& Keeper::operator=(Keeper&&) noexcept = default;

void Keeper::on_done(std::function<void(const record::Source&)> done) { state_->on_done = std::move(done); }

base::Result<Verdict> Keeper::track(const record::Record& record) {
  if (record.marker != nullptr) return state_->track_marker(record);
  if (!record.source || record.source.kind == record::Source::Kind::rejected) return Verdict::take;
  auto bound = state_->check(record.source);
  if (!bound) return std::move(bound).error();
  const BoundGeneration& generation = **bound;
  const int s = record.source.substream & 1;
  // A line that was open at the end of its file continues in the next one. The exception: the file is gone, and the gap record has
  // its place in that file.
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
  KeptGeneration& stored = *bound->stored;
  std::uint64_t& end = stored.end[source.substream & 1];
  const record::Place place{resume->stored->facts.number, source.resume};
  if (source.end > end || (source.end == end && (log.resume != place || !log.started))) {
    end = source.end;
    stored.moved = true;
    log.resume = place;
    log.started = true;
    state_->touch(log);
  }
  if (!stored.closing || source.end < stored.closing_end || !stored.all_safe()) return;
  state_->close(log, stored, source);
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
    if (log->moved) state_->put_log(plain, *log, false);
  }
  return pack_entries(std::move(plain));
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
    state_->put_log(plain, *log, true);
  }
  return pack_entries(std::move(plain));
}

base::Result<void> Keeper::load(std::string_view encoded) {
  State& state = *state_;
  const auto key_of = [&](std::uint32_t number) {
    const auto found = state.by_number.find(number);
    return found != state.by_number.end() ? std::string_view(found->second->key) : std::string_view();
  };
  return for_each_entry(encoded, key_of, [&](const PositionEntry& entry) { return state.take(entry); });
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

}  // namespace weir::spool
