// How to reach a Kubernetes API server, and as whom.
//
// In a pod everything is there: the environment variables KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT, and the folder
// /var/run/secrets/kubernetes.io/serviceaccount with `token` and `ca.crt`. The kubelet rotates the token about once an hour, so its
// file is read again when it changes (http::ClientConfig::bearer_token_file). Outside of a pod the options say it. `kubectl proxy`
// needs neither token nor CA: `--kube-server http://127.0.0.1:8001`.
// https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
#pragma once

#include "base/diagnostics.h"
#include "base/result.h"
#include "http/client.h"

#include <string>
#include <string_view>

namespace weir::kube {

// As the options say. A plain value; "" where an option is not given.
struct Access {
  std::string server;      // --kube-server URL; "" for the API server of the pod that this process runs in
  std::string token_file;  // --kube-token-file
  std::string ca_file;     // --kube-ca: PEM
  friend bool operator==(const Access&, const Access&) = default;
};

// The folder of the service account, a parameter so that tests have one of their own.
inline constexpr std::string_view kServiceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";

// What the options say, completed from the environment (`environment` as in pipeline::Context; may be null). Token and CA of the
// service account are used only for the server of this pod, never for a --kube-server. Reads no secret. A
// loopback address is asked without a proxy. Errors: Code::usage for a URL that is none, and for a token that would go to another
// machine without TLS; Code::config where there is no --kube-server and this process does not run in a pod: says what to give.
[[nodiscard]] base::Result<http::ClientConfig> client_config(const Access& access, const char* (*environment)(const char* name),
                                                             base::Diagnostics* diagnostics,
                                                             std::string_view service_account = kServiceAccount);

}  // namespace weir::kube
