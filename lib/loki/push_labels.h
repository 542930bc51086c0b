// Reads the label string of a pushed stream, `{app="x", env='p'}`, as Prometheus's parser of metrics does, which Loki uses:
// https://github.com/prometheus/prometheus/tree/main/promql/parser. A name before the braces is the label __name__.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::loki {

struct PushedLabels {
  std::vector<std::pair<std::string, std::string>> labels = {};  // in the order of the text; a name may come twice
  // Why it is no label string, with the place, as Loki says it: `1:4: parse error: unexpected "="`.
  std::optional<std::string> error = {};
};

[[nodiscard]] PushedLabels read_pushed_labels(std::string_view text);

}  // namespace weir::loki
