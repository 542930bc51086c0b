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
    app.add_option("LOGQL", spec_.pass, "pass records that match; of several expressions, all must match")->type_name("LOGQL");
    app.add_option("--drop", spec_.drop, "drop records that match (repeatable)")->type_name("LOGQL");
    cli::declare_output(app, output_);
  }

  [[nodiscard]] base::Result<void> check() const override {
    auto stage = stages::make_filter(spec_, {});
    if (!stage) return std::move(stage).error();
    return {};
  }

  [[nodiscard]] stages::OutputOptions output() const override { return output_; }

  base::Result<cli::Built> build(const cli::Plan&, const pipeline::Context& context) override {
    auto stage = stages::make_filter(spec_, context);
    if (!stage) return std::move(stage).error();
    return cli::Built{.source = nullptr, .stage = std::move(*stage)};
  }

 private:
  stages::FilterSpec spec_;
  stages::OutputOptions output_;
};

constexpr std::string_view kManual =
    R"(An expression may have a stream selector, line filters, the parsers `json`, `logfmt`, `pattern`, `regexp` and `unpack`,
and label filters on strings, numbers, durations and bytes. The exit code is 0 also when no record passed.

# Errors in a record
A --drop expression fails on a record when it sets `__error__`: the line is no JSON, a value is no number. Filter keeps
such a record, unless the expression asks for `__error__` itself.

# Limits
`line_format`, `label_format` and nested fields of JSON may make up to 32 MiB of text of one record. More is an error of
the record, as above. Loki has no such limit.

# Gaps
A record that reports a gap in a log file always passes.)";

}  // namespace

const cli::Command filter_command = {
    .name = "filter",
    .summary = "pass the records that match LogQL",
    .description =
        "Reads records on standard input and passes those that match every LOGQL and no --drop expression. An expression "
        "is a log query as in Loki; the stream selector may be left out. Records pass unchanged.",
    .manual = kManual,
    .usual = {"--drop", "--output", "--color", "--strict"},
    .role = cli::Role::stage,
    .examples = {{"pass the errors of one namespace", "weir tail | weir filter '{namespace=\"checkout\"} |= \"error\"'"},
                 {"drop health checks", "weir tail | weir filter --drop '|= \"GET /healthz\"' --drop '|= \"GET /metrics\"'"},
                 {"pass slow requests, by a field of JSON lines", "weir tail | weir filter '| json | duration_ms > 500'"}},
    .exits = {cli::Exit::ok, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Filter>()); },
};

}  // namespace weir::cmd
