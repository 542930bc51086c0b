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

int severity(Exit exit) {
  switch (exit) {
    case Exit::ok:
      return 0;
    case Exit::negative:
      return 1;
    case Exit::incomplete:
      return 2;
    default:
      return 3;
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
  std::atomic<bool> ended{false};          // `outcome` is there
  bool replaced = false;                   // it was asked to end, and its outcome does not count
  std::optional<PipelineEntry> successor;  // of one that is replaced; none where nothing takes its place

  ~Slot() {
    if (thread.joinable()) thread.join();
  }
};

PipelineSet::PipelineSet(std::span<const Command* const> commands, const pipeline::Context& context, Reload reload)
    : commands_(commands), context_(context), reload_(std::move(reload)) {}

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
                            : Assembly::build(*std::move(links), true, slot->context);
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
    if (!reload_ || reloads_ == context_.stop->reloads() || context_.stop->stopped()) continue;
    reloads_ = context_.stop->reloads();
    auto wanted = reload_();
    if (wanted) {
      replace(*std::move(wanted));
    } else {
      const Error error = std::move(wanted).error().within("the pipelines run on as they were");
      context_.diagnostics->report(error);
    }
  }
  if (error_) return *std::move(error_);
  return exit_;
}

void PipelineSet::collect_ended() {
  for (std::size_t i = 0; i < slots_.size();) {
    if (!slots_[i]->ended.load(std::memory_order_acquire)) {
      ++i;
      continue;
    }
    auto ended = std::move(slots_[i]);
    slots_.erase(slots_.begin() + static_cast<std::ptrdiff_t>(i));
    ended->thread.join();
    if (ended->replaced && !context_.stop->stopped()) {
      go_on(std::move(ended));
      continue;
    }
    Result<Exit>& outcome = *ended->outcome;
    if (!outcome) {
      fail(std::move(outcome).error());
    } else if (severity(*outcome) > severity(exit_)) {
      exit_ = *outcome;
    }
  }
}

// What takes the place of a pipeline that has ended because it was asked to.
void PipelineSet::go_on(std::unique_ptr<Slot> ended) {
  if (!*ended->outcome) context_.diagnostics->report(std::move(*ended->outcome).error().within("a pipeline that was replaced"));
  ended->assembly.reset();
  if (!ended->successor) return;
  auto next = make(*ended->successor);
  if (!next) {
    context_.diagnostics->report(std::move(next).error().within("the changed pipeline cannot start, and the old one runs again"));
    next = make(ended->entry);
  }
  if (!next) return fail(std::move(next).error());
  slots_.push_back(*std::move(next));
  if (auto started = start(*slots_.back()); !started) {
    slots_.pop_back();
    fail(std::move(started).error());
  }
}

void PipelineSet::replace(std::vector<PipelineEntry> wanted) {
  std::vector<Slot*> others;
  std::size_t kept = 0;
  for (const auto& slot : slots_) {
    // One that is ending will be what follows it.
    const PipelineEntry* const is = !slot->replaced ? &slot->entry : slot->successor ? &*slot->successor : nullptr;
    const auto same =
        std::ranges::find_if(wanted, [&](const PipelineEntry& entry) { return is != nullptr && entry.same_words(*is); });
    if (same != wanted.end()) {
      wanted.erase(same);
      ++kept;
    } else {
      others.push_back(slot.get());
    }
  }
  std::size_t replaced = 0, ended = 0, added = 0;
  for (Slot* const slot : others) {
    slot->successor.reset();
    if (!wanted.empty()) {
      slot->successor = std::move(wanted.front());
      wanted.erase(wanted.begin());
      ++replaced;
    } else {
      ++ended;
    }
    if (std::exchange(slot->replaced, true)) continue;
    slot->stop->request();
  }
  for (const PipelineEntry& entry : wanted) {
    auto slot = make(entry);
    Result<void> started;
    if (slot) {
      slots_.push_back(*std::move(slot));
      started = start(*slots_.back());
      if (!started) slots_.pop_back();
    }
    if (slot && started) {
      ++added;
      continue;
    }
    context_.diagnostics->report(
        (slot ? std::move(started).error() : std::move(slot).error()).within("a new pipeline cannot start"));
  }
  context_.diagnostics->say(
      fmt::format("read the pipelines again: {} run on, {} replaced, {} new, {} ended", kept, replaced, added, ended));
}

}  // namespace weir::cli
