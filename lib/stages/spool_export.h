// Writes what matches out of a spool into a new one, redacted by rules: `weir replay --export`.
//
// The new spool has no consumers and no positions, and no record in it is held. It appears under its name when it is complete, and
// only when it has a record. What goes into it: the records that replay would print, judged by the rules as a filter judges them.
// Two things differ. What a rule holds is left out, unless held records are wanted. With rules, keys of a record that weir does not
// know are left out, because no rule sees them.
#pragma once

#include "pipeline/stage.h"
#include "rules/rule_set.h"
#include "stages/replay.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::stages {

struct ExportSpec {
  ReplaySpec replay;
  std::string to;
};

struct Exported {
  struct OfRule {
    std::string action, id, file;
    std::size_t line = 0;
    std::uint64_t records = 0;  // on which it acted
    std::uint64_t failed = 0;   // on which its expression failed, so that it did not match
  };
  std::uint64_t records = 0, line_bytes = 0;   // in the new spool
  std::uint64_t gaps = 0;                      // of the records: those that report a loss
  std::uint64_t redacted = 0;                  // of the records: those that a redact rule changed
  base::Timestamp oldest = 0, newest = 0;      // of the records
  std::uint64_t file_bytes = 0;                // of the new spool; 0: there is none
  std::uint64_t unreadable_blocks = 0;         // of the spool that was read
  std::array<std::uint64_t, 6> left_out = {};  // by rules::Verdict; `pass` is 0, and so is `hold` where held records are wanted
  std::vector<OfRule> rules = {};              // in their order
  std::string nothing = {};                    // why no record came out of the spool

  // Sentences for people.
  [[nodiscard]] std::string to_text(const std::string& to) const;
  // One object and a line end.
  [[nodiscard]] std::string to_json(const std::string& spool, const std::string& to) const;
};

// `rules` may be null: nothing is redacted and nothing left out. Memory does not grow with the spool. Errors: those of
// make_replay() and spool::Writer; usage (something stands at `to`), full and io of the new file, interrupted. After an error there
// is no new file.
base::Result<Exported> export_spool(const ExportSpec& spec, rules::RuleSet* rules, const pipeline::Context& context);

}  // namespace weir::stages
