// Reads the systemd journal (journal_files.h) with libsystemd, as records.
//
// To positions, each journal is a log. Its key is "journal:ID", ID its seqnum id; it has one generation, and END is the number of
// the entry: "s=ID;i=END" is a cursor of libsystemd. So source, markers and keeper are those of files. Each journal is read by an
// sd_journal of its own, in the order of the numbers. One sd_journal for all would be wrong: it skips an entry that comes late with
// an old time (from another machine, or after a step of the clock), and a cursor finds the place in one journal only. Of several
// journals, the entry with the oldest time is next, as far as they can be read at that moment: that is the order of journalctl.
//
// What libsystemd keeps to itself is found out by numbers: it leaves a damaged file out without a word.
//
// States of a journal: found → introduced (a marker, and a position from the first moment) → read, until no file of it is left
// (gone). A journal of which there is a position and no file: what was not read is lost, unless it had ended before
// (JournalFiles::has_ended).
//
// Entries that `--unit` and `--priority` leave out move the position, too: by a marker, now and then and at the end. libsystemd
// finds an entry that is being written by its number first, and by what it says later. So of what comes behind JournalFile::whole,
// each entry is asked for without the filter, and judged here (pass_over).
//
// A journal that was read to its end while nobody wrote to it may go: nothing of it is lost. The position says so by the identity
// of its generation: check_end is the number that was the last one then.
//
// A lost part is reported by one record with metadata weir_gap_bytes = unknown and filename = the folder. Its END is the number of
// the last entry that is lost, so that a restart does not report it again. Numbers may have holes, so the count in its text says
// "up to".
//
// A message longer than ReadOptions::max_line is cut like a line of a file. Only the last piece has a source, because all pieces
// have one number: a kill between the pieces sends the first ones again, and loses none.
//
// libsystemd keeps mapped what it has read; the files are opened again now and then, so that memory stays small.
//
// Known limits: an entry in a file that is otherwise whole, and that libsystemd skips as damaged, is not noticed. With a filter,
// neither is a damaged file that is not the last. What journald copies from /run/log/journal to /var/log/journal at boot gets a new
// id there: a tail that ran before that reads it twice.
#pragma once

#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/result.h"
#include "record/positions.h"
#include "tail/journal_files.h"
#include "tail/journal_lag.h"
#include "tail/journal_library.h"
#include "tail/journal_options.h"
#include "tail/journal_records.h"
#include "tail/log_reader.h"
#include "tail/reader.h"
#include "tail/start.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::tail {

// For one thread.
class JournalReader final : public Reader {
 public:
  // All outlive it. `start` says where reading begins in journals that are there at the start and have no position.
  struct Parts {
    const JournalOptions& options;
    const ReadOptions& read;
    const Start& start;
    ReadStats& stats;
    base::Diagnostics& diagnostics;
    const base::Clock& clock;
  };
  // Loads libsystemd. Errors: io, parse (the cursor).
  static base::Result<std::unique_ptr<JournalReader>> make(const Parts& parts);
  ~JournalReader() override;

  // Before open(): takes the positions of journals out of these.
  void load(record::Positions& positions);
  // Finds the journals. Following: from now on fd() is readable when take_changes() is to be called, and then read(). Error: io.
  base::Result<void> open();
  [[nodiscard]] int fd() const { return files_.fd(); }
  void take_changes();

  [[nodiscard]] std::uint64_t opened() const { return opened_; }  // files
  [[nodiscard]] std::string places() const { return files_.places(); }
  // What could not be read, since it was last asked.
  [[nodiscard]] Unreadable take_unreadable() { return files_.take_unreadable(); }

  Outcome read(record::Batch& batch, Space& space) override;
  // Reading is to stop: the places of what was left out go out as markers.
  void finish(record::Batch& batch);
  // Whether an entry was selected, or there may have been one before the places where reading began.
  [[nodiscard]] bool has_selected();
  [[nodiscard]] std::string_view name() const override { return "the journal"; }
  [[nodiscard]] std::optional<Cause> take_trouble() override { return std::nullopt; }  // take_unreadable() has it
  // When a marker is due.
  [[nodiscard]] base::Monotonic due() const override;
  // Of all journals, of what the options select. Between two reads; finds the next entry where it is not known yet.
  [[nodiscard]] JournalLag lag();

 private:
  struct Journal;

  JournalReader(const Parts& parts, const JournalLibrary& library, JournalCursor cursor);
  void look(bool first);
  Journal& add(const std::string& id, std::uint32_t number);
  void choose_start(Journal& journal);
  void choose_last_lines(const std::vector<Journal*>& fresh, std::uint64_t lines);
  void open_files(Journal& journal);
  int try_open(const std::vector<std::shared_ptr<JournalFile>>& files, sd_journal*& handle) const;
  void add_matches(sd_journal* handle) const;
  void find_ends(Journal& journal) const;
  void seek(Journal& journal, std::uint64_t sequence) const;
  [[nodiscard]] std::uint64_t sequence_of(Journal& journal) const;
  void advance(Journal& journal);
  Journal* choose();
  void check_order(Journal& journal, std::uint64_t sequence, record::Batch& batch);
  std::size_t put(Journal& journal, record::Batch& batch);
  void pass_over(Journal& journal, base::Timestamp older_than) const;
  void at_end(Journal& journal, bool last, record::Batch& batch);
  void mark(Journal& journal, bool last, record::Batch& batch);
  [[nodiscard]] bool has_entry(Journal& journal, std::uint64_t sequence) const;
  void announce(const Journal& journal, record::Batch& batch) const;
  void introduce(Journal& journal, record::Batch& batch);
  void report_lost(Journal& journal, record::Batch& batch);
  void put_lost(Journal& journal, std::string text, std::uint64_t end, std::optional<std::uint64_t> bytes, record::Batch& batch);
  void end_journal(Journal& journal, bool gone, std::uint64_t end, record::Batch& batch);
  [[nodiscard]] record::Source place(const Journal& journal, std::uint64_t end) const;

  const JournalOptions& options_;
  const ReadOptions& read_;
  const Start& start_;
  ReadStats& stats_;
  base::Diagnostics& diagnostics_;
  const base::Clock& clock_;
  const JournalLibrary& library_;
  const JournalCursor cursor_;
  const std::vector<JournalTerms> terms_;
  JournalFiles files_;
  JournalRecords records_;
  const base::Timestamp not_before_;
  record::Positions positions_;  // of journals that were not found yet
  std::vector<std::unique_ptr<Journal>> journals_;
  std::uint32_t last_number_;
  std::uint64_t opened_ = 0;
  bool selected_ = false;
};

}  // namespace weir::tail
