// The rules of a filter at work: judges records by a rule book, and counts what each rule does.
#pragma once

#include "pipeline/stage.h"
#include "stages/reload_effect.h"
#include "stages/rule_book.h"

#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weir::stages {

// Not thread safe. Counts in `block`, which outlives it.
class RuleJudge {
 public:
  // `explain`: all records pass, each with what would become of it in the metadata weir_rule.
  RuleJudge(std::unique_ptr<RuleBook> book, metrics::Block& block, bool explain, const pipeline::Context& context);

  base::Result<void> attach(base::Wake& wake) { return book_->attach(wake); }
  // Reads changed files again; when to call it again.
  base::Monotonic nudge(base::Monotonic now);

  // Before the records of a batch, and after them. `wall`: the lifetimes of rules go by it.
  void begin_batch(base::Timestamp wall) { static_cast<void>(book_->set().begin(wall)); }
  void end_batch();
  // So many records came to the filter and passed it in this batch, all that filters by the way counted. For who watches the chain.
  void note_flow(std::uint64_t came, std::uint64_t passed) {
    if (driver_ != nullptr) effect_.add(clock_.monotonic(), came, passed);
  }

  // Some release rule is new, or went, since append_releases(): always at the beginning.
  [[nodiscard]] bool releases_changed() const { return releases_changed_; }
  // Appends a marker for each release rule that is new (`release`), and for each that went (`release_ended`), also while nothing
  // ran, where that is known (RuleBook::removed_releases).
  void append_releases(record::Batch& batch);

  // False: a rule drops the record. May change it (redact, tenant, hold).
  bool passes(record::Record& record, record::Batch& batch);

  // As Stage::summary().
  [[nodiscard]] std::string summary() const;

 private:
  struct RuleCells {
    metrics::Counter records, bytes, errors;
    rules::RuleCounts entered;  // so far
  };
  void enter_rules();
  void enter_counts();
  void enter_state();
  void look();
  void explain(const rules::Judgement& judgement, record::Record& record, record::Batch& batch);

  std::unique_ptr<RuleBook> book_;
  const bool explain_;
  base::Clock& clock_;
  metrics::Driver* const driver_;
  ReloadEffect effect_;
  std::vector<RuleCells> rules_;  // by index
  std::vector<std::string> ids_;
  std::array<std::uint64_t, 6> verdicts_{};  // of this batch, by rules::Verdict
  std::uint64_t forgotten_ = 0;              // that was entered
  bool releases_changed_ = true;
  std::vector<std::string> removed_releases_;  // while nothing ran; until append_releases()
  std::set<std::string> releases_;             // by their ids, that markers have named
  std::string text_;

  metrics::Family dropped_, by_rule_records_, by_rule_bytes_, by_rule_errors_;
  metrics::Counter by_drop_, by_sample_, by_limit_, by_dedup_;
  metrics::Counter held_, forgotten_keys_, reloads_, failures_;
  metrics::Gauge active_, broken_, read_at_, temporary_, effect_ratio_;
  metrics::Table expires_;
};

}  // namespace weir::stages
