// One run of `weir smoke`: hands the records over, reads them back, judges.
//
// Two threads. The sender hands one batch after the other over when its time has come; a command first gets one batch of each
// stream, and the rest when it has delivered something of each. The caller's thread looks at Loki again and again for what has not
// been seen yet, so that the latency of each record is known. When all were seen, or the time is up, it reads everything once more,
// counts, and judges that.
#pragma once

#include "http/client.h"
#include "loki/query_client.h"
#include "pipeline/stage.h"
#include "smoke/verdict.h"
#include "smoke/writer.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::smoke {

enum class Way : std::uint8_t {
  push,     // to Loki, by weir itself
  command,  // into logs that a command reads
  print,    // on standard output, for an agent that reads it
};

struct RunSpec {
  std::uint32_t records = 200;
  std::uint32_t streams = 4;
  std::uint32_t rate = 40;     // records a second
  std::optional<Large> large;  // unset: all when pushing once, else one
  std::uint64_t seed = 1;
  base::Duration timeout = 30 * base::kSecond;  // that a record may take from being handed over to being shown by a query
  base::Duration wait = 0;                      // that Loki may take until it answers queries at all

  Way way = Way::push;
  std::string command;
  std::vector<std::pair<std::string, std::string>> command_environment;  // besides WEIR_SMOKE_DIR
  std::string folder;  // below which the folder of the logs is made, for Way::command

  std::string selector;   // "" for the one of the streams that smoke itself makes
  Labels labels;          // that all records must have besides
  bool read_back = true;  // false: the verdict is only whether Loki took the records

  http::ClientConfig push;
  loki::QueryClientConfig query;  // with the tenant
};

struct RunReport {
  std::string run;  // the id
  Way way = Way::push;
  bool read_back = true;
  std::uint32_t streams = 0;
  base::Timestamp begin = 0;
  base::Duration took = 0;
  WriteReport written;
  Verdict verdict;
  std::vector<std::string> command_output;  // the last lines that the command of Way::command wrote; secrets are hidden
  std::vector<std::string> notes;           // sentences without a full stop: what is worth knowing and no fault
};

// Large lines in all batches, where the run does not become too much for a Loki with its standard limits (4 MB a second) by that.
// Else in one batch.
[[nodiscard]] Large standard_large(const RunSpec& spec);

// The selector for these streams.
[[nodiscard]] std::string standard_selector(Way way);

// Code::usage: options that do not fit together. No I/O.
[[nodiscard]] base::Result<void> check(const RunSpec& spec);

// An error: there is no verdict. Nobody listens, access is denied, Loki answers no queries or shows nothing of what it counts, the
// command cannot be run, a signal came (Code::interrupted).
[[nodiscard]] base::Result<RunReport> run(const RunSpec& spec, const pipeline::Context& context);

}  // namespace weir::smoke
