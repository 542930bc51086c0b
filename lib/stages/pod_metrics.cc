#include "stages/pod_metrics.h"

#include <algorithm>

namespace weir::stages {
namespace {

constexpr auto kKnownPods =
    metrics::gauge("weir_enrich_known_pods", "pods", "Pods of this node that enrich knows; those that are gone count for an hour.");
constexpr auto kPodsAge = metrics::gauge("weir_enrich_pods_age_seconds", "seconds",
                                         "How long ago enrich last heard of the pods of this node; +Inf when it never did.");
constexpr auto kSilent = metrics::gauge("weir_enrich_unreachable_pod_sources", "sources",
                                        "1 while the API server or kubelet that enrich asks for pods does not answer, else 0.");
constexpr auto kPodLists =
    metrics::counter("weir_enrich_pod_lists_total", "lists", "Times that enrich asked for all pods of this node.");
constexpr auto kPodWatches =
    metrics::counter("weir_enrich_pod_watches_total", "watches", "Times that enrich asked to be told of changes of pods.");
constexpr auto kPodEvents = metrics::counter("weir_enrich_pod_events_total", "events", "Changes of pods that enrich was told of.");
constexpr auto kUnreadable =
    metrics::counter("weir_enrich_unreadable_pods_total", "pods", "Pods that enrich skipped because it could not read them.");
constexpr auto kPodFailures =
    metrics::counter("weir_enrich_pod_request_failures_total", "failures", "Requests for pods that failed.");

}  // namespace

PodMetrics::PodMetrics(metrics::Block& block)
    : known_(block.gauge(kKnownPods)),
      age_(block.gauge(kPodsAge)),
      silent_(block.gauge(kSilent)),
      lists_(block.counter(kPodLists)),
      watches_(block.counter(kPodWatches)),
      events_(block.counter(kPodEvents)),
      failures_(block.counter(kPodFailures)),
      unreadable_(block.counter(kUnreadable)) {}

void PodMetrics::show(const kube::PodsStatus& status, base::Monotonic now) {
  known_.set(status.pods);
  age_.set(status.fresh_at == base::kNever ? metrics::kInfinite
                                           : static_cast<std::uint64_t>(std::max(now - status.fresh_at, base::Duration{0})));
  silent_.set(status.trouble.empty() ? 0 : 1);
  lists_.reach(status.lists);
  watches_.reach(status.watches);
  events_.reach(status.events);
  failures_.reach(status.failures);
  unreadable_.reach(status.unreadable);
}

}  // namespace weir::stages
