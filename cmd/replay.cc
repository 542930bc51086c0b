#include "cmd/commands.h"

namespace weir::cmd {
namespace {
class Placeholder : public cli::Invocation {
  void declare(CLI::App&) override {}
};
}  // namespace
const cli::Command replay_command = {.name = "replay", .summary = "placeholder", .make = [] { return std::unique_ptr<cli::Invocation>(new Placeholder); }};
}  // namespace weir::cmd
