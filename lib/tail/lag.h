// How far the reading of a log is behind: the bytes of its files that are not read, and the age of the oldest line among them.
//
// Bytes are counted from a place of reading to the ends of the files, over rotations. Of a compressed file they are those of its
// text, as its end tells (modulo 4 GiB).
//
// The age is that of the first whole line that is not read. CRI and docker lines have a time. Of other lines only the last change
// of their file is known, which is not before the line was written: such a log is at least so far behind. A line without its
// newline, and the first parts of a CRI line that goes on, wait for their writer: they count as bytes, but no reader is late for
// them.
#pragma once

#include "base/clock.h"
#include "record/positions.h"
#include "tail/log_reader.h"

#include <array>
#include <cstdint>
#include <limits>
#include <string>

namespace weir::tail {

class ListedFolder;

struct Lag {
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;     // with something unread
  base::Timestamp oldest = 0;  // of the first whole line that is not read; 0: there is none
  bool by_file = false;        // `oldest` is when the file was last changed
  std::uint64_t gone = 0;      // files that were not read to their ends, and are not there any more
  std::string trouble;         // why one of the files could not be read; "" for none

  // What trouble leaves unknown: how old the first unread line is, and, when it is the live file that could not be opened, how much
  // is unread.
  [[nodiscard]] bool bytes_known() const { return trouble.empty() || bytes > 0; }
  [[nodiscard]] bool time_known() const { return trouble.empty(); }
  [[nodiscard]] base::Duration behind(base::Timestamp now) const { return oldest == 0 || oldest > now ? 0 : now - oldest; }
};

// Up to where the lines of stdout and of stderr are safe in the file that reading resumes in: a line that is open holds the place
// back, while later lines are safe.
using SafeEnds = std::array<std::uint64_t, 2>;

// Of a log that is being read, on the thread of its reader. Costs a system call a file, and a read where something is unread.
[[nodiscard]] Lag lag_of(const LogReader& reader, const SafeEnds& safe = {});

// Of a log whose position is stored and that is read by another process, or by none: compares it with the files that are there,
// found as a restart would find them (resume.h). `key` is the path of its live file. Opens each file of the log. `listed`: for who
// asks about one log after the other (pattern.h).
[[nodiscard]] Lag lag_of(const std::string& key, const record::LogPosition& position, const base::Clock& clock,
                         ListedFolder* listed = nullptr);

}  // namespace weir::tail
