#include "tail/log_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace weir::tail {
namespace {

constexpr std::size_t kLeastSpace = 4096;
// The end of a stretch whose size is not known: behind everything that the file can have held.
constexpr std::uint64_t kUnknownEnd = std::numeric_limits<std::int64_t>::max();
// How often a file whose name is gone but which is not deleted is looked at.
constexpr base::Duration kMovedAwayCheck = 10 * base::kSecond;

}  // namespace

LogReader::LogReader(std::uint32_t number, std::string key, const ReadOptions& options, ReadStats& stats, const base::Clock& clock)
    : number_(number),
      key_(std::move(key)),
      pod_(parse_pod_path(key_)),
      options_(&options),
      stats_(&stats),
      clock_(&clock),
      decoder_(options.max_line, stats) {
  if (options.format != Format::automatic) {
    decoder_.set_format(options.format);
    format_known_ = true;
  }
}

std::size_t LogReader::space_needed(const ReadOptions& options) {
  constexpr std::size_t kBlock = 256 << 10;
  return std::max(kBlock, options.max_line + kLeastSpace) + kLead;
}

void LogReader::add_file(std::unique_ptr<InputFile> file, std::uint64_t offset, base::Timestamp not_before,
                         std::optional<record::FileIdentity> stored) {
  Generation& generation = generations_.emplace_back();
  generation.file = std::move(file);
  generation.offset = offset;
  generation.not_before = not_before;
  generation.skipped = offset > 0 && !stored;
  generation.stored = std::move(stored);
  ++stats_->generations;
  missing_ = false;
}

void LogReader::add_lost(const record::FileIdentity& stored, std::uint64_t offset, bool read_out) {
  Generation& generation = generations_.emplace_back();
  generation.stored = stored;
  generation.offset = offset;
  generation.read_out = read_out || offset == kUnknownEnd;
}

void LogReader::set_missing(bool missing) {
  if (missing && !missing_) missing_since_ = clock_->monotonic();
  missing_ = missing;
}

bool LogReader::has(std::uint64_t inode, std::uint64_t device) const {
  return std::any_of(generations_.begin(), generations_.end(), [&](const Generation& generation) {
    return generation.file != nullptr && generation.file->inode() == inode && generation.file->device() == device;
  });
}

base::Result<LogReader::Outcome> LogReader::read(record::Batch& batch, Space& space) {
  due_ = base::kNever;
  while (!generations_.empty()) {
    if (batch.records.size() + 4 >= Decoder::kMaxRecords) return Outcome::full;
    Generation& front = generations_.front();
    if (front.file == nullptr) {
      tell_lost(front, batch);
      generations_.pop_front();
      continue;
    }
    if (space.left < kLeastSpace) return Outcome::full;
    Outcome outcome = Outcome::more;
    auto again = read_front(batch, space, outcome);
    if (!again) return std::move(again).error();
    if (!*again) return outcome;
  }
  return options_->follow && !gone_ ? Outcome::idle : Outcome::finished;
}

// One read of the front generation. True: the next generation, or the same from its start, is to be read now.
base::Result<bool> LogReader::read_front(record::Batch& batch, Space& space, Outcome& outcome) {
  Generation& front = generations_.front();
  if (front.skipped && options_->tracked) {
    if (auto done = introduce(front, front.offset, batch); !done) return std::move(done).error();
    for (const std::uint8_t substream : {0, 1}) put_marker(batch, place(front, substream, front.offset), record::Marker::Type::position, false);
  }
  front.skipped = false;

  const std::size_t want = space.left;
  auto got = front.file->read(front.offset - front.lead_size, space.at, want);
  if (!got) return std::move(got).error();
  const bool moved = *got < front.lead_size || std::memcmp(space.at, front.lead.data(), front.lead_size) != 0;
  const bool shorter = *got == front.lead_size && !front.file->gzipped() && front.file->status().size < front.offset;
  if (moved || shorter) {
    if (auto done = restart(batch); !done) return std::move(done).error();
    return true;
  }

  const std::string_view text(space.at + front.lead_size, *got - front.lead_size);
  if (!text.empty() && text.front() == '\0' && decoder_.open() == nullptr) {
    if (const std::uint64_t data = front.file->next_data(front.offset); data > front.offset) {
      front.offset = data;
      front.lead_size = 0;
      return true;
    }
  }
  const bool end = *got < want;
  if (!format_known_) decide_format(text);
  if (options_->tracked && !text.empty()) {
    if (auto done = introduce(front, front.offset + text.size(), batch); !done) return std::move(done).error();
    if (auto done = announce(front, front.offset + text.size(), 0, batch); !done) return std::move(done).error();
  }
  const std::size_t before = batch.records.size();
  const std::size_t used = text.empty() ? 0 : decoder_.decode(text, stamp(batch, front), batch);
  const std::string_view rest = text.substr(used);
  if (used > 0) {
    space.at += front.lead_size + used;
    space.left -= front.lead_size + used;
    space.whole = false;
    front.offset += used;
    front.lead_size = front.file->gzipped() ? 0 : std::min(kLead, used);
    std::memcpy(front.lead.data(), text.data() + used - front.lead_size, front.lead_size);
    front.file->give_back(front.offset, rest);
    if (const record::Source dropped = decoder_.take_dropped()) put_marker(batch, dropped, record::Marker::Type::position, false);
    if (options_->tracked && decoder_.format() == Format::raw) {
      if (auto done = announce(front, front.offset, front.offset, batch); !done) return std::move(done).error();
    }
  } else if (front.file->gzipped()) {
    front.file->give_back(front.offset, text);
  }
  if (batch.records.size() >= Decoder::kMaxRecords) {
    outcome = Outcome::full;
    return false;
  }
  if (!end) {
    outcome = used == 0 && batch.records.size() == before && space.whole ? Outcome::more : Outcome::full;
    return false;
  }
  auto again = at_end(rest, batch, outcome);
  if (again && *again && !rest.empty()) {
    space.at += rest.size() + kLead;
    space.left -= std::min(space.left, rest.size() + kLead);
    space.whole = false;
  }
  return again;
}

// At the end of the front generation, with `rest` behind its last newline. True when it was finished.
base::Result<bool> LogReader::at_end(std::string_view rest, record::Batch& batch, Outcome& outcome) {
  const bool newer = generations_.size() > 1;
  const base::Monotonic now = clock_->monotonic();
  outcome = Outcome::idle;
  if (!options_->follow && !newer && options_->tracked) {
    // What is open may be finished later, and is read again then.
    outcome = Outcome::finished;
    return false;
  }
  if (options_->follow) {
    if (newer) {
      Generation& next = generations_[1];
      if (generations_.size() == 2 && next.file != nullptr) {
        if (next.filled_since == 0) {
          if (next.file->status().size == 0) return false;
          next.filled_since = now;
        }
        due_ = base::after(next.filled_since, options_->rotation_grace);
        if (now < due_) return false;
        due_ = base::kNever;
      }
    } else if (!gone_) {
      if (!missing_) return false;
      const bool deleted = generations_.front().file->status().links == 0;
      due_ = deleted ? base::after(missing_since_, options_->deletion_grace) : base::after(now, kMovedAwayCheck);
      if (now < due_) return false;
      due_ = base::kNever;
      gone_ = true;
    }
  }
  if (auto done = finish_front(rest, batch, !newer); !done) return std::move(done).error();
  return true;
}

base::Result<void> LogReader::finish_front(std::string_view rest, record::Batch& batch, bool log_ends) {
  Generation& front = generations_.front();
  if (options_->tracked) {
    if (auto done = introduce(front, front.offset, batch); !done) return done;
  }
  if (!format_known_ && !rest.empty()) decide_format(fmt::format("{}\n", rest));
  decoder_.end_of_file(rest, stamp(batch, front), batch);
  front.offset += rest.size();
  if (log_ends) decoder_.end_of_log(stamp(batch, front), batch);
  if (options_->tracked) {
    // Behind the places of lines that were still open at the end of the log.
    put_marker(batch, place(front, 0, front.offset + (log_ends ? 4 : 0)), record::Marker::Type::done, log_ends);
  }
  generations_.pop_front();
  if (options_->format == Format::automatic && !pod_ && decoder_.open() == nullptr) format_known_ = false;
  return {};
}

// The front file was truncated: what follows is a new generation in the same file.
base::Result<void> LogReader::restart(record::Batch& batch) {
  Generation& front = generations_.front();
  ++stats_->truncated;
  if (options_->tracked) {
    if (auto done = introduce(front, front.offset, batch); !done) return done;
  }
  decoder_.end_of_log(stamp(batch, front), batch);
  if (options_->tracked) put_marker(batch, place(front, 0, front.offset + 4), record::Marker::Type::done, false);
  Generation again;
  again.file = std::move(front.file);
  again.not_before = std::numeric_limits<base::Timestamp>::min();
  front = std::move(again);
  ++stats_->generations;
  if (options_->format == Format::automatic && !pod_) format_known_ = false;
  return {};
}

void LogReader::tell_lost(Generation& generation, record::Batch& batch) {
  const record::FileIdentity& stored = *generation.stored;
  if (options_->tracked) {
    put_generation(generation, stored, batch);
    generation.introduced = true;
  }
  if (!generation.read_out) {
    ++stats_->gaps;
    record::Record& record = batch.records.emplace_back();
    record.timestamp = clock_->wall();
    record.labels = labels(Stream::none, batch);
    const std::string text = fmt::format("weir: what {} held from byte {} on could not be read: the file is gone", stored.path, generation.offset);
    record.line = record::Text::bytes(batch.copy(text));
    const std::span<record::Label> pairs = metadata(batch, 1);
    pairs.back() = {"weir_gap_bytes", "unknown"};
    record.metadata = pairs;
    if (options_->tracked) record.source = place(generation, 0, kUnknownEnd);
  }
  if (options_->tracked) {
    put_marker(batch, place(generation, 0, kUnknownEnd), record::Marker::Type::done, gone_ && generations_.size() == 1);
  }
}

void LogReader::decide_format(std::string_view text) {
  // Within a pod's folder everything but CRI and docker lines is an accident: the next block is looked at again.
  constexpr int kLines = 8, kPodLines = 4096;
  const bool whole_line = text.find('\n') != std::string_view::npos || text.size() >= decoder_.enough();
  if (!whole_line) return;
  const Format format = detect_format(text, pod_ ? kPodLines : kLines);
  decoder_.set_format(format);
  format_known_ = format != Format::raw || !pod_;
}

std::uint32_t LogReader::number_of(Generation& generation) {
  if (generation.number == 0) generation.number = ++last_number_;
  return generation.number;
}

Stamp LogReader::stamp(record::Batch& batch, Generation& generation) {
  Stamp stamp;
  stamp.labeller = this;
  stamp.metadata = metadata(batch);
  stamp.tracked = options_->tracked;
  stamp.log = number_;
  stamp.place = {number_of(generation), generation.offset};
  stamp.now = clock_->wall();
  stamp.not_before = generation.not_before;
  return stamp;
}

record::Source LogReader::place(Generation& generation, std::uint8_t substream, std::uint64_t end) {
  record::Source source = record::Source::in_file(number_, number_of(generation), substream, end);
  if (const record::Place* oldest = decoder_.open(); oldest != nullptr) {
    source.resume = oldest->offset;
    source.resume_generation = oldest->generation;
  }
  return source;
}

const record::LabelSet* LogReader::labels(Stream stream, record::Batch& batch) {
  record::LabelSetRef& set = labels_[static_cast<std::size_t>(stream)];
  if (!set) {
    std::array<record::Label, 5> pairs;
    std::size_t count = 0;
    if (pod_) {
      pairs[count++] = {"namespace", pod_->namespace_name};
      pairs[count++] = {"pod", pod_->pod};
      pairs[count++] = {"container", pod_->container};
    }
    if (stream != Stream::none) pairs[count++] = {"stream", stream == Stream::standard_output ? "stdout" : "stderr"};
    if (options_->filename == FilenameMode::label || (options_->filename == FilenameMode::automatic && !pod_)) {
      pairs[count++] = {"filename", key_};
    }
    set = record::LabelSet::intern({pairs.data(), count});
  }
  return batch.hold(set);
}

// With room for `more` pairs at the end.
std::span<record::Label> LogReader::metadata(record::Batch& batch, std::size_t more) const {
  const bool uid = pod_ && !pod_->uid.empty();
  const bool filename = options_->filename == FilenameMode::metadata;
  const std::span<record::Label> pairs = batch.allocate_labels(std::size_t{uid} + std::size_t{filename} + more);
  std::size_t count = 0;
  if (uid) pairs[count++] = {"pod_uid", batch.copy(pod_->uid)};
  if (filename) pairs[count++] = {"filename", batch.copy(key_)};
  return pairs;
}

base::Result<void> LogReader::introduce(Generation& generation, std::uint64_t known, record::Batch& batch) {
  if (generation.introduced) return {};
  if (generation.stored) {
    // As the keeper knows it, so that it finds it.
    put_generation(generation, *generation.stored, batch);
    generation.announced = *generation.stored;
    generation.introduced = true;
    return {};
  }
  generation.introduced = true;
  return announce(generation, known, 0, batch);
}

// Tells the keeper what file the generation is once `known` bytes of it may be behind a position: the identity must cover
// min(1024, END) bytes of its head, or another file that reused the inode would be taken for it.
base::Result<void> LogReader::announce(Generation& generation, std::uint64_t known, std::uint64_t check_end, record::Batch& batch) {
  const auto head_size = static_cast<std::uint32_t>(std::min<std::uint64_t>(record::kHeadBytes, known));
  const bool first = generation.announced.path.empty();
  if (!first && head_size <= generation.announced.head_size && check_end == 0) return {};
  if (generation.file->gzipped() && !first) return {};  // reading its head would decompress it again, and it never changes
  auto identity = generation.file->identify(std::max(head_size, generation.announced.head_size), check_end);
  if (!identity) return std::move(identity).error();
  if (check_end == 0 && generation.announced.check_end != 0) {
    identity->check_end = generation.announced.check_end;
    identity->check_hash = generation.announced.check_hash;
  }
  generation.announced = *identity;
  put_generation(generation, *identity, batch);
  return {};
}

void LogReader::put_generation(Generation& generation, const record::FileIdentity& identity, record::Batch& batch) {
  record::Marker* marker =
      put_marker(batch, record::Source::in_file(number_, number_of(generation), 0, 0), record::Marker::Type::generation, false);
  marker->path = batch.copy(identity.path);
  marker->log_key = batch.copy(key_);
  marker->inode = identity.inode;
  marker->device = identity.device;
  marker->head_size = identity.head_size;
  marker->head_hash = identity.head_hash;
  marker->check_end = identity.check_end;
  marker->check_hash = identity.check_hash;
}

record::Marker* LogReader::put_marker(record::Batch& batch, const record::Source& source, record::Marker::Type type, bool gone) {
  auto* marker = batch.make<record::Marker>();
  marker->type = type;
  marker->gone = gone;
  record::Record& record = batch.records.emplace_back();
  record.labels = batch.hold(record::LabelSet::empty());
  record.source = source;
  record.marker = marker;
  return marker;
}

}  // namespace weir::tail
