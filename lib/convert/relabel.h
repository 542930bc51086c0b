// The relabel rules of Prometheus and Promtail, as values that can be run on labels.
// https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config
#pragma once

#include "convert/report.h"
#include "gotext/regex.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::convert {

using Labels = std::map<std::string, std::string, std::less<>>;  // no empty values

struct RelabelRule {
  enum class Action : std::uint8_t {
    replace,
    keep,
    drop,
    keep_equal,
    drop_equal,
    hash_mod,
    label_map,
    label_drop,
    label_keep,
    lower_case,
    upper_case,
  };
  Action action = Action::replace;
  std::vector<std::string> sources;
  std::string separator = ";";
  std::string regex = "(.*)";
  std::string replacement = "$1";
  std::string target;
  Spot spot;
  std::shared_ptr<const gotext::Regex> compiled;  // of `regex`, which matches the whole value

  // keep and drop of each kind: these judge the target as a whole.
  [[nodiscard]] bool judges() const;
};

// The rules of `relabel_configs`. Mistakes go to the report.
[[nodiscard]] std::vector<RelabelRule> read_relabel_rules(const yaml::Node& list, const Spot& spot, Report& report);

// The values of the sources with the separator between them.
[[nodiscard]] std::string source_value(const RelabelRule& rule, const Labels& labels);
// What a rule makes of the labels; false: the target is dropped. hash_mod changes nothing: see the report.
[[nodiscard]] bool apply(const RelabelRule& rule, Labels& labels);

// $1, ${1}, $name, ${name} and $$ of Go's regexp.Expand.
[[nodiscard]] std::string expand_groups(std::string_view replacement, const gotext::Regex& regex,
                                        const std::vector<std::string_view>& groups);

// The words of letters and digits that a regular expression speaks of literally: what values may make a difference to it.
[[nodiscard]] std::vector<std::string> literal_words(std::string_view regex);

// `a|b|c.*` as globs (c*); nothing where the expression says more than that.
[[nodiscard]] std::vector<std::string> as_globs(std::string_view regex);

}  // namespace weir::convert
