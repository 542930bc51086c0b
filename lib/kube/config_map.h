// Text that stands in a ConfigMap: configmap:NAMESPACE/NAME[/KEY]. Names it, reads it, edits it.
//
// A ConfigMap is a small object of the API server (1 MiB) that holds texts by key. Without KEY the text is that of the key `rules`;
// where there is no such key, that of the only key; of several keys none is chosen.
//
// What does not exist is empty: the ConfigMap, the key. So a place for rules in an emergency needs no object until somebody adds
// one.
// https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/config-map-v1/
#pragma once

#include "base/result.h"
#include "http/client.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace weir::kube {

inline constexpr std::string_view kConfigMapScheme = "configmap:";
inline constexpr std::string_view kUsualKey = "rules";

struct ConfigMapName {
  std::string namespace_name;
  std::string name;
  std::string key;  // "": the usual one, see above

  [[nodiscard]] std::string object() const;      // NAMESPACE/NAME
  [[nodiscard]] std::string collection() const;  // the path of all ConfigMaps of the namespace
  friend bool operator==(const ConfigMapName&, const ConfigMapName&) = default;
};

// Whether `place` names a ConfigMap and not a file: it begins with configmap:
[[nodiscard]] bool is_config_map(std::string_view place);
// The names in `place`, which is_config_map(), with only such letters as Kubernetes allows. Errors: Code::usage.
[[nodiscard]] base::Result<ConfigMapName> parse_config_map(std::string_view place);

// What the API server has at a place.
struct ConfigMapText {
  bool exists = false;           // the ConfigMap
  std::string resource_version;  // its version
  std::string key;               // that the text has, or that a text would get
  bool has_key = false;
  std::string text;  // "" without the key
  friend bool operator==(const ConfigMapText&, const ConfigMapText&) = default;
};

// Out of the JSON of the ConfigMap. Errors: Code::parse, of what is no ConfigMap; Code::config when there are several keys and none
// is named, with all of them, and when the key holds binary data.
[[nodiscard]] base::Result<ConfigMapText> text_of(std::string_view object, const ConfigMapName& name);

// The user whom a refusal of the API server names, as an option of `kubectl create rolebinding`.
[[nodiscard]] std::string subject_of(std::string_view message);

// What somebody must have to do `verbs` ("get,patch") to this ConfigMap, as a hint: two commands of kubectl for an administrator.
// `message`: of the API server, which names the user.
[[nodiscard]] std::string role_for(const ConfigMapName& name, std::string_view verbs, std::string_view message);

// Reads and edits ConfigMaps of one API server. Not thread safe.
//
// Errors: those of http::Client; Code::config without the rights, with what to ask for; Code::network of anything else that the API
// server answers; those of text_of().
class ConfigMaps {
 public:
  static base::Result<std::unique_ptr<ConfigMaps>> create(http::ClientConfig config);

  // One request. `verbs`: the rights that an error without them names, for whoever wants to do more than read.
  base::Result<ConfigMapText> read(const ConfigMapName& name, std::string_view verbs = "get");

  // Gets the present text and returns the one that replaces it. Called again when somebody else changed the object meanwhile.
  using Edit = std::function<base::Result<std::string>(std::string_view text)>;
  struct Edited {
    bool created = false;  // the ConfigMap, which did not exist
    std::string key;       // that was edited
  };
  // Replaces the text of one key, if the object is still the one that was read (its resourceVersion); otherwise begins anew, so
  // that two edits at once both take effect. Everything else in the object stays. Makes the ConfigMap, or the key, where it does
  // not exist. A text that stays the same is not written. Needs the rights get and patch, and create to make the ConfigMap. More
  // errors: those of `edit`; Code::busy when others keep changing the object.
  base::Result<Edited> edit(const ConfigMapName& name, const Edit& edit);

 private:
  explicit ConfigMaps(std::unique_ptr<http::Client> client) : client_(std::move(client)) {}
  base::Result<http::Response> ask(const ConfigMapName& name, std::string_view verb, http::Request request);
  [[nodiscard]] base::Error refusal(const ConfigMapName& name, std::string_view verb, std::string_view verbs,
                                    const http::Response& response) const;

  std::unique_ptr<http::Client> client_;
};

}  // namespace weir::kube
