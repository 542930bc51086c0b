#include "stages/rule_judge.h"

#include "base/count.h"
#include "logql/printer.h"
#include "stages/filter_metrics.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

namespace weir::stages {
namespace {

using metrics::Account;
using rules::Verdict;

constexpr std::uint32_t kMostRules = 1024;  // with a label of their own

constexpr auto kRuleRecords = metrics::counter("weir_filter_rule_records_total", "records", "Records that a rule acted on.",
                                               Account::none, "rule", kMostRules);
constexpr auto kRuleBytes = metrics::counter("weir_filter_rule_bytes_total", "bytes", "Bytes of the lines that a rule acted on.",
                                             Account::none, "rule", kMostRules);
constexpr auto kRuleErrors =
    metrics::counter("weir_filter_rule_failed_records_total", "records",
                     "Records that a rule left alone, because its expression failed on them.", Account::none, "rule", kMostRules);
constexpr auto kHeld = metrics::counter("weir_filter_held_records_total", "records",
                                        "Records that a rule marked to be held in the spool. They are passed on.");
constexpr auto kForgotten = metrics::counter("weir_filter_forgotten_keys_total", "keys",
                                             "Keys of limit and dedup that were forgotten to bound memory. Their records pass.");
constexpr auto kActive = metrics::gauge("weir_filter_active_rules", "rules", "Rules in use.");
constexpr auto kBroken = metrics::gauge("weir_filter_rules_broken_files", "files",
                                        "1 while the rule files cannot be used and older rules are in use, else 0.");
constexpr auto kReloads = metrics::counter("weir_filter_rules_reloads_total", "reloads", "Times that changed rules took effect.");
constexpr auto kFailures =
    metrics::counter("weir_filter_rules_reload_failures_total", "failures", "Times that rule files could not be used.");
constexpr auto kReadAt = metrics::gauge("weir_filter_rules_last_reload_timestamp_seconds", "seconds",
                                        "When the rules in use were read, in seconds since 1970.");
constexpr auto kTemporary =
    metrics::gauge("weir_filter_temporary_rules", "rules", "Rules with a lifetime that has begun and not ended.");
constexpr auto kExpires = metrics::gauge("weir_filter_rule_expires_timestamp_seconds", "seconds",
                                         "When a rule with a lifetime ends, in seconds since 1970.", Account::none, "rule", 64);
constexpr auto kEffect =
    metrics::gauge("weir_filter_reload_dropped_ratio", "ratio",
                   "Share that the rules drop since their last reload of what passed in the minute before it.");
constexpr double kBillionths = 1e9;  // in which a ratio is kept

}  // namespace

RuleJudge::RuleJudge(std::unique_ptr<RuleBook> book, metrics::Block& block, bool explain, const pipeline::Context& context)
    : book_(std::move(book)),
      explain_(explain),
      clock_(*context.clock),
      driver_(context.driver),
      dropped_(block.family(kFilterDropped)),
      by_rule_records_(block.family(kRuleRecords)),
      by_rule_bytes_(block.family(kRuleBytes)),
      by_rule_errors_(block.family(kRuleErrors)),
      by_drop_(dropped_.at("drop")),
      by_sample_(dropped_.at("sample")),
      by_limit_(dropped_.at("limit")),
      by_dedup_(dropped_.at("dedup")),
      held_(block.counter(kHeld)),
      forgotten_keys_(block.counter(kForgotten)),
      reloads_(block.counter(kReloads)),
      failures_(block.counter(kFailures)),
      active_(block.gauge(kActive)),
      broken_(block.gauge(kBroken)),
      read_at_(block.gauge(kReadAt)),
      temporary_(block.gauge(kTemporary)),
      effect_ratio_(block.gauge(kEffect)),
      expires_(block.table(kExpires)) {
  removed_releases_ = book_->removed_releases();
  enter_rules();
  if (driver_ != nullptr) driver_->on_ask([this] { look(); });
}

// What depends on the time.
void RuleJudge::look() {
  const base::Timestamp wall = clock_.wall();
  std::vector<metrics::Table::Row> rows;
  std::uint64_t temporary = 0;
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    const auto* const keep = std::get_if<rules::Keep>(&book_->set().rules()[i].action);
    if (keep == nullptr || !keep->lifetime || wall < keep->lifetime->from || wall >= keep->lifetime->until()) continue;
    ++temporary;
    if (rows.size() < kExpires.most) rows.push_back({{ids_[i]}, static_cast<std::uint64_t>(keep->lifetime->until())});
  }
  temporary_.set(temporary);
  expires_.replace(std::move(rows));
  effect_ratio_.set(static_cast<std::uint64_t>(effect_.dropped(clock_.monotonic()) * kBillionths));
}

void RuleJudge::enter_rules() {
  rules_.clear();
  ids_.clear();
  for (const rules::Rule& rule : book_->set().rules()) {
    ids_.push_back(rule.id());
    rules_.push_back({by_rule_records_.at(ids_.back()), by_rule_bytes_.at(ids_.back()), by_rule_errors_.at(ids_.back()), {}});
  }
  forgotten_ = 0;
  releases_changed_ = true;
  active_.set(rules_.size());
  enter_state();
}

void RuleJudge::enter_state() {
  broken_.set(book_->broken() ? 1 : 0);
  read_at_.set(static_cast<std::uint64_t>(book_->read_at()));
  reloads_.reach(book_->reloads());
  failures_.reach(book_->failures());
}

base::Monotonic RuleJudge::nudge(base::Monotonic now) {
  const bool is_new = [&] {
    const metrics::Wait reading(driver_, metrics::On::disk, metrics::kLongRead);
    return book_->refresh(now);
  }();
  if (is_new) {
    enter_rules();
    if (driver_ != nullptr) effect_.reloaded(now);
  } else {
    enter_state();
  }
  return book_->due();
}

void RuleJudge::append_releases(record::Batch& batch) {
  using Type = record::Marker::Type;
  releases_changed_ = false;
  std::set<std::string> now;
  for (const rules::Rule& rule : book_->set().rules()) {
    const auto* const release = std::get_if<rules::Release>(&rule.action);
    if (release == nullptr) continue;
    // By its text: a name that is used again, with other times, is another release.
    const auto [id, is_new] = now.insert(rule.text_id());
    if (!is_new || releases_.contains(*id)) continue;
    record::Marker& marker = batch.append_marker(Type::release, {});
    marker.release = batch.copy(*id);
    marker.query = batch.copy(logql::print(rule.match));
    marker.range = {release->from, release->to};
  }
  for (const std::string& id : std::exchange(removed_releases_, {})) releases_.insert(id);
  for (const std::string& id : releases_) {
    if (!now.contains(id)) batch.append_marker(Type::release_ended, {}).release = batch.copy(id);
  }
  releases_ = std::move(now);
}

void RuleJudge::enter_counts() {
  const auto counts = book_->set().counts();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    RuleCells& cells = rules_[i];
    if (counts[i].records == cells.entered.records && counts[i].errors == cells.entered.errors) continue;
    cells.records.add(counts[i].records - cells.entered.records);
    cells.bytes.add(counts[i].bytes - cells.entered.bytes);
    cells.errors.add(counts[i].errors - cells.entered.errors);
    cells.entered = counts[i];
  }
  const std::uint64_t forgotten = book_->set().forgotten_keys();
  forgotten_keys_.add(forgotten - std::exchange(forgotten_, forgotten));
}

void RuleJudge::end_batch() {
  const auto of = [this](Verdict verdict) { return verdicts_[static_cast<std::size_t>(verdict)]; };
  by_drop_.add(of(Verdict::drop));
  by_sample_.add(of(Verdict::sampled));
  by_limit_.add(of(Verdict::limited));
  by_dedup_.add(of(Verdict::repeated));
  held_.add(of(Verdict::hold));
  verdicts_ = {};
  enter_counts();
}

bool RuleJudge::passes(record::Record& record, record::Batch& batch) {
  const rules::Judgement judgement = book_->set().judge(record, batch);
  if (explain_) {
    explain(judgement, record, batch);
    return true;
  }
  ++verdicts_[static_cast<std::size_t>(judgement.verdict)];
  return judgement.verdict == Verdict::pass || judgement.verdict == Verdict::hold;
}

void RuleJudge::explain(const rules::Judgement& judgement, record::Record& record, record::Batch& batch) {
  text_ = "pass";
  if (judgement.rule != rules::kNoRule) {
    text_.clear();
    const rules::Rule& rule = book_->set().rules()[judgement.rule];
    fmt::format_to(std::back_inserter(text_), "{} {}", rules::word_of(rule.action), ids_[judgement.rule]);
  }
  if (judgement.verdict == Verdict::hold) record.held = false;  // it is shown
  record::set_metadata(batch, record, "weir_rule", text_);
}

std::string RuleJudge::summary() const {
  std::string dropped;
  const auto add_count = [&dropped](const metrics::Counter& count, std::string_view action) {
    if (count.value() > 0) dropped += fmt::format("{}{} by {}", dropped.empty() ? "" : ", ", base::grouped(count.value()), action);
  };
  add_count(by_drop_, "drop");
  add_count(by_sample_, "sample");
  add_count(by_limit_, "limit");
  add_count(by_dedup_, "dedup");
  std::string text;
  const auto add = [&text](std::string_view sentence) { text += fmt::format("{}{}", text.empty() ? "" : "; ", sentence); };
  if (!dropped.empty()) add(fmt::format("rules dropped records: {}", dropped));
  if (held_.value() > 0) add(fmt::format("{} marked to be held", base::count_of(held_.value(), "record was", "records were")));
  if (book_->failures() > 0) {
    add(fmt::format("rule files could not be used {}{}", base::count_of(book_->failures(), "time"),
                    book_->broken() ? ", and older rules are in use" : ""));
  }
  return text;
}

}  // namespace weir::stages
