#include "cli/pipeline_set.h"

#include "base/thread.h"
#include "cli/pipeline_run.h"

#include <fmt/format.h>

#include <poll.h>

#include <algorithm>
#include <atomic>

namespace weir::cli {
namespace {

using base::Error;
using base::Result;

constexpr auto kPipelines = metrics::gauge("weir_run_pipelines", "pipelines", "Pipelines of `weir run` that run.");
constexpr auto kReloads =
    metrics::counter("weir_run_reloads_total", "reloads", "Times that a changed text of pipelines was taken.");
constexpr auto kFailures = metrics::counter(
    "weir_run_reload_failures_total", "failures",
    "Times that the text of the pipelines had a mistake when it was read again, or that a pipeline of it could not start.");
constexpr auto kBroken = metrics::gauge("weir_run_broken_texts", "texts",
                                        "1 while the text of the pipelines has a mistake, so that an earlier one runs, else 0.");

int severity(Exit exit) {
  switch (exit) {
    case Exit::ok:
      return 0;
    case Exit::negative:
      return 1;
    case Exit::incomplete:
      return 3;
    default:  // a signal
      return 2;
  }
}

}  // namespace

struct PipelineSet::Slot {
  PipelineEntry entry;
  std::unique_ptr<base::Stop> stop;
  pipeline::Context context;  // with `stop`
  std::optional<Assembly> assembly;
  std::thread thread;
  std::optional<Result<Exit>> outcome;
  std::atomic<bool> ended{false};  // `outcome` is there
  bool ending = false;             // a reload asked it to end, and its outcome does not count

  ~Slot() {
    if (thread.joinable()) thread.join();
  }
};

PipelineSet::PipelineSet(std::span<const Command* const> commands, const pipeline::Context& context, Reload reload)
    : commands_(commands),
      context_(context),
      reload_(std::move(reload)),
      block_(context.metrics),
      reloads_taken_(block_.counter(kReloads)),
      reload_failures_(block_.counter(kFailures)),
      pipelines_running_(block_.gauge(kPipelines)),
      broken_texts_(block_.gauge(kBroken)) {}

PipelineSet::~PipelineSet() {
  for (const auto& slot : slots_) slot->stop->request();
}

// Builds the pipeline of an entry; it does not run yet.
Result<std::unique_ptr<PipelineSet::Slot>> PipelineSet::make(const PipelineEntry& entry, bool rehearsal) {
  auto links = read_links(entry, commands_, context_);
  if (!links) return std::move(links).error();
  auto stop = base::Stop::create_child(*context_.stop);
  if (!stop) return std::move(stop).error();
  auto slot = std::make_unique<Slot>();
  slot->entry = entry;
  slot->stop = *std::move(stop);
  slot->context = context_;
  slot->context.stop = slot->stop.get();
  auto assembly = rehearsal ? Assembly::rehearse(*std::move(links), true, slot->context)
                            : Assembly::build(*std::move(links), true, slot->context, reload_ ? &handover_ : nullptr);
  if (!assembly) return std::move(assembly).error();
  slot->assembly.emplace(*std::move(assembly));
  if (auto claimed = claim(*slot); !claimed) return std::move(claimed).error();
  return slot;
}

// Whatever several pipelines would fight over.
Result<void> PipelineSet::claim(const Slot& slot) const {
  const PipelineEntry& entry = slot.entry;
  const auto taken = [&](bool (Assembly::*uses)() const) {
    return std::ranges::any_of(slots_, [&](const auto& other) { return other->assembly && ((*other->assembly).*uses)(); });
  };
  if (slot.assembly->reads_standard_input()) {
    if (taken(&Assembly::reads_standard_input)) {
      return entry.source->error_at(entry.place(), "a second pipeline reads standard input",
                                    "begin it with a source, such as tail");
    }
    if (entry.source->from_standard_input()) {
      return entry.source->error_at(entry.place(), "this pipeline reads records from standard input, where its text came from",
                                    "begin it with a source, such as tail, or put the text in a file");
    }
  }
  if (slot.assembly->writes_standard_output() && taken(&Assembly::writes_standard_output)) {
    return entry.source->error_at(entry.place(), "a second pipeline writes to standard output", "end it with a sink, such as push");
  }
  return {};
}

Result<void> PipelineSet::make_all(const std::vector<PipelineEntry>& entries, bool rehearsal) {
  for (const PipelineEntry& entry : entries) {
    auto slot = make(entry, rehearsal);
    if (!slot) return std::move(slot).error();
    slots_.push_back(*std::move(slot));
  }
  return {};
}

Result<void> PipelineSet::start(Slot& slot) {
  auto thread = base::start_thread("run a pipeline", [this, &slot] {
    slot.outcome.emplace(slot.assembly->run());
    slot.ended.store(true, std::memory_order_release);
    wake_.ring();
  });
  if (!thread) return std::move(thread).error();
  slot.thread = *std::move(thread);
  return {};
}

void PipelineSet::fail(Error error) {
  if (error_) return;
  error_ = std::move(error);
  if (!context_.stop->stopped()) context_.stop->request();
}

Result<Exit> PipelineSet::run() {
  // One that is alone and stays as it is needs no thread.
  pipelines_running_.set(slots_.size());
  if (slots_.size() == 1 && !reload_) return slots_.front()->assembly->run();
  if (auto opened = wake_.open(); !opened) return std::move(opened).error();
  if (reload_) {
    if (auto watched = wake_.watch_event(context_.stop->reload_fd()); !watched) return std::move(watched).error();
  }
  for (auto slot = slots_.begin(); slot != slots_.end(); ++slot) {
    if (auto started = start(**slot); !started) {
      fail(std::move(started).error());
      slots_.erase(slot, slots_.end());  // those that never ran
      break;
    }
  }
  while (!slots_.empty()) {
    pollfd woken = {wake_.fd(), POLLIN, 0};
    ::poll(&woken, 1, -1);
    wake_.hear();
    collect_ended();
    pipelines_running_.set(slots_.size());
    if (!reload_ || reloads_ == context_.stop->reloads() || context_.stop->stopped()) continue;
    reloads_ = context_.stop->reloads();
    auto wanted = reload_();
    if (auto changed = wanted ? replace(*std::move(wanted)) : std::move(wanted).error(); !changed) {
      context_.diagnostics->report(std::move(changed).error().within("the pipelines run on as they were"));
      reload_failures_.add(1);
      broken_texts_.set(1);
    } else {
      reloads_taken_.add(1);
      broken_texts_.set(0);
      if (taken_) taken_();
    }
  }
  // What a signal cut short does not hide what another pipeline lost.
  const bool hides_a_loss = error_ && error_->code == base::Code::interrupted && exit_ == Exit::incomplete;
  if (error_ && !hides_a_loss) return *std::move(error_);
  if (error_) context_.diagnostics->report(*error_);
  // A signal may have come while none was running.
  return exit_ == Exit::ok ? exit_of_signal(context_.stop->signal(), Exit::ok) : exit_;
}

void PipelineSet::collect_ended() {
  for (std::size_t i = 0; i < slots_.size();) {
    if (!slots_[i]->ended.load(std::memory_order_acquire)) {
      ++i;
      continue;
    }
    const auto ended = std::move(slots_[i]);
    slots_.erase(slots_.begin() + static_cast<std::ptrdiff_t>(i));
    ended->thread.join();
    Result<Exit>& outcome = *ended->outcome;
    if (ended->ending && !context_.stop->stopped()) {
      if (!outcome) context_.diagnostics->report(std::move(outcome).error().within("a pipeline that was replaced"));
    } else if (!outcome) {
      fail(std::move(outcome).error());
    } else {
      if (severity(*outcome) > severity(exit_)) exit_ = *outcome;
      finished_.push_back(ended->entry);
    }
  }
  const bool one_ends = std::ranges::any_of(slots_, [](const auto& slot) { return slot->ending; });
  if (!one_ends && !context_.stop->stopped()) start_waiting();
}

void PipelineSet::start_waiting() {
  for (const Change& change : std::exchange(changes_, {})) {
    auto started = start_new(change.wanted);
    if (started) continue;
    if (context_.stop->stopped()) return;  // which ended a wait for a lock
    const std::string_view what =
        change.old ? "the changed pipeline cannot start, and the old one runs again" : "a new pipeline cannot start";
    context_.diagnostics->report(std::move(started).error().within(what));
    reload_failures_.add(1);
    if (!change.old) continue;
    if (auto again = start_new(*change.old); !again) return fail(std::move(again).error());
  }
  handover_.clear();
}

Result<void> PipelineSet::start_new(const PipelineEntry& entry) {
  auto slot = make(entry);
  if (!slot) return std::move(slot).error();
  slots_.push_back(*std::move(slot));
  auto started = start(*slots_.back());
  if (!started) slots_.pop_back();
  return started;
}

Result<void> PipelineSet::replace(std::vector<PipelineEntry> wanted) {
  const auto take = [&wanted](const PipelineEntry& entry) {
    const auto same = std::ranges::find_if(wanted, [&](const PipelineEntry& one) { return one.same_words(entry); });
    if (same == wanted.end()) return false;
    wanted.erase(same);
    return true;
  };
  std::vector<Slot*> changed;
  std::size_t kept = 0;
  for (const auto& slot : slots_) {
    if (!slot->ending && take(slot->entry)) {
      ++kept;
    } else {
      changed.push_back(slot.get());
    }
  }
  std::vector<PipelineEntry> finished;  // what has done its work does not do it again
  std::ranges::copy_if(finished_, std::back_inserter(finished), take);
  if (auto ok = PipelineSet(commands_, context_).rehearse(wanted); !ok) return ok;
  finished_ = std::move(finished);

  std::ranges::sort(changed, {}, [](const Slot* slot) { return slot->entry.place().line; });
  changes_.clear();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    changes_.push_back({std::move(wanted[i]), i < changed.size() ? std::optional(changed[i]->entry) : std::nullopt});
  }
  const std::size_t replaced = std::min(changes_.size(), changed.size());
  context_.diagnostics->say(fmt::format("read the pipelines again: {} unchanged, {} replaced, {} new, {} ended", kept, replaced,
                                        changes_.size() - replaced, changed.size() - replaced));
  for (Slot* const slot : changed) {
    if (!std::exchange(slot->ending, true)) slot->stop->request();
  }
  if (changed.empty()) start_waiting();
  return {};
}

}  // namespace weir::cli
