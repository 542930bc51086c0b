#include "cli/kube_options.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace weir::cli {

void declare_kube(CLI::App& app, kube::Access& access) {
  constexpr const char* kGroup = "Kubernetes";
  app.add_option("--kube-server", access.server,
                 "URL of the API server, for example http://127.0.0.1:8001 of `kubectl proxy` (default: that of the pod)")
      ->type_name("URL")
      ->group(kGroup);
  app.add_option("--kube-token-file", access.token_file, "file with the token for the API server; it is read again when it changes")
      ->type_name("FILE")
      ->group(kGroup);
  app.add_option("--kube-ca", access.ca_file, "PEM file with the authority of the API server's certificate")
      ->type_name("FILE")
      ->group(kGroup);
}

}  // namespace weir::cli
