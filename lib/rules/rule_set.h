// A set of rules, compiled: what becomes of each record.
//
// Three phases, wherever the rules stand (weir-rules.5):
//   1. Every `redact` whose selector takes the record changes line, metadata and label values, one after the other in the order of
//      the file. Selectors of this phase see the labels as they came, those of the others see them redacted.
//   2. The first `keep`, `drop` or `hold` that matches decides.
//   3. Every `sample`, `dedup`, `limit`, `tenant` acts on what passes, in the order of the file, up to the first that loses the
//      record. A `keep` with a lifetime exempts from the first three. `tenant` acts on what is held as well, so that a release
//      delivers it to its tenant; of several the last one stays.
// `release` decides nothing here: the owner of a spool asks rules() for them.
//
// A record on which an expression sets __error__ does not match a rule that could lose it (drop, hold, sample, limit, dedup),
// unless the expression asks for __error__ itself. A gap record (metadata weir_gap_bytes) always passes, and counts nowhere; only
// redact and tenant act on it.
//
// What a verdict depends on: the record, the rules, the lifetimes at begin(), and for limit and dedup earlier records of the same
// key. How records are cut into batches, and whether lines come escaped or not, changes nothing.
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
  friend bool operator==(const Judgement&, const Judgement&) = default;
};

// Of one rule, since the set was compiled. Plain numbers: the thread that judges adds to them, and copies them once a batch to
// where others read.
struct RuleCounts {
  // On which the rule acted: that redact changed, keep, drop and hold decided, sample, limit and dedup lost, and tenant took. Bytes
  // are those of the line in the form in which it came, as stages count them.
  std::uint64_t records = 0, bytes = 0;
  std::uint64_t errors = 0;  // on which its expression failed, so that it did not match
};

// Bounds of what `limit` and `dedup` remember, for the whole set: an entry for each window of a limit's key, and for each line that
// dedup passed. Beyond them the entry that was used longest ago is forgotten, so that a record passes rather than is lost.
// forgotten_keys() counts those whose time was not over for the record that took their place.
struct StateBounds {
  std::size_t keys = 65'536;  // entries, of 64 bytes each
  std::size_t bytes = 8 << 20;
};

// Not thread safe. Nothing is allocated per record once the buffers have grown and the label sets are known. What is known of a
// label set is remembered by its address, of which a reference is kept; the memory of that is bounded.
class RuleSet {
 public:
  // Code::config "cannot use rules FILE: line 3: CAUSE" for a rule that does not compile: an expression, a pattern or its
  // replacement, a number out of its range, a redact with more than a selector.
  static base::Result<RuleSet> compile(std::vector<Rule> rules, const StateBounds& bounds = {});

  // Before each batch: which lifetimes count, by the wall clock. Returns when that changes next, the greatest time for never.
  // Before the first call no rule with a lifetime counts.
  base::Timestamp begin(base::Timestamp now);

  // What becomes of the record. May redact it (then touch()ed), set its tenant, and mark it held; what it sets lives in the batch
  // or in this set. Never called with markers.
  //
  // limit: the key is made of the labels named; one that the stream lacks is looked up in the metadata, where enrich may have put
  // it. A window is burst / rate of record time long and passes `burst`; its bytes are those of the decoded line. A window that
  // begins more than 10 s after the now of begin() counts as now.
  // dedup: of equal lines of a key that pass no two are closer in record time than `within`.
  // sample: by a hash of labels, time and line, the same in every process, for every rule.
  Judgement judge(record::Record& record, record::Batch& batch);

  [[nodiscard]] std::span<const Rule> rules() const;
  [[nodiscard]] std::span<const RuleCounts> counts() const;  // by index of the rule
  [[nodiscard]] std::uint64_t forgotten_keys() const;
  [[nodiscard]] bool holds() const;  // some rule is a hold

  // What limit and dedup of `before` remember goes on in this set, which replaces it and has judged nothing yet, for rules that say
  // the same. forgotten_keys() goes on too. Afterwards `before` remembers nothing.
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
