#include "cmd/commands.h"

#include <array>

namespace weir::cmd {

std::span<const cli::Command* const> commands() {
  static const std::array table = {&tail_command,   &enrich_command, &filter_command, &buffer_command, &push_command,
                                   &replay_command, &query_command,  &run_command,    &spool_command,  &docs_command};
  return table;
}

}  // namespace weir::cmd
