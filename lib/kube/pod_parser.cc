#include "kube/pod_parser.h"

#include "base/utf8.h"

#include <simdjson.h>

#include <algorithm>
#include <utility>

namespace weir::kube {

namespace dom = simdjson::dom;

namespace {

// An object beyond this leaves no buffers of its size behind.
constexpr std::size_t kUsualObject = 128 << 10;
// The bounds of Kubernetes are 63 for a namespace and 253 for a name; a uid is a UUID or a hash.
constexpr std::size_t kMostName = 253;

std::string_view text_in(const dom::object& object, std::string_view name) {
  std::string_view text;
  return object[name].get(text) == simdjson::SUCCESS ? text : std::string_view();
}

bool is_name(std::string_view text) { return !text.empty() && text.size() <= kMostName; }

// Anybody who makes a pod chooses its annotations. The uids that the API server gives are UUIDs, and the kubelet's hashes are not:
// so no pod can take the place of another one that the API server made.
bool is_uuid(std::string_view text) {
  constexpr std::size_t kSize = 36;
  return text.size() == kSize && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-';
}

std::string bounded(std::string_view text) {
  if (text.size() <= PodParser::kMostValue) return std::string(text);
  std::size_t end = PodParser::kMostValue;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return std::string(text.substr(0, end));
}

Pod::Values values_in(const dom::object& metadata, std::string_view member, const std::set<std::string, std::less<>>& wanted) {
  Pod::Values values;
  dom::object all;
  if (wanted.empty() || metadata[member].get(all) != simdjson::SUCCESS) return values;
  for (const auto [name, value] : all) {
    std::string_view text;
    if (wanted.find(name) == wanted.end() || value.get(text) != simdjson::SUCCESS) continue;
    values.emplace_back(std::string(name), bounded(text));
  }
  // Of a name that stands twice, which no server writes, the first counts.
  std::ranges::stable_sort(values, {}, [](const auto& pair) { return std::string_view(pair.first); });
  const auto same = std::ranges::unique(values, {}, [](const auto& pair) { return std::string_view(pair.first); });
  values.erase(same.begin(), same.end());
  values.shrink_to_fit();
  return values;
}

// The owner that manages the pod. Of a mirror pod it is the node, which says nothing.
void read_owner(const dom::object& metadata, Pod& pod) {
  dom::array owners;
  if (metadata["ownerReferences"].get(owners) != simdjson::SUCCESS) return;
  for (const dom::element one : owners) {
    dom::object owner;
    bool controls = false;
    if (one.get(owner) != simdjson::SUCCESS || owner["controller"].get(controls) != simdjson::SUCCESS || !controls) continue;
    const std::string_view kind = text_in(owner, "kind"), name = text_in(owner, "name");
    if (kind == "Node" || !is_name(kind) || !is_name(name)) return;
    pod.owner_kind = kind;
    pod.owner_name = name;
    return;
  }
}

}  // namespace

struct PodParser::State {
  dom::parser parser;
};

PodParser::PodParser(WantedNames wanted) : wanted_(std::move(wanted)) {}
PodParser::~PodParser() = default;

std::optional<Pod> PodParser::parse(std::string_view object) {
  if (!state_) state_ = std::make_unique<State>();
  const auto read = [&]() -> std::optional<Pod> {
    dom::object root, metadata;
    if (state_->parser.parse(object.data(), object.size()).get(root) != simdjson::SUCCESS) return std::nullopt;
    if (root["metadata"].get(metadata) != simdjson::SUCCESS) return std::nullopt;
    Pod pod;
    pod.uid = text_in(metadata, "uid");
    pod.namespace_name = text_in(metadata, "namespace");
    pod.name = text_in(metadata, "name");
    if (dom::object annotations; metadata["annotations"].get(annotations) == simdjson::SUCCESS) {
      const std::string_view hash = text_in(annotations, kConfigHashAnnotation);
      if (!hash.empty() && !is_uuid(hash)) pod.uid = hash;
      pod.excluded = text_in(annotations, kExcludeAnnotation) == "true";
    }
    if (!is_name(pod.uid) || !is_name(pod.namespace_name) || !is_name(pod.name)) return std::nullopt;
    pod.labels = values_in(metadata, "labels", wanted_.labels);
    pod.annotations = values_in(metadata, "annotations", wanted_.annotations);
    read_owner(metadata, pod);
    return pod;
  };
  auto pod = read();
  if (object.size() > kUsualObject) state_.reset();
  return pod;
}

}  // namespace weir::kube
