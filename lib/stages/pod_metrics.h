// What enrich shows of the source of its pods (--kubernetes api or kubelet).
#pragma once

#include "kube/pods.h"
#include "metrics/registry.h"

namespace weir::stages {

// For the thread that drives the chain.
class PodMetrics {
 public:
  explicit PodMetrics(metrics::Block& block);
  void show(const kube::PodsStatus& status, base::Monotonic now);

 private:
  metrics::Gauge known_, age_, silent_;
  metrics::Counter lists_, watches_, events_, failures_, unreadable_;
};

}  // namespace weir::stages
