#include "tail/log_reader.h"

#include "tail/foreign_start.h"
#include "tail/start.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace weir::tail {
namespace {

using record::parse_pod_path;

constexpr std::size_t kLeastSpace = 4096;
// How often a file whose name is gone but which is not deleted is checked.
constexpr base::Duration kMovedAwayCheck = 10 * base::kSecond;
// Records that the end of a generation may add: markers, lines that were open, a gap.
constexpr std::size_t kLeastRecords = 16;

}  // namespace

LogReader::LogReader(std::uint32_t number, std::string key, const ReadOptions& options, ReadStats& stats, const base::Clock& clock,
                     HeldFiles* held)
    : number_(number),
      key_(std::move(key)),
      pod_(parse_pod_path(key_)),
      options_(&options),
      stats_(&stats),
      clock_(&clock),
      held_(held),
      decoder_(options.max_line, stats, &options.multiline, this) {
  if (options.format != Format::automatic) {
    decoder_.set_format(options.format, options.journal_fields);
    format_known_ = true;
  }
}

std::size_t LogReader::space_needed(const ReadOptions& options) {
  constexpr std::size_t kBlock = 256 << 10;
  return std::max(kBlock, Decoder::longest(options.format, options.max_line) + kLeastSpace) + kLead;
}

void LogReader::add_file(std::shared_ptr<InputFile> file, std::uint64_t offset, base::Timestamp not_before,
                         std::optional<record::FileIdentity> stored) {
  stored_ = stored_ || stored;
  if (options_->max_age > 0 && !stored_) {
    offset = skip_old(*file, offset);
    if (offset > 0 && file->gzipped()) return;
  }
  if (held_ != nullptr) held_->add(file);
  file->set_place(offset);
  Generation& generation = generations_.emplace_back();
  generation.file = std::move(file);
  generation.offset = offset;
  generation.not_before = not_before;
  // Where something stands before the place, the position says so from the first moment on.
  generation.opening = (!std::exchange(known_, true) || offset > 0) && (!stored || foreign_);
  if (stored) {
    generation.head_size = stored->head_size;
    generation.head_hash = stored->head_hash;
  }
  generation.stored = std::move(stored);
  ++stats_->generations;
  missing_ = gone_ = false;
}

void LogReader::add_done_with(std::shared_ptr<InputFile> file, std::uint64_t offset) {
  add_file(std::move(file), offset);
  if (!generations_.empty()) generations_.back().done_with = true;
}

std::uint64_t LogReader::skip_old(InputFile& file, std::uint64_t offset) {
  const auto young = offset_of_age(file, clock_->wall() - options_->max_age);
  if (!young || *young <= offset) return offset;  // its reader reports what cannot be read
  ++stats_->too_old_files;
  stats_->too_old_bytes += *young - offset;
  return *young;
}

void LogReader::add_lost(const record::FileIdentity& stored, std::uint64_t offset, std::string cause) {
  stored_ = true;
  Generation& generation = generations_.emplace_back();
  generation.stored = stored;
  generation.offset = offset;
  generation.lost = std::move(cause);
  known_ = true;
}

void LogReader::add_unopened(std::uint64_t files) {
  record::FileIdentity unknown;
  unknown.path = key_;
  unknown.head_hash = record::kEmptyHash;
  // Nothing is known of them, so only the time distinguishes them from those of another gap.
  unknown.check_end = static_cast<std::uint64_t>(clock_->wall());
  add_lost(unknown, 0,
           files == 1 ? "a file came and went before it could be opened"
                      : fmt::format("{} files came and went before they could be opened", files));
}

void LogReader::add_ended(const record::FileIdentity& stored) {
  stored_ = true;
  generations_.emplace_back().stored = stored;
  known_ = true;
}

void LogReader::add_cut(std::shared_ptr<InputFile> file, std::uint64_t offset, std::uint64_t end,
                        const record::FileIdentity& stored) {
  const std::uint64_t size = file->status().size;
  add_file(std::move(file), std::min(offset, size), std::numeric_limits<base::Timestamp>::min(), stored);
  generations_.back().cut = {size, end};
}

void LogReader::add_used(std::uint64_t inode) {
  constexpr std::size_t kRemembered = 64;
  if (used_inodes_.size() == kRemembered) used_inodes_.erase(used_inodes_.begin());
  used_inodes_.push_back(inode);
}

void LogReader::set_succeeded() { succeeded_at_ = std::min(succeeded_at_, clock_->monotonic()); }

void LogReader::leave_alone() {
  // What no marker introduced has no position.
  std::erase_if(generations_, [](const Generation& one) { return !one.introduced && !one.stored; });
  for (Generation& generation : generations_) {
    generation.file = nullptr;
    generation.lost.clear();
    generation.cut.reset();
    generation.opening = false;
  }
  // As new: lines that are open, and groups of them, are let go.
  std::destroy_at(&decoder_);
  std::construct_at(&decoder_, options_->max_line, *stats_, &options_->multiline, this);
  format_known_ = options_->format != Format::automatic;
  if (format_known_) decoder_.set_format(options_->format, options_->journal_fields);
  succeeded_at_ = due_ = base::kNever;
  missing_ = gone_ = false;
}

void LogReader::come_back() {
  generations_.clear();
  known_ = stored_ = gone_ = false;
}

void LogReader::set_missing(bool missing) {
  if (missing && !missing_) missing_since_ = clock_->monotonic();
  missing_ = missing;
}

OpenFiles LogReader::hand_over() {
  OpenFiles files;
  if (options_->read_files != nullptr) files = options_->read_files->take(key_);
  const bool plain = files.empty() && generations_.size() <= 1 && !missing_;
  if (plain && (generations_.empty() || generations_.front().file == nullptr || generations_.front().file->status().links > 0))
    return {};
  for (const Generation& generation : generations_) {
    if (generation.file == nullptr || generation.file->given_up()) continue;
    InputFile& file = *generation.file;
    const auto known = [&](const auto& one) { return one->inode == file.inode() && one->device == file.device(); };
    if (std::ranges::any_of(files, known)) continue;  // a file that was truncated or cut is two generations
    files.push_back(
        std::make_shared<const OpenFile>(OpenFile{file.release(), file.path(), file.inode(), file.device(), file.place()}));
  }
  return files;
}

std::vector<LogReader::Unread> LogReader::unread() const {
  std::vector<Unread> parts;
  for (const Generation& generation : generations_) {
    if (generation.file == nullptr || generation.file->given_up()) {
      // Without a reason it ended: nothing of it is unread.
      if (generation.file != nullptr || !generation.lost.empty()) parts.push_back({});
      continue;
    }
    // What goes on behind a cut is new.
    parts.push_back({generation.file, generation.cut ? generation.cut->size : generation.offset});
  }
  return parts;
}

bool LogReader::has(std::uint64_t inode, std::uint64_t device) const {
  return std::any_of(generations_.begin(), generations_.end(), [&](const Generation& generation) {
    // The inode of a file that was given up may be that of another one by now.
    return generation.file != nullptr && generation.file->inode() == inode && generation.file->device() == device &&
           !generation.file->given_up();
  });
}

LogReader::Outcome LogReader::read(record::Batch& batch, Space& space) {
  const Outcome outcome = read_files(batch, space);
  if (!finished_.empty()) put_finished(batch);
  return outcome;
}

LogReader::Outcome LogReader::read_files(record::Batch& batch, Space& space) {
  due_ = base::kNever;
  while (!generations_.empty()) {
    if (batch.records.size() + kLeastRecords >= Decoder::kMaxRecords) return Outcome::full;
    Generation& front = generations_.front();
    if (front.file == nullptr) {
      end_stored(batch);
      continue;
    }
    if (auto given = front.file->given_up()) {
      take_given_up(*std::move(given), batch);
      continue;
    }
    if (space.left < kLeastSpace) return Outcome::full;
    Outcome outcome = Outcome::more;
    if (!read_front(batch, space, outcome)) return outcome;
  }
  if (decoder_.has_groups()) close_groups(batch);
  return options_->follow && !gone_ ? Outcome::idle : Outcome::finished;
}

// One read of the front generation. True: what is in front now is to be read at once.
bool LogReader::read_front(record::Batch& batch, Space& space, Outcome& outcome) {
  Generation& front = generations_.front();
  const std::size_t lead = front.lead.size();
  const std::uint64_t from = front.offset - lead;
  const std::size_t want = front.cut ? std::min<std::uint64_t>(space.left, front.cut->size - from) : space.left;
  const std::uint64_t noted = front.file->noted_size();
  if (held_ != nullptr && front.file->parked()) held_->make_room();
  auto got = front.file->read(from, space.at, want);
  if (!got) return unreadable({}, Cause::of(got.error()), batch, outcome);
  const bool moved = *got < lead || std::memcmp(space.at, front.lead.data(), lead) != 0;
  const std::string_view text = moved ? std::string_view() : std::string_view(space.at + lead, *got - lead);
  bool shorter = false;
  if (!front.file->gzipped() && !moved) {
    const bool asks = text.empty() || front.offset == 0 || *got == want || !front.checked;
    const std::uint64_t size = asks ? front.file->status().size : front.offset + text.size();
    shorter = size < front.offset || (front.offset == 0 && size < noted);
    if (!shorter) front.file->note_size(size);
  }
  if (moved || shorter) {
    truncated(batch);
    return true;
  }

  if (front.offset == 0 && is_utf16(text)) return refuse_utf16(batch, outcome);
  if (!text.empty() && text.front() == '\0' && !decoder_.within_line()) {
    if (const std::uint64_t data = front.file->next_data(front.offset); data > front.offset) {
      decoder_.skip_zeros(data - front.offset);
      front.offset = data;
      front.file->set_place(data);
      front.lead.clear();
      return true;
    }
  }
  const bool end = *got < want || (front.cut && front.offset + text.size() >= front.cut->size);
  if (!format_known_) decide_format(text);
  const bool opening = std::exchange(front.opening, false);
  if (options_->tracked && (opening || !text.empty())) {
    // Of CRI and docker lines each has a time, so that no two files begin alike. Of raw ones the whole beginning may be the same.
    const std::uint64_t known = front.offset + text.size();
    const std::uint64_t check = format_known_ && decoder_.format() != Format::raw ? 0 : known;
    introduce(front, known, check, batch);
    announce(front, known, check, batch);
  }
  if (opening && foreign_ && front.offset > 0) take_open_parts(front, batch);
  if (options_->tracked && opening) {
    // A position from the first moment on: were it to come with the first record that is safe, a chain that is killed before, after
    // an outage perhaps, would not know which rotated files are still to be read.
    for (std::uint8_t substream = 0; substream < (front.offset > 0 ? 2 : 1); ++substream) {
      batch.append_marker(record::Marker::Type::position, place(front, substream, front.offset));
    }
    if (front.done_with && text.empty()) put_done(front, front.offset, false, batch);
  }
  const std::size_t before = batch.records.size();
  const std::size_t used = text.empty() ? 0 : decoder_.decode(text, stamp(batch, front), batch);
  const std::string_view rest = text.substr(used);
  if (used > 0) {
    space.at += lead + used;
    space.left -= lead + used;
    space.whole = false;
    take(front, text, used, batch);
  } else if (front.file->gzipped()) {
    front.file->give_back(front.offset, text);
  }
  if (batch.records.size() + kLeastRecords >= Decoder::kMaxRecords) {
    outcome = Outcome::full;
    return false;
  }
  if (!end) {
    outcome = used == 0 && batch.records.size() == before && space.whole ? Outcome::more : Outcome::full;
    return false;
  }
  const bool again = at_end(rest, batch, outcome);
  if (again && !rest.empty()) {
    space.at += rest.size() + kLead;
    space.left -= std::min(space.left, rest.size() + kLead);
    space.whole = false;
  }
  return again;
}

// Whoever read the log before had read parts of CRI lines whose ends had not come, and passed on nothing of them.
void LogReader::take_open_parts(Generation& front, record::Batch& batch) {
  constexpr std::uint64_t kMost = 1 << 20;  // of these parts and what stands between them
  const std::uint64_t from = front.offset - std::min(front.offset, kMost);
  std::string text(front.offset - from, '\0');
  auto got = front.file->read(from, text.data(), text.size());
  if (!got || *got < text.size()) return;  // whatever is wrong, reading on finds it
  if (!format_known_) decide_format(from == 0 ? text : std::string_view(text).substr(text.find('\n') + 1));
  if (!format_known_ || decoder_.format() != Format::cri) return;
  for (const std::string_view part : open_parts(text, from == 0)) {
    const std::uint64_t place = from + static_cast<std::uint64_t>(part.data() - text.data());
    decoder_.decode(batch.copy(part), stamp(batch, front, place), batch);
  }
}

// The first `used` bytes of `text`, which stands at the place of reading, are done with.
void LogReader::take(Generation& front, std::string_view text, std::size_t used, record::Batch& batch) {
  const std::uint64_t begin = front.offset;
  front.offset += used;
  read_bytes_ += used;
  front.grown_at = taken_at_ = clock_->monotonic();
  front.file->set_place(front.offset);
  const std::size_t lead = front.file->gzipped() ? 0 : std::min(kLead, used);
  front.lead.assign(text.data() + used - lead, lead);
  front.file->give_back(front.offset, text.substr(used));
  if (front.head_size < record::kHeadBytes && front.head_size == begin) {
    const std::string_view more = text.substr(0, std::min<std::size_t>(used, record::kHeadBytes - front.head_size));
    front.head_hash = record::fnv1a(more, front.head_hash);
    front.head_size += static_cast<std::uint32_t>(more.size());
  } else if (front.head_size == 0) {
    const auto size = static_cast<std::uint32_t>(std::min<std::uint64_t>(record::kHeadBytes, front.offset));
    if (auto found = front.file->gzipped() ? record::FileIdentity() : front.file->identify(size, 0);
        found && found->head_size == size) {
      front.head_size = size;
      front.head_hash = found->head_hash;
    }
  }
  if (const record::Source dropped = decoder_.take_dropped()) batch.append_marker(record::Marker::Type::position, dropped);
}

// At the end of the front generation, with `rest` behind its last newline. True when what is in front now is to be read.
bool LogReader::at_end(std::string_view rest, record::Batch& batch, Outcome& outcome) {
  Generation& front = generations_.front();
  if (front.cut) {
    finish_cut(batch);
    return true;
  }
  const bool newer = generations_.size() > 1;
  outcome = Outcome::idle;
  const bool finishes = may_finish(clock_->monotonic());
  if (finishes || !front.checked) {
    // A read also stops short where the disk cannot be read, and at the end of what is there of a compressed file.
    const std::uint64_t end = front.offset + rest.size();
    char next = 0;
    auto behind = front.file->read(end, &next, 1);
    if (!behind) return unreadable(rest, Cause::of(behind.error()), batch, outcome);
    if (*behind > 0) {
      front.file->give_back(front.offset, fmt::format("{}{}", rest, next));
      outcome = Outcome::more;
      return false;
    }
    front.checked = true;
  }
  if (!options_->follow && !newer && options_->tracked) {
    // A line that is open may be finished later, and is read again then.
    if (decoder_.has_groups()) close_groups(batch);
    outcome = Outcome::finished;
    return false;
  }
  // What the next file holds already may belong to the group.
  const bool goes_on = newer && std::next(generations_.begin())->filled_since != 0;
  if (!finishes && decoder_.groups_are_asked()) close_groups(batch);
  if (!finishes && !goes_on && decoder_.has_groups()) close_idle_groups(batch);
  if (!finishes) return give_out(rest, batch);
  if (options_->follow && !newer) gone_ = true;
  finish_front(rest, batch, !newer);
  return true;
}

// Whether nothing more is to be expected of the front generation; sets when to look again if not.
bool LogReader::may_finish(base::Monotonic now) {
  const Generation& front = generations_.front();
  if (!options_->follow || ending_) return true;
  if (generations_.size() > 1) {
    if (front.complete || front.file->gzipped()) return true;
    Generation& next = *std::next(generations_.begin());
    if (generations_.size() > 2 || next.file == nullptr) return true;
    if (next.filled_since == 0) {
      if (next.file->status().size == 0) return false;
      next.filled_since = now;
    }
    // The writer may go on with the old file for a while.
    due_ = std::min(base::after(std::max(next.filled_since, front.grown_at), options_->rotation_grace),
                    base::after(next.filled_since, options_->longest_rotation_grace));
  } else {
    if (!missing_) return gone_;
    const bool deleted = front.file->status().links == 0;
    due_ = deleted ? base::after(missing_since_, options_->deletion_grace) : base::after(now, kMovedAwayCheck);
  }
  if (now < due_) return false;
  due_ = base::kNever;
  return true;
}

// At the end of what there is for now. Sets when to look again.
void LogReader::close_idle_groups(record::Batch& batch) {
  const base::Monotonic when = base::after(taken_at_, options_->multiline.wait);
  if (clock_->monotonic() < when)
    due_ = std::min(due_, when);
  else
    close_groups(batch);
}

void LogReader::close_groups(record::Batch& batch) {
  Stamp stamp;
  stamp.labeller = this;
  stamp.metadata = metadata(batch);
  stamp.tracked = options_->tracked;
  stamp.log = number_;
  // All of a group was as young when it came.
  stamp.not_before = generations_.empty() ? std::numeric_limits<base::Timestamp>::min() : generations_.front().not_before;
  decoder_.close_groups(stamp, batch);
  put_finished(batch);
}

// At the end of the live file. True when something was given out.
bool LogReader::give_out(std::string_view rest, record::Batch& batch) {
  Generation& front = generations_.front();
  const base::Monotonic now = clock_->monotonic();
  if (front.rest != rest.size()) {
    front.rest = rest.size();
    front.rest_at = now;
  }
  if (generations_.size() > 1 || (rest.empty() && !decoder_.has_open_line())) return false;
  if (options_->tracked && succeeded_at_ == base::kNever) return false;
  const base::Monotonic quiet_since = std::max(front.grown_at, front.rest_at);
  const base::Monotonic when = succeeded_at_ != base::kNever
                                   ? base::after(std::max(quiet_since, succeeded_at_), options_->deletion_grace)
                                   : base::after(quiet_since, options_->patience);
  if (now < when) {
    due_ = std::min(due_, when);
    return false;
  }
  const bool guesses = !format_known_ && !rest.empty();
  if (guesses) decide_format(fmt::format("{}\n", rest));
  const std::string_view said = decoder_.has_text(rest) ? rest : std::string_view();
  if (said.empty() && !decoder_.has_open_line()) return false;
  introduce(front, front.offset + said.size(), 0, batch);
  decoder_.give_out(said, stamp(batch, front), batch);
  if (!said.empty()) take(front, said, said.size(), batch);
  if (guesses && decoder_.format() == Format::raw) format_known_ = false;
  return true;
}

// The front generation is UTF-16 text, and nothing of it was read. True when what is in front now is to be read.
bool LogReader::refuse_utf16(record::Batch& batch, Outcome& outcome) {
  Generation& front = generations_.front();
  if (!std::exchange(front.troubled, true)) trouble_ = Cause{base::Code::io, 0, std::string(kUtf16Cause)};
  const bool newer = generations_.size() > 1;
  if (!may_finish(clock_->monotonic())) {
    outcome = Outcome::idle;
    return false;
  }
  if (newer)
    std::next(generations_.begin())->opening |= front.opening;
  else if (options_->follow)
    gone_ = true;
  if (!newer) close_groups(batch);
  generations_.pop_front();
  return true;
}

void LogReader::hole(std::uint64_t from, std::uint64_t to, const record::Source& source, record::Batch& batch) {
  if (from == 0) {
    ++stats_->leading_holes;
    return;
  }
  report_gap(generations_.front().file->path(), from, to, kHoleCause, source, batch);
}

void LogReader::finish_front(std::string_view rest, record::Batch& batch, bool log_ends) {
  Generation& front = generations_.front();
  introduce(front, front.offset, 0, batch);
  if (!format_known_ && !rest.empty()) decide_format(fmt::format("{}\n", rest));
  decoder_.end_of_file(rest, stamp(batch, front), batch);
  front.offset += rest.size();
  if (front.file != nullptr) front.file->set_place(front.offset);
  if (!rest.empty()) taken_at_ = clock_->monotonic();
  if (log_ends) decoder_.end_of_log(stamp(batch, front), batch);
  // Behind the places of lines that were still open at the end of the log.
  put_done(front, front.offset + (log_ends ? 4 : 0), log_ends, batch);
  // Of a compressed copy there is more in memory than a descriptor.
  if (options_->read_files != nullptr && options_->tracked && front.file != nullptr && !front.file->gzipped())
    options_->read_files->add(key_, number_, number_of(front), front.file);
  drop_front();
}

void LogReader::drop_front() {
  const Generation& front = generations_.front();
  if (options_->tracked && front.file != nullptr) add_used(front.file->inode());
  generations_.pop_front();
  forget_format();
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

void LogReader::forget_format() {
  if (options_->format == Format::automatic && !pod_ && !decoder_.has_open_line()) format_known_ = false;
}

std::uint32_t LogReader::number_of(Generation& generation) {
  if (generation.number == 0) generation.number = ++last_number_;
  return generation.number;
}

Stamp LogReader::stamp(record::Batch& batch, Generation& generation) { return stamp(batch, generation, generation.offset); }

Stamp LogReader::stamp(record::Batch& batch, Generation& generation, std::uint64_t offset) {
  Stamp stamp;
  stamp.labeller = this;
  stamp.metadata = metadata(batch);
  stamp.tracked = options_->tracked;
  stamp.log = number_;
  stamp.place = {number_of(generation), offset};
  stamp.now = clock_->wall();
  stamp.not_before = generation.not_before;
  stamp.safe = generation.safe;
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

void LogReader::introduce(Generation& generation, std::uint64_t known, std::uint64_t check_end, record::Batch& batch) {
  if (!options_->tracked || generation.introduced) return;
  generation.introduced = true;
  if (generation.stored) {
    // As the keeper knows it, so that it finds it.
    put_generation(generation, *generation.stored, batch);
    generation.announced = *generation.stored;
    return;
  }
  announce(generation, known, check_end, batch);
}

// Tells the keeper what file the generation is once `known` bytes of it may be behind a position: the identity must cover
// min(1024, END) bytes of its head, or another file that reused the inode would be taken for it.
//
// Raw files may begin with the same lines, and have the same inode one after the other. So that nobody takes the second for the
// first, which was read, it is checked at another place: two checks agree only where their places do.
void LogReader::announce(Generation& generation, std::uint64_t known, std::uint64_t check_end, record::Batch& batch) {
  const auto head_size = static_cast<std::uint32_t>(std::min<std::uint64_t>(record::kHeadBytes, known));
  if (check_end != 0)
    check_end -= static_cast<std::uint64_t>(std::ranges::count(used_inodes_, generation.file->inode())) % check_end;
  const bool first = generation.announced.path.empty();
  if (!first && head_size <= generation.announced.head_size && check_end <= generation.announced.check_end) return;
  if (generation.file->gzipped() && !first) return;  // reading its head would decompress it again, and it never changes
  auto identity = generation.file->identify(std::max(head_size, generation.announced.head_size), check_end);
  if (!identity) {
    // The beginning cannot be read: that is reported as a gap. Until then it is known by its name and inode.
    if (!first) return;
    identity = record::FileIdentity();
    identity->path = generation.file->path();
    identity->inode = generation.file->inode();
    identity->device = generation.file->device();
    identity->head_hash = record::kEmptyHash;
  }
  if (identity->check_end == 0 && generation.announced.check_end != 0) {
    identity->check_end = generation.announced.check_end;
    identity->check_hash = generation.announced.check_hash;
  }
  generation.announced = *identity;
  put_generation(generation, *identity, batch);
}

void LogReader::put_done(Generation& generation, std::uint64_t end, bool gone, record::Batch& batch) {
  if (!options_->tracked) return;
  finished_.push_back({number_of(generation), end, gone});
  put_finished(batch);
}

// In their order, so that a position says which of them are done with, whatever is still held.
void LogReader::put_finished(record::Batch& batch) {
  std::size_t count = 0;
  for (; count < finished_.size() && !decoder_.has_group_of(finished_[count].number); ++count) {
    record::Source source = record::Source::in_file(number_, finished_[count].number, 0, finished_[count].end);
    if (const record::Place* oldest = decoder_.open(); oldest != nullptr) {
      source.resume = oldest->offset;
      source.resume_generation = oldest->generation;
    }
    batch.append_marker(record::Marker::Type::done, source).gone = finished_[count].gone;
  }
  finished_.erase(finished_.begin(), finished_.begin() + static_cast<std::ptrdiff_t>(count));
}

void LogReader::put_generation(Generation& generation, const record::FileIdentity& identity, record::Batch& batch) {
  record::Marker& marker =
      batch.append_marker(record::Marker::Type::generation, record::Source::in_file(number_, number_of(generation), 0, 0));
  marker.log_key = batch.copy(stored_key_.empty() ? key_ : stored_key_);
  marker.file = identity.with_path(batch.copy(identity.path));
}

}  // namespace weir::tail
