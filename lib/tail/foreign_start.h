// Where reading of a log begins of which Promtail or Alloy has a position (foreign_positions.h), and weir none.
//
// Such a position is an offset in the file that was live under the path when the position was written. Which file that is, nobody
// says. So it is looked for among those that are there, and gets a position as weir's own keeper would have stored it; from that
// resume() goes on, through rotations, compressed copies and what is gone.
//
//   1. It is the newest that had begun when the positions were written: by its time of creation or the time of its first line,
//      whichever is earlier (a copy is created late).
//   2. A position stands behind a line. Where the offset does not fit that file, it is the newest older one which it fits: the
//      file was rotated just then, and was still being read; or it was truncated, and a copy is older by its name.
//   3. Where no file fits, the position may stand within a line of the first choice, if that is long enough: the line is read from
//      its start.
//   4. Otherwise the file is gone, or was truncated without a copy. What stood behind the offset is reported as a gap of unknown
//      size, and what is newer is read from its start.
//
// Whoever is in doubt reads twice rather than never.
#pragma once

#include "record/positions.h"
#include "tail/foreign_positions.h"
#include "tail/input_file.h"
#include "tail/log_reader.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::tail {

class ListedFolder;

// Where the log of `reader`, whose live file is `live`, goes on. Nothing is given to the reader. `listed`: for who asks
// about one log after the other (pattern.h).
[[nodiscard]] record::LogPosition foreign_start(const LogReader& reader, const std::shared_ptr<InputFile>& live,
                                                const ForeignPosition& position, ListedFolder* listed = nullptr);

// Why what stands behind `position` is lost where no file has it, for a gap; "" where no more is known than that the file is gone.
[[nodiscard]] std::string foreign_loss(InputFile& live, const ForeignPosition& position);

// The parts of CRI lines in `text` whose ends are not in it, oldest first. Whoever joins parts has not passed these on, though it
// has read them. `text` ends with a line, and begins with one or, unless `at_start`, anywhere in one.
[[nodiscard]] std::vector<std::string_view> open_parts(std::string_view text, bool at_start);

}  // namespace weir::tail
