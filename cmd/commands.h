// The table of subcommands, in the order of --help. A row `name` stands for the Command `name_command` that cmd/name.cc defines.
#pragma once

#include "cli/command.h"

#include <span>

#define WEIR_COMMANDS(row)                                                                                                 \
  row(tail) row(enrich) row(filter) row(buffer) row(push) row(replay) row(query) row(serve) row(run) row(rules) row(smoke) \
      row(spool) row(top) row(convert) row(docs)

namespace weir::cmd {

#define WEIR_DECLARE_COMMAND(name) extern const cli::Command name##_command;
WEIR_COMMANDS(WEIR_DECLARE_COMMAND)
#undef WEIR_DECLARE_COMMAND

std::span<const cli::Command* const> commands();

}  // namespace weir::cmd
