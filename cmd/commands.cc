#include "cmd/commands.h"

#include <array>

namespace weir::cmd {

std::span<const cli::Command* const> commands() {
#define WEIR_COMMAND_ADDRESS(name) &name##_command,
  static const std::array table = {WEIR_COMMANDS(WEIR_COMMAND_ADDRESS)};
#undef WEIR_COMMAND_ADDRESS
  return table;
}

}  // namespace weir::cmd
