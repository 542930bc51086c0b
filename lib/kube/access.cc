#include "kube/access.h"

#include "http/url.h"

#include <fmt/format.h>

#include <initializer_list>
#include <utility>

namespace weir::kube {
namespace {

constexpr http::Words kWords = {.server = "the API server",
                                .ca_option = "--kube-ca FILE",
                                .certificate_options = "weir has none for Kubernetes",
                                .timeout_option = "",
                                .proxy_option = ""};

// A watch is silent for a minute at a time.
constexpr base::Duration kDeadAfter = 90 * base::kSecond;

// The server of the pod that this process runs in; "" when it runs in none.
std::string server_of_pod(const char* (*environment)(const char* name)) {
  if (environment == nullptr) return {};
  const auto value = [&](const char* name) {
    const char* const text = environment(name);
    return std::string_view(text == nullptr ? "" : text);
  };
  const std::string_view host = value("KUBERNETES_SERVICE_HOST");
  std::string_view port = value("KUBERNETES_SERVICE_PORT_HTTPS");
  if (port.empty()) port = value("KUBERNETES_SERVICE_PORT");
  if (host.empty()) return {};
  if (port.empty()) port = "443";
  const bool six = host.find(':') != std::string_view::npos && host.front() != '[';
  return six ? fmt::format("https://[{}]:{}", host, port) : fmt::format("https://{}:{}", host, port);
}

// The proxy that libcurl takes for `url`, without its user. no_proxy: names, and what ends with them behind a dot. What libcurl
// makes of ranges of addresses there is not repeated here.
std::string proxy_of_environment(const http::Url& url, const char* (*environment)(const char* name)) {
  if (environment == nullptr) return {};
  const auto value = [&](std::initializer_list<const char*> names) {
    for (const char* name : names) {
      if (const char* const text = environment(name); text != nullptr && *text != '\0') return std::string_view(text);
    }
    return std::string_view();
  };
  const bool tls = url.origin.starts_with("https:");
  std::string_view proxy = tls ? value({"https_proxy", "HTTPS_PROXY"}) : value({"http_proxy"});
  if (proxy.empty()) proxy = value({"all_proxy", "ALL_PROXY"});
  if (proxy.empty()) return {};
  std::string_view host = std::string_view(url.origin).substr(url.origin.find("://") + 3);
  if (!host.starts_with('[')) host = host.substr(0, host.find(':'));
  std::string_view rest = value({"no_proxy", "NO_PROXY"});
  while (!rest.empty()) {
    const std::size_t end = rest.find_first_of(", ");
    std::string_view one = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (one.starts_with('.')) one.remove_prefix(1);
    if (one == "*") return {};
    const bool matches =
        !one.empty() && host.ends_with(one) && (host.size() == one.size() || host[host.size() - one.size() - 1] == '.');
    if (matches) return {};
  }
  const auto parsed = http::parse_url(proxy);
  return parsed ? parsed->origin : std::string();
}

}  // namespace

base::Result<http::ClientConfig> client_config(const Access& access, const char* (*environment)(const char* name),
                                               base::Diagnostics* diagnostics, std::string_view service_account) {
  const bool own = access.server.empty();
  const std::string server = own ? server_of_pod(environment) : access.server;
  if (server.empty()) {
    return base::fail(base::Code::config,
                      "cannot reach the Kubernetes API: --kube-server is not given, and this process does not run in a pod")
        .with_hint(
            "--kube-server http://127.0.0.1:8001 beside `kubectl proxy`, or --kube-server https://HOST:6443 --kube-token-file FILE "
            "--kube-ca FILE");
  }
  auto url = http::parse_url(server);
  if (!url) {
    return std::move(url).error().with_hint(own ? "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT name the API server of a pod"
                                                : "a --kube-server looks like https://10.0.0.1:6443 or http://127.0.0.1:8001");
  }
  http::ClientConfig config;
  config.base = *std::move(url);
  config.words = kWords;
  config.dead_after = kDeadAfter;
  config.diagnostics = diagnostics;
  const auto of_pod = [&](std::string_view name) { return own ? fmt::format("{}/{}", service_account, name) : std::string(); };
  config.bearer_token_file = access.token_file.empty() ? of_pod("token") : access.token_file;
  const bool loopback = http::is_loopback(config.base);
  if (!config.bearer_token_file.empty() && config.base.origin.starts_with("http:") && !loopback) {
    return base::fail(base::Code::usage, "cannot use a token for {}: it would go there in clear", config.base.display())
        .with_hint("use https://, or leave the token out");
  }
  config.direct = loopback;  // as all clients of Kubernetes do
  if (!loopback) config.environment_proxy = proxy_of_environment(config.base, environment);
  config.ca_file = access.ca_file.empty() ? of_pod("ca.crt") : access.ca_file;
  return config;
}

}  // namespace weir::kube
