// Rules as values: what a file of rules says, before anything is compiled (weir-rules.5). Immutable by use, comparable, copyable.
//
//   redact  `\b\d{13,16}\b` with "****" {namespace="payments"}
//   keep    for 30m from 2026-11-29T12:00:00Z {app="checkout"}
//   release from 2026-11-29T11:40:00Z to 2026-11-29T12:00:00Z {app="checkout"}
//   name healthz: drop {namespace="kube-system"} |= "healthz"
//   hold    | detected_level="debug"
//   sample  10% {app="nginx"} |= " 200 "
//   limit   100/s burst 500 by (namespace, pod)
//   dedup   10s by (pod) {app="noisy"}
//   tenant  team-a {namespace=~"shop|checkout"}
//
// rules/parser.h reads text into rules, rules/printer.h writes them again, rules/rule_set.h evaluates them.
#pragma once

#include "base/clock.h"
#include "logql/ast.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace weir::rules {

// Replaces what `pattern` (RE2) matches in the line, in values of metadata and in values of labels.
struct Redact {
  std::string pattern;
  std::string replacement;  // as written; \1 to \9 are the groups of the pattern, \0 all of it
  friend bool operator==(const Redact&, const Redact&) = default;
};

// How long a `keep` counts, by the wall clock: from <= now < from + length.
struct Lifetime {
  base::Duration length = 0;  // > 0
  base::Timestamp from = 0;
  [[nodiscard]] base::Timestamp until() const { return from + length; }
  friend bool operator==(const Lifetime&, const Lifetime&) = default;
};
struct Keep {
  std::optional<Lifetime> lifetime;  // none: for good
  friend bool operator==(const Keep&, const Keep&) = default;
};

struct Drop {
  friend bool operator==(const Drop&, const Drop&) = default;
};
struct Hold {
  friend bool operator==(const Hold&, const Hold&) = default;
};

// Held records whose own time is in [from, to) are delivered, once.
struct Release {
  base::Timestamp from = 0, to = 0;  // from < to
  friend bool operator==(const Release&, const Release&) = default;
};

// Of the records that match so many of a million pass.
struct Sample {
  std::uint32_t per_million = 0;
  friend bool operator==(const Sample&, const Sample&) = default;
};

// Of each key `amount` in each `per` of record time, and up to `burst` at once.
struct Limit {
  enum class Unit : std::uint8_t { records, bytes };
  std::uint64_t amount = 0;  // > 0
  Unit unit = Unit::records;
  base::Duration per = base::kSecond;  // a second, a minute or an hour
  std::uint64_t burst = 0;             // >= amount; what was not written is the amount
  std::vector<std::string> by;         // labels whose values make the key; none: one key for all records that match
  friend bool operator==(const Limit&, const Limit&) = default;
};

// Of records with the same key and line, one in each `within` of record time.
struct Dedup {
  base::Duration within = 0;    // > 0
  std::vector<std::string> by;  // labels whose values belong to the key; none: all labels of the stream
  friend bool operator==(const Dedup&, const Dedup&) = default;
};

struct Tenant {
  std::string name;
  friend bool operator==(const Tenant&, const Tenant&) = default;
};

using Action = std::variant<Redact, Keep, Drop, Hold, Release, Sample, Limit, Dedup, Tenant>;
[[nodiscard]] std::string_view word_of(const Action& action);  // "redact", …

// Where a rule stands.
struct RulePlace {
  std::string file;        // as it was given; "" for text that has none
  std::size_t line = 0;    // from 1
  std::size_t offset = 0;  // of its first byte in the text of its file
};

struct Rule {
  std::string name;  // what stands in front of the action (`name NAME:`); "" for none
  Action action;
  logql::LogExpr match;  // no matchers: all streams. No stages: all their records
  RulePlace place;

  // What metrics, explanations and reports call the rule: its name, or a hash of its canonical text ("rule-1f3a9c02"). The same in
  // every process, wherever the rule stands.
  [[nodiscard]] std::string id() const;
  // The hash, also where there is a name: the same only for rules that do the same.
  [[nodiscard]] std::string text_id() const;

  // Two rules that say the same, wherever they stand.
  friend bool operator==(const Rule& a, const Rule& b) { return a.name == b.name && a.action == b.action && a.match == b.match; }
};

}  // namespace weir::rules
