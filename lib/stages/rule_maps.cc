#include "stages/rule_maps.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <utility>

namespace weir::stages {

using base::Code;
using base::Error;
using base::Result;

Result<void> check_rule_places(const std::vector<std::string>& places) {
  for (const std::string& place : places) {
    if (!kube::is_config_map(place)) continue;
    if (auto name = kube::parse_config_map(place); !name) return std::move(name).error();
  }
  return {};
}

Result<void> rehearse_rule_places(const std::vector<std::string>& places, const kube::Access& access,
                                  const pipeline::Context& context) {
  for (const std::string& place : places) {
    if (!kube::is_config_map(place)) continue;
    if (auto name = kube::parse_config_map(place); !name) return std::move(name).error();
    auto config = kube::client_config(access, context.environment, context.diagnostics);
    if (!config) return std::move(config).error();
    // Those of the pod may be missing where its pipeline is checked.
    for (std::string* const file : {&config->bearer_token_file, &config->ca_file}) {
      if (file->starts_with(kube::kServiceAccount)) file->clear();
    }
    if (auto good = http::check_files(*config); !good) return std::move(good).error();
    context.diagnostics->say(
        fmt::format("the rules of '{0}' are read when the pipeline starts; `weir rules check {0}` checks them before",
                    base::escape_control(place)));
  }
  return {};
}

Result<RuleMaps> RuleMaps::start(const std::vector<std::string>& places, const kube::Access& access,
                                 const pipeline::Context& context) {
  RuleMaps out;
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (!kube::is_config_map(places[i])) continue;
    auto name = kube::parse_config_map(places[i]);
    if (!name) return std::move(name).error();
    if (out.maps_.empty()) {
      out.clock_ = context.clock;
      out.diagnostics_ = context.diagnostics;
      out.stop_ = context.stop;
      auto config = kube::client_config(access, context.environment, context.diagnostics);
      if (!config) return std::move(config).error();
      out.config_ = *std::move(config);
    }
    auto watch = kube::ConfigMapWatch::start(*std::move(name), out.config_, *context.clock, *context.diagnostics);
    if (!watch) return std::move(watch).error().within(fmt::format("cannot follow '{}'", places[i]));
    Map map;
    map.place = i;
    map.watch = *std::move(watch);
    out.maps_.push_back(std::move(map));
  }
  return out;
}

const RuleMaps::Map* RuleMaps::find(std::size_t place) const {
  const auto found = std::ranges::find(maps_, place, &Map::place);
  return found == maps_.end() ? nullptr : &*found;
}

bool RuleMaps::is_known(std::size_t place) const { return find(place)->watch->version() != 0; }

bool RuleMaps::all_known() const {
  return std::ranges::all_of(maps_, [](const Map& map) { return map.watch->version() != 0; });
}

void RuleMaps::wait(base::Duration patience, bool may_give_up) {
  base::Wake wake;
  if (maps_.empty() || !wake.open()) return;
  for (const Map& map : maps_) map.watch->listen(wake);
  const base::Monotonic deadline = base::after(clock_->monotonic(), patience);
  const auto is_over = [&](base::Monotonic now) {
    if (now >= deadline || (stop_ != nullptr && stop_->stopped())) return true;
    return std::ranges::all_of(
        maps_, [&](const Map& map) { return map.watch->version() != 0 || (may_give_up && !map.watch->trouble().empty()); });
  };
  for (base::Monotonic now = clock_->monotonic(); !is_over(now); now = clock_->monotonic()) {
    std::array<pollfd, 2> ends = {{{wake.fd(), POLLIN, 0}, {stop_ != nullptr ? stop_->fd() : -1, POLLIN, 0}}};
    ::poll(ends.data(), ends.size(), base::poll_timeout(now, deadline));
    wake.hear();
  }
  for (const Map& map : maps_) map.watch->unlisten();
}

void RuleMaps::use_kept(std::size_t place, std::string_view text) {
  const auto found = std::ranges::find(maps_, place, &Map::place);
  if (found->taken == 0) found->text = std::string(text);
}

std::string RuleMaps::trouble(std::size_t place) const {
  const std::string trouble = find(place)->watch->trouble();
  return trouble.find("(403)") == std::string::npos ? "the API server has not answered" : trouble;
}

Error RuleMaps::why_unknown(std::size_t place) const {
  const Map& map = *find(place);
  const std::string trouble = map.watch->trouble();
  constexpr std::string_view kRights = "get,list,watch";
  http::ClientConfig config = config_;
  config.timeout = 5 * base::kSecond;
  config.diagnostics = nullptr;
  if (auto maps = kube::ConfigMaps::create(std::move(config)); maps) {
    auto text = (*maps)->read(map.watch->name(), kRights);
    if (!text) return std::move(text).error();
    // It may be read, so it may not be followed.
    if (!trouble.empty()) {
      return base::cannot(Code::config, fmt::format("follow ConfigMap '{}'", map.watch->name().object()), trouble)
          .with_hint(kube::role_for(map.watch->name(), kRights, trouble));
    }
  }
  return base::cannot(Code::unreachable, fmt::format("read ConfigMap '{}'", map.watch->name().object()),
                      trouble.empty() ? "the API server has not answered" : trouble);
}

Result<void> RuleMaps::attach(base::Wake& wake) {
  if (maps_.empty()) return {};
  if (auto opened = wake.open(); !opened) return opened;
  for (const Map& map : maps_) map.watch->listen(wake);
  if (changed()) wake.ring();  // since the start
  return {};
}

bool RuleMaps::changed() const {
  return std::ranges::any_of(maps_, [](const Map& map) { return map.watch->version() != map.taken; });
}

void RuleMaps::take() {
  for (Map& map : maps_) {
    const std::uint64_t version = map.watch->version();
    if (version == map.taken) continue;
    map.taken = version;
    auto text = map.watch->text();
    const bool is_missing = text && !text->exists;
    if (is_missing && !map.is_missing) {
      diagnostics_->say(fmt::format("the ConfigMap '{}' does not exist, so it has no rules", map.watch->name().object()));
    }
    map.is_missing = is_missing;
    map.text = text ? Result<std::string>(std::move(text->text)) : Result<std::string>(std::move(text).error());
  }
}

}  // namespace weir::stages
