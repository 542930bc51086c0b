// Keeps a PodDirectory up to date with the pods of one node: from the API server or from the kubelet, with a cache on disk.
//
// One thread (that of the HTTP client), one connection, bounded memory. It starts with start(); before that, nothing is loaded. It
// never stops collection: while nobody answers, the directory keeps what it knows.
//
// api      list and watch of PartialObjectMetadata with fieldSelector=spec.nodeName=NODE (resource_watch.h). A list that succeeded
//          sweeps the directory.
// kubelet  GET /pods of the kubelet when somebody asks for a pod that is not known (ask()), at most every 2 seconds. A uid is asked
//          for three times, then every 5 minutes. Needs the right nodes/pods (Kubernetes 1.33).
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
  Access access;           // of the API server
  std::string node;        // the node's name; needed by api
  std::string kubelet;     // https://IP:10250
  std::string kubelet_ca;  // PEM; "" with kubelet_insecure
  bool kubelet_insecure = false;
  WantedNames wanted;
  std::string cache_file;  // "" for none
};

// What is going on, for metrics and `run --check`. A copy.
struct PodsStatus {
  std::uint64_t pods = 0;  // known, also those that are gone
  std::uint64_t lists = 0, watches = 0, events = 0,
                failures = 0;               // requests that were made, events that came, requests that failed
  bool fresh = false;                       // the latest list succeeded, and (api) the watch is open
  base::Monotonic fresh_at = base::kNever;  // when the server was last heard of
  std::string trouble;                      // why not; "" while fresh
};

class Pods {
 public:
  // Reads the cache, then starts asking. `clock` and `diagnostics` outlive it; `environment` as in pipeline::Context. Trouble with
  // the server is no error: it is warned about (once for each cause) and tried again. Errors: Code::usage, Code::config (Access; no
  // node's name; a CA file that is none).
  static base::Result<std::unique_ptr<Pods>> start(PodsSpec spec, const char* (*environment)(const char* name), base::Clock& clock,
                                                   base::Diagnostics& diagnostics);
  virtual ~Pods() = default;  // stops asking, writes the cache

  [[nodiscard]] virtual PodDirectory& directory() = 0;
  // A log of this pod was found, and the directory does not know it. Cheap; may be called once a batch. api: nothing happens.
  virtual void ask(std::string_view uid) = 0;
  // Whether an unknown pod may still become known soon: false when the server cannot be reached, so that waiting for it is of no
  // use.
  [[nodiscard]] virtual PodsStatus status() const = 0;
};

}  // namespace weir::kube
