// weir filter: pass the records that LogQL expressions match.
#include "stages/filter.h"

#include "cli/kube_options.h"
#include "cli/output_options.h"
#include "cmd/commands.h"
#include "kube/config_map.h"
#include "stages/rule_maps.h"

#include <CLI/CLI.hpp>

namespace weir::cmd {
namespace {

class Filter : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    app.add_option("LOGQL", spec_.pass, "pass records that match; of several expressions, all must match")->type_name("LOGQL");
    app.add_option("--drop", spec_.drop, "drop records that match (repeatable)")->type_name("LOGQL");
    app.add_option("--rules", spec_.rules.files,
                   "apply the rules of this file or configmap:NAMESPACE/NAME, also when it changes (repeatable)")
        ->type_name("FILE");
    app.add_flag("--explain", spec_.explain, "drop nothing; the metadata weir_rule says what the rules would do with each record");
    cli::declare_output(app, output_);
    cli::declare_kube(app, spec_.rules.kube);
  }

  [[nodiscard]] base::Result<void> check() const override { return stages::check_filter(spec_); }

  [[nodiscard]] stages::OutputOptions output() const override { return output_; }

  base::Result<cli::Built> build(const cli::Plan& plan, const pipeline::Context& context) override {
    stages::FilterSpec spec = placed(plan);
    if (plan.keeper && plan.last_usable) spec.rules.keep_beside = *plan.keeper;
    return make(spec, context);
  }

  // The rules that ran last are no answer to whether these can run. Nobody is asked, so ConfigMaps are left out.
  base::Result<cli::Built> rehearse(const cli::Plan& plan, const pipeline::Context& context) override {
    stages::FilterSpec spec = placed(plan);
    if (auto ok = stages::rehearse_rule_places(spec.rules.files, spec.rules.kube, context); !ok) return std::move(ok).error();
    std::erase_if(spec.rules.files, [](const std::string& place) { return kube::is_config_map(place); });
    return make(spec, context);
  }

 private:
  static base::Result<cli::Built> make(const stages::FilterSpec& spec, const pipeline::Context& context) {
    auto stage = stages::make_filter(spec, context);
    if (!stage) return std::move(stage).error();
    return cli::Built{.source = nullptr, .stage = std::move(*stage)};
  }

  // With what a rule needs to know of its place in the chain. In a pipe nothing is known of the neighbours.
  [[nodiscard]] stages::FilterSpec placed(const cli::Plan& plan) const {
    stages::FilterSpec spec = spec_;
    if (!plan.fused) return spec;
    // Where records leave the process, another one may be a buffer.
    if (plan.before_buffer || plan.ends_in_sink) spec.rules.buffer_behind = plan.before_buffer;
    spec.rules.levels_known = plan.levels_known;
    spec.rules.behind_buffer = plan.behind_buffer;
    return spec;
  }

  stages::FilterSpec spec_;
  stages::OutputOptions output_;
};

constexpr std::string_view kManual =
    R"(An expression may have a stream selector, line filters, the parsers `json`, `logfmt`, `pattern`, `regexp` and `unpack`,
and label filters on strings, numbers, durations and bytes. The exit code is 0 also when no record passed.

# Errors in a record
A --drop expression fails on a record when it sets `__error__`: the line is not JSON, a value is not a number. Filter
keeps such a record, unless the expression asks for `__error__` itself.

# Limits
`line_format`, `label_format` and nested fields of JSON may make up to 32 MiB of text of one record. More is an error of
the record, as above. Loki has no such limit.

# Rules
`--rules FILE` applies the rules of FILE to the records that have passed LOGQL and --drop; weir-rules(5) describes them.
Several files are read as one text, in the order of the options.

FILE may also be `configmap:NAMESPACE/NAME` or `configmap:NAMESPACE/NAME/KEY`, a ConfigMap that filter watches through
the API server. A change takes effect within two seconds. What does not exist has no rules. The Kubernetes options say
where the API server is; in a pod they are not needed. weir-rules(5) has more, also which rights are needed.

A changed file takes effect within a second. A file that is replaced by a rename or by a symbolic link, as the kubelet
does with a ConfigMap, takes effect at once. A file that is edited in place takes effect when it has not changed for
half a second. In a chain that SIGHUP does not end, SIGHUP also reads the files again. One set of rules judges each
batch of records.

When a changed file has a mistake, is empty or is missing, the rules from before stay in use, and weir reports it once. A
start with a mistake, or without the file, exits with 2; an empty file is then a file without rules. But a chain of `weir
run` that keeps positions then starts with the rules that ran last, which it keeps beside the spool, and reports the
mistake. `run --strict` exits with 2 there, too.

# Gaps
A record that reports a gap (weir-record(5)) always passes.)";

}  // namespace

const cli::Command filter_command = {
    .name = "filter",
    .summary = "pass the records that match LogQL",
    .description =
        "Reads records on standard input and passes those that match every LOGQL and no --drop expression. An expression "
        "is a log query as in Loki; the stream selector may be left out. Records pass unchanged, except where a rule of `--rules "
        "FILE` changes them. Filter reads FILE again when it changes.",
    .manual = kManual,
    .usual = {"--drop", "--rules", "--explain", "--output", "--color", "--strict"},
    .role = cli::Role::stage,
    .examples = {{"pass the errors of one namespace", "weir tail | weir filter '{namespace=\"checkout\"} |= \"error\"'"},
                 {"drop health checks", "weir tail | weir filter --drop '|= \"GET /healthz\"' --drop '|= \"GET /metrics\"'"},
                 {"apply rules that can be changed while they run", "weir tail | weir filter --rules /etc/weir/rules"},
                 {"apply the rules of a ConfigMap, which `kubectl proxy` reads",
                  "weir tail -f | weir filter --rules configmap:logging/weir-rules --kube-server http://127.0.0.1:8001"},
                 {"pass slow requests, by a field of JSON lines", "weir tail | weir filter '| json | duration_ms > 500'"}},
    .exits = {cli::Exit::ok, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Filter>()); },
};

}  // namespace weir::cmd
