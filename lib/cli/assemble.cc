#include "cli/assemble.h"

#include "base/resident_code.h"
#include "cli/output_options.h"
#include "cli/terminal.h"
#include "pipeline/jsonl_source.h"
#include "stages/output_sink.h"
#include "tail/read_files.h"

#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <csignal>
#include <utility>

namespace weir::cli {
namespace {

using base::Code;
using base::Error;
using base::Result;
using pipeline::Counters;

// How long a process may drain after a signal that all of a pipe get at once: longer downstream, so that what is in front ends
// first; all of it within the 30 s that Kubernetes gives.
constexpr base::Duration kDrainSource = 10 * base::kSecond;
constexpr base::Duration kDrainBetween = 15 * base::kSecond;
constexpr base::Duration kDrainLast = 20 * base::kSecond;

constexpr std::string_view kChain = "chain";  // the driver of a source's thread

bool incomplete(const Counters& counters) {
  return counters.invalid > 0 || counters.rejected > 0 || counters.lost > 0 || counters.unreadable_files > 0;
}

Error cannot_stand(const Link& link, std::string_view why, std::string_view hint) {
  return link.located(Error{Code::config, fmt::format("{} {}", link.parsed.command->name, why), std::string(hint)});
}

Error nothing_behind(const Link& link) {
  return cannot_stand(link, "passes no records on, so no stage can follow it",
                      "put it last; to deliver twice, write a second pipeline");
}

// What this format writes that is no JSON lines, with its name.
std::string_view for_people(stages::OutputOptions::Format format) {
  using Format = stages::OutputOptions::Format;
  switch (format) {
    case Format::text:
      return "text writes text";
    case Format::raw:
      return "raw writes bare lines";
    case Format::csv:
      return "csv writes rows";
    case Format::table:
      return "table writes a table";
    case Format::automatic:
    case Format::jsonl:
      break;
  }
  return {};
}

Error not_first(const Link& link) {
  return cannot_stand(link, "reads no records, so it can only stand first", "write it as a pipeline of its own");
}

}  // namespace

Result<void> check_chain(std::span<const Link> links) {
  const Link* keeper = nullptr;
  for (std::size_t i = 0; i < links.size(); ++i) {
    const auto& link = links[i];
    const bool last = i + 1 == links.size();
    switch (link.parsed.role()) {
      case Role::source:
        if (i != 0) return not_first(link);
        break;
      case Role::sink:
        if (!last) return nothing_behind(link);
        break;
      case Role::action:
        if (link.parsed.command->role == Role::action)
          return cannot_stand(link, "is not a stage of a pipeline", "the stages are listed by weir --help");
        return cannot_stand(link, "passes no records on with these options", "call it by itself, outside of a pipeline");
      case Role::stage:
        break;
    }
    if (const std::string_view what = for_people(link.parsed.invocation->output().format); !last && !what.empty()) {
      return cannot_stand(link, fmt::format("-o {}, which the next stage cannot read", what), "leave -o out");
    }
    if (!link.parsed.invocation->keeper()) continue;
    if (keeper != nullptr) {
      return cannot_stand(link, fmt::format("keeps positions, but {} before it does so already", keeper->parsed.command->name),
                          "only one stage may keep positions: buffer, or push --checkpoint in a chain without a buffer");
    }
    keeper = &link;
  }
  return {};
}

// Names the stage in what it says within a fused chain.
class Assembly::StageDiagnostics : public base::Diagnostics {
 public:
  StageDiagnostics(base::Diagnostics& inner, std::string_view name) : inner_(inner), prefix_(fmt::format("{}: ", name)) {}
  void say(std::string_view text) override { inner_.say(prefixed(text)); }
  void warn(std::string_view key, std::string_view text) override { inner_.warn(prefix_ + std::string(key), prefixed(text)); }
  void make_way() override { inner_.make_way(); }
  [[nodiscard]] base::Secrets* secrets() override { return inner_.secrets(); }

 private:
  [[nodiscard]] std::string prefixed(std::string_view text) const { return prefix_ + std::string(text); }
  base::Diagnostics& inner_;
  const std::string prefix_;
};

Assembly::Assembly() = default;
Assembly::Assembly(Assembly&&) noexcept = default;
Assembly& Assembly::operator=(Assembly&&) noexcept = default;
Assembly::~Assembly() {
  // Stages hold on to what is below them and to their contexts.
  source_.reset();
  stages_.clear();
}

metrics::Driver* Assembly::add_driver(std::string_view name) {
  if (context_.metrics == nullptr) return nullptr;
  drivers_.push_back(std::make_unique<metrics::Driver>(*context_.metrics, *context_.clock, name));
  return drivers_.back().get();
}

const pipeline::Context& Assembly::context_of(const Command& command, bool fused) {
  contexts_.push_back(std::make_unique<pipeline::Context>(context_));
  if (fused) {
    diagnostics_.push_back(std::make_unique<StageDiagnostics>(*context_.diagnostics, command.name));
    contexts_.back()->diagnostics = diagnostics_.back().get();
  }
  return *contexts_.back();
}

Result<Assembly> Assembly::build(std::vector<Link> links, bool fused, const pipeline::Context& context, tail::Handover* handover) {
  Plan plan;
  plan.fused = fused;
  plan.handover = handover;
  return put_together(std::move(links), std::move(plan), context, Purpose::run);
}

Result<Assembly> Assembly::rehearse(std::vector<Link> links, bool fused, const pipeline::Context& context) {
  Plan plan;
  plan.fused = fused;
  return put_together(std::move(links), std::move(plan), context, Purpose::rehearsal);
}

Result<Assembly> Assembly::put_together(std::vector<Link> links, Plan begun, const pipeline::Context& context, Purpose purpose) {
  if (auto ok = check_chain(links); !ok) return std::move(ok).error();
  Assembly assembly;
  Plan plan = std::move(begun);  // goes before the assembly, whose diagnostics its pods use
  assembly.context_ = context;
  if (purpose == Purpose::rehearsal) assembly.context_.metrics = nullptr;
  for (const auto& link : links) {
    // The time zone is the process's.
    if (plan.fused && !link.parsed.invocation->output().zone.empty()) {
      return cannot_stand(link, "cannot have a time zone of its own within weir run", "set it for all: TZ=UTC weir run …");
    }
  }
  assembly.context_.driver = assembly.add_driver(kChain);
  assembly.contexts_.push_back(std::make_unique<pipeline::Context>(assembly.context_));
  const auto& first_context = *assembly.contexts_.front();  // of what reads standard input, and of who drives
  const bool fused = plan.fused;
  plan.last_usable = fused && !context.strict_start;
  plan.ends_in_sink = links.back().parsed.role() == Role::sink;
  plan.levels_known = links.front().parsed.role() != Role::source;
  plan.stdout_is_terminal = is_terminal(1);
  if (fused) {
    for (const auto& link : links) {
      auto keeper = link.parsed.invocation->keeper();
      if (!keeper) continue;
      plan.keeper = std::move(keeper);
      if (plan.handover != nullptr && !link.parsed.invocation->is_buffer()) plan.read_files = std::make_shared<tail::ReadFiles>();
    }
  }
  for (const auto& link : links) {
    if (purpose != Purpose::run || plan.pods != nullptr) break;
    auto pods = link.parsed.invocation->pods(plan, assembly.context_of(*link.parsed.command, fused));
    if (!pods) return link.located(std::move(pods).error());
    plan.pods = *std::move(pods);
    plan.pod_filter = link.parsed.invocation->pod_filter();
  }
  bool open_end = true;
  for (std::size_t i = 0; i < links.size(); ++i) {
    const auto& link = links[i];
    plan.first = i == 0;
    plan.last = i + 1 == links.size();
    plan.before_buffer = std::any_of(links.begin() + static_cast<std::ptrdiff_t>(i) + 1, links.end(),
                                     [](const Link& later) { return later.parsed.invocation->is_buffer(); });
    auto& invocation = *link.parsed.invocation;
    const bool drives = invocation.is_buffer() && link.parsed.role() != Role::sink;
    if (drives && !assembly.drivers_.empty()) {
      // With the number that the chain has.
      const std::string& chain = assembly.drivers_.front()->name();
      assembly.context_.driver_below = assembly.add_driver("drain" + chain.substr(kChain.size()));
    }
    const auto& own_context = assembly.context_of(*link.parsed.command, fused);
    if (drives) assembly.context_.driver = std::exchange(assembly.context_.driver_below, nullptr);
    auto built = purpose == Purpose::run ? invocation.build(plan, own_context) : invocation.rehearse(plan, own_context);
    if (!built) return link.located(std::move(built).error());
    if (built->source != nullptr) {
      if (!plan.first) return not_first(link);
      assembly.source_ = std::move(built->source);
      if (built->stage != nullptr) assembly.stages_.push_back(std::move(built->stage));
    } else if (built->stage != nullptr) {
      assembly.stages_.push_back(std::move(built->stage));
    } else if (purpose == Purpose::run) {
      return link.located(base::fail(Code::bug, "{} built nothing", link.parsed.command->name));
    }
    if (built->sink && !plan.last) return nothing_behind(link);
    open_end = !built->sink;
    plan.behind_buffer = plan.behind_buffer || link.parsed.invocation->is_buffer();
    plan.pods_asked = plan.pods_asked || invocation.asks_for_pods();
    plan.levels_known = plan.levels_known || link.parsed.invocation->sets_level();
  }
  if (links.front().parsed.role() != Role::source) {
    pipeline::JsonlSourceOptions options;
    options.strict = links.front().parsed.strict;
    assembly.source_ = pipeline::make_jsonl_source(options, first_context);
    assembly.reads_standard_input_ = true;
  }
  if (open_end) {
    const auto& link = links.back();
    assembly.contexts_.push_back(std::make_unique<pipeline::Context>(assembly.context_));
    assembly.stages_.push_back(stages::make_output_sink(link.parsed.invocation->last_output(), *assembly.contexts_.back()));
    assembly.writes_standard_output_ = true;
  }
  context.stop->allow(!assembly.reads_standard_input_ ? kDrainSource : open_end ? kDrainBetween : kDrainLast);
  assembly.links_ = std::move(links);
  return assembly;
}

// Whether the next start goes on where this run was cut short.
bool Assembly::goes_on() const {
  const auto keeps = [](const auto& stage) { return stage->keeps_positions(); };
  return source_->is_tracked() && (source_->keeps_positions() || std::ranges::any_of(stages_, keeps));
}

Result<Exit> Assembly::run() {
  if (reads_standard_input_ && is_terminal(0)) {
    context_.diagnostics->say("waiting for JSON lines on standard input, as `weir tail -o jsonl` writes them; Ctrl-D ends them");
  }
  base::forget_code_of_loading();
  auto result = pipeline::run_chain(*source_, stages_, *contexts_.front());
  // What was counted while the stages finished.
  for (const auto& driver : drivers_) driver->end();
  const auto say_summary = [&](const auto& part, const Counters& counters) {
    // Of what an error kept from beginning, the error is all there is to say.
    if (!result.ended && counters.records_in == 0 && counters.records_out == 0) return;
    const std::string text = part.summary();
    if (text.empty()) return;
    context_.diagnostics->say(diagnostics_.empty() ? text : fmt::format("{}: {}", part.name(), text));
  };
  say_summary(*source_, result.source);
  for (std::size_t i = 0; i < stages_.size(); ++i) say_summary(*stages_[i], result.stages[i].second);

  // A signal is how a chain that follows ends: it must not hide that something was lost for good, also where it cut the end short.
  // Where positions are kept, nothing else is lost by that: the next start goes on with what was left.
  bool is_lossy = result.source.lost > 0;
  for (const auto& [name, counters] : result.stages) is_lossy = is_lossy || counters.lost > 0;
  if (!result.ended) {
    const bool by_signal = result.ended.error().code == Code::interrupted && context_.stop->signal() != 0;
    if (!by_signal || (!is_lossy && !goes_on())) return std::move(result.ended).error();
    context_.diagnostics->report(result.ended.error());
  }
  if (is_lossy) return Exit::incomplete;
  if (const auto by_signal = exit_of_signal(context_.stop->signal(), Exit::ok); by_signal != Exit::ok) return by_signal;
  bool is_incomplete = incomplete(result.source);
  for (const auto& [name, counters] : result.stages) is_incomplete = is_incomplete || incomplete(counters);
  if (is_incomplete) return Exit::incomplete;
  for (const auto& link : links_) {
    if (const auto verdict = link.parsed.invocation->verdict(result); verdict != Exit::ok) return verdict;
  }
  return Exit::ok;
}

Result<Exit> run_command(ParsedCommand parsed, const pipeline::Context& context) {
  use_zone(parsed.invocation->output().zone);
  if (parsed.role() == Role::action) return parsed.invocation->act(context);
  parsed.metrics->shown_elsewhere = parsed.invocation->shows_metrics();
  auto endpoint = monitor::Endpoint::start(*parsed.metrics, context);
  if (!endpoint) return std::move(endpoint).error();
  const bool zero = parsed.exit_zero_on_term;
  std::vector<Link> links;
  links.push_back({std::move(parsed), nullptr});
  auto assembly = Assembly::build(std::move(links), false, (*endpoint)->context());
  if (!assembly) return std::move(assembly).error();
  (*endpoint)->begun();
  auto exit = assembly->run();
  return exit && zero ? zero_on_term(*exit) : std::move(exit);
}

Exit fail_with(const Error& error, const pipeline::Context& context) {
  context.diagnostics->report(error);
  const auto exit = exit_of(error.code);
  return error.code == Code::interrupted ? exit_of_signal(context.stop->signal(), exit) : exit;
}

}  // namespace weir::cli
