// weir convert: what the configuration of another agent becomes.
#include "convert/promtail.h"

#include "base/count.h"
#include "base/diagnostics.h"
#include "base/text_file.h"
#include "cli/pipeline_text.h"
#include "cli/terminal.h"
#include "cli/value_options.h"
#include "cmd/commands.h"
#include "record/json.h"

#include <CLI/CLI.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

namespace weir::cmd {
namespace {

using base::Code;
using base::Result;
using convert::Finding;
using convert::Severity;
using record::json_string;

enum class From : std::uint8_t { promtail };

// Files of a conversion, below a folder.
struct Output {
  std::string path;
  const std::string* text = nullptr;
};

std::string to_json(const convert::Conversion& made) {
  std::string out = fmt::format("{{\"complete\":{},\"pipelines\":{},\"rules\":[", made.complete(), json_string(made.pipelines));
  const char* between = "";
  for (const convert::RuleText& rules : made.rules) {
    out +=
        fmt::format("{}{{\"file\":{},\"text\":{}}}", std::exchange(between, ","), json_string(rules.file), json_string(rules.text));
  }
  out += "],\"findings\":[";
  between = "";
  for (const Finding& one : made.findings) {
    out += fmt::format(R"({}{{"line":{},"column":{},"path":{},"severity":"{}","what":{},"advice":{}}})",
                       std::exchange(between, ","), one.line, one.column, json_string(one.path), convert::word_of(one.severity),
                       json_string(one.what), json_string(one.advice));
  }
  return out + "]}\n";
}

class Convert : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    cli::add_choice<From>(app, "from", from_, {{"promtail", From::promtail}}, "whose configuration it is")
        ->default_str("")
        ->required();
    app.add_option("file", file_, "the configuration; `-` for standard input")->type_name("FILE")->required();
    app.add_option("--output-dir", output_folder_, "write node.weir and the rules into this folder, and print nothing")
        ->type_name("DIR");
    app.add_flag("--overwrite", overwrite_, "with --output-dir: replace files that exist");
    app.add_option(
           "--config-dir", config_folder_,
           "where the files will lie on the node: the pipelines name their rules there (default: that of --output-dir, else "
           "/etc/weir)")
        ->type_name("DIR");
    app.add_option("--state-dir", state_folder_, "where the spools will lie on the node")->type_name("DIR")->capture_default_str();
    app.add_flag("--expand-env", expand_env_, "Promtail runs with -config.expand-env: $$ in the file is a dollar sign");
    cli::add_choice<bool>(app, "-o,--output", json_, {{"text", false}, {"json", true}}, "text for people or JSON for programs");
  }

  [[nodiscard]] Result<void> check() const override {
    if (json_ && !output_folder_.empty()) return base::fail(Code::usage, "cannot use --output json together with --output-dir");
    if (overwrite_ && output_folder_.empty()) return base::fail(Code::usage, "--overwrite belongs to --output-dir");
    return {};
  }

  Result<cli::Exit> act(const pipeline::Context& context) override {
    const bool standard_input = file_ == "-";
    const std::string name = standard_input ? "stdin" : file_;
    auto text =
        standard_input ? base::read_text(STDIN_FILENO, "standard input") : base::read_text_file(file_, fmt::format("'{}'", file_));
    if (!text) return std::move(text).error();
    convert::Options options;
    options.file_name = base::escape_control(name);
    options.state_folder = state_folder_;
    options.expand_env = expand_env_;
    if (!config_folder_.empty()) {
      options.config_folder = config_folder_;
    } else if (!output_folder_.empty()) {
      options.config_folder = std::filesystem::absolute(output_folder_).lexically_normal().string();
      while (options.config_folder.size() > 1 && options.config_folder.ends_with('/')) options.config_folder.pop_back();
    }
    auto made = convert::convert_promtail(*text, options);
    if (!made) return std::move(made).error();
    if (json_) {
      if (auto written = cli::write_all(STDOUT_FILENO, to_json(*made)); !written) return std::move(written).error();
    } else if (!output_folder_.empty()) {
      if (auto written = write_files(*made); !written) return std::move(written).error();
    } else if (auto written = cli::write_all(STDOUT_FILENO, as_text(*made, options)); !written) {
      return std::move(written).error();
    }
    if (!json_) report(*made, name, context);
    return made->complete() ? cli::Exit::ok : cli::Exit::negative;
  }

 private:
  // The pipelines, and the rules as comments: the whole is a text for weir run.
  static std::string as_text(const convert::Conversion& made, const convert::Options& options) {
    std::string out = made.pipelines;
    for (const convert::RuleText& rules : made.rules) {
      out += fmt::format("\n# {}/{}, without the # in front of each line (--output-dir DIR writes it as a file):\n",
                         options.config_folder, rules.file);
      std::string_view left = rules.text;
      while (!left.empty()) {
        const std::size_t end = std::min(left.find('\n'), left.size());
        out.append("#   ").append(left.substr(0, end)).append("\n");
        left.remove_prefix(std::min(end + 1, left.size()));
      }
    }
    return out;
  }

  Result<void> write_files(const convert::Conversion& made) const {
    if (::mkdir(output_folder_.c_str(), 0755) != 0 && errno != EEXIST)
      return base::io_error(errno, fmt::format("create {}", output_folder_));
    std::vector<Output> files;
    for (const convert::RuleText& rules : made.rules)
      files.push_back({fmt::format("{}/{}", output_folder_, rules.file), &rules.text});
    files.push_back({output_folder_ + "/node.weir", &made.pipelines});
    for (const Output& file : files) {
      std::error_code ignored;
      if (!overwrite_ && std::filesystem::exists(std::filesystem::symlink_status(file.path, ignored))) {
        return base::fail(Code::forbidden, "cannot write {}: it exists", file.path)
            .with_hint("name another folder, or replace it: --overwrite");
      }
    }
    for (const Output& file : files) {
      if (auto written = base::replace_text_file(file.path, *file.text); !written) return written;
      // Others may read what is no secret.
      (void)::chmod(file.path.c_str(), 0644);
    }
    return {};
  }

  static void report(const convert::Conversion& made, const std::string& name, const pipeline::Context& context) {
    for (const Finding& one : made.findings) {
      if (one.severity == Severity::exact) continue;
      context.diagnostics->say(
          fmt::format("{}:{}:{}: {}: {}: {}", name, one.line, one.column, convert::word_of(one.severity), one.path, one.what));
      if (!one.advice.empty()) context.diagnostics->say("  " + one.advice);
    }
    const std::size_t missing = made.count(Severity::not_expressible);
    context.diagnostics->say(fmt::format("{}: {}, {}, {} not expressible", name,
                                         base::count_of(made.count(Severity::exact), "part") + " exact",
                                         base::count_of(made.count(Severity::note), "note"), missing));
  }

  From from_ = From::promtail;
  std::string file_, output_folder_, config_folder_, state_folder_ = "/var/lib/weir";
  bool overwrite_ = false, expand_env_ = false, json_ = false;
};

constexpr std::string_view kManual =
    R"(`weir convert promtail FILE` reads a configuration of Promtail and prints the pipelines of `weir run` that do the
same. Nothing else is read, and nothing is connected to. Every scrape job, relabel rule and stage becomes its equal,
or standard error and the head of the text name it with the line of FILE, and say what to do instead. So do keys that
weir does not know.

# Findings

Each part of FILE has one of three results. An exact one is not listed (`-o json` has it). A note says what is nearly
the same, or what weir needs from you: a secret, a variable, the right name of a pod's label. What is not expressible
is missing in the pipeline: the exit code is then 1. The other parts are there all the same.

# Jobs

Each job becomes a pipeline of its own with a spool of its own, because jobs differ in their labels. Targets of a job
with the same labels are one `tail`. A further client is one more `push --spool`. Clients with other external labels
get a pipeline of their own, which reads the logs again.

`tail --positions` takes over where Promtail stopped. Promtail's `server` is `weir run --metrics`, which the head of
the text names.

# Relabel rules

Relabel rules of pods are not compared with texts. They are run on pods that are made up, and weir's own labels are
worked out for the same pods. A label is understood when both are equal on all of them. The rules of Promtail's Helm
chart become `enrich --kubernetes api --labels-like promtail`, in whatever way they are written.

Prometheus writes _ for each other sign in the names of labels and annotations of pods. Where the name cannot be told,
the pipeline names all that it may be, and a note asks to leave the right one.

# Stages

`cri` and `docker` are `tail --format`, `multiline` is `tail --multiline`. `json`, `logfmt` and `regex` with `labels`,
`structured_metadata` and `timestamp` are `enrich --parse` with --to-label, --to-metadata and --timestamp-from.
`drop`, `match` with action drop, `limit`, `sampling`, `replace`, and `output` of a regular expression's group are
rules (weir-rules(5)). `tenant` is a rule or `enrich --tenant-from`. Labels that `labeldrop` and `labelallow` take
away become structured metadata.

A value of a json stage is the text that stands in the line: 1.50 stays 1.50, where Promtail writes 1.5. An object
keeps its blanks.

`match` with other stages is expressible where its selector is true for all records of the job, and around rules.
`template`, `pack`, `metrics`, `geoip`, `eventlogmessage`, and `output` of a field of JSON are not expressible.

# Variables and secrets

${NAME} stays a variable of the pipeline, in URLs, paths, labels and options. weir knows no defaults: a note names
them. With --expand-env, $$ in FILE is one dollar sign, as for `promtail -config.expand-env`.

No secret of FILE is printed. A password or token that stands in FILE is to be given to weir in a variable or a file;
a note says which.)";

}  // namespace

const cli::Command convert_command = {
    .name = "convert",
    .summary = "turn a configuration of Promtail into pipelines and rules",
    .description =
        "Prints the pipelines and rules that do what a configuration of Promtail does, with comments that say where each part "
        "comes "
        "from. What cannot be expressed is listed with its line and with what to do instead, and the exit code is then 1.",
    .manual = kManual,
    .usual = {"--output-dir", "--config-dir", "--state-dir", "--output"},
    .role = cli::Role::action,
    .examples = {{"see what a configuration becomes", "weir convert promtail promtail.yaml"},
                 {"write node.weir and the rules into a folder", "weir convert promtail promtail.yaml --output-dir out"},
                 {"what is not expressible, for programs",
                  "weir convert promtail promtail.yaml -o json | jq '.findings[] | select(.severity == \"not expressible\")'"}},
    .exits = {cli::Exit::ok, cli::Exit::negative, cli::Exit::usage, cli::Exit::failed},
    .make = [] { return std::unique_ptr<cli::Invocation>(new Convert); }};

}  // namespace weir::cmd
