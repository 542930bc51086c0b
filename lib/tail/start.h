// Where reading of a file begins that has no stored position.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "tail/format.h"
#include "tail/input_file.h"

#include <cstdint>

namespace weir::tail {

struct Start {
  enum class Kind : std::uint8_t { beginning, end, lines, time };
  Kind kind = Kind::beginning;
  std::uint64_t lines = 0;
  base::Timestamp time = 0;
};

// The offset at which the last `count` lines begin. A line that is not finished yet counts; parts of one CRI line count as one.
base::Result<std::uint64_t> offset_of_last_lines(InputFile& file, std::uint64_t count);

// An offset at a line before which everything is older than `time`, found by bisection: the times of a CRI file rise but for
// small disorder, which is why it lies somewhat early. So do those of docker's lines. 0 for other files; the size of a file that
// was last changed before `time`.
base::Result<std::uint64_t> offset_at_time(InputFile& file, base::Timestamp time);

// An offset before which every line is older than `limit`: of CRI and docker files by their lines' times, found by bisection with a
// minute of margin and then line by line; of others, and of compressed ones, by when the file was last changed, all or nothing. 0
// where nothing is.
base::Result<std::uint64_t> offset_of_age(InputFile& file, base::Timestamp limit);

// The end, or the beginning of a line that is not finished there.
base::Result<std::uint64_t> offset_of_end(InputFile& file);

// 0 for a UTF-16 file: whoever reads it sees by its mark that it cannot be read.
base::Result<std::uint64_t> start_offset(InputFile& file, const Start& start);

}  // namespace weir::tail
