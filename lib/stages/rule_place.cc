#include "stages/rule_place.h"

#include <fmt/format.h>

#include <utility>

namespace weir::stages {

using base::Result;

Result<kube::ConfigMaps*> RulePlaces::maps() {
  if (!maps_) {
    auto config = kube::client_config(access_, context_.environment, context_.diagnostics);
    if (!config) return std::move(config).error();
    if (context_.stop != nullptr) config->cancelled = [stop = context_.stop] { return stop->stopped(); };
    auto maps = kube::ConfigMaps::create(*std::move(config));
    if (!maps) return std::move(maps).error();
    maps_ = *std::move(maps);
  }
  return maps_.get();
}

Result<std::string> RulePlaces::read(const std::string& place) {
  if (!kube::is_config_map(place)) return rules::read_file(place);
  auto name = kube::parse_config_map(place);
  if (!name) return std::move(name).error();
  const auto client = maps();
  if (!client) return client.error();
  auto text = (*client)->read(*name);
  if (!text) return std::move(text).error();
  if (!text->exists) {
    context_.diagnostics->say(fmt::format("the ConfigMap '{}' does not exist, so it has no rules", name->object()));
  } else if (!text->has_key) {
    context_.diagnostics->say(fmt::format("the ConfigMap '{}' has no key '{}', so it has no rules", name->object(), text->key));
  }
  return std::move(text->text);
}

Result<RulePlaces::Edited> RulePlaces::edit(const std::string& place, const rules::Edit& edit) {
  if (!kube::is_config_map(place)) {
    if (auto edited = rules::edit_file(place, edit); !edited) return std::move(edited).error();
    return Edited{};
  }
  auto name = kube::parse_config_map(place);
  if (!name) return std::move(name).error();
  const auto client = maps();
  if (!client) return client.error();
  auto edited = (*client)->edit(*name, edit);
  if (!edited) return std::move(edited).error();
  return Edited{.created = edited->created};
}

}  // namespace weir::stages
