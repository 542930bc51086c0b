#include "cli/metrics_options.h"

#include "cli/value_options.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <utility>

namespace weir::cli {

void declare_metrics(CLI::App& app, monitor::Options& options) {
  constexpr const char* kGroup = "Metrics";
  add_value(
      app, "--metrics",
      [&options](const std::string& text) -> base::Result<void> {
        auto address = httpd::parse_address(text);
        if (!address) return std::move(address).error();
        options.address = *std::move(address);
        return {};
      },
      "serve metrics and health checks over HTTP at ADDR; `:9123` is 127.0.0.1:9123")
      ->type_name("ADDR")
      ->group(kGroup);
  app.add_option("--metrics-file", options.file, "write the metrics to FILE every 15s, for node_exporter's textfile collector")
      ->type_name("FILE")
      ->group(kGroup);
}

}  // namespace weir::cli
