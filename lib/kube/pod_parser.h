// Reads a pod out of JSON: a PartialObjectMetadata, or a whole Pod as the kubelet gives it. Only `metadata` counts.
// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/
#pragma once

#include "kube/pod.h"

#include <memory>
#include <optional>
#include <string_view>

namespace weir::kube {

// Not thread safe. Keeps the memory of one object of ordinary size.
class PodParser {
 public:
  static constexpr std::size_t kMostValue = 1024;  // bytes of a label or annotation; the rest is cut off, between two characters

  explicit PodParser(WantedNames wanted);
  ~PodParser();

  // Nothing: this is no object with a uid, a namespace and a name, or these are longer than Kubernetes allows. A label or
  // annotation that is no text counts as absent.
  [[nodiscard]] std::optional<Pod> parse(std::string_view object);
  [[nodiscard]] const WantedNames& wanted() const { return wanted_; }

 private:
  struct State;
  const WantedNames wanted_;
  std::unique_ptr<State> state_;
};

}  // namespace weir::kube
