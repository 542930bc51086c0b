#include "ruler/alert_state.h"

#include <algorithm>
#include <set>
#include <utility>

namespace weir::ruler {
namespace {

constexpr base::Duration kResolvedRetention = 15 * base::kMinute;

// What an evaluation without the alert makes of it. False: it is forgotten.
bool step_absent(Alert& alert, base::Timestamp time, const Alerts::Rule& rule) {
  if (alert.state == AlertState::pending) return false;
  if (alert.state == AlertState::inactive) return time - *alert.resolved_at <= kResolvedRetention;
  if (rule.keep_firing > 0) {
    if (!alert.kept_since) alert.kept_since = time;
    if (time - *alert.kept_since < rule.keep_firing) return true;
  }
  alert.state = AlertState::inactive;
  alert.resolved_at = time;
  return true;
}

}  // namespace

std::string_view word_of(AlertState state) {
  switch (state) {
    case AlertState::inactive:
      return "inactive";
    case AlertState::pending:
      return "pending";
    case AlertState::firing:
      return "firing";
  }
  return "";
}

base::Result<void> Alerts::step(base::Timestamp time, const std::vector<Instance>& answer) {
  std::set<const record::LabelSet*> found;
  for (const Instance& instance : answer) {
    if (!found.insert(instance.labels.get()).second) {
      return base::fail(base::Code::config, "vector contains metrics with the same labelset after applying alert labels")
          .with_hint(fmt::format("two series give the alert {}: leave a label in that tells them apart", instance.labels->json()));
    }
  }
  for (const Instance& instance : answer) {
    Alert& alert = alerts_[instance.labels.get()];
    if (!alert.labels || alert.state == AlertState::inactive) {
      alert = Alert();
      alert.labels = instance.labels;
      alert.active_at = time;
    }
    alert.sample = instance.sample;
    alert.value = instance.value;
    alert.evaluated = time;
    alert.kept_since.reset();
    if (alert.state == AlertState::pending && time - alert.active_at >= rule_.hold) {
      alert.state = AlertState::firing;
      alert.fired_at = time;
    }
  }
  std::size_t active = 0;
  for (auto next = alerts_.begin(); next != alerts_.end();) {
    if (!found.contains(next->first) && !step_absent(next->second, time, rule_)) {
      next = alerts_.erase(next);
      continue;
    }
    if (next->second.resolved_at == time) last_resolved_ = next->second;
    if (next->second.state != AlertState::inactive) ++active;
    ++next;
  }
  if (rule_.limit > 0 && active > rule_.limit) {
    alerts_.clear();
    return base::fail(base::Code::config, "exceeded limit of {} with {} alerts", rule_.limit, active)
        .with_hint("raise the `limit` of the group, or aggregate: sum by (namespace) (…)");
  }
  return {};
}

std::vector<Alert> Alerts::all() const {
  std::vector<Alert> all;
  for (const auto& [labels, alert] : alerts_) all.push_back(alert);
  std::ranges::sort(all, [](const Alert& a, const Alert& b) { return by_labels(*a.labels, *b.labels); });
  return all;
}

bool by_labels(const record::LabelSet& a, const record::LabelSet& b) {
  return std::ranges::lexicographical_compare(a.labels(), b.labels(), [](const record::Label& x, const record::Label& y) {
    return x.name != y.name ? x.name < y.name : x.value < y.value;
  });
}

}  // namespace weir::ruler
