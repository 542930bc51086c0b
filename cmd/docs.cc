// weir docs: prints the man pages and completion scripts that belong to this very binary.
#include "base/unique_fd.h"
#include "cli/completion.h"
#include "cli/man.h"
#include "cli/terminal.h"
#include "cmd/commands.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

namespace weir::cmd {
namespace {

using base::Code;
using base::Result;

Result<void> write_page(const std::string& folder, const std::string& name, std::string_view text) {
  const auto path = fmt::format("{}/{}", folder, name);
  const base::UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file) return base::io_error(errno, fmt::format("create {}", path));
  auto written = cli::write_all(file.get(), text);
  if (!written) return std::move(written).error().within(path);
  return {};
}

class Docs : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    app.add_option("what", what_, "what to print")->required()->check(CLI::IsMember({"man", "completion"}));
    app.add_option("target", target_, "man: a command, or the folder that all pages are written to; completion: bash, zsh or fish")
        ->required()
        ->type_name("DIR|NAME|bash|zsh|fish");
  }

  Result<void> check() override {
    if (what_ == "completion" && !cli::parse_shell(target_)) {
      return base::fail(Code::usage, "there is no completion for '{}'", base::escape_control(target_)).with_hint("it is one of bash, zsh, fish");
    }
    return {};
  }

  Result<cli::Exit> act(const pipeline::Context&) override {
    const auto facts = cli::facts_of(commands());
    if (what_ == "completion") {
      return print(cli::completion_script(*cli::parse_shell(target_), facts));
    }
    if (target_ == "weir") return print(cli::program_man(commands()));
    for (const auto& one : facts) {
      if (target_ == one.command->name) return print(cli::command_man(one, commands()));
    }
    if (::mkdir(target_.c_str(), 0755) != 0 && errno != EEXIST) return base::io_error(errno, fmt::format("create {}", target_));
    if (auto ok = write_page(target_, "weir.1", cli::program_man(commands())); !ok) return std::move(ok).error();
    for (const auto& one : facts) {
      auto ok = write_page(target_, fmt::format("weir-{}.1", one.command->name), cli::command_man(one, commands()));
      if (!ok) return std::move(ok).error();
    }
    return cli::Exit::ok;
  }

 private:
  static Result<cli::Exit> print(std::string_view text) {
    auto written = cli::write_all(1, text);
    if (!written) return std::move(written).error();
    return cli::Exit::ok;
  }

  std::string what_, target_;
};

}  // namespace

const cli::Command docs_command = {
    .name = "docs",
    .summary = "print the man pages and shell completions of this binary",
    .description = "`weir docs man NAME` prints the man page of a command (or of weir), `weir docs man DIR` writes those of all commands into a "
                   "folder; `weir docs completion SHELL` prints the completion script for bash, zsh or fish. All come from the commands "
                   "themselves, so they are never out of step with them.",
    .role = cli::Role::action,
    .examples = {{"complete in this bash", "source <(weir docs completion bash)"},
                 {"complete in fish", "weir docs completion fish > weir.fish"},
                 {"man pages into a folder", "weir docs man man1"},
                 {"the man page of one command", "weir docs man query > weir-query.1"}},
    .exits = {cli::Exit::ok, cli::Exit::usage, cli::Exit::failed},
    .make = [] { return std::unique_ptr<cli::Invocation>(new Docs); }};

}  // namespace weir::cmd
