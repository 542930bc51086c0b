#include "stages/spool_export.h"

#include "base/count.h"
#include "base/diagnostics.h"
#include "record/age.h"
#include "record/json.h"
#include "record/timestamp.h"
#include "spool/new_spool.h"
#include "spool/spool_file.h"
#include "stages/kept_spool.h"
#include "stages/rule_trial.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

namespace weir::stages {
namespace {

using base::Code;
using base::Result;
using pipeline::Flow;
using record::json_string;
using rules::Verdict;

// Stores what replay emits.
class Export : public pipeline::Outlet {
 public:
  Export(spool::Writer& writer, rules::RuleSet* rules, bool with_held, const pipeline::Context& context)
      : blocks_(writer, spool::Effort::thorough), rules_(rules), with_held_(with_held), clock_(*context.clock) {
    if (rules_ == nullptr) return;
    for (std::size_t i = 0; i < rules_->rules().size(); ++i) {
      if (std::holds_alternative<rules::Redact>(rules_->rules()[i].action)) redactions_.push_back(i);
    }
  }

  Result<Flow> emit(record::Batch& batch) override {
    if (rules_ != nullptr) static_cast<void>(rules_->begin(clock_.wall()));
    for (record::Record& record : batch.records) {
      if (record.is_marker() || record.sample) continue;
      record.extra = rules_ == nullptr ? without_verdict(record, batch) : nullptr;
      const Taken taken = rules_ == nullptr ? Taken::as_it_was : judge(record, batch);
      if (taken == Taken::no) continue;
      record.held = false;
      if (auto added = blocks_.add(record); !added) return std::move(added).error();
      exported_.redacted += taken == Taken::redacted ? 1 : 0;
      exported_.gaps += record::is_gap(record) ? 1 : 0;
      exported_.oldest = exported_.records == 0 ? record.timestamp : std::min(exported_.oldest, record.timestamp);
      exported_.newest = exported_.records == 0 ? record.timestamp : std::max(exported_.newest, record.timestamp);
      ++exported_.records;
    }
    return Flow::more;
  }
  Result<base::Monotonic> nudge(base::Monotonic) override { return base::kNever; }
  Result<pipeline::Flushed> flush(base::Monotonic) override { return pipeline::Flushed::safe; }

  Result<void> store() {
    auto stored = blocks_.store();
    exported_.line_bytes = blocks_.line_bytes();
    return stored;
  }

  [[nodiscard]] Exported& exported() { return exported_; }

 private:
  enum class Taken : std::uint8_t { no, as_it_was, redacted };

  // What Loki said when it refused the record may repeat the line.
  static const record::Extra* without_verdict(const record::Record& record, record::Batch& batch) {
    if (record.extra == nullptr || record.extra->unknown.empty()) return nullptr;
    auto* extra = batch.make<record::Extra>();
    extra->unknown = record.extra->unknown;
    return extra;
  }

  Taken judge(record::Record& record, record::Batch& batch) {
    const std::uint64_t before = redactions();
    const rules::Judgement judgement = rules_->judge(record, batch);
    if (judgement.verdict != Verdict::pass && !(judgement.verdict == Verdict::hold && with_held_)) {
      ++exported_.left_out[static_cast<std::size_t>(judgement.verdict)];
      return Taken::no;
    }
    return redactions() != before ? Taken::redacted : Taken::as_it_was;
  }

  [[nodiscard]] std::uint64_t redactions() const {
    std::uint64_t records = 0;
    for (const std::size_t rule : redactions_) records += rules_->counts()[rule].records;
    return records;
  }

  KeptBlocks blocks_;
  rules::RuleSet* const rules_;
  const bool with_held_;
  base::Clock& clock_;
  std::vector<std::size_t> redactions_;  // indices of rules
  Exported exported_;
};

std::string of_verdict(std::uint64_t records, std::size_t verdict) {
  return fmt::format("{} by {}", base::grouped(records), word_of(static_cast<Verdict>(verdict)));
}

}  // namespace

Result<Exported> export_spool(const ExportSpec& spec, rules::RuleSet* rules, const pipeline::Context& context) {
  ReplaySpec selected = spec.replay;
  selected.gaps = true;
  // The spool first: a wrong name leaves nothing behind.
  auto source = make_replay(selected, context);
  if (!source) return std::move(source).error();
  auto made = spool::NewSpool::begin(spec.to, "export to", *context.clock);
  if (!made) return std::move(made).error();
  auto writer = spool::Writer::open(keep_all(made->partial()), *context.clock, context.stop);
  if (!writer) return std::move(writer).error();
  Export exports(**writer, rules, spec.replay.held, context);
  auto done = (*source)->run(exports, *context.stop);
  if (done && context.stop->stopped()) {
    done = base::fail(Code::interrupted, "cannot export to '{}': stopped; nothing of it is left", spec.to);
  }
  if (done) done = exports.store();
  if (done) done = (*writer)->close();
  writer->reset();
  if (!done) {
    base::Error error = std::move(done).error();
    if (error.code != Code::full) return error;
    return base::fail(Code::full, "cannot export to '{}': there is no room on that disk", spec.to)
        .with_hint("name a place on another disk, or less: --since, --to, or a narrower LOGQL");
  }
  Exported exported = std::move(exports.exported());
  exported.unreadable_blocks = (*source)->counters().lost;
  if (rules != nullptr) {
    for (std::size_t i = 0; i < rules->rules().size(); ++i) {
      const rules::Rule& rule = rules->rules()[i];
      exported.rules.push_back({std::string(rules::word_of(rule.action)), rule.id(), rule.place.file, rule.place.line,
                                rules->counts()[i].records, rules->counts()[i].errors});
    }
  }
  if (exported.records == 0) {
    if ((*source)->counters().records_out == 0) {
      constexpr std::string_view kReplayed = "nothing is replayed";
      const std::string why = (*source)->summary();
      exported.nothing = "nothing is exported" + (why.starts_with(kReplayed) ? why.substr(kReplayed.size()) : std::string());
    }
    return exported;
  }
  if (auto named = made->finish(); !named) return std::move(named).error();
  struct stat status = {};
  if (::stat(spec.to.c_str(), &status) == 0) exported.file_bytes = static_cast<std::uint64_t>(status.st_size);
  return exported;
}

std::string Exported::to_text(const std::string& to) const {
  std::string out;
  if (records > 0) {
    out = fmt::format("{} exported to '{}': {} of lines in {}, from {} to {}\n", base::count_of(records, "record"),
                      base::escape_control(to), record::print_size(line_bytes), record::print_size(file_bytes),
                      record::to_rfc3339(oldest), record::to_rfc3339(newest));
  }
  if (gaps > 0) out += fmt::format("{} that a part of a log was lost\n", base::count_of(gaps, "record says", "records say"));
  if (!rules.empty() && records > 0) {
    out += fmt::format("{} by the rules\n", base::count_of(redacted, "record was redacted", "records were redacted"));
  }
  std::uint64_t all = 0;
  std::string how;
  for (std::size_t i = 0; i < left_out.size(); ++i) {
    all += left_out[i];
    if (left_out[i] > 0) how += (how.empty() ? "" : ", ") + of_verdict(left_out[i], i);
  }
  if (all > 0) out += fmt::format("{} out by the rules: {}\n", base::count_of(all, "record was left", "records were left"), how);
  for (const OfRule& rule : rules) {
    if (records == 0 && all == 0) break;
    out += base::escape_control(
        fmt::format("  {}:{}: {} {}: {}", rule.file, rule.line, rule.action, rule.id, base::count_of(rule.records, "record")));
    if (rule.failed > 0) out += fmt::format("; its expression failed on {} more", base::grouped(rule.failed));
    out += '\n';
  }
  return out;
}

std::string Exported::to_json(const std::string& spool, const std::string& to) const {
  const auto time = [&](base::Timestamp at) { return records == 0 ? "null" : json_string(record::to_rfc3339(at)); };
  std::string out = fmt::format(
      R"({{"spool":{},"export":{},"records":{},"line_bytes":{},"bytes":{},"oldest":{},"newest":{},"gaps":{},"redacted":{},)"
      R"("unreadable_blocks":{},"left_out":{{)",
      json_string(spool), records == 0 ? "null" : json_string(to), records, line_bytes, file_bytes, time(oldest), time(newest),
      gaps, redacted, unreadable_blocks);
  bool first = true;
  for (std::size_t i = 0; i < left_out.size(); ++i) {
    if (static_cast<Verdict>(i) == Verdict::pass) continue;
    out += fmt::format(R"({}"{}":{})", std::exchange(first, false) ? "" : ",", word_of(static_cast<Verdict>(i)), left_out[i]);
  }
  out += R"(},"rules":[)";
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const OfRule& rule = rules[i];
    out += fmt::format(R"({}{{"action":"{}","id":{},"file":{},"line":{},"records":{},"failed":{}}})", i == 0 ? "" : ",",
                       rule.action, json_string(rule.id), json_string(rule.file), rule.line, rule.records, rule.failed);
  }
  return out + "]}\n";
}

}  // namespace weir::stages
