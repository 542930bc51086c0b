// --metrics and --metrics-file of every command that moves records.
#pragma once

#include "monitor/endpoint.h"

namespace CLI {
class App;
}

namespace weir::cli {

// `options` must outlive the parse.
void declare_metrics(CLI::App& app, monitor::Options& options);

}  // namespace weir::cli
