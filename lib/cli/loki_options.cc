#include "cli/loki_options.h"

#include "base/secrets.h"
#include "cli/secret_words.h"
#include "cli/value_options.h"
#include "http/client.h"
#include "http/url.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Option.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace weir::cli {
namespace {

using base::Code;
using base::Result;

Result<http::Header> parse_header(const std::string& text) {
  const auto colon = text.find(':');
  const auto wrong = [](std::string_view cause) {
    // The value may be a secret, so nothing of it is shown.
    return base::fail(Code::usage, "cannot use --header: {}", cause).with_hint("a header looks like --header 'X-Name: value'");
  };
  if (colon == std::string::npos || colon == 0) return wrong("there is no name before a colon");
  http::Header header{text.substr(0, colon), text.substr(colon + 1)};
  const auto first = header.value.find_first_not_of(" \t");
  header.value.erase(0, first == std::string::npos ? header.value.size() : first);
  for (const char c : header.name)
    if (static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7f)
      return wrong("its name holds a space or control byte");
  for (const char c : header.value)
    if (static_cast<unsigned char>(c) < ' ' && c != '\t') return wrong("its value holds a control byte");
  return header;
}

// Adds what must not be shown to `diagnostics`, and warns of what the process list shows.
void hide_secrets(const http::ClientConfig& config, const LokiOptions& options, const char* (*environment)(const char* name),
                  base::Diagnostics& diagnostics) {
  base::Secrets& secrets = *diagnostics.secrets();
  std::vector<std::string_view> open;  // options whose secret stands on the command line
  const auto note_open = [&](std::string_view option, std::string_view value) {
    if (!value.empty() && secrets.on_command_line(value) && std::find(open.begin(), open.end(), option) == open.end())
      open.push_back(option);
  };
  secrets.add_login(config.username, config.password);
  note_open("--password", config.password);
  secrets.add(config.bearer_token);
  note_open("--bearer-token", config.bearer_token);
  secrets.add_login(config.base.user, config.base.password);
  note_url(options.url, secrets);
  note_open("the URL", config.base.password);
  for (const http::Header& header : config.headers) {
    if (!is_secret_header(header.name)) continue;
    note_header(header.value, secrets);
    note_open("--header", header.value);
  }
  note_url(config.proxy, secrets);
  if (const auto proxy = http::parse_url(config.proxy); proxy) note_open("--proxy-url", proxy->password);
  for (const char* name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}) {
    if (const char* value = environment == nullptr ? nullptr : environment(name); value != nullptr) note_url(value, secrets);
  }
  if (open.empty()) return;
  diagnostics.say(fmt::format(
      "everybody on this machine can read the secret of {} on the command line: use --password-file, --bearer-token-file, or a "
      "variable of the environment (LOKI_PASSWORD, LOKI_BEARER_TOKEN), which the text of `weir run` may name as $NAME",
      fmt::join(open, ", ")));
}

bool has_secret(const http::ClientConfig& config) {
  return !config.password.empty() || !config.password_file.empty() || !config.bearer_token.empty() ||
         !config.bearer_token_file.empty() || !config.base.password.empty() ||
         std::ranges::any_of(config.headers, [](const http::Header& header) { return is_secret_header(header.name); });
}

// Warns of a way on which others can read what is sent, or answer in the place of Loki.
void warn_of_open_ways(const http::ClientConfig& config, base::Diagnostics& diagnostics) {
  const std::string server = config.base.display();
  if (config.base.origin.starts_with("https:")) {
    if (config.tls_skip_verify) {
      diagnostics.say(
          fmt::format("the certificate of {} is not checked (--tls-skip-verify, LOKI_TLS_SKIP_VERIFY): anybody on the way "
                      "there can read and change what is sent; use --ca-cert FILE",
                      server));
    }
  } else if (has_secret(config) && !http::is_loopback(config.base)) {
    diagnostics.say(fmt::format("the secret goes to {} in clear: use https://", server));
  }
}

}  // namespace

void declare(CLI::App& app, LokiOptions& options, const LokiDefaults& defaults) {
  constexpr const char* group = "Loki";
  if (defaults.addr_option)
    app.add_option("--addr", options.url, "URL of Loki (default: LOKI_ADDR, else http://localhost:3100)")
        ->type_name("URL")
        ->group(group);
  app.add_option("--tenant,--org-id", options.tenant,
                 defaults.spool ? "tenant, sent as X-Scope-OrgID (default: LOKI_ORG_ID); of a spool or --stdin, only its records"
                                : "tenant, sent as X-Scope-OrgID (default: LOKI_ORG_ID)")
      ->type_name("NAME")
      ->group(group);
  app.add_option("--username", options.username, "user name of basic authentication (default: LOKI_USERNAME)")
      ->type_name("NAME")
      ->group(group);
  app.add_option("--password-file", options.password_file, "file with the password; it is read again when it changes")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--password", options.password, "password; the process list shows it, so prefer --password-file or LOKI_PASSWORD")
      ->type_name("TEXT")
      ->group(group);
  app.add_option("--bearer-token-file", options.bearer_token_file,
                 "file with the bearer token; it is read again when it changes (default: LOKI_BEARER_TOKEN_FILE)")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--bearer-token", options.bearer_token,
                 "bearer token; the process list shows it, so prefer --bearer-token-file or LOKI_BEARER_TOKEN")
      ->type_name("TEXT")
      ->group(group);
  app.add_option("--ca-cert", options.ca_cert, "PEM file with the authorities to trust (default: LOKI_CA_CERT_PATH)")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--cert", options.cert, "PEM file with the client certificate (default: LOKI_CLIENT_CERT_PATH)")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--key", options.key, "PEM file with the key of the client certificate (default: LOKI_CLIENT_KEY_PATH)")
      ->type_name("FILE")
      ->group(group);
  app.add_flag("--tls-skip-verify", options.tls_skip_verify,
               "do not check the server's certificate (default: LOKI_TLS_SKIP_VERIFY)")
      ->group(group);
  app.add_option("--proxy-url", options.proxy,
                 "URL of the proxy (default: LOKI_HTTP_PROXY_URL, else http_proxy, https_proxy and no_proxy)")
      ->type_name("URL")
      ->group(group);
  app.add_option("--header", options.headers, "add this header to every request (repeatable)")
      ->type_name("'NAME: VALUE'")
      ->group(group);
  if (defaults.timeout_option)
    add_duration(app, "--timeout", options.timeout, "abort a request after this time", kMoreThanZero)->group(group);
}

Result<LokiTarget> loki_target(LokiOptions options, const char* (*environment)(const char* name), base::Diagnostics* diagnostics) {
  const auto from_environment = [&](std::string& value, const char* name) {
    if (!value.empty() || environment == nullptr) return;
    if (const char* found = environment(name); found != nullptr) value = found;
  };
  const auto conflict = [](std::string_view text) {
    return base::fail(Code::usage, "{}", text).with_hint("use either --username with --password-file, or --bearer-token-file");
  };
  const bool basic_given = !options.username.empty() || !options.password.empty() || !options.password_file.empty();
  const bool bearer_given = !options.bearer_token.empty() || !options.bearer_token_file.empty();
  if (basic_given && bearer_given) return conflict("cannot use basic and bearer authentication together");
  if (!options.password.empty() && !options.password_file.empty())
    return conflict("cannot use --password together with --password-file");
  if (!options.bearer_token.empty() && !options.bearer_token_file.empty())
    return conflict("cannot use --bearer-token together with --bearer-token-file");

  // A way to authenticate that was given on the command line wins over the other in the environment.
  if (!bearer_given) {
    from_environment(options.username, "LOKI_USERNAME");
    if (options.password_file.empty()) from_environment(options.password, "LOKI_PASSWORD");
  }
  if (!basic_given) {
    if (options.bearer_token_file.empty()) from_environment(options.bearer_token, "LOKI_BEARER_TOKEN");
    if (options.bearer_token.empty()) from_environment(options.bearer_token_file, "LOKI_BEARER_TOKEN_FILE");
  }
  from_environment(options.url, "LOKI_ADDR");
  from_environment(options.tenant, "LOKI_ORG_ID");
  from_environment(options.ca_cert, "LOKI_CA_CERT_PATH");
  from_environment(options.cert, "LOKI_CLIENT_CERT_PATH");
  from_environment(options.key, "LOKI_CLIENT_KEY_PATH");
  from_environment(options.proxy, "LOKI_HTTP_PROXY_URL");
  std::string skip;
  from_environment(skip, "LOKI_TLS_SKIP_VERIFY");
  if (skip == "true" || skip == "1") options.tls_skip_verify = true;

  if (!options.username.empty() && (!options.bearer_token.empty() || !options.bearer_token_file.empty()))
    return conflict("cannot use LOKI_USERNAME together with LOKI_BEARER_TOKEN or LOKI_BEARER_TOKEN_FILE");
  if (options.cert.empty() != options.key.empty())
    return base::fail(Code::usage, "cannot use a client certificate without both --cert and --key");
  for (const char c : options.tenant)
    if (static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7f)
      return base::fail(Code::usage, "cannot use the tenant \"{}\": it holds a space, a control byte or a character beyond ASCII",
                        base::escape_control(options.tenant));

  http::ClientConfig config;
  auto url = http::parse_url(options.url.empty() ? std::string(kDefaultLokiUrl) : options.url);
  if (!url) return std::move(url).error();
  config.base = std::move(*url);
  for (const std::string& text : options.headers) {
    auto header = parse_header(text);
    if (!header) return std::move(header).error();
    config.headers.push_back(std::move(*header));
  }
  config.timeout = options.timeout;
  config.username = options.username;
  config.password = options.password;
  config.password_file = options.password_file;
  config.bearer_token = options.bearer_token;
  config.bearer_token_file = options.bearer_token_file;
  config.ca_file = options.ca_cert;
  config.cert_file = options.cert;
  config.key_file = options.key;
  config.tls_skip_verify = options.tls_skip_verify;
  config.proxy = options.proxy;
  config.diagnostics = diagnostics;
  if (diagnostics != nullptr && diagnostics->secrets() != nullptr) hide_secrets(config, options, environment, *diagnostics);
  if (diagnostics != nullptr) warn_of_open_ways(config, *diagnostics);
  return LokiTarget{std::move(config), std::move(options.tenant)};
}

}  // namespace weir::cli
