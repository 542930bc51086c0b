#include "kube/resource_watch.h"

#include "kube/watch_machine.h"

#include <random>
#include <utility>

namespace weir::kube {
namespace {

class RunningWatch : public ResourceWatch {
 public:
  RunningWatch(ResourceWatchSpec spec, const http::ClientConfig& config, ResourceHandler& handler, base::Clock& clock,
               base::Diagnostics& diagnostics)
      : machine_(std::move(spec), config, handler, clock, diagnostics, std::random_device()()) {}

  base::Result<void> start(http::ClientConfig config, base::Clock& clock) {
    http::AsyncClient::Options options;
    options.max_connections = 1;
    options.timer = [this](base::Monotonic now) { return machine_.timer(now); };
    auto client = http::AsyncClient::create(std::move(config), clock, std::move(options));
    if (!client) return std::move(client).error();
    client_ = *std::move(client);
    machine_.attach(*client_);
    client_->wake();  // before that, the client does not call its timer
    return {};
  }

  [[nodiscard]] ResourceWatchStatus status() const override { return machine_.status(); }

 private:
  WatchMachine machine_;
  std::unique_ptr<http::AsyncClient> client_;  // last: its thread uses the machine
};

}  // namespace

base::Result<std::unique_ptr<ResourceWatch>> ResourceWatch::start(ResourceWatchSpec spec, http::ClientConfig config,
                                                                  ResourceHandler& handler, base::Clock& clock,
                                                                  base::Diagnostics& diagnostics) {
  if (auto good = http::check_files(config); !good) return std::move(good).error();
  auto watch = std::make_unique<RunningWatch>(std::move(spec), config, handler, clock, diagnostics);
  if (auto started = watch->start(std::move(config), clock); !started) return std::move(started).error();
  return std::unique_ptr<ResourceWatch>(std::move(watch));
}

}  // namespace weir::kube
