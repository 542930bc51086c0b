#include "cmd/commands.h"

namespace weir::cmd {
namespace {
class Placeholder : public cli::Invocation {
  void declare(CLI::App&) override {}
};
}  // namespace
const cli::Command filter_command = {.name = "filter", .summary = "placeholder", .make = [] { return std::unique_ptr<cli::Invocation>(new Placeholder); }};
}  // namespace weir::cmd
