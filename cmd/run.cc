// weir run: a chain of stages in one process.
#include "base/count.h"
#include "cli/pipeline_run.h"
#include "cli/terminal.h"
#include "cmd/commands.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace weir::cmd {
namespace {

using base::Code;
using base::Result;

class Run : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    app.add_option("file", choice_.word, "the pipelines: a file, `-` for standard input, or the text itself if it has a `|` in it or begins with a stage")
        ->type_name("FILE|TEXT");
    text_ = app.add_option("-c,--command", choice_.text, "the text of the pipelines")->type_name("TEXT");
    app.add_flag("--check", check_only_, "parse and check everything, also whether files can be read and variables are set; run and write nothing");
  }

  Result<void> check() override {
    choice_.text_given = text_->count() > 0;
    if (choice_.text_given && !choice_.word.empty()) return base::fail(Code::usage, "both a file and -c are given");
    if (!choice_.text_given && choice_.word.empty()) {
      return base::fail(Code::usage, "no pipeline is given").with_hint("for example: weir run 'tail | filter \"|= \\\"error\\\"\"'");
    }
    return {};
  }

  Result<cli::Exit> act(const pipeline::Context& context) override {
    auto source = cli::load_pipelines(choice_, commands());
    if (!source) return std::move(source).error();
    const bool is_file = source->is_file();
    auto pipelines = cli::read_pipelines(*std::move(source), commands(), context);
    if (!pipelines) return std::move(pipelines).error();
    if (check_only_) {
      if (auto ok = cli::PipelineSet(commands(), context).rehearse(*pipelines); !ok) return std::move(ok).error();
      return say_checked(*pipelines);
    }
    if (!is_file) return cli::run_pipelines(*pipelines, commands(), context);
    return cli::run_pipelines(*pipelines, commands(), context, [this, &context]() -> Result<std::vector<cli::PipelineEntry>> {
      auto again = cli::load_pipelines(choice_, commands());
      if (!again) return std::move(again).error();
      return cli::read_pipelines(*std::move(again), commands(), context);
    });
  }

 private:
  static Result<cli::Exit> say_checked(const std::vector<cli::PipelineEntry>& pipelines) {
    std::size_t stages = 0;
    for (const auto& pipeline : pipelines) stages += pipeline.text.stages.size();
    auto written = cli::write_all(1, fmt::format("{}: {} of {}: ok\n", pipelines.front().source->name(), base::count_of(pipelines.size(), "pipeline"),
                                                 base::count_of(stages, "stage")));
    if (!written) return std::move(written).error();
    return cli::Exit::ok;
  }

  cli::PipelineChoice choice_;
  const CLI::Option* text_ = nullptr;
  bool check_only_ = false;
};

}  // namespace

const cli::Command run_command = {
    .name = "run",
    .summary = "run pipelines of stages in one process",
    .description =
        "Reads the text of one or more pipelines and runs each as a chain of plain calls in this process, without pipes between the stages. "
        "The records that come out are the same as those of the same text in a shell, at a fraction of the cost.\n"
        "\n"
        "The text is what one would type in a shell: words and quotes as in sh, `|` between stages, comments from `#`, `$VAR` and `${VAR}` "
        "from the environment, and nothing else of a shell. Each stage may begin with the word `weir`, so that a shell line can be pasted. A "
        "file holds one pipeline a line; a line may go on after `|`. Several pipelines run together, and the first that fails stops the "
        "others. weir-pipeline(5) has the details.\n"
        "\n"
        "On SIGHUP, `weir run FILE` reads FILE again. Pipelines whose words are the same run on; each other one is drained and replaced, and new "
        "ones start. A file with a mistake changes nothing.\n"
        "\n"
        "A pipeline that begins with no source reads JSON lines from standard input; one that ends in no sink writes to standard output. "
        "Where a `buffer`, or a `push --checkpoint`, keeps the positions of what was read, `tail` in the same pipeline starts from them.",
    .role = cli::Role::action,
    .examples = {{"errors of the checkout namespace, as text", "weir run 'tail -n checkout | filter \"|= \\\"error\\\"\"'"},
                 {"check a file without running it", "weir run --check pipeline.weir"},
                 {"the text from another program", "echo 'tail -n checkout' | weir run -"}},
    .exits = {cli::Exit::ok, cli::Exit::negative, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed, cli::Exit::hung_up, cli::Exit::interrupted,
              cli::Exit::terminated},
    .make = [] { return std::unique_ptr<cli::Invocation>(new Run); }};

}  // namespace weir::cmd
