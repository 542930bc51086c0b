#include "stages/pod_gate.h"

#include "record/pod_path.h"

#include <poll.h>

#include <array>
#include <cerrno>
#include <span>
#include <utility>

namespace weir::stages {
namespace {

using base::Monotonic;
using metrics::Account;
using pipeline::Flow;
using pipeline::Result;
using record::Batch;
using record::Record;
using record::Source;
using State = PodKnowledge::State;

constexpr auto kWaiting = metrics::gauge("weir_enrich_waiting_records", "records",
                                         "Records that wait until the pod of their log is known.", Account::in_flight);
constexpr auto kWaited = metrics::counter("weir_enrich_waited_records_total", "records",
                                          "Records that waited for the pod of their log, by what was known in the end: known, "
                                          "excluded, or unknown, which went on without the pod's labels.",
                                          Account::none, "pod");
constexpr auto kDropped = metrics::counter("weir_enrich_dropped_records_total", "records",
                                           "Records that enrich dropped, by reason.", Account::dropped, "reason");

constexpr std::size_t kMostSeen = 4096;
// For a pod that is not known: the kubelet is asked again by that.
constexpr base::Duration kAskAgain = 2 * base::kSecond;
constexpr std::size_t kReadyBytes = 256 << 10;  // are passed on at once

// As enrich finds it.
kube::PodId id_of(const Record& record) {
  const auto of_path = [](std::string_view path) -> kube::PodId {
    const auto pod = path.empty() ? std::nullopt : record::parse_pod_path(path);
    return pod ? kube::PodId{pod->uid, pod->namespace_name, pod->pod} : kube::PodId();
  };
  kube::PodId id = of_path(record.labels->get("filename"));
  if (id.empty() && !record.metadata.empty()) id = of_path(record::find(record.metadata, "filename"));
  if (!id.uid.empty()) return id;
  if (id.empty()) id = {{}, record.labels->get("namespace"), record.labels->get("pod")};
  id.uid = record::find(record.metadata, "pod_uid");
  return id;
}

}  // namespace

PodGate::PodGate(std::shared_ptr<PodKnowledge> knowledge, metrics::Block& block, const pipeline::Context& context)
    : knowledge_(std::move(knowledge)),
      context_(context),
      waiting_(block.gauge(kWaiting)),
      waited_(block.family(kWaited)),
      excluded_(block.family(kDropped).at("excluded")) {}

PodGate::~PodGate() { finish(); }

Result<void> PodGate::attach(base::Wake& wake) {
  if (auto opened = wake.open(); !opened) return opened;
  wake_ = &wake;
  return {};
}

void PodGate::finish() {
  if (std::exchange(listens_, false)) knowledge_->unlisten(*wake_);
}

// Also asks for a ring only while something waits: otherwise nothing is to be done when the directory changes.
void PodGate::count() {
  waiting_.set(wait_.records() + at_hand_);
  if (wake_ == nullptr || listens_ == !wait_.empty()) return;
  listens_ = !listens_;
  if (listens_)
    knowledge_->listen(*wake_);
  else
    knowledge_->unlisten(*wake_);
}

const PodGate::Seen& PodGate::look(const kube::PodId& id, Monotonic now) {
  const std::string_view key = id.key(key_);
  auto found = seen_.find(key);
  if (found == seen_.end()) found = seen_.emplace(key, Seen{}).first;
  Seen& seen = found->second;
  if (seen.version != version_ || now >= seen.until) {
    seen = {knowledge_->look(id, now), version_, base::kNever};
    if (seen.view.state == State::awaited) seen.until = seen.view.until;
    if (seen.view.state == State::given_up) seen.until = base::after(now, kAskAgain);
  }
  return seen;
}

PodGate::Verdict PodGate::judge(const Record& record, Monotonic now) {
  if (!wait_.empty() && wait_.log_waits(record.source)) return Verdict::wait;
  if (record.sample) return Verdict::pass;
  if (record.labels != latest_labels_ || record.metadata.data() != latest_metadata_) {
    // In a pipe each record has metadata of its own, which says the same.
    const std::string_view file = record::find(record.metadata, "filename"), uid = record::find(record.metadata, "pod_uid");
    const bool same = record.labels == latest_labels_ && file == latest_file_ && uid == latest_uid_;
    latest_labels_ = record.labels;
    latest_metadata_ = record.metadata.data();
    if (!same) {
      latest_file_ = file;
      latest_uid_ = uid;
      latest_id_ = id_of(record);
      latest_ = latest_id_.empty() ? nullptr : &look(latest_id_, now);
    }
  }
  if (latest_ == nullptr) return Verdict::pass;
  if (record.source.kind == Source::Kind::none && !wait_.empty()) {
    if (wait_.pod_waits(latest_id_.key(key_))) return Verdict::wait;
  }
  if (latest_->view.state == State::excluded) return Verdict::drop;
  if (latest_->view.state != State::awaited) return Verdict::pass;
  const bool delivered = record.source.kind == Source::Kind::block || record.source.kind == Source::Kind::rejected;
  return delivered ? Verdict::pass : Verdict::wait;
}

// `pass`: null where nothing may wait any more.
Result<Flow> PodGate::sieve(Batch& batch, Monotonic now, const PassOn* pass) {
  latest_labels_ = nullptr;
  latest_metadata_ = nullptr;
  auto& records = batch.records;
  std::size_t kept = 0;
  std::uint64_t dropped = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Record& record = records[i];
    if (record.is_marker()) {
      using Type = record::Marker::Type;
      const Type type = record.marker->type;
      if (pass != nullptr && wait_.log_waits(record.source)) {
        wait_.add(record);
        continue;
      }
      const bool new_stream = type == Type::begin || type == Type::end || type == Type::rejected;
      if (new_stream && pass != nullptr && !wait_.empty()) {
        kept = dropped_.emit(batch, kept);  // of this batch, and not of what goes on now
        // In front of those that wait: among what is kept is the marker `generation` that introduces a log of theirs.
        if (auto flow = pass_front(batch, std::exchange(kept, 0), *pass); !flow || *flow == Flow::done) return flow;
        if (auto flow = wait_for_all(*pass); !flow || *flow == Flow::done) return flow;
        latest_labels_ = nullptr;
      }
      if (type != Type::position) kept = dropped_.emit(batch, kept);
    } else {
      const Verdict verdict = judge(record, now);
      if (verdict == Verdict::wait && pass != nullptr) {
        --at_hand_;
        if (wait_.log_waits(record.source)) {
          wait_.add(record);
        } else {
          wait_.add(record, latest_id_.key(key_),
                    {std::string(latest_id_.uid), std::string(latest_id_.namespace_name), std::string(latest_id_.name),
                     latest_->view.until});
        }
        continue;
      }
      if (verdict == Verdict::drop) {
        dropped_.dropped(record.source);
        ++dropped;
        continue;
      }
      if (dropped > 0) dropped_.kept(record.source);
    }
    if (kept != i) records[kept] = record;
    ++kept;
  }
  if (kept != records.size()) records.resize(dropped_.emit(batch, kept));
  excluded_.add(dropped);
  return Flow::more;
}

// The first `size` records of the batch. As copies: the others are needed afterwards, and a batch that was passed on is not the
// gate's any more.
Result<Flow> PodGate::pass_front(const Batch& batch, std::size_t size, const PassOn& pass) {
  if (size == 0) return Flow::more;
  Batch front;
  for (const Record& record : std::span(batch.records).first(size)) {
    front.add_copy(record);
    if (!record.is_marker()) --at_hand_;
  }
  count();
  return pass(front);
}

Result<Flow> PodGate::let_due_go(const PassOn& pass) {
  return wait_.empty() ? Result<Flow>(Flow::more) : let_go(context_.clock->monotonic(), false, pass);
}

Result<Flow> PodGate::sift(Batch& batch, std::uint64_t records, const PassOn& pass) {
  const Monotonic now = context_.clock->monotonic();
  at_hand_ = records;
  if (seen_.size() > kMostSeen) seen_.clear();
  version_ = knowledge_->version();
  auto flow = sieve(batch, now, &pass);
  if (flow && *flow == Flow::more) at_hand_ = 0;
  count();
  return flow;
}

Result<Flow> PodGate::let_go(Monotonic now, bool all, const PassOn& pass) {
  if (wait_.empty()) return Flow::more;
  const std::uint64_t version = knowledge_->version();
  if (!all && version == asked_version_ && now < wait_.due()) return Flow::more;
  asked_version_ = version_ = version;
  State state = State::given_up;
  const auto ready = [&](const PodWait::Waiting& one) {
    state = look({one.uid, one.namespace_name, one.pod}, now).view.state;
    return all || state != State::awaited || now >= one.until;
  };
  bool more = true;
  while (more) {
    const std::uint64_t before = wait_.records();
    more = wait_.take(ready_, ready);
    if (more && state != State::given_up && state != State::awaited) vain_ = 0;
    if (more)
      waited_.at(state == State::known ? "known" : state == State::excluded ? "excluded" : "unknown").add(before - wait_.records());
    if (ready_.empty() || (more && ready_.bytes() < kReadyBytes)) continue;
    static_cast<void>(sieve(ready_, now, nullptr));  // waits for nothing, emits nothing
    count();
    auto flow = ready_.empty() ? Result<Flow>(Flow::more) : pass(ready_);
    ready_.clear();
    if (!flow || *flow == Flow::done) return flow;
  }
  ready_ = Batch();
  return Flow::more;
}

Result<Flow> PodGate::wait_for_pods(std::size_t enough, const PassOn& pass) {
  while (!wait_.empty() && wait_.bytes() > enough) {
    const bool stopped = context_.stop->stopped();
    if (!stopped) {
      if (auto opened = bell_.open(); !opened) return std::move(opened).error();
      knowledge_->listen(bell_);
      Result<void> waited;
      if (knowledge_->version() == asked_version_) {
        const metrics::Wait waits(context_.driver, metrics::On::pods);
        if (context_.driver != nullptr) context_.driver->answer(context_.clock->monotonic());
        std::array<pollfd, 2> fds = {{{bell_.fd(), POLLIN, 0}, {context_.stop->fd(), POLLIN, 0}}};
        const int ready = ::poll(fds.data(), fds.size(), base::poll_timeout(context_.clock->monotonic(), wait_.due()));
        if (ready < 0 && errno != EINTR) waited = base::io_error(errno, "wait for the pods of records");
        bell_.hear();
      }
      knowledge_->unlisten(bell_);
      if (!waited) return std::move(waited).error();
    }
    // A chain that is about to end waits for nothing.
    if (auto flow = let_go(context_.clock->monotonic(), stopped, pass); !flow || *flow == Flow::done) return flow;
  }
  return Flow::more;
}

Result<Flow> PodGate::hold_back(const PassOn& pass) {
  if (wait_.bytes() <= PodWait::kEnough) return Flow::more;
  const Monotonic begun = context_.clock->monotonic();
  if (vain_ >= kMostVain * knowledge_->spec().wait) {
    if (begun < base::after(vain_since_, kVainFor)) return let_go(begun, true, pass);
    vain_ = 0;
  }
  if (vain_ == 0) vain_since_ = begun;
  vain_ += 1;  // so that it is 0 afterwards only if a pod became known
  auto flow = wait_for_pods(PodWait::kEnough, pass);
  if (vain_ > 0) vain_ += context_.clock->monotonic() - begun;
  return flow;
}

Result<Monotonic> PodGate::nudge(Monotonic now, const PassOn& pass) {
  if (wait_.empty()) return base::kNever;
  if (auto flow = let_go(now, false, pass); !flow) return std::move(flow).error();
  return wait_.due();
}

Result<Flow> PodGate::let_all_go(const PassOn& pass) { return let_go(context_.clock->monotonic(), true, pass); }

Result<Flow> PodGate::wait_for_all(const PassOn& pass) { return wait_for_pods(0, pass); }

}  // namespace weir::stages
