// weir enrich: add labels, the level, the service's name and the tenant.
#include "stages/enrich.h"

#include "cli/output_options.h"
#include "cli/pod_options.h"
#include "cli/value_options.h"
#include "cmd/commands.h"

#include <CLI/CLI.hpp>

#include <memory>
#include <utility>

namespace weir::cmd {
namespace {

using base::Code;
using base::Result;
using Pair = std::pair<std::string, std::string>;

// Reads "NAME=VALUE" into a list.
auto pair_into(std::vector<Pair>& list, std::string form) {
  return [&list, form = std::move(form)](const std::string& text) -> Result<void> {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) return base::fail(Code::usage, "it has no =").with_hint(fmt::format("write {}", form));
    list.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    return {};
  };
}

// Reads "NAME" or "NAME=OTHER" into a list.
auto field_into(std::vector<stages::LineFieldsSpec::Field>& list) {
  return [&list](const std::string& text) -> Result<void> {
    const std::size_t equals = text.find('=');
    list.push_back({text.substr(0, equals), equals == std::string::npos ? text : text.substr(equals + 1)});
    return {};
  };
}

class Enrich : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    using cli::Times;
    cli::add_value(app, "--label", pair_into(spec_.labels, "--label NAME=VALUE"),
                   "set the label NAME, also where the record has one (repeatable)", Times::repeated)
        ->type_name("NAME=VALUE");
    cli::add_value(app, "--label-from-env", pair_into(spec_.labels_from_environment, "--label-from-env NAME=VARIABLE"),
                   "set the label NAME to the value of an environment variable (repeatable)", Times::repeated)
        ->type_name("NAME=VARIABLE");
    app.add_option_function<std::vector<std::string>>(
           "--keep-labels", [this](const std::vector<std::string>& names) { spec_.keep_labels = names; },
           "keep only these labels, separated by commas; the others become metadata")
        ->type_name("NAMES")
        ->delimiter(',');
    cli::add_value(
        app, "--level", [this](const std::string& text) { return read_level(text); },
        "detect the level of each line, and add it as metadata detected_level (`metadata`, the default) or as a label "
        "(`label:NAME`)")
        ->type_name("[metadata|label:NAME]")
        ->expected(0, 1);
    cli::declare(app, pods_);
    app.add_flag_callback(
        "--no-service-name", [this] { spec_.service_name = false; }, "do not add the label service_name");
    cli::add_value(
        app, "--tenant-from", [this](const std::string& text) { return read_tenant(text); },
        "use the value of the label or metadata NAME as tenant")
        ->type_name("NAME");
    declare_fields(app);
    cli::declare_output(app, output_);
  }

  [[nodiscard]] Result<void> check() const override {
    if (auto ok = cli::check(pods_); !ok) return ok;
    return stages::check(full());
  }

  [[nodiscard]] stages::OutputOptions output() const override { return output_; }

  [[nodiscard]] bool sets_level() const override { return spec_.level != stages::EnrichSpec::Level::off; }

  Result<std::shared_ptr<kube::Pods>> pods(const cli::Plan& plan, const pipeline::Context& context) override {
    if (!pods_.asks()) return std::shared_ptr<kube::Pods>();
    auto spec = cli::pods_spec(pods_, plan.keeper, context.environment);
    if (!spec) return std::move(spec).error();
    auto started = kube::Pods::start(*std::move(spec), context.environment, *context.clock, *context.diagnostics);
    if (!started) return std::move(started).error();
    std::shared_ptr<kube::Pods> made = *std::move(started);
    begun_ = std::make_shared<stages::PodKnowledge>(pods_.knowledge, made, *context.clock);
    return made;
  }

  [[nodiscard]] bool asks_for_pods() const override { return pods_.asks(); }

  std::shared_ptr<tail::PodFilter> pod_filter() override {
    knowledge_ = begun_;
    return std::exchange(begun_, nullptr);
  }

  Result<cli::Built> build(const cli::Plan& plan, const pipeline::Context& context) override {
    stages::EnrichSpec spec = full();
    if (plan.keeper && !spec.budget.limits.empty() && spec.budget.file.empty()) spec.budget.file = *plan.keeper + "-values";
    if (pods_.asks()) {
      auto asked = pods_to_ask_for(plan, context);
      if (!asked) return std::move(asked).error();
      spec.pods = plan.pods;
      spec.knowledge = knowledge_.lock();
      spec.node_name = asked->node;
    }
    auto stage = stages::make_enrich(spec, context);
    if (!stage) return std::move(stage).error();
    return cli::Built{.source = nullptr, .stage = std::move(*stage)};
  }

  // Asks nobody, and makes no file.
  Result<cli::Built> rehearse(const cli::Plan& plan, const pipeline::Context& context) override {
    if (pods_.asks()) {
      auto asked = pods_to_ask_for(plan, context);
      if (!asked) return std::move(asked).error();
      if (auto ok = kube::Pods::check(*asked, context.environment, *context.diagnostics); !ok) return std::move(ok).error();
      if (plan.behind_buffer) {
        context.diagnostics->warn(
            "pods_behind_buffer",
            "behind a buffer, records of a pod that is not known yet do not wait for its labels; put enrich before buffer");
      }
    }
    stages::EnrichSpec spec = full();
    spec.budget.file.clear();
    auto stage = stages::make_enrich(spec, context);
    if (!stage) return std::move(stage).error();
    return cli::Built{.source = nullptr, .stage = std::move(*stage)};
  }

 private:
  [[nodiscard]] Result<kube::PodsSpec> pods_to_ask_for(const cli::Plan& plan, const pipeline::Context& context) const {
    if (plan.pods_asked) {
      return base::fail(Code::config, "this chain asks for pods already")
          .with_hint("give one enrich all options for pods, and the others --kubernetes path");
    }
    return cli::pods_spec(pods_, plan.keeper, context.environment);
  }

  // What comes out of lines, and how many values a label may have.
  void declare_fields(CLI::App& app) {
    using cli::Times;
    app.add_option("--parse", spec_.fields.parse,
                   "parse each line as LogQL does (json, logfmt, 'pattern …', 'regexp …'), for the next three options")
        ->type_name("PARSER");
    cli::add_value(app, "--to-label", field_into(spec_.fields.to_labels), "set a label to the field NAME (repeatable)",
                   Times::repeated)
        ->type_name("NAME[=LABEL]");
    cli::add_value(app, "--to-metadata", field_into(spec_.fields.to_metadata), "set metadata to the field NAME (repeatable)",
                   Times::repeated)
        ->type_name("NAME[=KEY]");
    app.add_option_function<std::vector<std::string>>(
           "--timestamp-from",
           [this](const std::vector<std::string>& words) {
             spec_.fields.timestamp_from = words.front();
             if (words.size() > 1) spec_.fields.timestamp_format = words[1];
           },
           "take the time from the field NAME; FORMAT is rfc3339 (the default), unix, unix_ms, unix_us, unix_ns or a layout of Go")
        ->type_name("NAME [FORMAT]")
        ->expected(1, 2);
    cli::add_value(
        app, "--max-values", [this](const std::string& text) { return read_limit(text); },
        "let the label have N values; a record with another value gets it as metadata (repeatable)", Times::repeated)
        ->type_name("LABEL=N");
    app.add_option("--values-file", spec_.budget.file,
                   "keep the values of --max-values in this file (default in `weir run`: beside the positions)")
        ->type_name("FILE");
  }

  Result<void> read_limit(const std::string& text) {
    const std::size_t equals = text.rfind('=');
    if (equals == std::string::npos) return base::fail(Code::usage, "it has no =").with_hint("write --max-values LABEL=N");
    auto number = cli::read_number(text.substr(equals + 1), {.least = 1, .most = stages::kMostValues});
    if (!number) return std::move(number).error();
    spec_.budget.limits.push_back({text.substr(0, equals), static_cast<std::uint32_t>(*number)});
    return {};
  }

  Result<void> read_level(const std::string& text) {
    constexpr std::string_view kLabel = "label:";
    if (text.empty() || text == "metadata") {
      spec_.level = stages::EnrichSpec::Level::metadata;
    } else if (text.starts_with(kLabel)) {
      spec_.level = stages::EnrichSpec::Level::label;
      spec_.level_label = text.substr(kLabel.size());
    } else {
      return base::fail(Code::usage, "it must be metadata or label:NAME");
    }
    return {};
  }

  Result<void> read_tenant(const std::string& text) {
    if (text.empty()) return base::fail(Code::usage, "it must be the name of a label or of metadata");
    spec_.tenant_from = text;
    return {};
  }

  [[nodiscard]] stages::EnrichSpec full() const {
    stages::EnrichSpec spec = spec_;
    spec.path = pods_.from != cli::PodOptions::From::none;
    spec.pod_labels = pods_.labels;
    return spec;
  }

  stages::EnrichSpec spec_;
  cli::PodOptions pods_;
  std::shared_ptr<stages::PodKnowledge> begun_;  // between pods() and pod_filter(); then the plan has it
  std::weak_ptr<stages::PodKnowledge> knowledge_;
  stages::OutputOptions output_;
};

constexpr std::string_view kManual = R"(# Fields of the line
--parse reads each line with a parser of LogQL, written as in a query without its bar:
`json`, `logfmt`, `pattern "<ip> - <user> <_>"`, `regexp "(?P<status>[0-9]+)$"` or `unpack`.
So a field has the name and the value that it has in Grafana: `http.status` of JSON is `http_status`. `json` and
`logfmt` take a list of fields, as in `json status="response.code", user`. Several parsers stand one after the other
with a bar between them: `decolorize | logfmt`. Only the fields asked for are extracted, and the line stays as it is. Of
large lines of JSON, `json level="level"` costs less than `json`, because it reads only as far as the field.

--to-label, --to-metadata and --timestamp-from say what fields become. Enrich does this first, so that everything else
sees the record as if it had come like that: `level` gives --level, `app` gives `service_name`, --tenant-from reads
either. A label or metadata of that name is replaced. A field that is missing or empty adds nothing. A line that does
not fit the whole of a `pattern` adds nothing either; in a query, the rest of such a line would be a field.

A line that the parser cannot read (LogQL's `__error__`) passes unchanged; `weir_enrich_parse_errors_total` counts it. A
value of more than 2048 bytes is too long for a label and becomes metadata of that name; one of more than 16 KiB is left
out. `weir_enrich_long_values_total` counts both. Bytes that are not UTF-8 become spaces.

A label should have few values, each of which makes a stream of its own: `level` and `app` are good labels, a trace or a
user is metadata.

# Time of the line
--timestamp-from NAME takes the record's time from a field. FORMAT says how it is written: `rfc3339` (the default; any
fraction, and a space in place of the T), `unix`, `unix_ms`, `unix_us`, `unix_ns` (these may have a fraction), or a
layout of Go such as `2006-01-02 15:04:05,000`. A layout without a zone is UTC. A layout without a year, such as
`Jan _2 15:04:05`, takes the year in which the time lies nearest to the record's own.

A value that is no such time keeps the record's own time, and so does a time before the year 2000 or more than 10
minutes after the record's own. `weir_enrich_timestamp_errors_total` counts these. Records keep their order, also where
their new times are not in order. Loki takes a record that is up to an hour behind the newest one of its stream and
refuses older ones, so the times of a program that writes late lines may lose records: push counts them as rejected.

# Limit of values
--max-values LABEL=N lets a label have N values. While there is a free place, a new value takes it. When there is none,
a record with a new value gets it as metadata of that name instead of the label. This is said once for each label, and
`weir_enrich_demoted_records_total` counts the records by label. A value with which no record has come for two days
gives its place back. It works for any label, also one of the pod. It is the last step, and only labels that
--keep-labels keeps take places. A label that is made from another one needs a limit of its own: `app` makes
`service_name`.

The values are kept, so that a restart does not give places to other values. `weir run` keeps them beside the positions
of its chain, in SPOOL-values or CHECKPOINT-values. In a shell pipe, --values-file says where; without it they are in
memory only. One enrich has one file. A symbolic link is followed. A file that does not begin with `weir-values` is
somebody else's: enrich ends with an error and leaves it as it is.

Values take places in the order in which records arrive, so two runs over the same logs may choose differently.

# Service name
Where the label `service_name` is missing, enrich sets it to what Loki itself would choose: the value of the first of
the labels `service`, `app`, `application`, `app_name`, `name`, `app_kubernetes_io_name`, `container`, `container_name`,
`k8s_container_name`, `component`, `workload`, `job` and `k8s_job_name` that the record has, else `unknown_service`.

# Pod
When the label or metadata `filename` is the path of a pod's log, as in /var/log/pods or /var/log/containers, enrich
adds the labels `namespace`, `pod` and `container` where they are missing, and the pod's uid as metadata `pod_uid`. That
is all with --kubernetes path, the default.

With --kubernetes api or kubelet, enrich knows the pods of this node and adds three labels, where they are missing:
`app`, which is the first that there is of the pod's label app.kubernetes.io/name, its labels app and k8s-app, the name
of its owner, and the container; `job`, which is the namespace, a slash and app; and `node_name`. The owner is the
Deployment, CronJob, StatefulSet or DaemonSet that the pod belongs to, by the rules for names that Kubernetes follows.
Nobody is asked for owners.

--pod-label, --pod-annotation and --pod-metadata add more. Without =LABEL or =KEY the name is that of the pod's label or
annotation, with `_` for whatever is no letter, digit or _: app.kubernetes.io/version gives app_kubernetes_io_version.
Such a label replaces one that the record has. When several options name one label, the first counts whose label or
annotation the pod has; labels come before annotations. Values are cut at 1024 bytes.

A pod is found by its uid: by that of the path, else by metadata `pod_uid`, which tail writes. A record without a uid is
of the pod that its labels `namespace` and `pod` name. When a pod changes, its new labels count for the records that
come later. When a pod is gone, enrich knows it for another hour.

A record whose pod is not known gets what --kubernetes path gives, and is counted in
`weir_enrich_unknown_records_total`.

# Where the pods come from
--kubernetes api lists and watches the metadata of this node's pods at the API server. This needs the rights get, list
and watch for pods of all namespaces, so a ClusterRole. In a pod, the server, the token and the authority of its
certificate are those of the service account. Elsewhere --kube-server, --kube-token-file and --kube-ca name them, or
`kubectl proxy` runs and --kube-server http://127.0.0.1:8001 --node-name NODE is all. A token goes to no other machine
without TLS, and 127.0.0.1 is asked without a proxy. When the API server falls silent, that is noticed after 3 minutes
at most. Each outage is reported once for each cause, and its end; a cut of some seconds is not.

--kubernetes kubelet asks the kubelet of this node when there is a pod that is not known, and every five minutes while
records come. So a changed label and a new weir.io/exclude count after five minutes at most, where --kubernetes api hears
of them at once. This needs the right get for nodes/pods, which Kubernetes has since 1.33; do not give nodes/proxy
instead, which also runs commands in every pod. --kubelet-ca checks the kubelet's certificate. Where nobody signed that,
--kubelet-insecure goes without.

The name of this node is that of --node-name, else of the variable NODE_NAME, else of the host. In a pod the last is the
name of the pod, so that enrich asks for one of the others. The host may have another name than the node (kubectl get
nodes); where the API server has no pods on a node of this name, that is said with the first log of a pod. A container
gets NODE_NAME from the field spec.nodeName, and NODE_IP from status.hostIP.

While nobody answers, records go on with what is known, and the requests are repeated, more and more rarely. A file
keeps the pods for the next start: --pod-cache names it. It is written 5 seconds after the start, then every 30 seconds
where something has changed. A file that is no such cache is left as it is. Where the chain keeps positions in this
process, in a spool or a checkpoint, it is the file NAME-pods beside it without being asked for.

In front of a buffer is the place for enrich. Behind one, no record waits for a pod that is not known yet.

# Pods that are not known yet
A record whose pod is not known waits for it, for --wait at most (2s). Then it goes on with what its path says. Only its
log waits, in its order; the other logs pass. A pod is waited for once. While the API server or the kubelet has not
answered for longer than --wait, nothing waits. When more than 1 MiB of records wait, enrich takes nothing until the
oldest of them has waited long enough, so that a burst of new pods loses no labels. Records that wait are not
acknowledged: after a kill they are read again.

At the end of its input enrich waits as long for the last records; when it is asked to stop, for nothing.

Behind a buffer, and on records out of a spool, nothing waits.

# Pods that are left out
With --kubernetes api or kubelet, logs of pods that have the annotation weir.io/exclude: "true" are left out, and those
of pods that have a label that --exclude-pod-label names. In the namespaces of --ignore-exclude-in no pod is left out,
whatever it says: give those that an audit covers.

With tail and enrich in one process (`weir run`), tail does not even open such a log. With --exclude-unknown wait, the
default, it opens the log of a pod that is not known yet when the pod is known, or after --wait. With pass it opens it
at once. In other chains enrich drops the records, and counts them in `weir_enrich_dropped_records_total`. It also drops
records that report a gap in such a log; tail has reported that on standard error.

When a pod is left out later, tail stops reading its logs, and their positions stay. When it is not left out any more,
tail reads its logs from then on: what was written meanwhile is not collected. After a restart nobody knows when that
was. So tail reads a log that has no position from its start, and one that has a position goes on from there. When the
log of a pod that is left out goes away, that is no loss, and is not reported.

# The labels of other agents
--labels-like sets the labels that another agent's usual configuration sets for the logs of pods, in place of app, job
and node_name, so that dashboards and alerts keep working. Labels that the agent does not have become metadata, apart
from those of --label, --label-from-env, --pod-label and --pod-annotation.

`promtail`, the Helm chart promtail 6.16.4 of grafana/helm-charts:

    app         app.kubernetes.io/name, else app, else the controller, else the
                pod. The controller loses a suffix -HASH of 8 to 10 digits and
                letters a to f; that of a static pod is its node
    instance    app.kubernetes.io/instance, else instance
    component   app.kubernetes.io/component, else component
    job         namespace/app
    node_name, namespace, pod, container
    stream      as from tail
    filename    as from tail --filename label

`alloy-docs`, the page "Collect Kubernetes logs and forward them to Loki" of Alloy's documentation, as of commit 092f4ad
of grafana/alloy:

    app         app.kubernetes.io/name; else the label is missing
    job         namespace/container
    instance    namespace/pod:container, which loki.source.kubernetes adds
    namespace, pod, container

Its container_runtime is not in the metadata that enrich asks for: --label container_runtime=containerd. Its cluster is
--label cluster=NAME.

`k8s-monitoring`, the Helm chart k8s-monitoring 3.0.2 of grafana/k8s-monitoring-helm:

    app_kubernetes_io_name   app.kubernetes.io/name
    service_name             the annotation resource.opentelemetry.io/
                             service.name, else app.kubernetes.io/name, else the
                             container
    job                      the annotation k8s.grafana.com/logs.job, else
                             namespace/container
    namespace, container
    instance, level, service_namespace, deployment_environment,
    deployment_environment_name, k8s_namespace_name, k8s_deployment_name,
    k8s_statefulset_name, k8s_daemonset_name, k8s_cronjob_name, k8s_job_name,
    k8s_node_name            the annotation resource.opentelemetry.io/NAME, else
                             the annotation NAME, else the label NAME, where
                             NAME may have . - or / in place of _

The pod's name is metadata there. As in that chart, a label of the pod may replace each of these, also its namespace.
Its cluster and k8s_cluster_name are --label cluster=NAME --label k8s_cluster_name=NAME.

# Level
With --level, enrich detects the level as Loki detects its `detected_level`: from labels or metadata such as `level` or
`severity`, from such a field of a JSON or logfmt line, or from the first word of the line that is a level. The level is
one of `trace`, `debug`, `info`, `warn`, `error`, `critical`, `fatal` and `unknown`. When a label or metadata has
another value, that value is the level.

# Few labels
Loki indexes labels, so there should be few of them, with few values. --keep-labels turns every label that it does not
name into metadata, also those of --label. It always keeps `service_name` (unless --no-service-name is given) and the
label of --level. When the record already has metadata of that name with another value, the new metadata is named
NAME_extracted, as Loki would show it.

# Tenant
--tenant-from keeps the label or metadata that it reads. When both have the name, the label counts. A record that has
neither keeps its tenant.)";

}  // namespace

const cli::Command enrich_command = {
    .name = "enrich",
    .summary = "add labels, the level, the service's name and the tenant",
    .description =
        "Reads records on standard input, adds what people query by, and passes them on. It sets the labels "
        "`service_name`, `namespace`, `pod` and `container` where they are missing and can be known. Options add labels of "
        "the pod, other labels, the level and the tenant. A record that gets nothing new passes unchanged.",
    .manual = kManual,
    .usual = {"--label", "--label-from-env", "--keep-labels", "--level", "--tenant-from", "--kubernetes", "--pod-label",
              "--pod-metadata", "--labels-like", "--parse", "--to-label", "--to-metadata", "--timestamp-from", "--output"},
    .role = cli::Role::stage,
    .examples = {{"add the cluster and the node, and detect the level",
                  "weir tail | weir enrich --label cluster=prod --label-from-env node=NODE_NAME --level"},
                 {"the labels of the pod, and its version as metadata, through `kubectl proxy`",
                  "weir tail -f | weir enrich --kubernetes api --kube-server http://127.0.0.1:8001 --node-name node-1 "
                  "--pod-metadata app.kubernetes.io/version=version"},
                 {"keep two labels; the pod and all others become metadata",
                  "weir tail | weir enrich --keep-labels namespace,container"},
                 {"one tenant for each namespace", "weir tail | weir enrich --tenant-from namespace | weir push"},
                 {"lines of JSON: their time and level, and the trace as metadata",
                  "weir tail | weir enrich --parse json --timestamp-from time --to-label level --to-metadata trace_id"},
                 {"a field of logfmt lines as a label, with at most 50 values",
                  "weir tail | weir enrich --parse logfmt --to-label user=customer --max-values customer=50"},
                 {"the status of an access log",
                  "weir tail | weir enrich --parse 'pattern \"<method> <path> <status> <_>\"' --to-label status"}},
    .exits = {cli::Exit::ok, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Enrich>()); },
};

}  // namespace weir::cmd
