// weir filter: pass the records that LogQL expressions match.
#include "stages/filter.h"

#include "cli/output_options.h"
#include "cmd/commands.h"

#include <CLI/CLI.hpp>

namespace weir::cmd {
namespace {

class Filter : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    app.add_option("LOGQL", spec_.pass, "pass records that match; with several, those that match every one")->type_name("LOGQL");
    app.add_option("--drop", spec_.drop, "drop records that match (repeatable)")->type_name("LOGQL");
    cli::declare_output(app, output_);
  }

  base::Result<void> check() override {
    auto stage = stages::make_filter(spec_, {});
    if (!stage) return std::move(stage).error();
    return {};
  }

  [[nodiscard]] std::string output() const override { return output_.format; }

  base::Result<cli::Built> build(const cli::Plan&, const pipeline::Context& context) override {
    auto stage = stages::make_filter(spec_, context);
    if (!stage) return std::move(stage).error();
    return cli::Built{.source = nullptr, .stage = std::move(*stage)};
  }

 private:
  stages::FilterSpec spec_;
  cli::OutputFlags output_;
};

}  // namespace

const cli::Command filter_command = {
    .name = "filter",
    .summary = "pass the records that match LogQL",
    .description = "Reads records on stdin and passes those that match every LOGQL and no --drop expression, unchanged. The expressions "
                   "are log queries as in Loki: a stream selector, line filters, the parsers `json`, `logfmt`, `pattern`, `regexp` and "
                   "`unpack`, and label filters on strings, numbers, durations and bytes. The selector may be left out.\n\n"
                   "A record on which a --drop expression fails (`__error__`: a line that is no JSON, a value that is no number) is kept "
                   "unless the expression asks for `__error__` itself. What `line_format`, `label_format` and nested fields of JSON make "
                   "of one record is limited to 32 MiB of text; more is such an error. Loki has no limit. Records that tell of a gap "
                   "in a file always pass. The exit code is 0 also when nothing passed.",
    .role = cli::Role::stage,
    .examples = {{"only errors of one namespace", "weir tail | weir filter '{namespace=\"checkout\"} |= \"error\"'"},
                 {"drop health checks", "weir tail | weir filter --drop '|= \"GET /healthz\"' --drop '|= \"GET /metrics\"'"},
                 {"slow requests by a field of JSON lines", "weir tail | weir filter '| json | duration_ms > 500'"}},
    .exits = {cli::Exit::ok, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Filter>()); },
};

}  // namespace weir::cmd
