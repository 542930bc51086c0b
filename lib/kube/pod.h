// What weir knows of one pod. An immutable value that threads share by reference.
#pragma once

#include "record/label_set.h"

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::kube {

// Stops collection of a pod's logs, where its value is "true".
inline constexpr std::string_view kExcludeAnnotation = "weir.io/exclude";
// Of a mirror pod, which stands for a static pod: the uid that the kubelet uses in the path of its logs. (metadata.uid is another
// one, given by the API server.) Not counted where it has the form of a UUID, as the uid of every other pod has: it would be a pod
// that claims the logs of another one. Anybody may still give his pod the hash of a static pod: PodDirectory::find() tells them
// apart.
inline constexpr std::string_view kConfigHashAnnotation = "kubernetes.io/config.hash";

// Of the labels and annotations of pods only those that somebody asks for are kept, so that a pod costs 2 KB at most, whatever
// operators write into annotations. kExcludeAnnotation and kConfigHashAnnotation are always read.
struct WantedNames {
  std::set<std::string, std::less<>> labels;
  std::set<std::string, std::less<>> annotations;
  friend bool operator==(const WantedNames&, const WantedNames&) = default;
};

struct Pod {
  using Values = std::vector<std::pair<std::string, std::string>>;  // sorted by name, names unique

  std::string uid;  // as in the path of its logs: of a mirror pod its config hash
  std::string namespace_name;
  std::string name;
  Values labels;                       // those wanted
  Values annotations;                  // those wanted
  std::string owner_kind, owner_name;  // of the owner reference whose `controller` is true; "" without one, and for kind Node
  bool excluded = false;               // kExcludeAnnotation is "true"

  // "" when absent.
  [[nodiscard]] std::string_view label(std::string_view key) const;
  [[nodiscard]] std::string_view annotation(std::string_view key) const;
  friend bool operator==(const Pod&, const Pod&) = default;
};
using PodRef = std::shared_ptr<const Pod>;

// How the path of a log, or what a record says, names a pod. Views. An empty part is not known.
struct PodId {
  std::string_view uid;  // "": in a path of /var/log/containers
  std::string_view namespace_name, name;

  // Nothing to look for.
  [[nodiscard]] bool empty() const { return uid.empty() && (namespace_name.empty() || name.empty()); }
  // Whether the parts that are known are those of this pod.
  [[nodiscard]] bool is(const Pod& pod) const {
    return (uid.empty() || uid == pod.uid) && (namespace_name.empty() || namespace_name == pod.namespace_name) &&
           (name.empty() || name == pod.name);
  }
  // As a text, for tables: UID/NAMESPACE/NAME, in `place`.
  std::string_view key(std::string& place) const;
  friend bool operator==(const PodId&, const PodId&) = default;
};
[[nodiscard]] PodId id_of(const Pod& pod);

// The workload that a pod belongs to, by name rules, without asking for further objects.
//   ReplicaSet with the pod's label pod-template-hash at the end of its name  ->  Deployment, the name without it
//   Job whose name ends in - and 8 or more digits (a CronJob's schedule in minutes)  ->  CronJob
//   anything else  ->  itself
// No owner: both are empty. Views into the pod.
struct Workload {
  std::string_view kind, name;
  friend bool operator==(const Workload&, const Workload&) = default;
};
[[nodiscard]] Workload workload_of(const Pod& pod);

}  // namespace weir::kube
