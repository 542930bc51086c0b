// weir run: a chain of stages in one process.
#include "base/count.h"
#include "cli/kept_text.h"
#include "cli/metrics_options.h"
#include "cli/pipeline_run.h"
#include "cli/pipeline_set.h"
#include "cli/terminal.h"
#include "cmd/commands.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <memory>
#include <optional>

namespace weir::cmd {
namespace {

using base::Code;
using base::Result;

class Run : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    app.add_option("file", choice_.word,
                   "a file with pipelines, `-` for standard input, or the text itself when it contains `|` or begins with a stage")
        ->type_name("FILE|TEXT");
    app.add_option_function<std::string>(
           "-c,--command", [this](const std::string& text) { choice_.text = text, choice_.text_given = true; },
           "the text of the pipelines")
        ->type_name("TEXT");
    app.add_flag("--check", check_only_, "check the text, the files and the variables; run nothing");
    app.add_flag("--strict", strict_,
                 "exit with 2 when FILE or a rule file has a mistake; do not start with the text or the rules that ran last");
    app.add_flag(cli::kExitZeroOnTerm, exit_zero_on_term_, cli::kExitZeroOnTermText);
    cli::declare_metrics(app, metrics_);
  }

  [[nodiscard]] Result<void> check() const override {
    if (choice_.text_given && !choice_.word.empty()) return base::fail(Code::usage, "cannot use a file together with -c");
    if (!choice_.text_given && choice_.word.empty()) {
      return base::fail(Code::usage, "no pipeline is given")
          .with_hint("for example: weir run 'tail | filter \"|= \\\"error\\\"\"'");
    }
    return {};
  }

  Result<cli::Exit> act(const pipeline::Context& context) override {
    auto source = cli::load_pipelines(choice_, commands());
    if (!source) return std::move(source).error();
    if (check_only_) {
      auto pipelines = cli::read_pipelines(*std::move(source), commands(), context);
      if (!pipelines) return std::move(pipelines).error();
      if (auto ok = cli::PipelineSet(commands(), context).rehearse(*pipelines); !ok) return std::move(ok).error();
      if (auto ok = monitor::Endpoint::rehearse(metrics_); !ok) return std::move(ok).error();
      return say_checked(*pipelines);
    }
    auto endpoint = monitor::Endpoint::start(metrics_, context);
    if (!endpoint) return std::move(endpoint).error();
    pipeline::Context start = (*endpoint)->context();
    start.strict_start = strict_;
    auto set = make(*source, start);
    if (!set && source->is_file() && !strict_ && is_of_text(set.error())) {
      // A node must not stop collecting because of a mistake that came with a reboot.
      if (auto kept = cli::find_kept_text(*source, context.environment)) {
        if (auto before = make(*kept, start)) {
          context.diagnostics->report(std::move(set).error());
          context.diagnostics->say(
              fmt::format("the pipelines that ran last are used until the mistake is corrected; they are in '{}'",
                          base::escape_control(kept->name())));
          set = std::move(before);
          if (set) (*set)->note_broken_text();
        }
      }
    }
    if (!set) return std::move(set).error();
    (*endpoint)->begun();
    auto exit = (*set)->run();
    return exit && exit_zero_on_term_ ? cli::zero_on_term(*exit) : std::move(exit);
  }

 private:
  // Errors that a change of the text, or of a file that it names, can cause.
  static bool is_of_text(const base::Error& error) { return error.code == Code::config || error.code == Code::usage; }

  // Builds the pipelines of a text, and keeps the text where the next start may look for it.
  Result<std::unique_ptr<cli::PipelineSet>> make(const cli::PipelineSource& source, const pipeline::Context& context) {
    auto pipelines = cli::read_pipelines(source, commands(), context);
    if (!pipelines) return std::move(pipelines).error();
    const auto reload = [this, &context]() -> Result<std::vector<cli::PipelineEntry>> {
      auto again = cli::load_pipelines(choice_, commands());
      if (!again) return std::move(again).error();
      auto entries = cli::read_pipelines(*again, commands(), context);
      if (entries) latest_ = *std::move(again);
      return entries;
    };
    const bool is_file = source.is_file();
    auto set = std::make_unique<cli::PipelineSet>(commands(), context, is_file ? cli::PipelineSet::Reload(reload) : nullptr);
    if (auto built = set->build(*pipelines); !built) return std::move(built).error();
    if (!is_file) return set;
    // What is read from a kept text is kept already.
    if (source.name() == choice_.word)
      cli::keep_text(source, cli::keepers_of(*pipelines, commands(), context), *context.diagnostics);
    set->on_reload([this, &context] {
      auto entries = cli::read_pipelines(*latest_, commands(), context);
      if (entries) cli::keep_text(*latest_, cli::keepers_of(*entries, commands(), context), *context.diagnostics);
    });
    return set;
  }

  static Result<cli::Exit> say_checked(const std::vector<cli::PipelineEntry>& pipelines) {
    std::size_t stages = 0;
    for (const auto& pipeline : pipelines) stages += pipeline.text.stages.size();
    auto written = cli::write_all(1, fmt::format("{}: {} of {}: ok\n", pipelines.front().source->name(),
                                                 base::count_of(pipelines.size(), "pipeline"), base::count_of(stages, "stage")));
    if (!written) return std::move(written).error();
    return cli::Exit::ok;
  }

  cli::PipelineChoice choice_;
  bool check_only_ = false, strict_ = false, exit_zero_on_term_ = false;
  monitor::Options metrics_;
  std::optional<cli::PipelineSource> latest_;  // that a reload has read
};

constexpr std::string_view kManual = R"(Each pipeline runs as a chain of plain calls, without pipes between the stages.

# Text
The text has words and quotes as in sh, `|` between stages, comments from `#`, and `$VAR` and `${VAR}` from the
environment. It has no other feature of a shell. A stage may begin with the word `weir`, so that a shell line can be
pasted. A file holds one pipeline a line; a line may go on after `|`. weir-pipeline(5) has the details.

# Several pipelines
All pipelines of a file run together. The first that fails stops the others.

# Reading the file again
On SIGHUP, `weir run FILE` reads FILE again. A pipeline whose words are the same runs on. Every other one is drained.
When all of these have ended, the new ones start. When a new one cannot start, the old one starts again. A file with a
mistake, or one that names a missing file, changes nothing: weir reports it, and the pipelines run on. A pipeline that
has ended by itself does not run again. A new pipeline goes on at the positions of its log files, also in files that
were deleted before their records were safe. Without positions, `tail` reads the log files from their start. On a terminal,
SIGHUP means that the terminal was closed, and ends weir.

# A start with a mistake
`weir run FILE` keeps the text that runs beside each file in which its pipelines keep positions, as SPOOL-pipeline. When
FILE has a mistake at a start, weir reports it and runs the kept text instead. `filter --rules` does the same with the
rules that ran last. Correct FILE, then send SIGHUP. With --strict, weir exits with 2 instead.

# Under a service manager
With --exit-zero-on-term, weir exits with 0 after SIGTERM when nothing was lost, so that a stop or a restart is no failure.
Nothing is lost when all was delivered. Nothing is lost either when the spool, or a file of `push --checkpoint`, keeps the
positions: then a stop while Loki is down gives 0, and the next start delivers the rest. Without kept positions, records that
were not delivered give 143. Records that are lost still give 3, and an error 4. Every stage has this option for the case that
it is a process of its own.

# Ends of a pipeline
A pipeline without a source reads JSON lines from standard input. A pipeline without a sink writes to standard output.

# Positions
When a `buffer` or a `push --checkpoint` keeps the positions, `tail` in the same pipeline starts from them.

# Metrics
--metrics serves what all pipelines count, and health checks, over HTTP. --metrics-file writes the same to a file.
`curl -X POST localhost:9123/-/reload` does what SIGHUP does. weir-metrics(7) describes them, what weir tells systemd, and
every metric.

# Check
--check finds what a start would find: errors in the text and in files of rules, variables that are not set, folders that do
not exist, files that cannot be read or written. It writes nothing and connects to nothing, so neither Loki nor an API server
is needed. The rules of a ConfigMap are not read; --check says so, and `weir rules check configmap:NAMESPACE/NAME` checks them.
To check the pipeline of a pod elsewhere, set the variables that the pod has: NODE_NAME, and KUBERNETES_SERVICE_HOST to any
name.)";

}  // namespace

const cli::Command run_command = {
    .name = "run",
    .summary = "run pipelines of stages in one process",
    .description =
        "Runs one or more pipelines in one process. A pipeline is the text that one would type in a shell. Its records "
        "are the same as in a shell, at a fraction of the cost. On SIGHUP, `weir run FILE` reads FILE again.",
    .manual = kManual,
    .usual = {"--command", "--check", "--strict", "--metrics", "--metrics-file"},
    .role = cli::Role::action,
    .examples = {{"errors of the checkout namespace, as text", "weir run 'tail -n checkout | filter \"|= \\\"error\\\"\"'"},
                 {"check a file without running it", "weir run --check pipeline.weir"},
                 {"run the text that another program prints", "echo 'tail -n checkout' | weir run -"}},
    .exits = {cli::Exit::ok, cli::Exit::negative, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed, cli::Exit::hung_up,
              cli::Exit::interrupted, cli::Exit::terminated},
    .make = [] { return std::unique_ptr<cli::Invocation>(new Run); }};

}  // namespace weir::cmd
