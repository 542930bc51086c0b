// weir docs: prints the man pages and completion scripts that belong to this very binary.
#include "base/suggestion.h"
#include "base/unique_fd.h"
#include "cli/completion.h"
#include "cli/man.h"
#include "cli/terminal.h"
#include "cli/value_options.h"
#include "cmd/commands.h"
#include "cmd/formats.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <algorithm>
#include <cerrno>
#include <vector>

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

// One page of the manual: "tail" and weir-tail.1.
struct Page {
  std::string name, file, text;
};

std::optional<cli::Following> following(std::string_view first) {
  cli::Following target;
  if (first == "completion") target.words = {"bash", "zsh", "fish"};
  if (first != "man") return target;
  target.words.emplace_back("weir");
  for (const auto* command : commands()) target.words.emplace_back(command->name);
  for (const auto& page : format_pages()) target.words.push_back(fmt::format("{}.{}", page.name, page.section));
  return target;
}

enum class What : std::uint8_t { man, completion };

class Docs : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    cli::add_choice<What>(app, "what", what_, {{"man", What::man}, {"completion", What::completion}},
                          "`man` for a page of the manual, `completion` for a completion script")
        ->default_str("")
        ->required();
    app.add_option("target", target_,
                   "with man: `weir`, a command, or a format (`pipeline`, `record`, `spool.5`, `metrics`); with completion: bash, "
                   "zsh or fish")
        ->type_name("NAME|bash|zsh|fish");
    app.add_option("--dir", folder_, "with man: write all pages into this folder")->type_name("DIR");
  }

  [[nodiscard]] Result<void> check() const override {
    if (what_ == What::completion) {
      if (!folder_.empty()) return base::fail(Code::usage, "cannot use --dir with completion: a completion script is printed");
      if (target_.empty()) return base::fail(Code::usage, "SHELL is missing").with_hint("it is one of bash, zsh, fish");
      if (!cli::parse_shell(target_)) {
        return base::fail(Code::usage, "there is no completion for '{}'", base::escape_control(target_))
            .with_hint("it is one of bash, zsh, fish");
      }
      return {};
    }
    if (target_.empty() == folder_.empty()) {
      return base::fail(Code::usage, "{}",
                        target_.empty() ? "NAME is missing" : "cannot use NAME together with --dir, which writes all pages")
          .with_hint("print one page: weir docs man tail; write all of them into a folder: weir docs man --dir man1");
    }
    return {};
  }

  Result<cli::Exit> act(const pipeline::Context&) override {
    if (what_ == What::completion) {
      return print(cli::completion_script(*cli::parse_shell(target_), cli::facts_of(commands())));
    }
    const auto all = pages();
    return folder_.empty() ? print_page(all) : write_all(all);
  }

 private:
  // A command comes before the format of its name.
  static std::vector<Page> pages() {
    std::vector<Page> all = {{"weir", "weir.1", cli::program_man(commands())}};
    for (const auto& one : cli::facts_of(commands())) {
      const std::string name(one.command->name);
      all.push_back({name, fmt::format("weir-{}.1", name), cli::command_man(one, commands())});
    }
    for (const auto& one : format_pages())
      all.push_back({std::string(one.name), fmt::format("weir-{}.{}", one.name, one.section), std::string(one.text)});
    return all;
  }

  // `tail`, `weir-tail`, `spool.5` and `weir-tail.1` alike.
  Result<cli::Exit> print_page(const std::vector<Page>& all) const {
    // As manual pages are cited: weir-rules(5).
    std::string wanted = target_;
    if (wanted.size() > 3 && wanted.ends_with(')') && wanted[wanted.size() - 3] == '(') {
      wanted = fmt::format("{}.{}", wanted.substr(0, wanted.size() - 3), wanted[wanted.size() - 2]);
    }
    std::vector<std::string> names;
    for (const Page& page : all) {
      const auto short_file = page.file.starts_with("weir-") ? page.file.substr(5) : page.file;
      for (const std::string& name : {page.name, "weir-" + page.name, short_file, page.file}) {
        if (wanted == name) return print(page.text);
      }
      const bool again = std::ranges::find(names, page.name) != names.end();
      names.push_back(again ? page.file.substr(page.file.find('-') + 1) : page.name);
    }
    std::string hint = base::suggestion(target_, names, "");
    if (hint.empty()) hint = fmt::format("the pages are {}; --dir DIR writes all of them into a folder", fmt::join(names, ", "));
    return base::fail(Code::usage, "there is no manual page '{}'", base::escape_control(target_)).with_hint(hint);
  }

  Result<cli::Exit> write_all(const std::vector<Page>& all) const {
    if (::mkdir(folder_.c_str(), 0755) != 0 && errno != EEXIST) return base::io_error(errno, fmt::format("create {}", folder_));
    for (const Page& page : all) {
      if (auto ok = write_page(folder_, page.file, page.text); !ok) return std::move(ok).error();
    }
    return cli::Exit::ok;
  }

  static Result<cli::Exit> print(std::string_view text) {
    auto written = cli::write_all(1, text);
    if (!written) return std::move(written).error();
    return cli::Exit::ok;
  }

  What what_ = What::man;
  std::string target_, folder_;
};

constexpr std::string_view kManual =
    R"(`weir docs man NAME` prints the page of a command, of weir, or of one of the formats. `weir docs man --dir DIR` writes
all pages into a folder. `weir docs completion SHELL` prints the completion script for bash, zsh or fish.)";

}  // namespace

const cli::Command docs_command = {
    .name = "docs",
    .summary = "print the man pages and shell completions of this binary",
    .description =
        "Prints a page of the manual or a completion script. The pages come from this very binary, so they always "
        "describe it.",
    .manual = kManual,
    .usual = {"--dir"},
    .role = cli::Role::action,
    .examples = {{"complete in this bash", "source <(weir docs completion bash)"},
                 {"complete in fish", "weir docs completion fish > weir.fish"},
                 {"man pages into a folder", "weir docs man --dir man1"},
                 {"read the page of a command", "weir docs man query | man -l -"},
                 {"read the page of a format", "weir docs man record | man -l -"}},
    .exits = {cli::Exit::ok, cli::Exit::usage, cli::Exit::failed},
    .make = [] { return std::unique_ptr<cli::Invocation>(new Docs); },
    .following = following};

}  // namespace weir::cmd
