#include "tail/journal_lag.h"

#include "base/access.h"
#include "tail/journal_files.h"
#include "tail/journal_library.h"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace weir::tail {
namespace {

constexpr std::uint64_t kNanoseconds = 1000;  // of a microsecond

// The time of the first entry whose number is at least `sequence`; `exact`: of the entry with this number. 0: there is none.
base::Timestamp time_of(const JournalLibrary& library, sd_journal* journal, std::string_view id, std::uint64_t sequence,
                        bool exact) {
  const std::string wanted = fmt::format("s={};i={:x}", id, sequence);
  std::uint64_t microseconds = 0;
  if (library.seek_cursor(journal, wanted.c_str()) < 0 || library.next(journal) <= 0) return 0;
  if (library.get_realtime(journal, &microseconds) < 0) return 0;
  char* text = nullptr;
  if (library.get_cursor(journal, &text) < 0 || text == nullptr) return 0;
  const auto cursor = parse_cursor(text);
  std::free(text);  // NOLINT(cppcoreguidelines-no-malloc): libsystemd allocates it
  if (!cursor || cursor->sequence < sequence || (exact && cursor->sequence != sequence)) return 0;
  return static_cast<base::Timestamp>(microseconds * kNanoseconds);
}

// Opens the files that libsystemd can open. Null: none.
sd_journal* open_files(const JournalLibrary& library, const std::vector<std::shared_ptr<JournalFile>>& files) {
  std::vector<int> fds;
  for (const auto& file : files) fds.push_back(file->fd.get());
  sd_journal* journal = nullptr;
  if (library.open_files_fd(&journal, fds.data(), static_cast<unsigned>(fds.size()), 0) < 0) return nullptr;
  for (const auto& file : files) static_cast<void>(file->fd.release());  // closed with the journal
  return journal;
}

}  // namespace

JournalPlace journal_place(const record::LogPosition& position) {
  JournalPlace place;
  place.entry = position.resume.offset;
  for (const record::Place& end : position.end) place.entry = std::max(place.entry, end.offset);
  for (const auto* generations : {&position.finished, &position.generations}) {
    for (const record::Generation& generation : *generations) {
      place.entry = std::max(place.entry, generation.end);
      place.finished = place.finished || generation.done;
      place.quiet = std::max(place.quiet, generation.file.check_end);
      place.folder = generation.file.path;
    }
  }
  return place;
}

StoredJournal stored_journal(std::string_view log, const record::LogPosition& position) {
  StoredJournal stored;
  stored.id = log.substr(std::min(kJournalKey.size(), log.size()));
  stored.place = journal_place(position);
  if (stored.place.folder.empty()) return stored;
  JournalOptions options{.on = true, .folder = stored.place.folder, .units = {}, .cursor = {}};
  JournalFiles all(options);
  all.scan();
  std::vector<std::shared_ptr<JournalFile>> files;
  for (const auto& file : all.files()) {
    if (file->id == stored.id && file->fd) files.push_back(file);
  }
  const Unreadable unreadable = all.take_unreadable();
  const bool is_absent = !base::may_access(stored.place.folder, F_OK) && errno == ENOENT;
  if (!unreadable.causes.empty() && !is_absent) stored.trouble = message_of(unreadable.causes.begin()->second);
  stored.found = !files.empty();
  if (!stored.found) return stored;
  const std::uint64_t place = stored.place.entry;
  std::uint64_t head = 0, whole = 0, last = 0;
  for (const auto& file : files) {
    whole = std::max(whole, file->whole());
    last = std::max(last, file->tail);
    if (file->head != 0) head = head == 0 ? file->head : std::min(head, file->head);
  }
  const std::uint64_t from = std::max(place + 1, head);  // what was there before is gone
  if (whole >= from) stored.lag.entries = last - from + 1;
  const auto library = JournalLibrary::load();
  sd_journal* const journal = library ? open_files(**library, files) : nullptr;
  if (journal == nullptr) {
    // Nothing is late: then it does not matter that the entries cannot be read.
    if (stored.lag.entries > 0 && stored.trouble.empty()) {
      stored.trouble = library ? fmt::format("cannot read the journal in {}: its files are damaged", stored.place.folder)
                               : library.error().message;
    }
    return stored;
  }
  stored.time = time_of(**library, journal, stored.id, place, true);
  if (stored.lag.entries > 0) {
    stored.lag.oldest = time_of(**library, journal, stored.id, from, false);
    if (stored.lag.oldest == 0 && stored.trouble.empty())
      stored.trouble = fmt::format("cannot read the journal in {} from entry {} on", stored.place.folder, from);
  }
  (*library)->close(journal);
  return stored;
}

}  // namespace weir::tail
