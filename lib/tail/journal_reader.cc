#include "tail/journal_reader.h"

#include "base/count.h"
#include "record/timestamp.h"
#include "tail/decoder.h"
#include "tail/line_cut.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <utility>

namespace weir::tail {
namespace {

using base::Result;

constexpr std::uint32_t kFirstNumber = 1U << 31U;  // of logs that are files, nobody counts so far
constexpr std::size_t kBlock = 256 << 10;          // bytes of lines that one read() gives at most, unless one line has more
constexpr std::size_t kLeastRecords = 64;          // that the batch must have room for
constexpr std::size_t kLongestMatch = 4096;        // bytes of a field by which entries are selected
constexpr std::size_t kLongestMessage = 16 << 20;  // whoever can log could otherwise use all memory
// libsystemd keeps mapped what it has read, up to 512 MB. Opening the files again gives it back.
constexpr std::uint64_t kMostMapped = 8 << 20;
constexpr base::Duration kMarkerSpacing = base::kMinute;
constexpr std::uint64_t kNanoseconds = 1000;  // of a microsecond
constexpr std::uint64_t kReportedLost = LogReader::kReportedLost;

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

}  // namespace

struct JournalReader::Journal {
  struct Lost {
    std::uint64_t from = 0, to = 0;
    std::string cause;
  };

  std::string id, key, folder;
  std::uint32_t number = 0;
  std::uint64_t place = 0;   // every entry up to here was read, or left out on purpose
  std::uint64_t marked = 0;  // the place that the stream knows of
  base::Monotonic marked_at = 0;
  std::uint64_t quiet = 0;  // the last number, when all was read while nobody wrote
  bool stored = false;      // there was a position
  bool introduced = false;
  bool ended = false;     // the stream knows that nothing will be added
  bool finished = false;  // the same was stored
  bool gone = false;      // no file of it is left

  std::vector<std::shared_ptr<JournalFile>> files;  // that are read; the older ones first
  sd_journal* handle = nullptr;
  bool again = false;          // it is to be opened again: libsystemd has left out a damaged file
  std::uint64_t expected = 0;  // every entry up to here is there whole, unless its file is damaged
  std::uint64_t last = 0;      // the last number that there was then
  std::uint64_t touched = 0;   // bytes of fields since it was opened
  bool at_end = false;
  bool settled = false;   // at_end() was called
  bool unmarked = false;  // a marker is due after its time
  bool current = false;   // there is an entry, of which …
  std::uint64_t sequence = 0, realtime = 0;
  std::vector<Lost> lost;  // not reported yet, in order
};

Result<std::unique_ptr<JournalReader>> JournalReader::make(const Parts& parts) {
  auto library = JournalLibrary::load();
  if (!library) return std::move(library).error();
  JournalCursor cursor;
  if (!parts.options.cursor.empty()) {
    auto parsed = parse_cursor(parts.options.cursor);
    if (!parsed) return std::move(parsed).error();
    cursor = std::move(parsed).value();
  }
  return std::unique_ptr<JournalReader>(new JournalReader(parts, **library, std::move(cursor)));
}

JournalReader::JournalReader(const Parts& parts, const JournalLibrary& library, JournalCursor cursor)
    : options_(parts.options),
      read_(parts.read),
      start_(parts.start),
      stats_(parts.stats),
      diagnostics_(parts.diagnostics),
      clock_(parts.clock),
      library_(library),
      cursor_(std::move(cursor)),
      terms_(parts.options.terms()),
      files_(parts.options),
      records_(parts.read.journal_fields),
      not_before_(parts.start.kind == Start::Kind::time ? parts.start.time : std::numeric_limits<base::Timestamp>::min()),
      last_number_(kFirstNumber) {}

JournalReader::~JournalReader() {
  for (const auto& journal : journals_) {
    if (journal->handle != nullptr) library_.close(journal->handle);
  }
}

void JournalReader::load(record::Positions& positions) {
  for (auto next = positions.begin(); next != positions.end();) {
    const auto here = next++;
    if (is_journal_key(here->first)) positions_.insert(positions.extract(here));
  }
}

Result<void> JournalReader::open() {
  if (read_.follow) {
    if (auto watched = files_.watch(); !watched) return watched;
  }
  look(true);
  return {};
}

void JournalReader::take_changes() {
  if (files_.take_changes()) look(false);
  for (const auto& journal : journals_) {
    if (journal->again) open_files(*journal);
    find_ends(*journal);
    journal->at_end = journal->settled = false;
    // What matches is found late, where its writer was still adding it when libsystemd looked last.
    if (options_.filters() && !journal->current && journal->handle != nullptr) seek(*journal, journal->place + 1);
  }
}

// -- which journals there are --

void JournalReader::look(bool first) {
  files_.scan();
  std::map<std::string, std::vector<std::shared_ptr<JournalFile>>> found;
  for (const auto& file : files_.files()) found[file->id].push_back(file);
  std::vector<Journal*> fresh;
  for (auto& [id, files] : found) {
    auto known = std::ranges::find_if(journals_, [&id = id](const auto& one) { return one->id == id; });
    const bool is_new = known == journals_.end();
    Journal& journal = is_new ? add(id, ++last_number_) : **known;
    journal.folder = folder_of(files.back()->path);
    std::uint64_t head = 0;
    for (const auto& file : files) {
      if (file->head != 0) head = head == 0 ? file->head : std::min(head, file->head);
    }
    if (is_new && !journal.stored) {
      journal.place = head == 0 ? 0 : head - 1;
      if (first) fresh.push_back(&journal);
    } else if (head > journal.place + 1 && (journal.lost.empty() || journal.lost.back().to < head - 1)) {
      journal.lost.push_back(
          {journal.place + 1, head - 1, files_.is_complete() ? "their files are gone" : "their files are gone or cannot be read"});
    }
    std::erase_if(files, [&](const auto& file) { return !file->fd || (file->is_final() && file->whole() <= journal.place); });
    std::ranges::sort(files, {}, [](const auto& file) { return file->head == 0 ? ~std::uint64_t{0} : file->head; });
    if (files != journal.files || journal.handle == nullptr) {
      journal.files = std::move(files);
      open_files(journal);
    }
  }
  if (start_.kind == Start::Kind::lines && cursor_.id.empty() && cursor_.realtime == 0) {
    choose_last_lines(fresh, start_.lines);
  } else {
    for (Journal* const journal : fresh) choose_start(*journal);
  }
  // What is left of the files that are not needed any more are their names.
  for (const auto& file : files_.files()) {
    const auto used = [&](const auto& journal) { return std::ranges::find(journal->files, file) != journal->files.end(); };
    if (std::ranges::none_of(journals_, used)) file->fd.reset();
  }
  for (const auto& journal : journals_) {
    if (!found.contains(journal->id) && files_.is_complete()) journal->gone = true;
  }
  if (!first || !files_.is_complete()) return;
  for (auto next = positions_.begin(); next != positions_.end();) {
    const auto here = next++;
    const std::string folder = journal_place(here->second).folder;
    if (folder.empty() || !files_.looks_into(folder)) continue;
    const std::string id = here->first.substr(kJournalKey.size());
    Journal& journal = add(id, ++last_number_);
    journal.folder = folder;
    journal.gone = true;
    if (!journal.finished && (journal.quiet == 0 || journal.quiet != journal.place))
      journal.lost.push_back({journal.place + 1, kReportedLost, "its files are gone"});
  }
}

JournalReader::Journal& JournalReader::add(const std::string& id, std::uint32_t number) {
  Journal& journal = *journals_.emplace_back(std::make_unique<Journal>());
  journal.id = id;
  journal.key = fmt::format("{}{}", kJournalKey, id);
  journal.number = number;
  const auto known = positions_.find(journal.key);
  if (known == positions_.end()) return journal;
  const JournalPlace place = journal_place(known->second);
  journal.stored = true;
  journal.place = place.entry;
  journal.finished = place.finished;
  journal.quiet = place.quiet;
  journal.marked = journal.place;
  journal.ended = journal.finished;
  positions_.erase(known);
  return journal;
}

// Of a journal that was there at the start and has no position.
void JournalReader::choose_start(Journal& journal) {
  if (journal.handle == nullptr) return;
  base::Timestamp time = 0;
  const bool aged = start_.kind == Start::Kind::beginning && read_.max_age > 0;
  if (!cursor_.id.empty() && cursor_.id == journal.id && cursor_.sequence > 0) {
    journal.place = std::max(journal.place, cursor_.sequence);
    if (journal.place > cursor_.sequence) journal.lost.push_back({cursor_.sequence + 1, journal.place, "their files are gone"});
    return seek(journal, journal.place + 1);
  }
  if (cursor_.realtime > 0) {
    time = static_cast<base::Timestamp>((cursor_.realtime + 1) * kNanoseconds);
  } else if (start_.kind == Start::Kind::time) {
    time = start_.time;
  } else if (aged) {
    time = clock_.wall() - read_.max_age;
  } else if (start_.kind == Start::Kind::end) {
    for (const auto& file : journal.files) journal.place = std::max(journal.place, file->tail);
    return seek(journal, journal.place + 1);
  } else {
    return;
  }
  const std::uint64_t begin = journal.place;
  std::uint64_t last = 0;
  for (const auto& file : journal.files) last = std::max(last, file->whole());
  const auto microseconds = static_cast<std::uint64_t>(std::max<base::Timestamp>(time, 0)) / kNanoseconds;
  if (library_.seek_realtime(journal.handle, microseconds) < 0) return;
  const std::uint64_t sequence = library_.next(journal.handle) > 0 ? sequence_of(journal) : 0;
  journal.place = std::max(begin, sequence > 0 ? sequence - 1 : last);
  if (sequence == 0) pass_over(journal, time);
  if (aged && journal.place > begin) {
    diagnostics_.warn("tail.too_old.journal",
                      fmt::format("left out entries of the journal in {}, older than {} (--max-age; --max-age "
                                  "0 reads everything)",
                                  journal.folder, record::print_duration(read_.max_age)));
  }
  seek(journal, journal.place + 1);
}

// The last `lines` entries of all these journals.
void JournalReader::choose_last_lines(const std::vector<Journal*>& fresh, std::uint64_t lines) {
  const auto back = [&](Journal& journal) {
    journal.current = journal.handle != nullptr && library_.previous(journal.handle) > 0;
    if (!journal.current || library_.get_realtime(journal.handle, &journal.realtime) < 0) journal.current = false;
  };
  for (Journal* const journal : fresh) {
    for (const auto& file : journal->files) journal->place = std::max(journal->place, file->tail);
    if (journal->handle != nullptr && library_.seek_tail(journal->handle) >= 0) back(*journal);
  }
  for (std::uint64_t i = 0; i < lines; ++i) {
    Journal* latest = nullptr;
    for (Journal* const journal : fresh) {
      if (journal->current && (latest == nullptr || journal->realtime > latest->realtime)) latest = journal;
    }
    if (latest == nullptr) break;
    if (const std::uint64_t sequence = sequence_of(*latest); sequence > 0) latest->place = sequence - 1;
    back(*latest);
  }
  for (Journal* const journal : fresh) {
    journal->current = false;
    if (journal->handle != nullptr) seek(*journal, journal->place + 1);
  }
}

// -- libsystemd --

void JournalReader::open_files(Journal& journal) {
  if (journal.handle != nullptr) library_.close(std::exchange(journal.handle, nullptr));
  journal.again = journal.current = journal.at_end = journal.settled = false;
  journal.touched = 0;
  while (!journal.files.empty() && try_open(journal.files, journal.handle) < 0) {
    // Which one is it?
    const std::size_t before = journal.files.size();
    std::erase_if(journal.files, [&](const std::shared_ptr<JournalFile>& file) {
      sd_journal* handle = nullptr;
      const int opened = try_open({file}, handle);
      if (opened >= 0) {
        library_.close(handle);
        return false;
      }
      if (file->tail > journal.place) {
        const std::uint64_t from = std::max(file->head, journal.place + 1);
        journal.lost.push_back({from, file->tail, fmt::format("{} is damaged ({})", file->path, std::strerror(-opened))});
      }
      return true;
    });
    if (journal.files.size() == before) break;
  }
  if (journal.handle == nullptr) {
    journal.at_end = true;
    journal.again = !journal.files.empty();  // for want of descriptors, perhaps
    return;
  }
  opened_ += journal.files.size();
  journal.expected = journal.last = 0;
  find_ends(journal);
  seek(journal, journal.place + 1);
}

// Before libsystemd is asked for entries: what is written after this is not missed where it is not found.
void JournalReader::find_ends(Journal& journal) const {
  for (const auto& file : journal.files) {
    if (!file->is_final()) JournalFiles::refresh(*file);
    journal.expected = std::max(journal.expected, file->whole());
    journal.last = std::max(journal.last, file->tail);
  }
}

// A negative errno; `handle` is null then.
int JournalReader::try_open(const std::vector<std::shared_ptr<JournalFile>>& files, sd_journal*& handle) const {
  std::vector<base::UniqueFd> copies;
  std::vector<int> fds;
  for (const auto& file : files) {
    copies.emplace_back(::fcntl(file->fd.get(), F_DUPFD_CLOEXEC, 0));
    if (!copies.back()) return -errno;
    fds.push_back(copies.back().get());
  }
  if (const int opened = library_.open_files_fd(&handle, fds.data(), static_cast<unsigned>(fds.size()), 0); opened < 0) {
    handle = nullptr;
    return opened;
  }
  for (base::UniqueFd& fd : copies) static_cast<void>(fd.release());
  library_.set_data_threshold(handle, kLongestMessage + 1024);
  add_matches(handle);
  return 0;
}

void JournalReader::add_matches(sd_journal* handle) const {
  for (const JournalTerms& list : terms_) {
    for (const auto& term : list) {
      for (const std::string& match : term) library_.add_match(handle, match.data(), match.size());
      library_.add_disjunction(handle);
    }
    if (!list.empty()) library_.add_conjunction(handle);
  }
}

// The next entry is the one of this number, or the first behind it.
void JournalReader::seek(Journal& journal, std::uint64_t sequence) const {
  const std::string cursor = fmt::format("s={};i={:x}", journal.id, sequence);
  library_.seek_cursor(journal.handle, cursor.c_str());
}

// Of the entry that libsystemd is at; 0: unknown.
std::uint64_t JournalReader::sequence_of(Journal& journal) const {
  char* text = nullptr;
  if (library_.get_cursor(journal.handle, &text) < 0 || text == nullptr) return 0;
  const std::string_view cursor = text;
  std::uint64_t sequence = 0;
  if (const std::size_t at = cursor.find(";i="); at != std::string_view::npos)
    std::from_chars(cursor.data() + at + 3, cursor.data() + cursor.size(), sequence, 16);
  std::free(text);  // NOLINT(cppcoreguidelines-no-malloc): libsystemd allocates it
  return sequence;
}

bool JournalReader::has_entry(Journal& journal, std::uint64_t sequence) const {
  library_.flush_matches(journal.handle);
  seek(journal, sequence);
  const bool found = library_.next(journal.handle) > 0 && sequence_of(journal) >= sequence;
  library_.flush_matches(journal.handle);
  add_matches(journal.handle);
  return found;
}

// -- reading --

void JournalReader::advance(Journal& journal) {
  while (true) {
    const int moved = library_.next(journal.handle);
    if (moved <= 0) {
      journal.at_end = true;
      journal.again = journal.again || moved < 0;
      return;
    }
    journal.sequence = sequence_of(journal);
    if (journal.sequence <= journal.place) continue;
    // libsystemd asks one file after the other. An earlier entry may have come into one that it had asked already.
    if (journal.sequence > journal.last && journal.files.size() > 1) {
      const std::uint64_t before = journal.last;
      find_ends(journal);
      if (journal.last > before) {
        seek(journal, journal.place + 1);
        continue;
      }
    }
    if (library_.get_realtime(journal.handle, &journal.realtime) < 0) journal.realtime = 0;
    journal.current = true;
    return;
  }
}

// The journal whose entry is next; null: none has one now.
JournalReader::Journal* JournalReader::choose() {
  Journal* first = nullptr;
  for (const auto& journal : journals_) {
    if (!journal->current && !journal->at_end) advance(*journal);
    if (journal->current && (first == nullptr || journal->realtime < first->realtime)) first = journal.get();
  }
  return first;
}

Reader::Outcome JournalReader::read(record::Batch& batch, Space&) {
  for (const auto& journal : journals_) {
    if (batch.records.size() + kLeastRecords >= Decoder::kMaxRecords) return Outcome::full;
    if (read_.tracked && !journal->introduced) introduce(*journal, batch);
  }
  for (const auto& journal : journals_) {
    if (journal->touched > kMostMapped) open_files(*journal);
  }
  std::size_t bytes = 0;
  while (bytes < kBlock) {
    if (batch.records.size() + kLeastRecords >= Decoder::kMaxRecords) return Outcome::full;
    Journal* const next = choose();
    if (next == nullptr) break;
    bytes += put(*next, batch);
  }
  if (bytes >= kBlock) return Outcome::full;
  for (const auto& journal : journals_) {
    if (batch.records.size() + kLeastRecords >= Decoder::kMaxRecords) return Outcome::full;
    if (!std::exchange(journal->settled, true)) at_end(*journal, !read_.follow, batch);
    if (!read_.follow || journal->touched < kMostMapped / 8 || journal->handle == nullptr) continue;
    const bool again = journal->again;
    open_files(*journal);
    journal->again = again || journal->again;
  }
  std::erase_if(journals_, [&](const std::unique_ptr<Journal>& journal) {
    if (!journal->gone) return false;
    if (journal->handle != nullptr) library_.close(journal->handle);
    return true;
  });
  return read_.follow ? Outcome::idle : Outcome::finished;
}

// Between the latest entry and this one, no file may have ended that libsystemd gave no entry of.
void JournalReader::check_order(Journal& journal, std::uint64_t sequence, record::Batch& batch) {
  if (!options_.filters() && sequence > journal.place + 1) {
    for (const auto& file : journal.files) {
      if (file->whole() <= journal.place || file->whole() >= sequence) continue;
      const auto covers = [&](const Journal::Lost& lost) { return lost.to >= file->whole(); };
      if (std::ranges::any_of(journal.lost, covers)) continue;
      journal.lost.push_back({std::max(file->head, journal.place + 1), file->whole(), fmt::format("{} is damaged", file->path)});
    }
  }
  if (journal.lost.empty()) return;
  std::ranges::sort(journal.lost, {}, &Journal::Lost::from);
  while (!journal.lost.empty() && journal.lost.front().from < sequence) report_lost(journal, batch);
}

// Returns how many bytes the line has.
std::size_t JournalReader::put(Journal& journal, record::Batch& batch) {
  selected_ = true;
  journal.current = false;
  const std::uint64_t sequence = journal.sequence;
  check_order(journal, sequence, batch);
  const auto timestamp = static_cast<base::Timestamp>(journal.realtime * kNanoseconds);
  journal.place = std::max(journal.place, sequence);
  if (timestamp < not_before_) {
    ++stats_.before_start;
    return 0;
  }
  records_.begin();
  std::uint64_t cut_off = 0;
  const void* data = nullptr;
  std::size_t size = 0;
  int more = 0;
  while ((more = library_.enumerate_data(journal.handle, &data, &size)) > 0) {
    const std::string_view field(static_cast<const char*>(data), size);
    journal.touched += size;
    const std::size_t equals = field.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = field.substr(0, equals);
    std::string_view value = field.substr(equals + 1);
    if (value.size() > kLongestMessage) {
      if (name == "MESSAGE") cut_off = value.size() - kLongestMessage;
      value = value.substr(0, kLongestMessage);
    }
    records_.field(name, value, batch);
  }
  if (more < 0) ++stats_.malformed;  // a field is damaged, and what stands behind it cannot be read
  std::string_view text = records_.message().value_or(std::string_view());
  const std::size_t bytes = text.size();
  stats_.bytes += bytes;
  const record::LabelSet* const labels = records_.labels(nullptr, batch);
  const auto add = [&](std::string_view line, std::span<const record::Label> metadata) -> record::Record& {
    ++stats_.records;
    record::Record& record = batch.records.emplace_back();
    record.timestamp = timestamp;
    record.labels = labels;
    record.line = record::Text::bytes(line);
    record.metadata = metadata;
    return record;
  };
  std::uint32_t pieces = 0;
  const auto piece = [&](std::string_view line, bool last) -> record::Record& {
    const std::span<record::Label> metadata = records_.metadata({}, 1, batch);
    metadata.back() = {"weir_split", batch.copy(last ? fmt::format("{0}/{0}", pieces + 1) : fmt::format("{}", pieces + 1))};
    ++pieces;
    return add(line, metadata);
  };
  if (text.size() > read_.max_line) ++stats_.split;
  while (text.size() > read_.max_line) {
    const std::size_t cut = cut_between_characters(text, read_.max_line, text[read_.max_line]);
    piece(text.substr(0, cut), false);
    text.remove_prefix(cut);
  }
  record::Record& record = pieces > 0 ? piece(text, true) : add(text, records_.metadata({}, 0, batch));
  if (read_.tracked) record.source = place(journal, sequence);
  journal.marked = sequence;
  journal.marked_at = 0;
  if (cut_off > 0) {
    put_lost(journal,
             fmt::format("weir: {} of a message of {} in the journal in {} are lost: it is longer than {}",
                         base::count_of(cut_off, "byte"), record::to_rfc3339(timestamp), journal.folder,
                         record::print_size(kLongestMessage)),
             sequence, cut_off, batch);
  }
  return bytes;
}

// Entries behind the place that are older or not selected are left out, up to the first that is neither. The handle is then at any
// place.
void JournalReader::pass_over(Journal& journal, base::Timestamp older_than) const {
  library_.flush_matches(journal.handle);
  seek(journal, journal.place + 1);
  std::vector<std::string> fields;
  while (library_.next(journal.handle) > 0) {
    const std::uint64_t sequence = sequence_of(journal);
    if (sequence <= journal.place) continue;
    std::uint64_t realtime = 0;
    if (sequence > journal.last || library_.get_realtime(journal.handle, &realtime) < 0) break;
    if (static_cast<base::Timestamp>(realtime * kNanoseconds) >= older_than) {
      fields.clear();
      const void* data = nullptr;
      std::size_t size = 0;
      int more = 0;
      while ((more = library_.enumerate_data(journal.handle, &data, &size)) > 0) {
        if (size <= kLongestMatch) fields.emplace_back(static_cast<const char*>(data), size);
      }
      if (more < 0 || selects(terms_, fields)) break;
    }
    journal.place = sequence;
  }
  library_.flush_matches(journal.handle);
  add_matches(journal.handle);
}

// All that is there was read. `last`: nothing more will be.
void JournalReader::at_end(Journal& journal, bool last, record::Batch& batch) {
  journal.unmarked = false;
  if (journal.handle != nullptr && journal.place < journal.expected) {
    const std::uint64_t known = journal.lost.empty() ? journal.place : journal.lost.back().to;
    if (options_.filters() && has_entry(journal, journal.expected)) {
      journal.place = std::max(journal.place, journal.expected);
      seek(journal, journal.place + 1);
    } else if (known < journal.expected) {
      const auto file = std::ranges::find_if(journal.files, [&](const auto& one) { return one->whole() >= journal.expected; });
      const std::string& path = file != journal.files.end() ? (*file)->path : journal.folder;
      journal.lost.push_back({known + 1, journal.expected, fmt::format("{} is damaged", path)});
      journal.again = true;
    }
  }
  while (!journal.lost.empty()) report_lost(journal, batch);
  if (options_.filters() && journal.handle != nullptr && !journal.current && journal.place < journal.last) {
    pass_over(journal, std::numeric_limits<base::Timestamp>::min());
    seek(journal, journal.place + 1);
  }
  if (journal.gone) return end_journal(journal, true, std::max(journal.place, journal.marked), batch);
  if (!journal.ended && files_.has_ended(journal.id)) return end_journal(journal, false, journal.place, batch);
  mark(journal, last, batch);
}

// The place of what was left out, and whether more may have been written.
void JournalReader::mark(Journal& journal, bool last, record::Batch& batch) {
  if (!read_.tracked || !journal.introduced) return;
  const bool moved = journal.place > journal.marked;
  const auto ends_here = [&](const std::shared_ptr<JournalFile>& file) {
    if (!file->is_final()) JournalFiles::refresh(*file);
    return (file->is_final() || !file->writing) && file->tail <= journal.place;
  };
  const bool quiet =
      journal.quiet != journal.place && !journal.current && files_.is_complete() && std::ranges::all_of(journal.files, ends_here);
  if (!moved && !quiet) return;
  const base::Monotonic now = clock_.monotonic();
  if (!last && batch.records.empty() && now < base::after(journal.marked_at, kMarkerSpacing)) {
    journal.unmarked = true;
    journal.settled = false;  // again when it is due
    return;
  }
  if (moved) batch.append_marker(record::Marker::Type::position, place(journal, journal.place));
  if (quiet) {
    journal.quiet = journal.place;
    announce(journal, batch);
  }
  journal.marked = std::max(journal.marked, journal.place);
  journal.marked_at = now;
}

void JournalReader::finish(record::Batch& batch) {
  for (const auto& journal : journals_) {
    if (!journal->ended) mark(*journal, true, batch);
  }
}

bool JournalReader::has_selected() {
  if (selected_ || !options_.filters()) return true;
  return std::ranges::any_of(journals_, [&](const std::unique_ptr<Journal>& journal) {
    if (journal->stored || journal->handle == nullptr) return journal->stored;
    seek(*journal, 1);
    return library_.next(journal->handle) > 0;
  });
}

base::Monotonic JournalReader::due() const {
  base::Monotonic due = base::kNever;
  for (const auto& journal : journals_) {
    if (journal->unmarked) due = std::min(due, base::after(journal->marked_at, kMarkerSpacing));
  }
  return due;
}

JournalLag JournalReader::lag() {
  JournalLag lag;
  for (const auto& journal : journals_) {
    if (journal->handle == nullptr) continue;
    for (const auto& file : journal->files) {
      if (!file->is_final()) JournalFiles::refresh(*file);
    }
    if (!journal->current) advance(*journal);
    if (!journal->current) continue;
    std::uint64_t last = journal->sequence;
    for (const auto& file : journal->files) last = std::max(last, file->whole());
    lag.entries += last - std::min(last, journal->place);
    const auto time = static_cast<base::Timestamp>(journal->realtime * kNanoseconds);
    if (lag.oldest == 0 || time < lag.oldest) lag.oldest = time;
  }
  return lag;
}

// -- what the stream is told --

record::Source JournalReader::place(const Journal& journal, std::uint64_t end) const {
  return record::Source::in_file(journal.number, 1, 0, end);
}

void JournalReader::announce(const Journal& journal, record::Batch& batch) const {
  record::Marker& marker = batch.append_marker(record::Marker::Type::generation, place(journal, 0));
  marker.log_key = batch.copy(journal.key);
  marker.file.path = batch.copy(journal.folder);
  marker.file.head_size = static_cast<std::uint32_t>(journal.id.size());
  marker.file.head_hash = record::fnv1a(journal.id);
  marker.file.check_end = journal.quiet;
}

void JournalReader::introduce(Journal& journal, record::Batch& batch) {
  journal.introduced = true;
  announce(journal, batch);
  if (journal.stored) return;
  // What stood before the place is not read after a restart, though nothing was safe until then.
  batch.append_marker(record::Marker::Type::position, place(journal, journal.place));
  journal.marked = journal.place;
}

void JournalReader::report_lost(Journal& journal, record::Batch& batch) {
  const Journal::Lost lost = std::move(journal.lost.front());
  journal.lost.erase(journal.lost.begin());
  std::string text;
  if (lost.to == kReportedLost) {
    text = fmt::format("weir: the end of the journal in {}, from entry {} on, is lost: {}", journal.folder, lost.from, lost.cause);
  } else {
    const std::uint64_t count = lost.to - std::min(lost.to, lost.from - 1);
    text = fmt::format("weir: up to {} of the journal in {}, from entry {} on, are lost: {}",
                       base::count_of(count, "entry", "entries"), journal.folder, lost.from, lost.cause);
  }
  journal.place = std::max(journal.place, lost.to);
  put_lost(journal, std::move(text), lost.to, std::nullopt, batch);
}

void JournalReader::put_lost(Journal& journal, std::string text, std::uint64_t end, std::optional<std::uint64_t> bytes,
                             record::Batch& batch) {
  const std::span<record::Label> metadata = batch.allocate_labels(2);
  metadata[0] = {"filename", batch.copy(journal.folder)};
  const record::LabelSet* const labels = batch.hold(record::LabelSet::intern({{"job", "systemd-journal"}}));
  record::Record& record = put_gap(batch, std::move(text), bytes, clock_.wall(), labels, metadata, stats_);
  if (read_.tracked) record.source = place(journal, end);
  journal.marked = std::max(journal.marked, end);
}

void JournalReader::end_journal(Journal& journal, bool gone, std::uint64_t end, record::Batch& batch) {
  journal.ended = true;
  if (!read_.tracked) return;
  batch.append_marker(record::Marker::Type::done, place(journal, end)).gone = gone;
  journal.marked = end;
}

}  // namespace weir::tail
