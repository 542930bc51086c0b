// Reads log files and the journal, once or following them, and streams such as a pipe (stream_input.h) to their ends.
//
// One thread reads. With `follow` a second one watches folders and opens new files; it never waits for the stages downstream. Files
// are read in turns, a block at a time, so memory depends neither on their size nor on their number.
#pragma once

#include "pipeline/stage.h"
#include "record/positions.h"
#include "tail/format.h"
#include "tail/handover.h"
#include "tail/journal_options.h"
#include "tail/log_reader.h"
#include "tail/pod_filter.h"
#include "tail/read_files.h"
#include "tail/selection.h"
#include "tail/start.h"
#include "tail/watcher.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::stages {

struct TailSpec {
  std::vector<std::string> inputs;  // paths, folders, globs; "-" for standard input
  tail::Selection selection;
  tail::JournalOptions journal;                         // the journal is read as well where it is on; without inputs, alone
  tail::ReadOptions read;                               // `tracked` follows from `checkpoint`
  tail::Start start;                                    // of files that were there at the start and have no position
  bool glance = false;                                  // nobody wants what is read again: no position is missed
  bool shortens = false;                                // the user did not ask for `start`: a message says what it leaves out
  std::string checkpoint;                               // where the chain's keeper keeps the positions; "": nothing is tracked
  base::Duration wait = 30 * base::kSecond;             // for a checkpoint that is busy
  std::uint64_t hold_deleted = std::uint64_t{1} << 30;  // bytes of deleted files that may stay on the disk until they are read
  bool follow_links = false;                            // wherever they lead
  std::vector<std::string> log_roots;                   // folders that links may lead into, besides those of tail::LogRoots
  std::shared_ptr<tail::PodFilter> pods;                // which pods' logs are read; null: all
  tail::WatchTimes times;
  int stdin_fd = 0;
  // Files with positions of Promtail or Alloy, for logs that have none in the checkpoint. One that does not exist is none.
  std::vector<std::string> foreign_positions;
  std::optional<record::Positions> positions;  // instead of those in the checkpoint
  // Where files that were deleted before they were read pass to the tail that replaces this one (tail/handover.h); null: this one
  // is not replaced. Outlives the source. What is there when the source is made is taken over.
  tail::Handover* handover = nullptr;
  // Where files that were read to their ends stay open until their keeper is done with them (tail/read_files.h); null: nowhere.
  std::shared_ptr<tail::ReadFiles> read_files;
  bool* nothing_matched = nullptr;  // becomes true when a one-shot run found no file; outlives the source
};

// What a start would find wrong with the files: Code::io, or Code::config of foreign_positions, each of which must be there. Of
// logs it looks at names and permissions only; the checkpoint is its keeper's to check.
base::Result<void> rehearse_tail(const TailSpec& spec);

std::unique_ptr<pipeline::Source> make_tail_source(TailSpec spec, const pipeline::Context& context);

}  // namespace weir::stages
