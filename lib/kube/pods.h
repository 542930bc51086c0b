// Keeps a PodDirectory up to date with the pods of one node: from the API server or from the kubelet, with a cache on disk.
//
// One thread (that of the HTTP client), one connection, bounded memory. It starts with start(); before that, nothing is loaded. It
// never stops collection: while nobody answers, the directory keeps what it knows.
//
// api      list and watch of PartialObjectMetadata with fieldSelector=spec.nodeName=NODE (resource_watch.h). A list that succeeded
//          sweeps the directory.
// kubelet  GET /pods of the kubelet when somebody asks for a pod that is not known (ask()), at most every 2 seconds. A pod is asked
//          for three times, then every 5 minutes (ask_plan.h). While records of pods come (used()), the list is 5 minutes old at
//          most: so long it takes until a changed label, a new weir.io/exclude or the end of a pod shows, or until the next unknown
//          pod. An idle chain asks nobody and wakes nobody. A token that was refused is tried again when its file has changed, 5
//          seconds later at most. Needs the right nodes/pods (Kubernetes 1.33).
//
// The cache is read before anything is asked, and written kFirstWrite after the start and at most every kBetweenWrites then, on the
// thread of the HTTP client, and at the end. One that is damaged or of another release is warned about, ignored and replaced. A
// file that is none stays as it is, and then there is no cache.
#pragma once

#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/result.h"
#include "kube/access.h"
#include "kube/pod_directory.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace weir::kube {

struct PodsSpec {
  enum class From : std::uint8_t { api, kubelet };
  From from = From::api;
  Access access;                  // of the API server
  std::string node;               // the node's name; needed by api
  std::string kubelet;            // https://IP:10250
  std::string kubelet_ca;         // PEM; "" with kubelet_insecure
  bool kubelet_insecure = false;  // the certificate of the kubelet is not checked
  WantedNames wanted;             // pod-template-hash is always wanted: workload_of() needs it
  std::string cache_file;         // "" for none
};

// What is going on, for metrics and `run --check`. A copy. What is counted only grows.
struct PodsStatus {
  std::uint64_t pods = 0;        // known, also those that are gone
  std::uint64_t lists = 0;       // requests for all pods that were sent
  std::uint64_t watches = 0;     // api: watches that were begun
  std::uint64_t events = 0;      // api: pods that a watch reported as added, changed or deleted
  std::uint64_t failures = 0;    // requests that ended with anything but success; also a watch that ended before its time
  std::uint64_t unreadable = 0;  // pods that were skipped: larger than 4 MiB, or not what was expected
  bool fresh = false;            // api: a list was whole and the watch is open. kubelet: the latest request succeeded
  base::Monotonic fresh_at = base::kNever;  // when the server was last heard of
  std::string trouble;  // why the latest request failed. While it is "", an unknown pod may become known soon: wait for it
};

class Pods {
 public:
  static constexpr base::Duration kFirstWrite = 5 * base::kSecond;      // after the start, at the earliest
  static constexpr base::Duration kBetweenWrites = 30 * base::kSecond;  // of the cache

  // Reads the cache, then starts asking. `clock` and `diagnostics` outlive it; `environment` as in pipeline::Context. Trouble with
  // the server is no error: it is warned about (once for each cause) and tried again. Errors: Code::usage (also of a node's name
  // that is none), Code::config (Access; no node's name; a file with a token or a CA that cannot be used; kubelet without
  // kubelet_ca and kubelet_insecure), Code::io (no libcurl, no thread).
  static base::Result<std::unique_ptr<Pods>> start(PodsSpec spec, const char* (*environment)(const char* name), base::Clock& clock,
                                                   base::Diagnostics& diagnostics);
  // The errors of start() that can be told without asking anybody: those of Code::usage and Code::config.
  static base::Result<void> check(const PodsSpec& spec, const char* (*environment)(const char* name),
                                  base::Diagnostics& diagnostics);
  virtual ~Pods() = default;  // stops asking, writes the cache

  [[nodiscard]] virtual PodDirectory& directory() = 0;
  // A log of this pod was found, and directory().find(id) does not know it. Cheap; any thread; may be called once a batch. api:
  // it is said once where the API server has no pod of this node at all: the node's name may be wrong.
  virtual void ask(const PodId& id) = 0;
  // Records of pods come. A load where that is known already; any thread; to be called once a batch. api: nothing happens.
  virtual void used() {}
  [[nodiscard]] virtual PodsStatus status() const = 0;
};

}  // namespace weir::kube
