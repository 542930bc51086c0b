// --kube-server, --kube-token-file and --kube-ca of every command that asks a Kubernetes API server.
#pragma once

#include "kube/access.h"

namespace CLI {
class App;
}

namespace weir::cli {

// Adds the options to `app` in the group "Kubernetes". `access` must outlive the parse. kube::client_config() checks the values.
void declare_kube(CLI::App& app, kube::Access& access);

}  // namespace weir::cli
