// The options of every command that talks to Loki (push, query), with logcli's names and LOKI_* environment.
#pragma once

#include "base/diagnostics.h"
#include "base/result.h"
#include "http/client.h"

#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace weir::cli {

inline constexpr std::string_view kDefaultLokiUrl = "http://localhost:3100";

// Filled by parsing.
struct LokiOptions {
  std::string url;                   // --addr, or the command's positional URL; "" for LOKI_ADDR, else http://localhost:3100
  std::string tenant;                // --tenant, --org-id, LOKI_ORG_ID: sent as X-Scope-OrgID by the caller
  std::string username;              // --username, LOKI_USERNAME
  std::string password;              // --password, LOKI_PASSWORD
  std::string password_file;         // --password-file
  std::string bearer_token;          // --bearer-token, LOKI_BEARER_TOKEN
  std::string bearer_token_file;     // --bearer-token-file, LOKI_BEARER_TOKEN_FILE
  std::string ca_cert;               // --ca-cert, LOKI_CA_CERT_PATH
  std::string cert, key;             // --cert, --key, LOKI_CLIENT_CERT_PATH, LOKI_CLIENT_KEY_PATH
  bool tls_skip_verify = false;      // --tls-skip-verify, LOKI_TLS_SKIP_VERIFY
  std::string proxy;                 // --proxy-url, LOKI_HTTP_PROXY_URL
  std::vector<std::string> headers;  // --header 'Name: value', repeatable
  base::Duration timeout = 30 * base::kSecond;  // --timeout: of one request
};

struct LokiDefaults {
  bool addr_option = true;     // declare --addr; false where the URL is only positional
  bool timeout_option = true;  // declare --timeout; false where the command has another one
  bool spool = false;          // --tenant is also a filter of records that a spool holds
};

// Adds the options to `app` in the group "Loki". `options` must outlive the parse.
void declare(CLI::App& app, LokiOptions& options, const LokiDefaults& defaults = {});

// How to reach a Loki, and as whom.
struct LokiTarget {
  http::ClientConfig http;
  std::string tenant;  // "" for none
};

// Checks and converts; needs no I/O. The environment (`environment` as in pipeline::Context; may be null) stands in for what is not
// given. Two ways to authenticate at once, a certificate without its key, a bad URL or header are Code::usage. With `diagnostics`
// (may be null, else it must outlive what is made of the result) all secrets are added to those it hides, and one that stands on
// the command line of this process is warned about once.
base::Result<LokiTarget> loki_target(LokiOptions options, const char* (*environment)(const char* name),
                                     base::Diagnostics* diagnostics);

}  // namespace weir::cli
