// How a command shows what its chain does while it runs: over HTTP (--metrics), in a file (--metrics-file) and to systemd. One of
// these lives in each process that moves records, also where nothing is asked for: then it does nothing and costs nothing.
//
//   auto endpoint = Endpoint::start(options, context);   // first: a port in use is an error, and nothing was done
//   auto chain = build(endpoint->context());
//   endpoint->begun();                                   // READY=1, and /-/ready answers 200
//   chain.run();                                         // the chain goes before the endpoint does
//
// Paths: GET /, /metrics, /-/healthy, /-/ready; POST /-/reload, for peers on this machine.
#pragma once

#include "base/result.h"
#include "httpd/address.h"
#include "monitor/health.h"
#include "pipeline/stage.h"

#include <memory>
#include <optional>
#include <string>

namespace weir::monitor {

struct Options {
  std::optional<httpd::Address> address;  // --metrics
  std::string file;                       // --metrics-file
  bool shown_elsewhere = false;  // a stage shows context().metrics by itself (monitor/reading.h), so that there must be some

  [[nodiscard]] bool any() const { return address.has_value() || !file.empty(); }
};

class Endpoint {
 public:
  // What `context` points at outlives it. Where context.metrics is set, that registry is shown, otherwise one of its own. With
  // --metrics it says the address on stderr. Errors: io, full, config.
  static base::Result<std::unique_ptr<Endpoint>> start(const Options& options, const pipeline::Context& context);
  // What a start would find wrong with the world, without doing anything.
  static base::Result<void> rehearse(const Options& options);

  // After everything that counts in its registry is gone.
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // What to build the chain with: `metrics` is null where nobody reads them. Lives as long as the endpoint.
  [[nodiscard]] const pipeline::Context& context() const;

  // The chain runs, or begins in a moment. From any thread.
  void begun();

  // Where it listens; none without --metrics.
  [[nodiscard]] std::optional<httpd::Address> address() const;

 private:
  class Parts;
  explicit Endpoint(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace weir::monitor
