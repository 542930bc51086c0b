#include "kube/config_map.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/utf8.h"
#include "kube/object_name.h"
#include "record/json.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cctype>
#include <ctime>
#include <utility>
#include <vector>

namespace weir::kube {
namespace {

namespace dom = simdjson::dom;

using base::Code;
using base::Error;
using base::Result;

constexpr std::size_t kMostAnswer = 16 << 20;  // a ConfigMap has 1 MiB, each byte of which may be an escape of six
constexpr std::size_t kMostShown = 300;        // of a message
constexpr int kMostAttempts = 20;              // at an object that others change while it is edited

bool is_key(std::string_view text) {
  const auto allowed = [](char c) { return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.'; };
  return !text.empty() && text.size() <= 253 && std::ranges::all_of(text, allowed) && text != "." && !text.starts_with("..");
}

std::string quoted(const ConfigMapName& name) { return fmt::format("ConfigMap '{}'", name.object()); }

// As kubectl shows it.
std::string listed(const std::vector<std::string_view>& keys) {
  constexpr std::size_t kMost = 10;
  const std::size_t shown = std::min(keys.size(), kMost);
  return fmt::format("{}{}", fmt::join(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(shown), ", "),
                     shown < keys.size() ? ", …" : "");
}

// What the API server says in a Status: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
struct Status {
  bool is_one = false;  // otherwise it is no API server that answered
  std::string message;
  std::string reason;
};

Status status_of(std::string_view body) {
  Status status;
  dom::parser parser;
  dom::element element;
  std::string_view text;
  if (parser.parse(simdjson::padded_string(body)).get(element) != simdjson::SUCCESS) return status;
  status.is_one = element["kind"].get(text) == simdjson::SUCCESS && text == "Status";
  if (element["message"].get(text) == simdjson::SUCCESS) status.message = text.substr(0, kMostShown);
  if (element["reason"].get(text) == simdjson::SUCCESS) status.reason = text;
  return status;
}

void pause(base::Duration duration) {
  const timespec time = {.tv_sec = duration / base::kSecond, .tv_nsec = duration % base::kSecond};
  ::nanosleep(&time, nullptr);
}

}  // namespace

std::string ConfigMapName::object() const { return fmt::format("{}/{}", namespace_name, name); }
std::string ConfigMapName::collection() const { return fmt::format("/api/v1/namespaces/{}/configmaps", namespace_name); }

bool is_config_map(std::string_view place) { return place.starts_with(kConfigMapScheme); }

Result<ConfigMapName> parse_config_map(std::string_view place) {
  const auto wrong = [&](std::string_view cause) {
    return base::cannot(Code::usage, fmt::format("use '{}'", base::escape_control(place)), cause)
        .with_hint("a ConfigMap looks like configmap:NAMESPACE/NAME or configmap:NAMESPACE/NAME/KEY");
  };
  std::string_view rest = place.substr(std::min(kConfigMapScheme.size(), place.size()));
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t slash = rest.find('/');
    parts.push_back(rest.substr(0, slash));
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  if (parts.size() < 2) return wrong("the namespace or the name is missing");
  if (parts.size() > 3) return wrong("there are too many slashes");
  if (!is_dns_label(parts[0])) return wrong("this is no name of a namespace");
  if (!is_dns_subdomain(parts[1])) return wrong("this is no name of a ConfigMap");
  if (parts.size() == 3 && !is_key(parts[2])) return wrong("this is no key of a ConfigMap");
  return ConfigMapName{std::string(parts[0]), std::string(parts[1]), std::string(parts.size() == 3 ? parts[2] : "")};
}

Result<ConfigMapText> text_of(std::string_view object, const ConfigMapName& name) {
  const std::string what = fmt::format("read {}", quoted(name));
  dom::parser parser;
  dom::element element;
  const simdjson::padded_string padded(object);
  std::string_view version, own_name;
  if (parser.parse(padded).get(element) != simdjson::SUCCESS ||
      element["metadata"]["resourceVersion"].get(version) != simdjson::SUCCESS) {
    return base::cannot(Code::parse, what, "the answer of the API server is no ConfigMap");
  }
  if (element["metadata"]["name"].get(own_name) == simdjson::SUCCESS && own_name != name.name) {
    return base::cannot(Code::parse, what, "the API server answers with another object");
  }
  ConfigMapText out{.exists = true, .resource_version = std::string(version), .key = name.key};
  dom::object data, binary;
  const bool has_data = element["data"].get(data) == simdjson::SUCCESS;
  std::vector<std::string_view> keys;
  if (has_data) {
    for (const auto& [key, value] : data) keys.push_back(key);
  }
  if (out.key.empty()) {
    if (keys.size() == 1) {
      out.key = keys.front();
    } else if (keys.empty() || std::ranges::find(keys, kUsualKey) != keys.end()) {
      out.key = kUsualKey;
    } else {
      return base::cannot(Code::config, what, fmt::format("it has {} keys, and none is '{}'", keys.size(), kUsualKey))
          .with_hint(
              fmt::format("name one, as in {}{}/{}; there are: {}", kConfigMapScheme, name.object(), keys.front(), listed(keys)));
    }
  }
  out.has_key = std::ranges::find(keys, out.key) != keys.end();
  if (!out.has_key) {
    dom::element ignored;
    if (element["binaryData"].get(binary) == simdjson::SUCCESS && binary.at_key(out.key).get(ignored) == simdjson::SUCCESS) {
      return base::cannot(Code::config, what, fmt::format("its key '{}' holds binary data", out.key))
          .with_hint("put the text under `data`");
    }
    return out;
  }
  std::string_view text;
  if (data.at_key(out.key).get(text) != simdjson::SUCCESS) {
    return base::cannot(Code::parse, what, "the answer of the API server is no ConfigMap");
  }
  out.text = text;
  return out;
}

std::string subject_of(std::string_view message) {
  // "configmaps "x" is forbidden: User "system:serviceaccount:logging:weir" cannot get resource …"
  constexpr std::string_view kBefore = "User \"";
  constexpr std::string_view kServiceAccount = "system:serviceaccount:";
  const std::size_t at = message.find(kBefore);
  if (at == std::string_view::npos) return "--user=NAME";
  std::string_view user = message.substr(at + kBefore.size());
  user = user.substr(0, user.find('"'));
  return user.starts_with(kServiceAccount) ? fmt::format("--serviceaccount={}", user.substr(kServiceAccount.size()))
                                           : fmt::format("--user={}", user);
}

std::string role_for(const ConfigMapName& name, std::string_view verbs, std::string_view message) {
  const std::string subject = subject_of(message);
  const std::string_view role = verbs.find("create") != std::string_view::npos  ? "create"
                                : verbs.find("patch") != std::string_view::npos ? "edit"
                                                                                : "read";
  // A right to create cannot be bound to a name.
  const std::string resource = verbs.find("create") == std::string_view::npos ? fmt::format(" --resource-name={}", name.name) : "";
  return fmt::format(
      "ask an administrator for this right:\n"
      "kubectl create role {1}-{5} -n {0} --resource=configmaps --verb={2}{3}\n"
      "kubectl create rolebinding {1}-{5} -n {0} --role={1}-{5} {4}",
      name.namespace_name, name.name, verbs, resource, subject, role);
}

Result<std::unique_ptr<ConfigMaps>> ConfigMaps::create(http::ClientConfig config) {
  auto client = http::Client::create(std::move(config));
  if (!client) return std::move(client).error();
  return std::unique_ptr<ConfigMaps>(new ConfigMaps(*std::move(client)));
}

Result<http::Response> ConfigMaps::ask(const ConfigMapName& name, std::string_view verb, http::Request request) {
  request.max_response = kMostAnswer;
  request.compressed = true;
  request.headers.push_back({"Accept", "application/json"});
  auto response = client_->perform(request);
  if (!response) return std::move(response).error().within(fmt::format("cannot {} {}", verb, quoted(name)));
  if (response->body_cut) {
    return base::cannot(Code::network, fmt::format("{} {}", verb, quoted(name)), "the answer of the API server is too large");
  }
  return response;
}

Error ConfigMaps::refusal(const ConfigMapName& name, std::string_view verb, std::string_view verbs,
                          const http::Response& response) const {
  const std::string what = fmt::format("{} {}", verb, quoted(name));
  const Status status = status_of(response.body);
  if (!status.is_one) {
    return base::cannot(
               Code::network, what,
               fmt::format("{} answers {} and is no Kubernetes API server", client_->config().base.display(), response.status))
        .with_hint(response.body.find("HTTP request to an HTTPS server") != std::string::npos
                       ? "https:// instead of http://?"
                       : "is --kube-server the address of the API server, or of `kubectl proxy`?");
  }
  const std::string words = base::escape_control(status.message.empty() ? status.reason : status.message);
  switch (response.status) {
    case 401:
      return base::cannot(Code::config, what, fmt::format("the API server does not accept the token ({})", words))
          .with_hint(
              "give a valid token with --kube-token-file, or go through `kubectl proxy`: --kube-server http://127.0.0.1:8001");
    case 403:
      return base::cannot(Code::config, what, words).with_hint(role_for(name, verbs, words));
    default:
      return base::cannot(Code::network, what, words);
  }
}

Result<ConfigMapText> ConfigMaps::read(const ConfigMapName& name, std::string_view verbs) {
  auto response = ask(name, "read", {.path = fmt::format("{}/{}", name.collection(), name.name)});
  if (!response) return std::move(response).error();
  if (response->ok()) return text_of(response->body, name);
  const Status status = status_of(response->body);
  if (response->status == 404 && status.is_one && status.reason == "NotFound") {
    return ConfigMapText{.key = name.key.empty() ? std::string(kUsualKey) : name.key};
  }
  return refusal(name, "read", verbs, *response);
}

Result<ConfigMaps::Edited> ConfigMaps::edit(const ConfigMapName& name, const Edit& edit) {
  // Several editors that lost to one and the same do not meet again.
  base::Backoff backoff({.base = 10 * base::kMillisecond, .ceiling = 250 * base::kMillisecond},
                        static_cast<std::uint64_t>(base::Clock::system().monotonic()));
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    const auto before = read(name, "get,patch,create");  // whether it exists is not known yet
    if (!before) return before.error();
    const auto wanted = edit(before->text);
    if (!wanted) return wanted.error();
    if (before->exists && before->has_key && *wanted == before->text) return Edited{.key = before->key};
    if (!base::is_utf8(*wanted)) {
      return base::cannot(Code::config, fmt::format("change {}", quoted(name)),
                          "the text is not UTF-8, and a ConfigMap holds nothing else");
    }
    const std::string data = fmt::format(R"("data":{{{}:{}}})", record::json_string(before->key), record::json_string(*wanted));
    http::Request request;
    if (before->exists) {
      // A merge patch (RFC 7386) with a resourceVersion is refused with 409 when the object is another one by now.
      request.method = "PATCH";
      request.path = fmt::format("{}/{}", name.collection(), name.name);
      request.headers.push_back({"Content-Type", "application/merge-patch+json"});
      request.body =
          fmt::format(R"({{"metadata":{{"resourceVersion":{}}},{}}})", record::json_string(before->resource_version), data);
    } else {
      request.method = "POST";
      request.path = name.collection();
      request.headers.push_back({"Content-Type", "application/json"});
      request.body = fmt::format(R"({{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":{}}},{}}})",
                                 record::json_string(name.name), data);
    }
    request.query = "fieldManager=weir";
    const std::string_view verb = before->exists ? "change" : "create";
    const auto response = ask(name, verb, std::move(request));
    if (!response) {
      Error error = response.error();
      if (error.code == Code::network && error.hint.empty())
        error.hint = "the change may have been made: look with `weir rules list`";
      return error;
    }
    if (response->ok()) return Edited{.created = !before->exists, .key = before->key};
    const Status status = status_of(response->body);
    const bool is_gone = before->exists && response->status == 404 && status.reason == "NotFound";  // and is made again
    if (response->status != 409 && !is_gone) {
      Error error = refusal(name, verb, before->exists ? "get,patch" : "get,patch,create", *response);
      if (response->status == 404 && status.is_one) {
        error.hint = fmt::format("is the namespace right? kubectl create namespace {} would make it", name.namespace_name);
      }
      return error;
    }
    pause(backoff.next());
  }
  return base::cannot(Code::busy, fmt::format("change {}", quoted(name)), "others keep changing it").with_hint("try again");
}

}  // namespace weir::kube
