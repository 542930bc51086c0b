// weir top: which pods and namespaces log most.
#include "stages/top.h"

#include "cli/kube_options.h"
#include "cli/terminal.h"
#include "cli/value_options.h"
#include "cmd/commands.h"
#include "stages/enrich.h"
#include "stages/rule_maps.h"
#include "stages/tail_source.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::cmd {
namespace {

using base::Code;
using base::Result;

constexpr std::uint64_t kMostRows = 20;

// Writes reports to standard output: on a terminal in place of the last one.
class View : public stages::TopView {
 public:
  View(bool json, std::uint64_t rows, const pipeline::Context& context) : json_(json), rows_(rows), context_(context) {
    if (!json && cli::is_terminal(STDOUT_FILENO)) screen_.emplace();
  }

  Result<void> attach(base::Wake& wake) override {
    for (const int fd : descriptors()) {
      if (fd < 0) continue;
      if (auto watched = wake.watch(fd); !watched) return watched;
    }
    return {};
  }

  // Of keys and of the window's size; -1: nothing.
  [[nodiscard]] std::array<int, 2> descriptors() const {
    return screen_ ? std::array{screen_->keys_fd(), screen_->size_fd()} : std::array{-1, -1};
  }

  [[nodiscard]] bool goes_on() override {
    if (!screen_) return true;
    while (const auto key = screen_->key())
      if (*key == 'q' || *key == 'Q') return false;
    if (screen_->resized() && latest_) static_cast<void>(draw());
    return true;
  }

  Result<bool> show(const show::TopReport& report) override {
    if (json_) return cli::write_all(STDOUT_FILENO, show::top_json(report));
    if (screen_) {
      latest_ = report;
      return draw();
    }
    const std::size_t rows = rows_ == 0 ? report.logs.size() : rows_;
    const std::string text = show::top_text(report, {.logs = rows, .namespaces = rows});
    return cli::write_all(STDOUT_FILENO, std::exchange(shown_, true) ? "\n" + text : text);
  }

 private:
  Result<bool> draw() {
    const std::size_t columns = cli::terminal_width(STDOUT_FILENO, context_.environment("COLUMNS"));
    const std::size_t rows = rows_ == 0 ? latest_->logs.size() : rows_;
    return cli::write_all(STDOUT_FILENO, cli::in_place(show::top_text(
                                             *latest_, show::layout_for(cli::terminal_lines(STDOUT_FILENO), columns, rows))));
  }

  const bool json_;
  const std::uint64_t rows_;  // of logs; 0: all
  const pipeline::Context context_;
  bool shown_ = false;
  std::optional<cli::Screen> screen_;  // standard output is a terminal
  std::optional<show::TopReport> latest_;
};

class Top : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    app.add_option("path", tail_.inputs, "log files, folders, quoted globs (default: /var/log/pods)")->type_name("PATH|GLOB|DIR");
    app.add_option("--spool", spool_, "show what this spool has stored lately, instead of log files")->type_name("SPOOL");
    cli::add_duration(app, "--since", since_, "with --spool: over how long (default: 1m)", cli::kMoreThanZero);
    app.add_option(
           "--rules", top_.rules,
           "also show which share the rules of this file or configmap:NAMESPACE/NAME would drop (repeatable); nothing is dropped")
        ->type_name("FILE")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    cli::add_number(app, "-n,--count", top_.count, "end after so many reports; 0 for no end");
    cli::add_duration(app, "--interval", top_.interval, "how long is counted for a report",
                      {.least = 100 * base::kMillisecond, .most = base::kHour});
    cli::add_choice<show::TopOrder>(app, "--sort", top_.order,
                                    {{"bytes", show::TopOrder::bytes}, {"records", show::TopOrder::records}}, "what comes first");
    cli::add_number(app, "--rows", rows_, "show so many logs, 0 for all; a terminal shows at most what fits");
    cli::add_choice<bool>(app, "-o,--output", json_, {{"text", false}, {"json", true}}, "text for people or JSON for programs");
    const auto select = [&](const char* names, std::vector<std::string>& values, const char* what) {
      app.add_option(names, values, what)->type_name("PATTERN")->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    };
    select("--namespace", tail_.selection.namespaces, "only logs of these namespaces (repeatable)");
    select("-p,--pod", tail_.selection.pods, "only logs of these pods; `web` also means web-… (repeatable)");
    select("-c,--container", tail_.selection.containers, "only logs of these containers (repeatable)");
    cli::declare_kube(app, top_.kube);
  }

  [[nodiscard]] Result<void> check() const override {
    if (auto good = stages::check_rule_places(top_.rules); !good) return good;
    if (spool_.empty()) {
      if (since_) return base::fail(Code::usage, "cannot use --since without --spool: log files are counted from now on");
      if (std::ranges::find(tail_.inputs, "-") != tail_.inputs.end())
        return base::fail(Code::usage, "cannot read standard input (-): weir top follows log files");
      return {};
    }
    if (!tail_.inputs.empty()) return base::fail(Code::usage, "cannot use PATH together with --spool");
    const tail::Selection& selection = tail_.selection;
    if (!selection.namespaces.empty() || !selection.pods.empty() || !selection.containers.empty()) {
      return base::fail(Code::usage, "cannot select logs together with --spool")
          .with_hint("-o json shows all of them: weir top --spool SPOOL -n 1 -o json | jq '.logs[]'");
    }
    if (!top_.rules.empty()) {
      return base::fail(Code::usage, "cannot use --rules together with --spool: what rules dropped is not in the spool")
          .with_hint("`weir rules test FILE --against SPOOL` tries rules on what a spool holds");
    }
    return {};
  }

  Result<cli::Exit> act(const pipeline::Context& context) override {
    View view(json_, rows_, context);
    auto shown = spool_.empty() ? follow(view, context) : watch_spool(view, context);
    if (!shown) return std::move(shown).error();
    return cli::exit_of_signal(context.stop->signal(), cli::Exit::ok);
  }

 private:
  Result<void> follow(View& view, const pipeline::Context& context) const {
    stages::TailSpec spec = tail_;
    if (spec.inputs.empty()) spec.inputs.emplace_back("/var/log/pods");
    spec.read.follow = true;
    spec.start.kind = tail::Start::Kind::end;
    spec.glance = true;
    std::vector<std::unique_ptr<pipeline::Stage>> stages;
    if (!top_.rules.empty()) {
      // What rules ask for most.
      auto enrich = stages::make_enrich({.level = stages::EnrichSpec::Level::metadata}, context);
      if (!enrich) return std::move(enrich).error();
      stages.push_back(std::move(*enrich));
    }
    auto top = stages::make_top(top_, view, context);
    if (!top) return std::move(top).error();
    stages.push_back(std::move(*top));
    const auto source = stages::make_tail_source(spec, context);
    return pipeline::run_chain(*source, stages, context).ended;
  }

  Result<void> watch_spool(View& view, const pipeline::Context& context) const {
    auto reader = spool::Reader::open(spool_);
    if (!reader) return std::move(reader).error();
    stages::SpoolRates rates(std::move(*reader), since_.value_or(base::kMinute), top_.order);
    for (std::uint64_t reports = 1;; ++reports) {
      auto report = rates.read(context.clock->wall());
      if (!report) return std::move(report).error();
      auto wanted = view.show(*report);
      if (!wanted) return std::move(wanted).error();
      if (!*wanted || reports == top_.count) return {};
      const base::Monotonic next = base::after(context.clock->monotonic(), top_.interval);
      for (base::Monotonic now = context.clock->monotonic(); now < next; now = context.clock->monotonic()) {
        const auto [keys, size] = view.descriptors();
        std::array<pollfd, 3> awaited = {{{context.stop->fd(), POLLIN, 0}, {keys, POLLIN, 0}, {size, POLLIN, 0}}};
        ::poll(awaited.data(), awaited.size(), base::poll_timeout(now, next));
        if (context.stop->stopped() || !view.goes_on()) return {};
      }
    }
  }

  stages::TailSpec tail_;
  stages::TopSpec top_;
  std::string spool_;
  std::optional<base::Duration> since_;
  std::uint64_t rows_ = kMostRows;
  bool json_ = false;
};

constexpr std::string_view kManual =
    R"(`weir top` follows log files from their ends, as `weir tail -f --from end` does, and counts what comes. It keeps no
record and no position, and needs no running chain. A report shows, for each namespace and each log, how many records and bytes
of lines came in a second, its share of all bytes, and with --rules the share of its bytes that the rules would drop. A log is a
container of a pod, or a file. Logs that wrote nothing are left out.

On a terminal each report takes the place of the last one; `q` or Ctrl-C ends. Elsewhere a report follows the other, with an empty
line between.

# Selection
PATTERN of `--namespace`, `-p` and `-c` is a name or a glob: `*` stands for any text, `?` for one character. A pattern of `-p` is
also the beginning of a name up to a dash: `-p web` takes `web` and `web-7c9f-x2x1`, but not `webshop-1`. A log is counted when one
pattern of each option that is given matches; then files that belong to no pod are not. Put a glob in quotes, or the shell
replaces it.

# Rules
--rules takes a file or `configmap:NAMESPACE/NAME` (weir-rules(5)). `weir enrich --level` runs before the rules, so that they
know `detected_level`. Other labels that a chain's enrich adds are missing here. What `drop`, `sample`, `limit` and `dedup` would
take away counts as dropped; what `hold` would hold does not, `-o json` counts it as `held_records`. A changed file takes effect
as in weir-filter(1).

# Spools
With --spool the numbers come from the list of the spool's blocks, over the last minute (--since); a chain may be writing it. What
rules dropped before the spool is not in it; held records are.

# JSON
`-o json` prints one object a report, on a line: `time` (its end), `interval_seconds`, `records`, `bytes`, `records_per_second`,
`bytes_per_second`; `namespaces` and `logs`, lists with the same numbers for each, most first. A log has `log`, `namespace`, `pod`,
`container` and `filename`, or `null`. With --rules there are also `dropped_records`, `dropped_bytes` and `held_records`.)";

}  // namespace

const cli::Command top_command = {
    .name = "top",
    .summary = "show which pods and namespaces log most",
    .description =
        "Counts the records and bytes that each log and each namespace writes, and shows those that write most, again every two "
        "seconds. It reads the log files, or what a spool has stored. With --rules it shows which share the rules would drop.",
    .manual = kManual,
    .usual = {"--spool", "--rules", "--count", "--interval", "--sort", "--output", "--namespace", "--pod"},
    .role = cli::Role::action,
    .examples = {{"watch the pods of this node", "weir top"},
                 {"try rules without dropping anything", "weir top --rules /etc/weir/rules"},
                 {"what a spool has stored in the last ten minutes, once", "weir top --spool spool.db --since 10m -n 1"},
                 {"the loudest pod, for a script", "weir top -n 1 -o json | jq -r '.logs[0].log'"}},
    .exits = {cli::Exit::ok, cli::Exit::usage, cli::Exit::failed, cli::Exit::interrupted},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Top>()); },
};

}  // namespace weir::cmd
