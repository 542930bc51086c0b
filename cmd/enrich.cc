// weir enrich: add labels, the level, the service's name and the tenant.
#include "stages/enrich.h"

#include "cli/output_options.h"
#include "cmd/commands.h"

#include <CLI/CLI.hpp>

namespace weir::cmd {
namespace {

using base::Code;
using base::Result;
using Pair = std::pair<std::string, std::string>;

Result<Pair> split_pair(std::string_view option, std::string_view form, const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) {
    return base::fail(Code::usage, "{} \"{}\" has no =", option, base::escape_control(text))
        .with_hint(fmt::format("write {} {}", option, form));
  }
  return Pair(text.substr(0, equals), text.substr(equals + 1));
}

class Enrich : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    app.add_option("--label", labels_, "set the label NAME, also over one that is there (repeatable)")->type_name("NAME=VALUE");
    app.add_option("--label-from-env", variables_, "set the label NAME to the environment variable VARIABLE (repeatable)")
        ->type_name("NAME=VARIABLE");
    app.add_option("--keep-labels", keep_, "keep these labels, separated by commas, and turn the others into metadata")
        ->type_name("NAMES")
        ->delimiter(',');
    app.add_option("--level", level_,
                   "detect the level of lines: `metadata` (also when left out) writes it as metadata detected_level, `label:NAME` "
                   "as a label")
        ->type_name("[metadata|label:NAME]")
        ->expected(0, 1);
    app.add_option("--kubernetes", kubernetes_, "where a record's pod is known from: `path`, the path of its file, or `none`")
        ->check(CLI::IsMember({"path", "none"}))
        ->capture_default_str();
    app.add_flag("--no-service-name", no_service_name_, "do not set the label service_name");
    app.add_option("--tenant-from", spec_.tenant_from, "make the value of the label or metadata NAME the record's tenant")
        ->type_name("NAME");
    cli::declare_output(app, output_);
    app_ = &app;
  }

  Result<void> check() override {
    for (const std::string& text : labels_) {
      auto pair = split_pair("--label", "NAME=VALUE", text);
      if (!pair) return std::move(pair).error();
      spec_.labels.push_back(std::move(*pair));
    }
    for (const std::string& text : variables_) {
      auto pair = split_pair("--label-from-env", "NAME=VARIABLE", text);
      if (!pair) return std::move(pair).error();
      spec_.labels_from_environment.push_back(std::move(*pair));
    }
    if (app_->count("--keep-labels") > 0) spec_.keep_labels = keep_;
    if (app_->count("--tenant-from") > 0 && spec_.tenant_from.empty())
      return base::fail(Code::usage, "--tenant-from names nothing");
    if (app_->count("--level") > 0) {
      if (auto ok = read_level(); !ok) return ok;
    }
    spec_.path = kubernetes_ == "path";
    spec_.service_name = !no_service_name_;
    return stages::check(spec_);
  }

  [[nodiscard]] std::string output() const override { return output_.format; }

  Result<cli::Built> build(const cli::Plan&, const pipeline::Context& context) override {
    auto stage = stages::make_enrich(spec_, context);
    if (!stage) return std::move(stage).error();
    return cli::Built{.source = nullptr, .stage = std::move(*stage)};
  }

 private:
  Result<void> read_level() {
    constexpr std::string_view kLabel = "label:";
    if (level_.empty() || level_ == "metadata") {
      spec_.level = stages::EnrichSpec::Level::metadata;
    } else if (level_.starts_with(kLabel)) {
      spec_.level = stages::EnrichSpec::Level::label;
      spec_.level_label = level_.substr(kLabel.size());
    } else {
      return base::fail(Code::usage, "--level takes metadata or label:NAME, not \"{}\"", base::escape_control(level_));
    }
    return {};
  }

  const CLI::App* app_ = nullptr;
  std::vector<std::string> labels_, variables_, keep_;
  std::string level_;
  std::string kubernetes_ = "path";
  bool no_service_name_ = false;
  stages::EnrichSpec spec_;
  cli::OutputFlags output_;
};

}  // namespace

const cli::Command enrich_command = {
    .name = "enrich",
    .summary = "add labels, the level, the service's name and the tenant",
    .description =
        "Reads records on stdin, adds to them what people query by, and passes them on. A record that nothing is to be added to "
        "passes unchanged.\n\n"
        "The label `service_name` is set where it is missing, to what Loki itself would choose: the value of the first of the "
        "labels "
        "`service`, `app`, `application`, `app_name`, `name`, `app_kubernetes_io_name`, `container`, `container_name`, "
        "`k8s_container_name`, `component`, `workload`, `job` and `k8s_job_name`, else `unknown_service`.\n\n"
        "A record whose label or metadata `filename` is the path of a pod's log, as in /var/log/pods or /var/log/containers, gets "
        "those of "
        "the labels `namespace`, `pod` and `container` that it lacks, and the pod's uid as metadata `pod_uid`.\n\n"
        "With --level the level is found as Loki finds its `detected_level`: from labels or metadata such as `level` or "
        "`severity`, "
        "from such a field of a JSON or logfmt line, or by the first word of the line that is a level. It is one of `trace`, "
        "`debug`, "
        "`info`, `warn`, `error`, `critical`, `fatal` and `unknown`; a label or metadata with another value gives that value.\n\n"
        "Labels are indexed by Loki and should be few, with few values. --keep-labels turns all labels that it does not name into "
        "metadata, those of --label too; only `service_name` (unless --no-service-name) and the label of --level stay in any case. "
        "Metadata of the same name with another value is renamed to NAME_extracted, the name under which Loki would show it.\n\n"
        "--tenant-from leaves the label or metadata where it is; a label goes before metadata of the same name. A record that has "
        "neither keeps the tenant it came with.",
    .role = cli::Role::stage,
    .examples = {{"say which cluster and node the records come from, and detect their level",
                  "weir tail | weir enrich --label cluster=prod --label-from-env node=NODE_NAME --level"},
                 {"index little: the pod and all other labels become metadata",
                  "weir tail | weir enrich --keep-labels namespace,container"},
                 {"one tenant for each namespace", "weir tail | weir enrich --tenant-from namespace | weir push"}},
    .exits = {cli::Exit::ok, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Enrich>()); },
};

}  // namespace weir::cmd
