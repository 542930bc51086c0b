// A set of rules, compiled: what becomes of each record.
//
// Three phases, wherever the rules stand (weir-rules.5):
//   1. every `redact` whose selector takes the record changes line, metadata and label values;
//   2. the first `keep`, `drop` or `hold` that matches decides;
//   3. every `sample`, `dedup`, `limit`, `tenant` acts on what passes, in the order of the file; a `keep` with a lifetime exempts
//      from the first three.
// `release` decides nothing here: releases() lists them for the owner of a spool.
//
// A record on which an expression sets __error__ does not match a rule that could lose it (drop, hold, sample, limit, dedup),
// unless the expression asks for __error__ itself. A gap record (metadata weir_gap_bytes) always passes, and counts nowhere.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "record/record.h"
#include "rules/rule.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::rules {

// What became of a record, and by which rule.
enum class Verdict : std::uint8_t {
  pass,      // no rule of phase 2 matched, or a keep did
  drop,      // by drop
  hold,      // by hold: Record::held is set
  sampled,   // lost to sample
  limited,   // lost to limit
  repeated,  // lost to dedup
};
inline constexpr std::size_t kNoRule = ~std::size_t{0};

struct Judgement {
  Verdict verdict = Verdict::pass;
  std::size_t rule = kNoRule;  // index of the rule that decided; kNoRule: none did
};

// Of one rule, since the set was compiled. Written by the thread that judges.
struct RuleCounts {
  std::uint64_t records = 0, bytes = 0;  // that matched and that the rule acted on
  std::uint64_t errors = 0;              // on which its expression failed, so that it did not match
};

// Bounds of the state of `limit` and `dedup`, for the whole set. Beyond them the oldest key is forgotten, so that a record passes
// rather than is lost; forgotten_keys() counts.
struct StateBounds {
  std::size_t keys = 65'536;
  std::size_t bytes = 8 << 20;
};

// Not thread safe. Nothing is allocated per record once the buffers have grown and the label sets are known.
class RuleSet {
 public:
  // Code::config with file, line, column and caret for an expression that does not compile.
  static base::Result<RuleSet> compile(std::vector<Rule> rules, const StateBounds& bounds = {});

  // Before a batch: which lifetimes count, by the wall clock. Returns when that changes next (base::kNever-like maximum: never).
  base::Timestamp begin(base::Timestamp now);

  // What becomes of the record. May redact it (then touch()ed), set its tenant, and mark it held. Never called with markers.
  Judgement judge(record::Record& record, record::Batch& batch);

  [[nodiscard]] std::span<const Rule> rules() const;
  [[nodiscard]] std::span<const RuleCounts> counts() const;  // by index of the rule
  [[nodiscard]] std::uint64_t forgotten_keys() const;
  [[nodiscard]] bool holds() const;  // some rule is a hold

  // The state of limit and dedup goes on in a set that replaces this one, for rules that say the same.
  void take_state_of(RuleSet& before);

  RuleSet(RuleSet&&) noexcept;
  RuleSet& operator=(RuleSet&&) noexcept;
  RuleSet(const RuleSet&) = delete;  // carries state and caches
  RuleSet& operator=(const RuleSet&) = delete;
  ~RuleSet();

 private:
  struct Compiled;
  explicit RuleSet(std::unique_ptr<Compiled> compiled);
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace weir::rules
