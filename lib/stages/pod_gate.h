// What stands in front of enrich where it knows the pods of a node: it lets records of unknown pods wait (pod_wait.h), and drops
// those of excluded ones.
//
// What happens to a record
//
//   its log waits              it waits behind the others of its log, whatever is known by now
//   no pod (no uid, no names)  passes
//   known                      passes
//   excluded                   is dropped, counted, and leaves a position marker (record/dropped_positions.h), also a record that
//                              reports a gap: what was lost is of a log that nobody wants, and in one process it would not be
//                              there, since tail does not open the log. Tail says on stderr and in its own counters that something
//                              was lost
//   awaited                    waits, until the pod is known or its time is over
//   given up                   passes: enrich takes from its path what there is
//
// A record that comes out of a spool (source of kind block) or of its rejected store never waits: whoever delivers it acknowledges
// what later records overtake. It passes with what is known now.
//
// What waits goes on
//   with the next batch, nudge or ring after the directory changed, if its pod is known then;
//   when its time is over, with the next batch or nudge: nudge() says when;
//   at the end: before a marker `begin`, `end` or `rejected`, since the numbers of logs mean something within one stream only, and
//   in finish(). There enrich waits, so that the last records of a log get their labels, and those of an excluded pod do not get
//   through. A stop that was asked for, and flush(), let everything go at once;
//   and while more than PodWait::kEnough bytes wait, with nothing read meanwhile: hold_back() blocks until the oldest time is over,
//   so that a burst of new pods costs no record its labels. It blocks in vain where the pods are long gone and only their logs are
//   left. So when it has blocked for kMostVain times `wait` and no pod became known, it lets everything go at once, until a pod
//   becomes known or a minute is over: the other logs must not wait for what does not come.
//
// Markers of a log that waits wait with it, in order: its positions never overtake a record that waits. Those that came before its
// first record do not wait, and its records never overtake them: without the marker `generation` nobody below knows the log. A kill
// loses and repeats nothing: what waits was never acknowledged, and is read again.
#pragma once

#include "metrics/driver.h"
#include "metrics/registry.h"
#include "pipeline/stage.h"
#include "record/dropped_positions.h"
#include "stages/pod_knowledge.h"
#include "stages/pod_wait.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace weir::stages {

// For the thread that drives the chain.
class PodGate {
 public:
  // What may go on: enriches the batch and emits it.
  using PassOn = std::function<pipeline::Result<pipeline::Flow>(record::Batch&)>;

  // `block` is that of the stage; context.clock and context.stop are needed.
  PodGate(std::shared_ptr<PodKnowledge> knowledge, metrics::Block& block, const pipeline::Context& context);
  ~PodGate();
  PodGate(const PodGate&) = delete;  // the directory has the address of its Wake
  PodGate& operator=(const PodGate&) = delete;

  pipeline::Result<void> attach(base::Wake& wake);
  // Passes on what need not wait any more. Before each batch.
  pipeline::Result<pipeline::Flow> let_due_go(const PassOn& pass);
  // Takes out of `batch` what waits and what is dropped. Its `records` have been counted as come in.
  pipeline::Result<pipeline::Flow> sift(record::Batch& batch, std::uint64_t records, const PassOn& pass);
  // After the rest of the batch went on, when everything is counted: waits while too much waits.
  pipeline::Result<pipeline::Flow> hold_back(const PassOn& pass);
  // When to call again.
  pipeline::Result<pipeline::Monotonic> nudge(pipeline::Monotonic now, const PassOn& pass);
  // Nothing waits afterwards. At once …
  pipeline::Result<pipeline::Flow> let_all_go(const PassOn& pass);
  // … or when the pods are known, or their time is over. At once where the chain was asked to stop.
  pipeline::Result<pipeline::Flow> wait_for_all(const PassOn& pass);
  // Nobody rings any more.
  void finish();

 private:
  struct Seen {
    PodKnowledge::View view;
    std::uint64_t version = 0;
    base::Monotonic until = 0;  // looked up again then, and when the version moved
  };
  struct StringHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  enum class Verdict : std::uint8_t { pass, wait, drop };

  static constexpr int kMostVain = 3;
  static constexpr base::Duration kVainFor = base::kMinute;

  pipeline::Result<pipeline::Flow> wait_for_pods(std::size_t enough, const PassOn& pass);
  pipeline::Result<pipeline::Flow> let_go(pipeline::Monotonic now, bool all, const PassOn& pass);
  pipeline::Result<pipeline::Flow> pass_front(const record::Batch& batch, std::size_t size, const PassOn& pass);
  pipeline::Result<pipeline::Flow> sieve(record::Batch& batch, pipeline::Monotonic now, const PassOn* pass);
  Verdict judge(const record::Record& record, pipeline::Monotonic now);
  const Seen& look(const kube::PodId& id, pipeline::Monotonic now);
  void count();

  const std::shared_ptr<PodKnowledge> knowledge_;
  const pipeline::Context context_;
  base::Wake* wake_ = nullptr;
  base::Wake bell_;  // for hold_back(), opened then
  bool listens_ = false;

  PodWait wait_;
  record::Batch ready_;
  record::DroppedPositions dropped_;
  std::uint64_t at_hand_ = 0;        // records of the batch that is being sifted, and that do not wait: in flight as well
  std::uint64_t version_ = 0;        // of the batch at hand
  std::uint64_t asked_version_ = 0;  // what waits was looked up then
  base::Duration vain_ = 0;          // for how long hold_back() blocked since a pod that was waited for became known
  base::Monotonic vain_since_ = 0;
  std::unordered_map<std::string, Seen, StringHash, std::equal_to<>> seen_;  // by PodId::key()

  // The latest record's, for the next one: records come many of a log at a time.
  const record::LabelSet* latest_labels_ = nullptr;
  const record::Label* latest_metadata_ = nullptr;
  std::string_view latest_file_, latest_uid_;  // that its metadata names
  kube::PodId latest_id_;
  const Seen* latest_ = nullptr;  // null: no pod
  std::string key_;

  metrics::Gauge waiting_;
  metrics::Family waited_;
  metrics::Counter excluded_;
};

}  // namespace weir::stages
