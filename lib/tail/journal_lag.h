// How far the reading of a journal is behind: how many of its entries are not read, and how old the first of them is.
//
// Entries are counted by their numbers, which may have holes, so that a count says "up to". The last entry of a file
// that is written does not count alone: its writer may still be adding it (JournalFile::whole), and the position of a reader with a
// filter stops before it.
#pragma once

#include "base/clock.h"
#include "record/positions.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::tail {

struct JournalLag {
  std::uint64_t entries = 0;   // up to so many are not read
  base::Timestamp oldest = 0;  // of the first of them; 0: there is none, or it is not known
  [[nodiscard]] base::Duration behind(base::Timestamp now) const { return oldest == 0 || oldest > now ? 0 : now - oldest; }
};

// What a stored position says of a journal.
struct JournalPlace {
  std::uint64_t entry = 0;  // up to this one, all are safe
  bool finished = false;    // nothing will be added to the journal, and all of it is safe
  std::uint64_t quiet = 0;  // the last number, when all was read while nobody wrote; 0: it never was
  std::string folder;       // of its files; "": unknown
};
[[nodiscard]] JournalPlace journal_place(const record::LogPosition& position);

// Of a journal whose position is stored and that is read by another process, or by none.
struct StoredJournal {
  std::string id;
  JournalPlace place;
  bool found = false;        // there are files of it
  base::Timestamp time = 0;  // of the entry of the place; 0: unknown
  JournalLag lag;            // of all entries: which of them the reader leaves out is not stored
  std::string trouble;       // why the lag is not known; "" for none
};
// `log` is the key of the position, "journal:ID". Loads libsystemd when there are files of the journal.
[[nodiscard]] StoredJournal stored_journal(std::string_view log, const record::LogPosition& position);

}  // namespace weir::tail
