#include "rules/check.h"

#include "base/count.h"
#include "logql/matcher.h"
#include "names/level.h"
#include "record/age.h"
#include "record/timestamp.h"
#include "rules/rule_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace weir::rules {
namespace {

using logql::LabelFilterExpr;
using logql::LineFilterExpr;
using logql::LogExpr;
using logql::MatcherExpr;
using logql::MatchOp;
using logql::StageExpr;

// Labels that tend to have a new value for each pod, request or user.
constexpr std::string_view kUnbounded[] = {"pod",        "pod_name", "pod_uid", "uid",     "instance",   "container_id", "filename",
                                           "trace_id",   "traceid",  "traceID", "span_id", "request_id", "req_id",       "session",
                                           "session_id", "user",     "user_id", "ip",      "client_ip",  "remote_addr",  "path",
                                           "url",        "uri",      "address", "addr",    "id"};

template <typename T>
const T* as(const StageExpr& stage) {
  return std::get_if<T>(&stage.node);
}
template <typename T>
const T* as(const Rule& rule) {
  return std::get_if<T>(&rule.action);
}

bool reads(const LabelFilterExpr& filter, std::string_view name) {
  return filter.matcher.name == name || std::ranges::any_of(filter.legs, [&](const auto& leg) { return reads(leg, name); });
}

bool reads(const Rule& rule, std::string_view name) {
  const bool selected = std::ranges::any_of(rule.match.matchers, [&](const MatcherExpr& one) { return one.name == name; });
  return selected || std::ranges::any_of(rule.match.stages, [&](const StageExpr& stage) {
           const auto* filter = as<LabelFilterExpr>(stage);
           return filter != nullptr && reads(*filter, name);
         });
}

bool takes_all(const MatcherExpr& matcher) { return matcher.op == MatchOp::regex && matcher.value == ".*"; }
bool takes_all(const StageExpr& stage) {
  const auto* filter = as<LineFilterExpr>(stage);
  if (filter == nullptr) return false;
  const bool any = filter->op == LineFilterExpr::Op::contains || filter->op == LineFilterExpr::Op::regex;
  return any && std::ranges::any_of(filter->arguments, [&](const LineFilterExpr::Argument& argument) {
           if (argument.is_ip) return false;
           return argument.text.empty() || (filter->op == LineFilterExpr::Op::regex && argument.text == ".*");
         });
}
bool takes_all(const LogExpr& expr) {
  return std::ranges::all_of(expr.matchers, [](const auto& one) { return takes_all(one); }) &&
         std::ranges::all_of(expr.stages, [](const auto& one) { return takes_all(one); });
}

bool filter_may_fail(const LabelFilterExpr& filter) {
  using Kind = LabelFilterExpr::Kind;
  if (filter.kind == Kind::both || filter.kind == Kind::either) return std::ranges::any_of(filter.legs, filter_may_fail);
  return filter.kind != Kind::string;
}

// Whether a stage may set __error__.
bool may_fail(const StageExpr& stage) {
  if (const auto* filter = as<LabelFilterExpr>(stage)) return filter_may_fail(*filter);
  return as<LineFilterExpr>(stage) == nullptr && as<logql::DecolorizeExpr>(stage) == nullptr &&
         as<logql::LabelSelectionExpr>(stage) == nullptr;
}
bool may_fail(const LogExpr& expr) {
  return std::ranges::any_of(expr.stages, [](const StageExpr& stage) { return may_fail(stage); });
}

// Regular expressions of matchers, compiled once for all pairs of rules.
class Matchers {
 public:
  bool matches(const MatcherExpr& expr, std::string_view value) {
    auto& compiled = by_op_[static_cast<std::size_t>(expr.op)];
    auto found = compiled.find(expr.value);
    if (found == compiled.end()) {
      auto matcher = logql::Matcher::compile(expr);
      if (!matcher) return false;
      found = compiled.emplace(expr.value, *std::move(matcher)).first;
    }
    return found->second.matches(value);
  }

 private:
  std::array<std::unordered_map<std::string, logql::Matcher>, 4> by_op_;
};

bool matcher_covers(const MatcherExpr& outer, const MatcherExpr& inner, Matchers& matchers) {
  if (outer.name != inner.name) return false;
  return outer == inner || (inner.op == MatchOp::equal && matchers.matches(outer, inner.value));
}

bool selector_covers(const std::vector<MatcherExpr>& outer, const std::vector<MatcherExpr>& inner, Matchers& matchers) {
  return std::ranges::all_of(outer, [&](const MatcherExpr& one) {
    return takes_all(one) ||
           std::ranges::any_of(inner, [&](const MatcherExpr& other) { return matcher_covers(one, other, matchers); });
  });
}

bool expr_covers(const LogExpr& outer, const LogExpr& inner, Matchers& matchers) {
  if (takes_all(outer)) return true;
  // What passes all stages passes the first of them.
  return outer.stages.size() <= inner.stages.size() && std::equal(outer.stages.begin(), outer.stages.end(), inner.stages.begin()) &&
         (outer.stages.size() == inner.stages.size() || !may_fail(outer)) &&
         selector_covers(outer.matchers, inner.matchers, matchers);
}

bool decides_for_good(const Rule& rule) {
  const auto* keep = as<Keep>(rule);
  return as<Drop>(rule) != nullptr || as<Hold>(rule) != nullptr || (keep != nullptr && !keep->lifetime);
}
bool takes_away(const Rule& rule) { return as<Drop>(rule) != nullptr || as<Hold>(rule) != nullptr; }
bool is_in_phase_2(const Rule& rule) { return as<Keep>(rule) != nullptr || takes_away(rule); }
bool is_in_phase_3(const Rule& rule) {
  return as<Sample>(rule) != nullptr || as<Limit>(rule) != nullptr || as<Dedup>(rule) != nullptr || as<Tenant>(rule) != nullptr;
}

// Whether the later rule of phase 2 never decides, because the earlier one always does. A drop or hold does not match a record on
// which its expression fails; a keep does.
bool shadows(const Rule& earlier, const Rule& later, Matchers& matchers) {
  if (!decides_for_good(earlier) || !expr_covers(earlier.match, later.match, matchers)) return false;
  return !may_fail(earlier.match) || as<Keep>(earlier) != nullptr || as<Keep>(later) == nullptr;
}

class Checker {
 public:
  Checker(std::span<const Rule> rules, const Surroundings& where) : rules_(rules), where_(where) {}

  std::vector<Finding> run() {
    for (at_ = 0; at_ < rules_.size(); ++at_) {
      const Rule& rule = rules_[at_];
      if (is_in_phase_2(rule)) {
        if (!never_reached(rule)) everything(rule);
      } else {
        acts_on_nothing(rule);
        twice(rule);
      }
      std::visit([&](const auto& action) { of(action, rule); }, rule.action);
      level(rule);
    }
    return std::move(findings_);
  }

 private:
  void add(Severity severity, std::string message, std::string hint = {}) {
    findings_.push_back({at_, rules_[at_].place, severity, std::move(message), std::move(hint)});
  }
  [[nodiscard]] std::string at(const Rule& other) const { return print(other.place); }

  bool never_reached(const Rule& rule) {
    for (std::size_t i = 0; i < at_; ++i) {
      if (!shadows(rules_[i], rule, matchers_)) continue;
      add(Severity::warning,
          fmt::format("is never reached: {} in {} takes all its records", word_of(rules_[i].action), at(rules_[i])),
          "the first keep, drop or hold that matches decides: put this rule in front, or remove it");
      return true;
    }
    return false;
  }

  void everything(const Rule& rule) {
    if (!takes_away(rule) || !takes_all(rule.match)) return;
    const bool alone = std::none_of(rules_.begin(), rules_.begin() + static_cast<std::ptrdiff_t>(at_), is_in_phase_2);
    const std::string_view verb = as<Drop>(rule) != nullptr ? "drops" : "holds";
    if (alone) {
      add(Severity::warning, fmt::format("{} all records", verb),
          "name the records that are meant, for example {app=\"nginx\"} |= \"healthz\"");
    } else {
      add(Severity::note, fmt::format("{} all records that no rule before it takes", verb));
    }
  }

  // A rule of phase 3 whose records are dropped or held in phase 2, wherever that stands. A tenant is also that of held records.
  void acts_on_nothing(const Rule& rule) {
    if (!is_in_phase_3(rule)) return;
    for (const Rule& other : rules_) {
      if (as<Keep>(other) != nullptr) return;  // may save some
      if (as<Drop>(other) == nullptr && (as<Hold>(other) == nullptr || as<Tenant>(rule) != nullptr)) continue;
      if (!expr_covers(other.match, rule.match, matchers_) || may_fail(other.match)) continue;
      add(Severity::warning, fmt::format("acts on nothing: {} in {} takes all its records", word_of(other.action), at(other)),
          "drop and hold decide before sample, dedup, limit and tenant, wherever these stand");
      return;
    }
  }

  void twice(const Rule& rule) {
    for (std::size_t i = 0; i < at_; ++i) {
      if (rules_[i].action != rule.action || rules_[i].match != rule.match) continue;
      add(Severity::warning, fmt::format("says the same as the rule in {}", at(rules_[i])), "remove one of them");
      return;
    }
  }

  void of(const Redact& redact, const Rule&) {
    if (where_.behind_buffer) {
      add(Severity::warning, "redacts behind buffer, so the spool holds the text as it was",
          "put the filter with this rule in front of buffer");
    }
    const std::size_t dollar = redact.replacement.find('$');
    if (dollar != std::string::npos && dollar + 1 < redact.replacement.size() &&
        std::string_view("0123456789{&").find(redact.replacement[dollar + 1]) != std::string_view::npos) {
      add(Severity::warning, "the replacement holds a $, which stands for itself", "groups of the pattern are written \\1 to \\9");
    }
  }
  void of(const Keep& keep, const Rule& rule) {
    if (!keep.lifetime) return;
    const base::Timestamp until = keep.lifetime->until();
    if (until <= where_.now) {
      add(Severity::note, fmt::format("expired {}", record::age_in_words(until, where_.now)),
          rule.place.file.empty() ? "" : fmt::format("to remove it: weir rules remove {} {}", rule.place.file, rule.id()));
    } else if (keep.lifetime->from > where_.now) {
      add(Severity::note, fmt::format("begins {}", record::age_in_words(keep.lifetime->from, where_.now)),
          "if it should apply already, check the time zone of its time");
    }
  }
  void of(const Release& release, const Rule&) {
    if (release.to <= where_.now) return;
    add(Severity::note, fmt::format("releases records up to a time that comes {}", record::age_in_words(release.to, where_.now)),
        "if that is not intended, check the time zone of its time");
  }
  void of(const Sample& sample, const Rule&) {
    if (sample.per_million == 1'000'000) add(Severity::note, "keeps all records");
  }
  void of(const Limit& limit, const Rule&) { keys(limit.by); }
  void of(const Dedup& dedup, const Rule&) { keys(dedup.by); }
  static void of(const Drop&, const Rule&) {}
  static void of(const Hold&, const Rule&) {}
  static void of(const Tenant&, const Rule&) {}

  void keys(const std::vector<std::string>& by) {
    for (const std::string& label : by) {
      if (std::ranges::find(kUnbounded, label) == std::end(kUnbounded)) continue;
      add(Severity::note, fmt::format("counts by '{}', which may have many values", label),
          fmt::format("weir remembers at most {} for all rules together; then it forgets the key that was used longest ago, and "
                      "records with it pass",
                      base::count_of(StateBounds{}.keys, "key")));
      return;
    }
  }

  void level(const Rule& rule) {
    if (where_.levels_known.value_or(true) || !reads(rule, names::kDetectedLevel)) return;
    add(Severity::warning, "reads detected_level, which no stage in front of it sets",
        "put `enrich --level` in front of the filter with this rule");
  }

  std::span<const Rule> rules_;
  const Surroundings& where_;
  Matchers matchers_;
  std::size_t at_ = 0;
  std::vector<Finding> findings_;
};

}  // namespace

bool covers(const LogExpr& outer, const LogExpr& inner) {
  Matchers matchers;
  return expr_covers(outer, inner, matchers);
}

std::string print(const RulePlace& place) {
  return place.file.empty() ? fmt::format("line {}", place.line) : fmt::format("{}:{}", place.file, place.line);
}

std::vector<Finding> check_texts(std::span<const NamedText> texts) {
  std::vector<Finding> findings;
  for (const NamedText& one : texts) {
    if (!is_blank(one.text)) continue;
    findings.push_back({.place = {.file = one.name, .line = 1},
                        .severity = Severity::note,
                        .message = "the file is empty",
                        .hint = "a running chain takes an emptied file for a broken one: leave a comment in it, for example "
                                "# no rules"});
  }
  return findings;
}

std::vector<Finding> check(std::span<const Rule> rules, const Surroundings& where) { return Checker(rules, where).run(); }

}  // namespace weir::rules
