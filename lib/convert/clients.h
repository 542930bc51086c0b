// The clients of a configuration as options of push.
#pragma once

#include "convert/chain.h"
#include "convert/report.h"

#include <string>
#include <utility>
#include <vector>

namespace weir::convert {

struct Client {
  std::string name;                                         // "" for none
  std::string url;                                          // "" where weir takes LOKI_ADDR
  std::vector<OptionWord> options;                          // of push
  std::vector<std::pair<std::string, std::string>> labels;  // external_labels
  Spot spot;
};

// `clients` and `client` of the configuration. `config_folder`: where files with secrets are to lie. No secret is in the result, or
// in the report.
[[nodiscard]] std::vector<Client> read_clients(MapReader& root, std::string_view config_folder, Report& report);

// A text of the configuration that may hold ${VARIABLES}: a default in one is taken out, and said. With `secret` nothing of the
// text is said.
[[nodiscard]] std::string with_variables(const yaml::Node& node, const Spot& spot, Report& report, bool secret = false);

// TLS, authorization and proxy of a client of the HTTP API of Kubernetes.
[[nodiscard]] std::vector<OptionWord> kube_access(MapReader& map, Report& report);

}  // namespace weir::convert
