// Finds the files of a log again that stored positions speak of, after a restart.
#pragma once

#include "record/positions.h"
#include "tail/handover.h"
#include "tail/input_file.h"
#include "tail/log_reader.h"

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

namespace weir::tail {

class ListedFolder;

// Gives `reader` every generation that is to be read, in order: from where `position` says on, through renamed and gzipped
// siblings, to `live` (null when there is none). A file is found again by inode and head, a copy or a gzipped file by its head, and
// by what stands before the stored place where that is known. What is stored and not found is reported as a gap, unless it was read
// to its end. Siblings older than what is found were read before. `live` may have been rotated since it was opened.
//
// A file whose name keeps the extension (server-2024-05-01.log) is a rotation of the log where a stored generation was found under
// such a name, or where nothing else reads it: `followed` says of a path whether it is followed as a log of its own (without it,
// every one is).
//
// `others`: what else is known of the log's files. `listed`: for who resumes one log after the other (pattern.h).
//
// False when no file of the log has a name any more: then there is at most something left to read of deleted ones.
struct OtherFiles {
  // Under other names, wherever they are: read if they are generations, and then by these handles.
  std::vector<std::shared_ptr<InputFile>> moved;
  std::uint64_t live_offset = 0;  // what stands before in `live` was read as another log's
  // What the tail before this one had open of the log (handover.h), oldest first. Where no position is known, reading begins with
  // the oldest of them.
  OpenFiles left;
  // Why a rest is lost that no file has, where more is known than that its file is gone.
  std::string lost_cause;
};
bool resume(LogReader& reader, const record::LogPosition& position, std::shared_ptr<InputFile> live,
            const std::function<bool(std::string_view)>& followed = {}, OtherFiles others = {}, ListedFolder* listed = nullptr);

}  // namespace weir::tail
