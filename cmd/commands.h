// The table of subcommands, in the order of --help.
#pragma once

#include "cli/command.h"

#include <span>

namespace weir::cmd {

extern const cli::Command tail_command, enrich_command, filter_command, buffer_command, push_command, replay_command, query_command,
    run_command, spool_command, docs_command;

std::span<const cli::Command* const> commands();

}  // namespace weir::cmd
