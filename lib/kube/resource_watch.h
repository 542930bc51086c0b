// Follows the objects of one collection of a Kubernetes API server: list, then watch, over and over.
//
//   GET PATH?fieldSelector=F&resourceVersion=0                                the list
//   GET PATH?fieldSelector=F&watch=1&allowWatchBookmarks=true&resourceVersion=RV&timeoutSeconds=N
//
// https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes says what a client does: go on from
// the latest resourceVersion that an object or a BOOKMARK gave; list again after 410 Gone (as a status or as an ERROR event).
//
// The machine of states is in watch_machine.h, its waits are in watch_pace.h. All calls of the handler come from one thread, that
// of the HTTP client, which is the only thread. A watch that has nothing to say wakes nobody.
#pragma once

#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/result.h"
#include "http/client.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace weir::kube {

// What is done with what comes. A text is one JSON object, valid for the time of the call, as the server wrote it. False: it is not
// what was expected (reported once, counted; the watch goes on).
class ResourceHandler {
 public:
  virtual ~ResourceHandler() = default;
  virtual void list_begins() {}
  virtual bool item(std::string_view object) = 0;                     // of a list, or ADDED or MODIFIED
  virtual bool deleted(std::string_view object) = 0;                  // DELETED: its last state
  virtual void list_ends() {}                                         // all items came. Not after a list that broke off
  virtual void tick(base::Timestamp now) { static_cast<void>(now); }  // after a list, and after each piece of a watch
  // After tick(), and when the time comes that it returned last. Returns when it wants to be called again.
  virtual base::Monotonic timer(base::Monotonic now) { return static_cast<void>(now), base::kNever; }
};

struct ResourceWatchSpec {
  std::string path;            // /api/v1/pods
  std::string field_selector;  // spec.nodeName=node-1, not escaped
  bool metadata_only = false;  // PartialObjectMetadata
  // Who starts it says that a right is missing, where that is so from the start; it is not said here too.
  bool starter_tells = false;
  std::size_t max_object = 4 << 20;  // bytes; a larger one is skipped, counted and reported
};

struct ResourceWatchStatus {
  std::uint64_t lists = 0, watches = 0;     // requests that were sent
  std::uint64_t events = 0;                 // ADDED, MODIFIED and DELETED that came
  std::uint64_t failures = 0;               // requests that ended with anything but success; also a watch that ended early
  std::uint64_t unreadable = 0;             // objects that were skipped: too large, or not what was expected
  bool fresh = false;                       // a list was whole and the watch is open
  base::Monotonic heard_at = base::kNever;  // when something came last
  std::string trouble;                      // the latest failure; "" while fresh
};

class ResourceWatch {
 public:
  // Starts at once. `handler`, `clock` and `diagnostics` outlive it. Trouble with the server is no error: it is warned about and
  // tried again. Errors: Code::config (a file of `config` cannot be used), Code::io (no libcurl, no thread).
  static base::Result<std::unique_ptr<ResourceWatch>> start(ResourceWatchSpec spec, http::ClientConfig config,
                                                            ResourceHandler& handler, base::Clock& clock,
                                                            base::Diagnostics& diagnostics);
  virtual ~ResourceWatch() = default;                            // no call of the handler afterwards
  [[nodiscard]] virtual ResourceWatchStatus status() const = 0;  // any thread
};

}  // namespace weir::kube
