#include "kube/pod.h"

#include <gtest/gtest.h>

namespace weir::kube {
namespace {

Pod owned_by(std::string kind, std::string name, std::string hash = "") {
  Pod pod;
  pod.owner_kind = std::move(kind);
  pod.owner_name = std::move(name);
  if (!hash.empty()) pod.labels = {{"app", "shop"}, {"pod-template-hash", std::move(hash)}, {"tier", "web"}};
  return pod;
}

TEST(PodTest, WorkloadIsTheOwnerOfTheOwnerByItsName) {
  struct Case {
    Pod pod;
    Workload workload;
  };
  const Case cases[] = {
      {owned_by("ReplicaSet", "web-5d8f7c9b4", "5d8f7c9b4"), {"Deployment", "web"}},
      {owned_by("ReplicaSet", "web-5d8f7c9b4"), {"ReplicaSet", "web-5d8f7c9b4"}},
      {owned_by("ReplicaSet", "web-5d8f7c9b4", "7c9b4"), {"ReplicaSet", "web-5d8f7c9b4"}},
      {owned_by("ReplicaSet", "-5d8f7c9b4", "5d8f7c9b4"), {"ReplicaSet", "-5d8f7c9b4"}},
      {owned_by("Job", "backup-29384400"), {"CronJob", "backup"}},
      {owned_by("Job", "backup-2938440"), {"Job", "backup-2938440"}},
      {owned_by("Job", "backup-2938440a"), {"Job", "backup-2938440a"}},
      {owned_by("Job", "-29384400"), {"Job", "-29384400"}},
      {owned_by("DaemonSet", "node-29384400"), {"DaemonSet", "node-29384400"}},
      {owned_by("", ""), {"", ""}},
  };
  for (const Case& one : cases) EXPECT_EQ(workload_of(one.pod), one.workload) << one.pod.owner_name;
}

TEST(PodTest, LabelsAreFoundByName) {
  const Pod pod = owned_by("", "", "abc");
  EXPECT_EQ(pod.label("app"), "shop");
  EXPECT_EQ(pod.label("tier"), "web");
  EXPECT_EQ(pod.label("ap"), "");
  EXPECT_EQ(pod.label("zone"), "");
  EXPECT_EQ(pod.annotation("app"), "");
}

}  // namespace
}  // namespace weir::kube
