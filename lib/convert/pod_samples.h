// Pods that are made up, to try relabel rules on: they differ in everything that the rules look at.
#pragma once

#include "convert/relabel.h"
#include "kube/pod.h"

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weir::convert {

inline constexpr std::string_view kMeta = "__meta_kubernetes_";
inline constexpr std::string_view kLabel = "__meta_kubernetes_pod_label_";
inline constexpr std::string_view kAnnotation = "__meta_kubernetes_pod_annotation_";
inline constexpr std::string_view kNode = "node-7";  // where all of them run

// A pod that is made up, one of its containers, and what Promtail's discovery says of it.
struct PodSample {
  kube::Pod pod;
  std::string container;
  Labels meta;
  bool is_static = false;
  std::string path_uid;  // as in the path of its logs
};

class PodSamples {
 public:
  // With and without the labels and annotations that the rules name, with owners of all kinds, and with the values that the rules
  // speak of. The same in every run.
  explicit PodSamples(const std::vector<RelabelRule>& rules);

  [[nodiscard]] const std::vector<PodSample>& all() const { return samples_; }

 private:
  using Names = std::set<std::string, std::less<>>;

  std::size_t random();
  PodSample basic(std::size_t i);
  void add(PodSample sample);
  void mixed(std::size_t i);
  void special(const RelabelRule& rule);

  Names labels_, annotations_;
  std::uint64_t state_ = 42;
  std::vector<PodSample> samples_;
};

}  // namespace weir::convert
