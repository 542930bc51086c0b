// weir docs: prints what belongs to this very binary: the manual, as man pages or as Markdown, the completion scripts, and the
// files that a node needs (unit, pipelines, rules, alerts, dashboard).
#include "base/suggestion.h"
#include "base/unique_fd.h"
#include "cli/completion.h"
#include "cli/man.h"
#include "cli/markdown.h"
#include "cli/terminal.h"
#include "cli/value_options.h"
#include "cmd/commands.h"
#include "cmd/tree_files.h"

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

enum class What : std::uint8_t { list, man, markdown, completion, unit, pipeline, rules, alerts, dashboard };

const std::vector<std::pair<std::string, What>>& choices() {
  static const std::vector<std::pair<std::string, What>> all = {
      {"list", What::list},          {"man", What::man},           {"markdown", What::markdown}, {"completion", What::completion},
      {"unit", What::unit},          {"pipeline", What::pipeline}, {"rules", What::rules},       {"alerts", What::alerts},
      {"dashboard", What::dashboard}};
  return all;
}

std::string word_of(What what) { return std::ranges::find(choices(), what, &std::pair<std::string, What>::second)->first; }

// A file that is printed as it is. The first of a `what` is printed where no name is given.
struct Sample {
  What what = What::unit;
  std::string name;  // "kubernetes" of `weir docs alerts kubernetes`; "" where the only name is `what`
  std::string path;
  std::string meaning;
};

// The first sentence of the comment that a file begins with.
std::string first_comment(std::string_view text) {
  auto line = text.substr(0, text.find('\n'));
  line.remove_prefix(std::min(line.size(), line.find_first_not_of("# ")));
  return std::string(line.substr(0, std::min(line.find(". "), line.find_last_not_of('.') + 1)));
}

std::vector<Sample> samples() {
  std::vector<Sample> all = {
      {What::unit, "", "examples/systemd/weir.service", "the unit of systemd"},
      {What::pipeline, "node", "examples/systemd/node.weir", "the pipeline of a node"},
      {What::rules, "node", "examples/systemd/rules", "the rules of that pipeline"},
      {What::alerts, "prometheus", "examples/alerts/weir.rules.yml", "alerts, as rules of Prometheus"},
      {What::alerts, "kubernetes", "examples/alerts/weir.prometheusrule.yaml", "the same as a PrometheusRule for a cluster"},
      {What::alerts, "loki", "examples/alerts/loki.rules.yml", "alerts on log lines, for Loki's ruler"},
      {What::dashboard, "", "examples/dashboard/weir.json", "a dashboard for Grafana"},
  };
  constexpr std::string_view folder = "examples/pipelines/";
  for (const auto& [path, text] : tree_files()) {
    if (!path.starts_with(folder)) continue;
    const auto dot = path.rfind('.');
    const std::string name(path.substr(folder.size(), dot - folder.size()));
    all.push_back({path.ends_with(".rules") ? What::rules : What::pipeline, name, std::string(path), first_comment(text)});
  }
  std::ranges::stable_sort(all, {}, &Sample::what);
  std::erase_if(all, [](const Sample& sample) {
    return std::ranges::find(tree_files(), sample.path, &TreeFile::path) == tree_files().end();
  });
  return all;
}

// A page of the manual that is written by hand: "record", 5, of man/weir-record.5.
struct Page {
  std::string name;  // "tail"; "weir" is the page of weir itself
  int section = 1;
  std::string_view kept;                  // its text, where it is kept
  const cli::Command* command = nullptr;  // whose page it is, otherwise; none: of weir itself

  [[nodiscard]] std::string full_name() const { return name == "weir" ? name : "weir-" + name; }
  [[nodiscard]] std::string file() const { return fmt::format("{}.{}", full_name(), section); }
};

std::vector<Page> kept_pages() {
  std::vector<Page> all;
  constexpr std::string_view prefix = "man/weir-";
  for (const auto& [path, text] : tree_files()) {
    if (!path.starts_with(prefix)) continue;
    const auto dot = path.rfind('.');
    all.push_back({std::string(path.substr(prefix.size(), dot - prefix.size())), path[dot + 1] - '0', text, nullptr});
  }
  std::ranges::stable_sort(all, {}, &Page::section);
  return all;
}

// A command comes before the format of its name.
std::vector<Page> pages() {
  std::vector<Page> all = {{"weir", 1, {}, nullptr}};
  for (const auto* command : commands()) all.push_back({std::string(command->name), 1, {}, command});
  for (auto& page : kept_pages()) all.push_back(std::move(page));
  return all;
}

std::string text_of(const Page& page) {
  if (!page.kept.empty()) return std::string(page.kept);
  if (page.command != nullptr) return cli::command_man(cli::facts_of(*page.command), commands());
  std::vector<cli::PageName> others;
  for (const auto& kept : kept_pages()) others.emplace_back(kept.full_name(), kept.section);
  return cli::program_man(commands(), others);
}

// What stands behind the dash of the section NAME.
std::string summary_of(const Page& page) {
  if (page.command != nullptr) return std::string(page.command->summary);
  const auto text = text_of(page);
  constexpr std::string_view heading = ".SH NAME\n", dash = " \\- ";
  const auto begin = text.find(dash, text.find(heading));
  auto summary = text.substr(begin + dash.size(), text.find('\n', begin) - begin - dash.size());
  std::erase(summary, '\\');
  return summary;
}

// Words for the target of `what`, none where it takes none.
std::vector<std::string> targets(What what) {
  if (what == What::completion) return {"bash", "zsh", "fish"};
  std::vector<std::string> words;
  if (what == What::man || what == What::markdown) {
    for (const auto& page : pages()) {
      const bool again = std::ranges::find(words, page.name) != words.end();
      words.push_back(again ? fmt::format("{}.{}", page.name, page.section) : page.name);
    }
    return words;
  }
  for (const auto& sample : samples()) {
    if (sample.what == what && !sample.name.empty()) words.push_back(sample.name);
  }
  return words;
}

std::optional<cli::Following> following(std::string_view first) {
  const auto found = std::ranges::find(choices(), first, &std::pair<std::string, What>::first);
  if (found == choices().end()) return std::nullopt;
  auto words = targets(found->second);
  if (words.empty()) return std::nullopt;
  return cli::Following{.words = std::move(words)};
}

class Docs : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    cli::add_choice<What>(app, "what", what_, choices(),
                          "`man` or `markdown` for a page of the manual, `completion` for a completion script, `unit`, `pipeline`, "
                          "`rules`, `alerts` or `dashboard` for that file, `list` for all that there is");
    app.add_option(
           "name", target_,
           "which one: with man and markdown `weir`, a command, or a page such as `record`, `spool.5` or `troubleshooting`; "
           "with completion bash, zsh or fish; with alerts prometheus, kubernetes or loki; with pipeline and rules the name of one")
        ->type_name("NAME");
    app.add_option("--dir", folder_, "with man and markdown: write all pages into this folder")->type_name("DIR");
  }

  [[nodiscard]] Result<void> check() const override {
    const bool manual = what_ == What::man || what_ == What::markdown;
    const auto what = word_of(what_);
    if (!manual && !folder_.empty()) {
      return base::fail(Code::usage, "cannot use --dir with {}: {}", what,
                        what_ == What::completion ? "a completion script is printed" : "it is printed")
          .with_hint(fmt::format("print it into a file: weir docs {} > FILE", what));
    }
    if (manual && target_.empty() == folder_.empty()) {
      return base::fail(Code::usage, "{}",
                        target_.empty() ? "NAME is missing" : "cannot use NAME together with --dir, which writes all pages")
          .with_hint(
              fmt::format("print one page: weir docs {0} tail; write all of them into a folder: weir docs {0} --dir DIR", what));
    }
    if (what_ == What::completion) {
      if (target_.empty()) return base::fail(Code::usage, "SHELL is missing").with_hint("it is one of bash, zsh, fish");
      if (!cli::parse_shell(target_)) {
        return base::fail(Code::usage, "there is no completion for '{}'", base::escape_control(target_))
            .with_hint("it is one of bash, zsh, fish");
      }
    }
    return {};
  }

  Result<cli::Exit> act(const pipeline::Context&) override {
    switch (what_) {
      case What::list:
        if (!target_.empty()) return too_much();
        return print(list());
      case What::man:
      case What::markdown:
        return folder_.empty() ? print_page() : write_all();
      case What::completion:
        return print(cli::completion_script(*cli::parse_shell(target_), cli::facts_of(commands())));
      default:
        return print_sample();
    }
  }

 private:
  static std::string list() {
    std::vector<std::pair<std::string, std::string>> rows;
    for (const auto& page : pages()) rows.emplace_back(fmt::format("{}({})", page.full_name(), page.section), summary_of(page));
    std::size_t width = 0;
    for (const auto& row : rows) width = std::max(width, row.first.size());
    std::string out = "Pages: weir docs man NAME | man -l -, or weir docs markdown NAME\n\n";
    for (const auto& [name, meaning] : rows) out += fmt::format("  {:<{}}  {}\n", name, width, meaning);
    out += "\nFiles: weir docs NAME\n\n";
    What last = What::list;
    for (const auto& sample : samples()) {
      const auto word = word_of(sample.what);
      out += fmt::format("  {:<{}}  {}\n", sample.what == last ? fmt::format("{} {}", word, sample.name) : word, width,
                         sample.meaning);
      last = sample.what;
    }
    return out;
  }

  // Roff, or Markdown.
  [[nodiscard]] Result<std::string> rendered(const Page& page, const std::vector<Page>& all) const {
    auto text = text_of(page);
    if (what_ == What::man) return text;
    auto made = cli::markdown(text, [&](std::string_view name, int section) {
      return std::ranges::any_of(all, [&](const Page& one) { return one.section == section && one.full_name() == name; });
    });
    if (!made) return std::move(made).error().within(page.file());
    return made;
  }

  // `tail`, `weir-tail`, `spool.5`, `weir-tail.1` and, as pages are cited, `weir-tail(1)` alike.
  [[nodiscard]] Result<cli::Exit> print_page() const {
    std::string wanted = target_;
    if (wanted.size() > 3 && wanted.ends_with(')') && wanted[wanted.size() - 3] == '(') {
      wanted = fmt::format("{}.{}", wanted.substr(0, wanted.size() - 3), wanted[wanted.size() - 2]);
    }
    const auto all = pages();
    for (const Page& page : all) {
      for (const auto& name : {page.name, page.full_name(), fmt::format("{}.{}", page.name, page.section), page.file()}) {
        if (wanted != name) continue;
        auto text = rendered(page, all);
        if (!text) return std::move(text).error();
        return print(*text);
      }
    }
    return base::fail(Code::usage, "there is no manual page '{}'", base::escape_control(target_))
        .with_hint(base::suggestion(target_, targets(what_), "weir docs list shows all pages"));
  }

  [[nodiscard]] Result<cli::Exit> write_all() const {
    if (::mkdir(folder_.c_str(), 0755) != 0 && errno != EEXIST) return base::io_error(errno, fmt::format("create {}", folder_));
    const auto all = pages();
    for (const Page& page : all) {
      auto text = rendered(page, all);
      if (!text) return std::move(text).error();
      const auto name = page.file() + (what_ == What::markdown ? ".md" : "");
      if (auto ok = write_page(folder_, name, *text); !ok) return std::move(ok).error();
    }
    return cli::Exit::ok;
  }

  [[nodiscard]] Result<cli::Exit> print_sample() const {
    for (const auto& sample : samples()) {
      if (sample.what != what_ || (!target_.empty() && target_ != sample.name)) continue;
      return print(std::ranges::find(tree_files(), sample.path, &TreeFile::path)->text);
    }
    return too_much();
  }

  [[nodiscard]] base::Error too_much() const {
    const auto known = targets(what_);
    if (known.empty()) {
      return base::fail(Code::usage, "cannot use '{}' with {}: there is one only", base::escape_control(target_), word_of(what_))
          .with_hint(fmt::format("write: weir docs {}", word_of(what_)));
    }
    const auto all = fmt::format("it is one of {}", fmt::join(known, ", "));
    return base::fail(Code::usage, "cannot print {} '{}': there is none of this name", word_of(what_),
                      base::escape_control(target_))
        .with_hint(base::suggestion(target_, known, all));
  }

  static Result<cli::Exit> print(std::string_view text) {
    auto written = cli::write_all(1, text);
    if (!written) return std::move(written).error();
    return cli::Exit::ok;
  }

  What what_ = What::list;
  std::string target_, folder_;
};

constexpr std::string_view kManual =
    R"(`weir docs` alone lists all pages and files.

`weir docs man NAME` prints the page of a command, of weir, of one of the formats, or a guide. `weir docs markdown NAME` prints
the same page as Markdown, with links to the others. With `--dir DIR` all pages are written into a folder.

`weir docs completion SHELL` prints the completion script for bash, zsh or fish.

`weir docs unit` prints the unit of systemd, `weir docs pipeline` the pipeline that it runs, and `weir docs rules` the rules of
that pipeline. With a NAME, the last two print other pipelines and their rules. `weir docs alerts` prints alerts for
Prometheus, `weir docs alerts kubernetes` the same as a PrometheusRule, `weir docs alerts loki` alerts on log lines for
Loki. `weir docs dashboard` prints a dashboard for Grafana.)";

}  // namespace

const cli::Command docs_command = {
    .name = "docs",
    .summary = "print the manual, completions, and the files that a node needs",
    .description =
        "Prints a page of the manual, a completion script, or a file that a node needs: the unit of systemd, a pipeline, rules, "
        "alerts, a dashboard. All of them come from this very binary, so they always fit it.",
    .manual = kManual,
    .usual = {"--dir"},
    .role = cli::Role::action,
    .examples = {{"read the page of a command", "weir docs man query | man -l -"},
                 {"read what to do when no logs arrive", "weir docs markdown troubleshooting | less"},
                 {"print the unit of systemd", "weir docs unit > weir.service"},
                 {"print alerts for a cluster", "weir docs alerts kubernetes > weir.yaml"},
                 {"complete in this bash", "source <(weir docs completion bash)"},
                 {"complete in fish", "weir docs completion fish > weir.fish"},
                 {"write all pages into a folder", "weir docs markdown --dir weir-docs"}},
    .exits = {cli::Exit::ok, cli::Exit::usage, cli::Exit::failed},
    .make = [] { return std::unique_ptr<cli::Invocation>(new Docs); },
    .following = following};

}  // namespace weir::cmd
