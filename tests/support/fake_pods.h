// Pods that a test knows of, in place of those of a node.
#pragma once

#include "kube/pods.h"

#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::test {

class FakePods : public kube::Pods {
 public:
  [[nodiscard]] kube::PodDirectory& directory() override { return directory_; }
  void ask(const kube::PodId& id) override {
    const std::lock_guard lock(mutex_);
    asked_.emplace_back(id.uid);
    calls_.emplace_back("ask");
  }
  void used() override {
    const std::lock_guard lock(mutex_);
    calls_.emplace_back("used");
  }
  [[nodiscard]] kube::PodsStatus status() const override {
    const std::lock_guard lock(mutex_);
    kube::PodsStatus status = status_;
    status.pods = directory_.size();
    return status;
  }

  void set_status(kube::PodsStatus status) {
    if (status.fresh) directory_.sweep(0);  // a list came: these are all
    const std::lock_guard lock(mutex_);
    status_ = std::move(status);
  }
  [[nodiscard]] std::vector<std::string> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  // ask() and used(), in their order.
  [[nodiscard]] std::vector<std::string> calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

 private:
  kube::PodDirectory directory_;
  mutable std::mutex mutex_;
  std::vector<std::string> asked_, calls_;
  kube::PodsStatus status_;
};

inline kube::Pod pod(std::string uid, std::string namespace_name, std::string name, kube::Pod::Values labels = {},
                     kube::Pod::Values annotations = {}) {
  kube::Pod made;
  made.uid = std::move(uid);
  made.namespace_name = std::move(namespace_name);
  made.name = std::move(name);
  made.labels = std::move(labels);
  made.annotations = std::move(annotations);
  return made;
}

}  // namespace weir::test
