// The pipelines of `weir run` while they run, each on a thread of its own, and how a changed text replaces some of them.
//
// A pipeline is in one of three states:
//
//   running   its chain is driven by its thread
//   ending    a reload asked its Stop for a drain; its thread still drives it
//   ended     its thread has returned
//
// Events, all taken by the thread that calls run():
//
//   a pipeline ended by itself, or by the Stop of all    its outcome counts; an error asks all for a drain. A reload does not start
//                                                        it again while its words stay the same
//   a pipeline ended because a reload asked for it       its outcome does not count, an error is reported; its Assembly is
//                                                        destroyed, which frees its locks
//   the last that a reload asked to end has ended        all new pipelines are built and run; where one cannot start, the old one
//                                                        that stood in its place runs again
//   a reload is asked for                                the text is read, checked and rehearsed; pipelines whose words are the
//                                                        same run on, all others are asked to end. A text with a mistake, or that
//                                                        names files which a start would not find, changes nothing: the mistake is
//                                                        reported
//
// Deleted log files that the old pipelines have open pass to the new ones (tail/handover.h), and are closed when all of those are
// built.
//
// Nothing new is built while something old is still there, because the new text may give the spool of one pipeline to another. What
// a pipeline had taken from its source when it was asked to end is drained, as after a signal, for as long as its stages may drain.
#pragma once

#include "base/wake.h"
#include "cli/assemble.h"
#include "cli/pipeline_text.h"
#include "metrics/registry.h"
#include "tail/handover.h"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

namespace weir::cli {

class PipelineSet {
 public:
  // Reads the text again: what should run from now on.
  using Reload = std::function<base::Result<std::vector<PipelineEntry>>()>;

  // `commands` and what `context` points at outlive the set. Without `reload`, a reload changes nothing.
  PipelineSet(std::span<const Command* const> commands, const pipeline::Context& context, Reload reload = nullptr);
  ~PipelineSet();
  PipelineSet(const PipelineSet&) = delete;
  PipelineSet& operator=(const PipelineSet&) = delete;

  // Builds all of them before the first record moves.
  base::Result<void> build(const std::vector<PipelineEntry>& entries) { return make_all(entries, false); }
  // In place of build(): finds what it would find wrong with the files and variables that the pipelines name, one after the other,
  // without writing anything or keeping anybody out. What comes of it is not to be run.
  base::Result<void> rehearse(const std::vector<PipelineEntry>& entries) { return make_all(entries, true); }

  // Calls `taken` whenever a reload was accepted: the entries that `reload` gave last are what is to run. Set before run().
  void on_reload(std::function<void()> taken) { taken_ = std::move(taken); }

  // What runs is not what the text says now, because that has a mistake. Until a reload is accepted, metrics show it.
  void note_broken_text() { broken_texts_.set(1); }

  // Runs until all have ended. Blocks. The first error, or the gravest exit code.
  base::Result<Exit> run();

 private:
  struct Slot;
  struct Change {
    PipelineEntry wanted;
    std::optional<PipelineEntry> old;  // what runs again where it cannot start
  };
  base::Result<void> make_all(const std::vector<PipelineEntry>& entries, bool rehearsal);
  base::Result<std::unique_ptr<Slot>> make(const PipelineEntry& entry, bool rehearsal = false);
  base::Result<void> claim(const Slot& slot) const;
  base::Result<void> start(Slot& slot);
  void collect_ended();
  void start_waiting();
  base::Result<void> start_new(const PipelineEntry& entry);
  base::Result<void> replace(std::vector<PipelineEntry> wanted);
  void fail(base::Error error);

  const std::span<const Command* const> commands_;
  const pipeline::Context& context_;
  const Reload reload_;
  std::function<void()> taken_;
  base::Wake wake_;  // rung by a thread that ends, and by reloads
  tail::Handover handover_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Change> changes_;          // to be made when nothing is ending any more
  std::vector<PipelineEntry> finished_;  // ended by themselves, since the text names them
  int reloads_ = 0;                      // those that were taken; one that came before the text was read only reads it once more
  std::optional<base::Error> error_;
  Exit exit_ = Exit::ok;
  metrics::Block block_;  // written by the thread that calls run()
  metrics::Counter reloads_taken_, reload_failures_;
  metrics::Gauge pipelines_running_, broken_texts_;
};

}  // namespace weir::cli
