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
    made_ = made;
    return made;
  }

  Result<cli::Built> build(const cli::Plan& plan, const pipeline::Context& context) override {
    stages::EnrichSpec spec = full();
    if (pods_.asks()) {
      auto asked = cli::pods_spec(pods_, plan.keeper, context.environment);
      if (!asked) return std::move(asked).error();
      if (plan.pods != made_.lock()) {
        return base::fail(Code::config, "this chain asks for pods already")
            .with_hint("give one enrich all options for pods, and the others --kubernetes path");
      }
      spec.pods = plan.pods;
      spec.node_name = asked->node;
    }
    auto stage = stages::make_enrich(spec, context);
    if (!stage) return std::move(stage).error();
    return cli::Built{.source = nullptr, .stage = std::move(*stage)};
  }

  // Asks nobody.
  Result<cli::Built> rehearse(const cli::Plan& plan, const pipeline::Context& context) override {
    if (!pods_.asks()) return build(plan, context);
    auto asked = cli::pods_spec(pods_, plan.keeper, context.environment);
    if (!asked) return std::move(asked).error();
    if (auto ok = cli::rehearse(*asked, context); !ok) return std::move(ok).error();
    if (plan.behind_buffer) {
      context.diagnostics->warn(
          "pods_behind_buffer",
          "behind a buffer, records of a pod that is not known yet do not wait for its labels; put enrich before buffer");
    }
    auto stage = stages::make_enrich(full(), context);
    if (!stage) return std::move(stage).error();
    return cli::Built{.source = nullptr, .stage = std::move(*stage)};
  }

 private:
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
  std::weak_ptr<kube::Pods> made_;  // by pods()
  stages::OutputOptions output_;
};

constexpr std::string_view kManual = R"(# Service name
Where the label `service_name` is missing, enrich sets it to what Loki itself would choose: the value of the first of
the labels `service`, `app`, `application`, `app_name`, `name`, `app_kubernetes_io_name`, `container`, `container_name`,
`k8s_container_name`, `component`, `workload`, `job` and `k8s_job_name` that the record has, else `unknown_service`.

# Pod
When the label or metadata `filename` is the path of a pod's log, as in /var/log/pods or /var/log/containers, enrich
adds the labels `namespace`, `pod` and `container` where they are missing, and the pod's uid as metadata `pod_uid`.

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
        "`service_name`, `namespace`, `pod` and `container` where they are missing and can be known. Options add further "
        "labels, the level and the tenant. A record that gets nothing new passes unchanged.",
    .manual = kManual,
    .usual = {"--label", "--label-from-env", "--keep-labels", "--level", "--tenant-from", "--kubernetes", "--no-service-name",
              "--output"},
    .role = cli::Role::stage,
    .examples = {{"add the cluster and the node, and detect the level",
                  "weir tail | weir enrich --label cluster=prod --label-from-env node=NODE_NAME --level"},
                 {"keep two labels; the pod and all others become metadata",
                  "weir tail | weir enrich --keep-labels namespace,container"},
                 {"one tenant for each namespace", "weir tail | weir enrich --tenant-from namespace | weir push"}},
    .exits = {cli::Exit::ok, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Enrich>()); },
};

}  // namespace weir::cmd
