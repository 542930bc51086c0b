// Pods whose directory a test fills, in place of an API server.
#pragma once

#include "kube/pods.h"

#include <atomic>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace weir::test {

class FakePods : public kube::Pods {
 public:
  [[nodiscard]] kube::PodDirectory& directory() override { return directory_; }
  void ask(std::string_view uid) override {
    const std::lock_guard lock(mutex_);
    asked_.emplace_back(uid);
  }
  [[nodiscard]] kube::PodsStatus status() const override {
    kube::PodsStatus status;
    status.fresh = fresh;
    status.fresh_at = fresh_at;
    return status;
  }

  void put(std::string uid, std::string namespace_name, std::string name, kube::Pod::Values labels = {}, bool excluded = false) {
    kube::Pod pod;
    pod.uid = std::move(uid);
    pod.namespace_name = std::move(namespace_name);
    pod.name = std::move(name);
    pod.labels = std::move(labels);
    pod.excluded = excluded;
    directory_.put(std::move(pod));
  }
  [[nodiscard]] std::vector<std::string> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

  std::atomic<bool> fresh{true};
  std::atomic<base::Monotonic> fresh_at{base::kNever};

 private:
  kube::PodDirectory directory_;
  mutable std::mutex mutex_;
  std::vector<std::string> asked_;
};

}  // namespace weir::test
