// What a registry says, as those who ask get it: Prometheus text, health, whether the process is ready, one line of status.
//
// For Endpoint, and for a server that shows this beside what it is for (`weir serve`).
#pragma once

#include "httpd/message.h"
#include "metrics/registry.h"
#include "monitor/health.h"
#include "monitor/process_figures.h"
#include "pipeline/stage.h"

#include <atomic>
#include <string>
#include <vector>

namespace weir::monitor {

// Thread safe.
class Reading {
 public:
  // `context.metrics` is set. What `context` points at outlives the reading.
  explicit Reading(const pipeline::Context& context) : context_(context) {}
  Reading(const Reading&) = delete;  // routes() refer to it
  Reading& operator=(const Reading&) = delete;

  // The chain runs, or begins in a moment: before that, nobody is ready.
  void begun() { has_begun_.store(true); }

  // GET /metrics, /-/healthy and /-/ready. They refer to this object. The probes are open to all.
  [[nodiscard]] std::vector<httpd::Route> routes() const;

  [[nodiscard]] std::string file_text() const;  // as a scrape, without the figures of the process
  [[nodiscard]] Verdict health() const;
  [[nodiscard]] Verdict readiness() const;
  [[nodiscard]] std::string status() const;

 private:
  [[nodiscard]] std::vector<metrics::Sample> read() const;
  [[nodiscard]] std::string scrape() const;

  const pipeline::Context context_;
  const ProcessFigures process_{*context_.clock};
  std::atomic<bool> has_begun_{false};
};

}  // namespace weir::monitor
