#include "convert/clients.h"

#include "base/diagnostics.h"
#include "base/percent.h"
#include "convert/pipeline_stages.h"
#include "convert/words.h"
#include "http/url.h"
#include "names/label_name.h"
#include "names/tenant.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

namespace weir::convert {
namespace {

// How a secret is given to weir, in place of its text.
class Secrets {
 public:
  Secrets(std::string folder, std::string client, bool alone, Report& report)
      : folder_(std::move(folder)), client_(std::move(client)), alone_(alone), report_(report) {}

  // `variable` is what push reads by itself where there is one client.
  void give(Client& client, const Spot& spot, const std::string& text, std::string_view option, std::string_view variable,
            std::string_view what) {
    const auto uses = variables_of(text);
    if (uses.size() == 1 && uses[0].size == text.size() && !uses[0].strange) {
      client.options.push_back({std::string(option).substr(0, option.rfind("-file")), "${" + uses[0].name + "}"});
      return report_.note(spot, fmt::format("the {} comes from the variable {}", what, uses[0].name));
    }
    if (alone_) {
      return report_.note(
          spot, fmt::format("the {} is not written into the pipeline", what),
          fmt::format(
              "give it to weir in the variable {}, or write it into a file that only weir can read and name that: push {} FILE",
              variable, option));
    }
    const std::string file =
        fmt::format("{}/{}.{}", folder_, client_, what.find("token") == std::string_view::npos ? "password" : "token");
    client.options.push_back({std::string(option), file});
    report_.note(spot, fmt::format("the {} is not written into the pipeline", what),
                 fmt::format("write it into {}, which only weir can read", file));
  }

 private:
  std::string folder_, client_;
  bool alone_;
  Report& report_;
};

bool is_secret_header(std::string_view name) {
  std::string lower(name);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const std::string_view part :
       {"auth", "token", "key", "secret", "cookie", "password", "credential", "session", "signature"}) {
    if (lower.find(part) != std::string::npos) return true;
  }
  return false;
}

void read_tls(const yaml::Node& node, const Spot& spot, Client& client, Report& report) {
  MapReader tls(node, spot, report);
  for (const auto& [key, option] :
       {std::pair("ca_file", "--ca-cert"), std::pair("cert_file", "--cert"), std::pair("key_file", "--key")}) {
    if (const yaml::Node* file = tls.take(key); file != nullptr)
      client.options.push_back({option, with_variables(*file, tls.spot(key), report)});
  }
  if (tls.boolean("insecure_skip_verify", false)) client.options.push_back({"--tls-skip-verify", {}});
  for (const char* const key : {"ca", "cert", "key", "ca_ref", "cert_ref", "key_ref"}) {
    if (tls.has(key))
      report.missing(tls.spot(key), "weir reads certificates and keys from files",
                     fmt::format("write it into a file and name that: push {}", key[0] == 'k'   ? "--key"
                                                                                : key[1] == 'e' ? "--cert"
                                                                                                : "--ca-cert"));
  }
  if (tls.has("server_name"))
    report.missing(tls.spot("server_name"), "weir checks the certificate for the name in the URL",
                   "use that name in the URL, and /etc/hosts if need be");
  for (const char* const key : {"min_version", "max_version"}) {
    if (tls.has(key)) report.note(tls.spot(key), "weir speaks TLS 1.2 and later, as the library of the system does");
  }
  tls.finish();
}

// Whether a value is a variable, perhaps behind the word that says how it is used.
bool is_variable(std::string_view value) {
  for (const std::string_view scheme : {"Bearer ", "Basic ", "Token "}) {
    if (value.starts_with(scheme)) {
      value.remove_prefix(scheme.size());
      break;
    }
  }
  const auto uses = variables_of(value);
  return uses.size() == 1 && uses[0].size == value.size() && !uses[0].strange && !uses[0].has_fallback;
}

bool is_header(std::string_view name, std::string_view value) {
  const auto of_name = [](unsigned char c) { return c > ' ' && c < 0x7f && c != ':'; };
  const auto of_value = [](unsigned char c) { return c >= ' ' || c == '\t'; };
  return !name.empty() && std::ranges::all_of(name, of_name) && std::ranges::all_of(value, of_value);
}

// Requests of push have limits: see push --batch-size.
constexpr std::uint64_t kLeastBatch = 4 << 10, kMostBatch = 4 << 20;

// Whether a user stands in front of a host, as in http://user:password@host.
bool is_secret_url(std::string_view url) { return url.find('@') != std::string_view::npos; }

// http://user:password@host -> the URL without them.
std::string without_user(const std::string& url, std::string& user, std::string& password) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return url;
  const std::size_t begin = scheme + 3;
  const std::size_t end = std::min(url.find_first_of("/?#", begin), url.size());
  const std::size_t sign = url.rfind('@', end);
  if (sign == std::string::npos || sign < begin) return url;
  const std::string both = url.substr(begin, sign - begin);
  const std::size_t colon = both.find(':');
  user = base::percent_decode(both.substr(0, colon));
  if (colon != std::string::npos) password = base::percent_decode(both.substr(colon + 1));
  return url.substr(0, begin) + url.substr(sign + 1);
}

Client read_client(const yaml::Node& node, const Spot& spot, std::size_t number, bool alone, std::string_view folder,
                   Report& report) {
  Client client;
  client.spot = spot;
  client.spot.place = node.place;
  MapReader map(node, client.spot, report);
  client.name = map.text("name");
  Secrets secrets(std::string(folder), client.name.empty() ? fmt::format("client-{}", number + 1) : file_word(client.name), alone,
                  report);
  std::string user, password;
  if (const yaml::Node* url = map.take("url"); url != nullptr) {
    client.url = without_user(with_variables(*url, map.spot("url"), report, is_secret_url(url->text)), user, password);
    if (variables_of(client.url).empty() && !http::parse_url(client.url).ok()) {
      // Nothing of it is shown: it may hold a password in a strange place.
      report.missing(map.spot("url"), "weir sends to URLs as http://loki:3100 and https://loki, and this is none",
                     "name the URL behind push, or set LOKI_ADDR");
      client.url.clear();
    }
  } else {
    report.note(client.spot, "the client has no url", "weir takes the variable LOKI_ADDR, or name the URL behind push");
  }
  if (const yaml::Node* tenant = map.take("tenant_id"); tenant != nullptr) {
    if (auto text = with_variables(*tenant, map.spot("tenant_id"), report); !text.empty()) {
      if (variables_of(text).empty() && !names::is_tenant(text)) {
        report.missing(map.spot("tenant_id"), "Loki takes no tenant of this name",
                       "use letters, digits and ! - _ . * ' ( ), at most 150: push --tenant NAME");
      } else {
        client.options.push_back({"--tenant", text});
      }
    }
  }
  // Passwords and tokens.
  Spot secret_spot = map.spot("url");
  if (const yaml::Node* basic = map.take("basic_auth"); basic != nullptr) {
    MapReader auth(*basic, map.spot("basic_auth"), report);
    if (const yaml::Node* name = auth.take("username"); name != nullptr)
      user = with_variables(*name, auth.spot("username"), report);
    if (const yaml::Node* file = auth.take("password_file"); file != nullptr) {
      client.options.push_back({"--password-file", with_variables(*file, auth.spot("password_file"), report)});
      password.clear();
    } else if (auto text = auth.text("password"); !text.empty()) {
      password = std::move(text);
      secret_spot = auth.spot("password");
    }
    for (const char* const key : {"username_file", "username_ref", "password_ref"}) {
      if (auth.has(key))
        report.missing(auth.spot(key),
                       "weir takes the user's name from --username or LOKI_USERNAME, and the password from a file or LOKI_PASSWORD",
                       "name it there");
    }
    auth.finish();
  }
  if (!user.empty()) client.options.push_back({"--username", user});
  if (!password.empty()) secrets.give(client, secret_spot, password, "--password-file", "LOKI_PASSWORD", "password");
  if (const yaml::Node* file = map.take("bearer_token_file"); file != nullptr) {
    client.options.push_back({"--bearer-token-file", with_variables(*file, map.spot("bearer_token_file"), report)});
  }
  if (const auto token = map.text("bearer_token"); !token.empty()) {
    secrets.give(client, map.spot("bearer_token"), token, "--bearer-token-file", "LOKI_BEARER_TOKEN", "bearer token");
  }
  if (const yaml::Node* authorization = map.take("authorization"); authorization != nullptr) {
    MapReader auth(*authorization, map.spot("authorization"), report);
    const std::string type = auth.text("type", "Bearer");
    if (type != "Bearer" && type != "bearer") {
      report.missing(auth.spot("type"), "weir authorizes with a password or a bearer token",
                     "send it by a header: push --header 'Authorization: …'");
    }
    if (const yaml::Node* file = auth.take("credentials_file"); file != nullptr) {
      client.options.push_back({"--bearer-token-file", with_variables(*file, auth.spot("credentials_file"), report)});
    }
    if (const auto token = auth.text("credentials"); !token.empty()) {
      secrets.give(client, auth.spot("credentials"), token, "--bearer-token-file", "LOKI_BEARER_TOKEN", "bearer token");
    }
    auth.finish();
  }
  if (map.has("oauth2")) {
    report.missing(map.spot("oauth2"), "weir gets no token by OAuth 2",
                   "let another program write the token into a file: push --bearer-token-file FILE reads it again when it changes");
  }
  if (const yaml::Node* tls = map.take("tls_config"); tls != nullptr) read_tls(*tls, map.spot("tls_config"), client, report);
  std::size_t hidden = 0;
  for (const char* const key : {"headers", "http_headers"}) {
    const yaml::Node* headers = map.take(key);
    if (headers == nullptr) continue;
    for (const yaml::Entry& entry : headers->entries) {
      Spot own = map.spot(key).key(entry.key);
      own.place = entry.place;
      if (!entry.value.is_scalar()) {
        report.missing(own, "weir sends headers with one value each", "name it: push --header 'NAME: VALUE'");
        continue;
      }
      const bool secret = is_secret_header(entry.key);
      const std::string value = with_variables(entry.value, own, report, secret);
      if (!is_header(entry.key, value)) {
        report.missing(own, "this is no header that can be sent", "name it: push --header 'NAME: VALUE'");
      } else if (secret && !is_variable(value)) {
        std::string variable = fmt::format("WEIR_HEADER_{}", number + 1);
        if (++hidden > 1) variable += fmt::format("_{}", hidden);
        client.options.push_back({"--header", fmt::format("{}: ${{{}}}", entry.key, variable)});
        report.note(own, "what the header holds is not written into the pipeline",
                    fmt::format("give it to weir in the variable {}", variable));
      } else {
        client.options.push_back({"--header", fmt::format("{}: {}", entry.key, value)});
      }
    }
  }
  if (const yaml::Node* proxy = map.take("proxy_url"); proxy != nullptr) {
    std::string text = with_variables(*proxy, map.spot("proxy_url"), report, is_secret_url(proxy->text));
    if (is_secret_url(text)) {
      const std::string variable = fmt::format("WEIR_PROXY_{}", number + 1);
      report.note(map.spot("proxy_url"), "the user and the password of the proxy are not written into the pipeline",
                  fmt::format("give the whole URL of the proxy to weir in the variable {}", variable));
      text = "${" + variable + "}";
    }
    if (!text.empty()) client.options.push_back({"--proxy-url", text});
  }
  map.accept({"proxy_from_environment", "no_proxy", "follow_redirects", "enable_http2"},
             "weir does what the environment and the server ask for");
  if (map.has("proxy_connect_header"))
    report.missing(map.spot("proxy_connect_header"), "weir sends no headers of its own to a proxy", "use a proxy without");
  // Batches and time.
  for (const auto& [key, option] : {std::pair("batchwait", "--batch-wait"), std::pair("timeout", "--timeout")}) {
    if (const auto text = map.optional_text(key)) {
      const std::string duration = duration_word(*text);
      if (duration.empty()) report.wrong(map.spot(key), "there must be a duration, such as 1s");
      // Without a time, Promtail sends at once, and waits for an answer without end.
      if (is_zero(duration) && key == std::string_view("timeout")) {
        report.note(map.spot(key), "weir waits for no answer without end",
                    "--timeout says how long, and is 30s where it is not named");
      } else {
        client.options.push_back({option, duration});
      }
    }
  }
  if (const auto text = map.optional_text("batchsize")) {
    const auto bytes = size_of(*text);
    if (!bytes || *bytes == 0) report.wrong(map.spot("batchsize"), "there must be a number of bytes");
    const std::uint64_t size = std::clamp(bytes.value_or(kLeastBatch), kLeastBatch, kMostBatch);
    if (bytes && size != *bytes) report.note(map.spot("batchsize"), "requests of push have 4 KiB to 4 MiB");
    client.options.push_back({"--batch-size", std::to_string(size)});
  }
  if (const yaml::Node* backoff = map.take("backoff_config"); backoff != nullptr) {
    MapReader times(*backoff, map.spot("backoff_config"), report);
    times.accept({"min_period", "max_period", "max_retries"}, "behind a spool, push backs off by itself and never gives up");
    times.finish();
  }
  if (map.boolean("drop_rate_limited_batches", false)) {
    report.note(map.spot("drop_rate_limited_batches"),
                "weir drops no record that Loki limits: the stream or the tenant waits, and the others go on");
  }
  if (const yaml::Node* labels = map.take("external_labels"); labels != nullptr) {
    for (const yaml::Entry& entry : labels->entries) {
      Spot own = map.spot("external_labels").key(entry.key);
      own.place = entry.place;
      const std::string value = with_variables(entry.value, own, report);
      if (!names::is_label_name(entry.key))
        report.missing(own, "Loki takes no label of this name", "give it another name");
      else if (!value.empty())
        client.labels.emplace_back(entry.key, value);
    }
    std::ranges::sort(client.labels);
  }
  map.finish();
  return client;
}

}  // namespace

std::string with_variables(const yaml::Node& node, const Spot& spot, Report& report, bool secret) {
  std::string text = text_of(node, spot, report);
  const auto uses = variables_of(text);
  for (auto use = uses.rbegin(); use != uses.rend(); ++use) {
    if (use->strange) {
      const std::string what = secret ? "what stands here" : base::escape_control(text.substr(use->begin, use->size));
      report.missing(spot, fmt::format("weir knows ${{NAME}}, and not {}", what), "set a variable to what is meant");
      continue;
    }
    if (use->has_fallback) {
      report.note(spot, fmt::format("weir has no default for the variable {}", use->name),
                  use->fallback.empty() || secret
                      ? fmt::format("set {}", use->name)
                      : fmt::format("set {}; the default was '{}'", use->name, base::escape_control(use->fallback)));
      text.replace(use->begin, use->size, "${" + use->name + "}");
    } else {
      report.exact(spot, fmt::format("the variable {} must be set, and Promtail needs -config.expand-env for it", use->name));
    }
  }
  return text;
}

std::vector<OptionWord> kube_access(MapReader& map, Report& report) {
  std::vector<OptionWord> words;
  if (const yaml::Node* server = map.take("api_server"); server != nullptr)
    words.push_back({"--kube-server", with_variables(*server, map.spot("api_server"), report, is_secret_url(server->text))});
  if (!words.empty() && is_secret_url(*words.back().value)) {
    words.pop_back();
    report.missing(map.spot("api_server"), "weir speaks to the API server with a token, not with a user and a password",
                   "name the server without them: enrich --kube-server URL --kube-token-file FILE");
  }
  if (const yaml::Node* file = map.take("bearer_token_file"); file != nullptr)
    words.push_back({"--kube-token-file", with_variables(*file, map.spot("bearer_token_file"), report)});
  if (const yaml::Node* node = map.take("tls_config"); node != nullptr) {
    MapReader tls(*node, map.spot("tls_config"), report);
    if (const yaml::Node* file = tls.take("ca_file"); file != nullptr)
      words.push_back({"--kube-ca", with_variables(*file, tls.spot("ca_file"), report)});
    for (const yaml::Entry& entry : node->entries) {
      if (entry.key != "ca_file") {
        (void)tls.take(entry.key);
        report.missing(tls.spot(entry.key), "weir speaks to the API server with a token and the authority of its certificate",
                       "use a service account, or kubectl proxy");
      }
    }
  }
  if (const yaml::Node* node = map.take("authorization"); node != nullptr) {
    MapReader auth(*node, map.spot("authorization"), report);
    const std::string type = auth.text("type", "Bearer");
    const yaml::Node* file = auth.take("credentials_file");
    if (file != nullptr && (type == "Bearer" || type == "bearer")) {
      words.push_back({"--kube-token-file", with_variables(*file, auth.spot("credentials_file"), report)});
    }
    if (file == nullptr || auth.has("credentials") || auth.has("credentials_ref") || (type != "Bearer" && type != "bearer")) {
      report.missing(map.spot("authorization"), "weir speaks to the API server with a token out of a file",
                     "write the token into a file and name that: enrich --kube-token-file");
    }
    auth.finish();
  }
  for (const char* const key : {"kubeconfig_file", "basic_auth", "oauth2", "bearer_token", "proxy_url"}) {
    if (map.has(key)) {
      report.missing(map.spot(key),
                     "weir speaks to the API server with a service account, or with --kube-server, --kube-token-file and --kube-ca",
                     "use these, or kubectl proxy and --kube-server http://127.0.0.1:8001");
    }
  }
  map.accept({"follow_redirects", "enable_http2", "no_proxy", "proxy_from_environment"}, "weir does what the server asks for");
  return words;
}

std::vector<Client> read_clients(MapReader& root, std::string_view config_folder, Report& report) {
  struct Source {
    const yaml::Node* node;
    Spot spot;
  };
  std::vector<Source> sources;
  if (const yaml::Node* list = root.take("clients"); list != nullptr) {
    if (!list->is_list()) report.wrong(root.spot("clients"), "there must be a list of clients");
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      Spot spot = root.spot("clients").index(i);
      spot.place = list->items[i].place;
      sources.push_back({&list->items[i], spot});
    }
  }
  std::vector<std::pair<std::string, std::string>> for_all;
  if (const yaml::Node* one = root.take("client"); one != nullptr) {
    // Without a url it holds external labels for the others.
    if (one->find("url") != nullptr || sources.empty()) {
      sources.push_back({one, root.spot("client")});
    } else {
      MapReader map(*one, root.spot("client"), report);
      if (const yaml::Node* labels = map.take("external_labels"); labels != nullptr) {
        for (const yaml::Entry& entry : labels->entries)
          for_all.emplace_back(entry.key, with_variables(entry.value, map.spot("external_labels"), report));
      }
      map.finish();
    }
  }
  std::vector<Client> clients;
  for (std::size_t i = 0; i < sources.size() && !report.failed(); ++i) {
    Client client = read_client(*sources[i].node, sources[i].spot, i, sources.size() == 1, config_folder, report);
    for (const auto& [name, value] : for_all) {
      const auto same = [&, &label = name](const auto& one) { return one.first == label; };
      if (std::ranges::none_of(client.labels, same)) client.labels.emplace_back(name, value);
    }
    std::ranges::sort(client.labels);
    clients.push_back(std::move(client));
  }
  return clients;
}

}  // namespace weir::convert
