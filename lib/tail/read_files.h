// Files that a tail has read to their ends, while not all of their records are safe.
//
// The records are in memory then, and nobody needs the files. But `weir run` may replace the pipeline before Loki has taken the
// records (handover.h). The next tail reads them again, and a file that was deleted in the meantime has no name. So the file stays
// open until the keeper says that it is done with (Keeper::on_done).
//
// HeldFiles bounds what these files cost: when disk space or descriptors are short, it closes them first, and says nothing. Their
// lines are lost only when the pipeline is replaced during an outage as well.
#pragma once

#include "tail/handover.h"
#include "tail/input_file.h"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace weir::tail {

// Any thread may call.
class ReadFiles {
 public:
  // `log` and `generation` are their numbers in the stream, `key` is the key of the log. In the order of reading.
  void add(std::string_view key, std::uint32_t log, std::uint32_t generation, std::shared_ptr<InputFile> file);
  // All records of this file are safe: closes it. One that is not here changes nothing.
  void done(std::uint32_t log, std::uint32_t generation);

  // Gives away the descriptors of the files of a log, the oldest first. Reading is over.
  [[nodiscard]] OpenFiles take(std::string_view key);
  // The same for all logs that are left.
  [[nodiscard]] std::map<std::string, OpenFiles> take_all();

 private:
  struct Entry {
    std::string key;
    std::uint32_t log, generation;
    std::shared_ptr<InputFile> file;
  };
  std::mutex mutex_;
  std::vector<Entry> entries_;
};

}  // namespace weir::tail
