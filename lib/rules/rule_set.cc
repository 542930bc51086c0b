// All that depends on labels alone is worked out once for each label set, into a Plan: which redactions apply and what they make of
// the labels, which rules have to be asked and in which order, and the labels' part of the keys of limit and dedup. A plan knows
// only rules that count at the moment; when a lifetime begins or ends, all plans are made again. So a record costs one look-up, and
// after that what its own line and metadata have to be asked.
#include "rules/rule_set.h"

#include "logql/log_query.h"
#include "logql/lone_filter.h"
#include "rules/aging_table.h"
#include "rules/rate_window.h"
#include "rules/redaction.h"
#include "rules/repeat_memory.h"
#include "rules/selector_index.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string_view>
#include <unordered_map>

namespace weir::rules {
namespace {

using record::Label;
using record::LabelSet;
using record::LabelSetRef;
using record::Record;

constexpr std::uint32_t kMillion = 1'000'000;
constexpr base::Timestamp kNoTime = std::numeric_limits<base::Timestamp>::max();

// Plans are kept so that addresses stay theirs; a node has some hundreds of streams. Forgotten plans are worked out again.
constexpr std::size_t kMaxPlans = 1280;
constexpr std::size_t kMaxPlanBytes = 16 << 20;
constexpr std::size_t kKeptText = 1 << 20;
constexpr std::size_t kCleanPlaces = 8, kCleanBytes = 64;  // of metadata that is remembered for a label set

template <typename T>
const T* action(const Rule& rule) {
  return std::get_if<T>(&rule.action);
}

bool is_decider(const Rule& rule) {
  return action<Keep>(rule) != nullptr || action<Drop>(rule) != nullptr || action<Hold>(rule) != nullptr;
}
bool is_step(const Rule& rule) {
  return action<Sample>(rule) != nullptr || action<Limit>(rule) != nullptr || action<Dedup>(rule) != nullptr ||
         action<Tenant>(rule) != nullptr;
}

// One rule, ready to be asked.
struct Machine {
  std::optional<logql::LogQuery> query;   // of the stages alone; none: the selector decides
  std::optional<logql::LoneFilter> lone;  // the same where it is one comparison of a label: which of Compiled::fields, below
  std::size_t field = 0;
  std::optional<Redaction> redaction;
  std::optional<RateWindows> windows;
  const Lifetime* lifetime = nullptr;
  bool active = true;
  bool may_lose = false;
  std::uint64_t memory = 0;  // what sets the keys of this rule apart from those of others
};

// A rule of phase 3 for one label set.
struct Step {
  std::uint32_t rule = 0;
  base::Hash128 key;        // of the rule and the values of its key, as far as they are labels
  std::vector<Label> rest;  // from the first name of the key on that is no label of the set; without a value: ask the metadata
};

struct Plan {
  LabelSetRef in, out;  // before and after redaction
  std::vector<std::uint32_t> redactions;
  std::vector<bool> changes_labels;  // of `redactions`, those that do
  std::vector<std::uint32_t> deciders;
  std::vector<Step> steps;
  std::vector<std::string> clean;  // by the place of the metadata, its latest value that no redaction changed
  bool idle = false;               // nothing happens to the records of this set

  // Most metadata is the same from record to record of a stream.
  [[nodiscard]] bool knows_clean(std::size_t place, std::string_view value) const {
    return place < clean.size() && clean[place] == value;
  }
  void note_clean(std::size_t place, std::string_view value) {
    if (place >= kCleanPlaces || value.size() > kCleanBytes) return;
    if (place >= clean.size()) clean.resize(place + 1);
    clean[place] = value;
  }
};

// A label that lone filters compare, and its value in the record at hand.
struct Field {
  std::string name;
  std::uint64_t record = 0;  // the number of the record that `value` is of
  std::optional<std::string_view> value;
};

struct PointerHash {
  std::size_t operator()(const LabelSet* set) const { return reinterpret_cast<std::uintptr_t>(set) * 0x9E3779B97F4A7C15U >> 20; }
};

base::Error at_rule(const Rule& rule, const base::Error& cause) {
  base::Error error = base::fail(base::Code::config, "cannot use rules{}{}: line {}: {}: {}", rule.place.file.empty() ? "" : " ",
                                 rule.place.file, rule.place.line, word_of(rule.action), cause.message);
  error.hint = cause.hint;
  return error;
}

base::Result<void> check_numbers(const Rule& rule) {
  if (const auto* keep = action<Keep>(rule); keep != nullptr && keep->lifetime) {
    const auto& [length, from] = *keep->lifetime;
    if (length <= 0 || from > kNoTime - length)
      return base::fail(base::Code::config, "a lifetime ends after it begins, before 2262");
  }
  if (const auto* sample = action<Sample>(rule); sample != nullptr && sample->per_million > kMillion)
    return base::fail(base::Code::config, "a share is at most 100 %");
  if (const auto* limit = action<Limit>(rule); limit != nullptr && (limit->amount == 0 || limit->per <= 0 || limit->burst == 0))
    return base::fail(base::Code::config, "a rate is more than 0");
  if (const auto* dedup = action<Dedup>(rule); dedup != nullptr && dedup->within <= 0)
    return base::fail(base::Code::config, "a duration is more than 0");
  return {};
}

base::Result<Machine> make_machine(const Rule& rule) {
  Machine machine;
  auto checked = check_numbers(rule);
  if (!checked) return std::move(checked).error();
  if (const auto* redact = action<Redact>(rule)) {
    if (!rule.match.stages.empty()) return base::fail(base::Code::config, "only a selector may stand here, in braces");
    auto redaction = Redaction::compile(*redact);
    if (!redaction) return std::move(redaction).error();
    machine.redaction = std::move(*redaction);
  }
  if (const auto* limit = action<Limit>(rule)) machine.windows.emplace(*limit);
  if (const auto* keep = action<Keep>(rule); keep != nullptr && keep->lifetime) {
    machine.lifetime = &*keep->lifetime;
    machine.active = false;
  }
  machine.may_lose = action<Keep>(rule) == nullptr && action<Tenant>(rule) == nullptr;
  if (!rule.match.stages.empty()) {
    auto query = logql::LogQuery::compile(logql::LogExpr{{}, rule.match.stages}, "");
    if (!query) return std::move(query).error();
    machine.query = std::move(*query);
    if (rule.match.stages.size() == 1) machine.lone = logql::LoneFilter::of(rule.match.stages.front());
  }
  return machine;
}

const std::vector<std::string>* key_labels(const Rule& rule) {
  if (const auto* limit = action<Limit>(rule)) return &limit->by;
  if (const auto* dedup = action<Dedup>(rule)) return &dedup->by;
  return nullptr;
}

}  // namespace

struct RuleSet::Compiled {
  std::vector<Rule> rules;
  std::vector<Machine> machines;
  std::vector<RuleCounts> counts;
  std::vector<const Lifetime*> lifetimes;
  std::vector<Field> fields;
  std::uint64_t record_number = 0;
  SelectorIndex index;
  AgingTable table;
  std::size_t capacity;
  std::uint64_t next_memory = 0;
  base::Timestamp now = kNoTime;

  std::unordered_map<const LabelSet*, Plan, PointerHash> plans;
  std::size_t plan_bytes = 0;
  // What was looked for last, by a part of the hash.
  std::array<Plan*, 128> recent{};
  std::vector<std::uint32_t> selected;

  std::string text, spare;  // of a redaction
  std::vector<bool> acted;  // of the redactions of a plan
  std::vector<Label> labels;

  explicit Compiled(std::size_t capacity_in) : table(capacity_in), capacity(capacity_in) {}

  void forget_plans();
  Plan& plan_of(const LabelSet* set);
  void work_out(Plan& plan);
  void redact_labels(Plan& plan);
  [[nodiscard]] Step step_of(std::uint32_t number, const LabelSet& set) const;

  void redact(Plan& plan, Record& record, record::Batch& batch, bool is_gap, std::size_t bytes);
  void redact_line(const Plan& plan, Record& record, record::Batch& batch);
  void redact_metadata(Plan& plan, Record& record, record::Batch& batch);
  bool redact_text(const Plan& plan, std::string_view original);

  bool matches(std::uint32_t number, Record& record, record::Batch& batch);
  void count(std::uint32_t number, std::size_t bytes) {
    ++counts[number].records;
    counts[number].bytes += bytes;
  }
  Verdict take_step(const Step& step, const Record& record, std::string_view line, std::optional<base::Hash128>& line_hash);
  [[nodiscard]] bool reads_line(const Rule& rule) const {
    const auto* limit = action<Limit>(rule);
    return limit == nullptr || limit->unit == Limit::Unit::bytes;
  }
};

void RuleSet::Compiled::forget_plans() {
  recent.fill(nullptr);
  plans.clear();
  plan_bytes = 0;
}

Plan& RuleSet::Compiled::plan_of(const LabelSet* set) {
  Plan*& latest = recent[PointerHash()(set) % recent.size()];
  if (latest != nullptr && latest->in.get() == set) return *latest;
  auto found = plans.find(set);
  if (found == plans.end()) {
    if (plans.size() >= kMaxPlans || plan_bytes >= kMaxPlanBytes) forget_plans();
    found = plans.try_emplace(set).first;
    found->second.in = LabelSetRef::share(set);
    work_out(found->second);
  }
  latest = &found->second;
  return *latest;
}

void RuleSet::Compiled::work_out(Plan& plan) {
  plan.out = plan.in;
  index.select(*plan.in, selected);
  for (const std::uint32_t number : selected) {
    if (machines[number].redaction) plan.redactions.push_back(number);
  }
  redact_labels(plan);
  if (plan.out != plan.in) index.select(*plan.out, selected);
  bool decided = false;
  for (const std::uint32_t number : selected) {
    const Machine& machine = machines[number];
    if (is_decider(rules[number]) && machine.active && !decided) {
      plan.deciders.push_back(number);
      decided = !machine.query;
    }
    if (is_step(rules[number])) plan.steps.push_back(step_of(number, *plan.out));
  }
  plan.idle = plan.redactions.empty() && plan.deciders.empty() && plan.steps.empty();
  plan_bytes += sizeof(Plan) + plan.in->json().size() + plan.out->json().size() + plan.steps.size() * sizeof(Step);
}

void RuleSet::Compiled::redact_labels(Plan& plan) {
  plan.changes_labels.assign(plan.redactions.size(), false);
  if (plan.redactions.empty()) return;
  std::vector<std::string> values;
  bool changed = false;
  for (const Label& label : plan.in->labels()) {
    std::string value(label.value);
    for (std::size_t i = 0; i < plan.redactions.size(); ++i) {
      if (!machines[plan.redactions[i]].redaction->apply(value, spare)) continue;
      value.swap(spare);
      plan.changes_labels[i] = changed = true;
    }
    values.push_back(std::move(value));
  }
  if (!changed) return;
  labels.clear();
  for (std::size_t i = 0; i < values.size(); ++i) labels.push_back({plan.in->labels()[i].name, values[i]});
  plan.out = LabelSet::intern(labels);
}

Step RuleSet::Compiled::step_of(std::uint32_t number, const LabelSet& set) const {
  Step step{number, base::stable_hash(machines[number].memory, {}), {}};
  const std::vector<std::string>* by = key_labels(rules[number]);
  if (by == nullptr) return step;
  if (by->empty() && action<Dedup>(rules[number]) != nullptr) step.key = base::stable_hash(set.json(), step.key);
  for (const std::string& name : *by) {
    const std::string_view value = set.get(name);
    if (value.empty() || !step.rest.empty()) {
      step.rest.push_back({name, value});
    } else {
      step.key = base::stable_hash(value, step.key);
    }
  }
  return step;
}

// ---- phase 1

void RuleSet::Compiled::redact(Plan& plan, Record& record, record::Batch& batch, bool is_gap, std::size_t bytes) {
  acted = plan.changes_labels;
  if (plan.out != plan.in) {
    record.labels = batch.hold(plan.out);
    record.touch();
  }
  redact_line(plan, record, batch);
  redact_metadata(plan, record, batch);
  if (is_gap) return;
  for (std::size_t i = 0; i < plan.redactions.size(); ++i) {
    if (acted[i]) count(plan.redactions[i], bytes);
  }
}

// Leaves the redacted text in `text`. False: nothing changes.
bool RuleSet::Compiled::redact_text(const Plan& plan, std::string_view original) {
  bool changed = false;
  for (std::size_t i = 0; i < plan.redactions.size(); ++i) {
    if (!machines[plan.redactions[i]].redaction->apply(changed ? std::string_view(text) : original, spare)) continue;
    text.swap(spare);
    acted[i] = changed = true;
  }
  return changed;
}

void RuleSet::Compiled::redact_line(const Plan& plan, Record& record, record::Batch& batch) {
  if (record.line.data.empty()) return;
  if (!record.line.decoded()) {
    // What none of them finds is not decoded. What one of them writes may be for the next one to find.
    const bool may = std::any_of(plan.redactions.begin(), plan.redactions.end(), [&](std::uint32_t number) {
      return machines[number].redaction->may_match_escaped(record.line.data);
    });
    if (!may) return;
  }
  if (!redact_text(plan, batch.line(record))) return;
  record.line = record::Text::bytes(batch.copy(text));
  record.touch();
}

void RuleSet::Compiled::redact_metadata(Plan& plan, Record& record, record::Batch& batch) {
  std::span<Label> changed;
  for (std::size_t i = 0; i < record.metadata.size(); ++i) {
    const Label& label = record.metadata[i];
    // The size of a gap is weir's own word, and what makes the record one.
    if (label.value.empty() || label.name == record::kGapBytes || plan.knows_clean(i, label.value)) continue;
    if (!redact_text(plan, label.value)) {
      plan.note_clean(i, label.value);
      continue;
    }
    if (changed.empty()) {
      changed = batch.allocate_labels(record.metadata.size());
      std::copy(record.metadata.begin(), record.metadata.end(), changed.begin());
    }
    changed[i].value = batch.copy(text);
  }
  if (changed.empty()) return;
  record.metadata = changed;
  record.touch();
}

// ---- phases 2 and 3

bool RuleSet::Compiled::matches(std::uint32_t number, Record& record, record::Batch& batch) {
  Machine& machine = machines[number];
  if (!machine.query) return true;
  if (machine.lone) {
    Field& field = fields[machine.field];
    if (field.record != record_number) {
      field.record = record_number;
      field.value = machine.lone->value(record);
    }
    if (field.value) return machine.lone->holds(*field.value);
  }
  if (!machine.query->matches(record, batch)) return false;
  if (!machine.may_lose || !machine.query->errored() || machine.query->asks_for_error()) return true;
  ++counts[number].errors;
  return false;
}

Verdict RuleSet::Compiled::take_step(const Step& step, const Record& record, std::string_view line,
                                     std::optional<base::Hash128>& line_hash) {
  const Rule& rule = rules[step.rule];
  const auto hash = [&] {
    if (!line_hash) line_hash = base::stable_hash(line);
    return *line_hash;
  };
  if (const auto* sample = action<Sample>(rule)) {
    base::Hash128 of_record = base::stable_hash(record.labels->hash(), hash());
    of_record = base::stable_hash(static_cast<std::uint64_t>(record.timestamp), of_record);
    return of_record.low % kMillion < sample->per_million ? Verdict::pass : Verdict::sampled;
  }
  base::Hash128 key = step.key;
  for (const Label& one : step.rest) {
    key = base::stable_hash(one.value.empty() ? record::find(record.metadata, one.name) : one.value, key);
  }
  if (const auto* dedup = action<Dedup>(rule)) {
    key = base::stable_hash(hash().high, base::stable_hash(hash().low, key));
    return is_repetition(table, key, record.timestamp, dedup->within) ? Verdict::repeated : Verdict::pass;
  }
  const bool in_bytes = action<Limit>(rule)->unit == Limit::Unit::bytes;
  const RateWindows& windows = *machines[step.rule].windows;
  const bool admitted = windows.admit(table, key, windows.at(record.timestamp, now), in_bytes ? line.size() : 1);
  return admitted ? Verdict::pass : Verdict::limited;
}

RuleSet::RuleSet(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
RuleSet::RuleSet(RuleSet&&) noexcept = default;
RuleSet& RuleSet::operator=(RuleSet&&) noexcept = default;
RuleSet::~RuleSet() = default;

base::Result<RuleSet> RuleSet::compile(std::vector<Rule> rules, const StateBounds& bounds) {
  auto compiled = std::make_unique<Compiled>(std::min(bounds.keys, AgingTable::entries_in(bounds.bytes)));
  compiled->rules = std::move(rules);
  compiled->counts.resize(compiled->rules.size());
  for (const Rule& rule : compiled->rules) {
    auto machine = make_machine(rule);
    if (!machine) return at_rule(rule, machine.error());
    auto added = compiled->index.add(rule.match.matchers);
    if (!added) return at_rule(rule, added.error());
    machine->memory = compiled->next_memory++;
    if (machine->lone) {
      const std::string& name = machine->lone->name();
      while (machine->field < compiled->fields.size() && compiled->fields[machine->field].name != name) ++machine->field;
      if (machine->field == compiled->fields.size()) compiled->fields.push_back({name, 0, {}});
    }
    if (machine->lifetime != nullptr) compiled->lifetimes.push_back(machine->lifetime);
    compiled->machines.push_back(std::move(*machine));
  }
  return RuleSet(std::move(compiled));
}

base::Timestamp RuleSet::begin(base::Timestamp now) {
  Compiled& set = *compiled_;
  set.now = now;
  for (std::string* text : {&set.text, &set.spare}) {
    if (text->capacity() > kKeptText) *text = {};
  }
  base::Timestamp next = kNoTime;
  if (set.lifetimes.empty()) return next;
  bool changed = false;
  for (Machine& machine : set.machines) {
    if (machine.lifetime == nullptr) continue;
    const base::Timestamp from = machine.lifetime->from, until = machine.lifetime->until();
    const bool active = from <= now && now < until;
    changed = changed || active != machine.active;
    machine.active = active;
    if (now < until) next = std::min(next, now < from ? from : until);
  }
  if (changed) set.forget_plans();
  return next;
}

Judgement RuleSet::judge(Record& record, record::Batch& batch) {
  Compiled& set = *compiled_;
  Plan& plan = set.plan_of(record.labels);
  if (plan.idle) return {};
  const std::size_t bytes = record.line.data.size();
  const bool is_gap = record::is_gap(record);
  if (!plan.redactions.empty()) set.redact(plan, record, batch, is_gap, bytes);

  ++set.record_number;  // from here on labels and metadata stay what they are
  Judgement judgement;
  bool may_be_lost = !is_gap;
  if (!is_gap) {
    for (const std::uint32_t number : plan.deciders) {
      if (!set.matches(number, record, batch)) continue;
      set.count(number, bytes);
      judgement.rule = number;
      const Rule& rule = set.rules[number];
      if (action<Drop>(rule) != nullptr) {
        judgement.verdict = Verdict::drop;
        return judgement;
      }
      if (action<Hold>(rule) != nullptr) {
        judgement.verdict = Verdict::hold;
        if (!record.held) record.touch();
        record.held = true;
      }
      may_be_lost = action<Keep>(rule) != nullptr && set.machines[number].lifetime == nullptr;
      break;
    }
  }

  std::optional<base::Hash128> line_hash;
  for (const Step& step : plan.steps) {
    const Rule& rule = set.rules[step.rule];
    const auto* tenant = action<Tenant>(rule);
    if ((tenant == nullptr && !may_be_lost) || !set.matches(step.rule, record, batch)) continue;
    if (tenant != nullptr) {
      if (record.tenant != tenant->name) {
        record.tenant = tenant->name;
        record.touch();
      }
      if (!is_gap) set.count(step.rule, bytes);
      continue;
    }
    const std::string_view line = set.reads_line(rule) ? batch.line(record) : std::string_view();
    const Verdict verdict = set.take_step(step, record, line, line_hash);
    if (verdict == Verdict::pass) continue;
    set.count(step.rule, bytes);
    return {verdict, step.rule};
  }
  return judgement;
}

std::span<const Rule> RuleSet::rules() const { return compiled_->rules; }
std::span<const RuleCounts> RuleSet::counts() const { return compiled_->counts; }
std::uint64_t RuleSet::forgotten_keys() const { return compiled_->table.forgotten(); }
bool RuleSet::holds() const {
  return std::any_of(compiled_->rules.begin(), compiled_->rules.end(),
                     [](const Rule& rule) { return action<Hold>(rule) != nullptr; });
}

// Keys go by the number of their rule's memory. An equal rule takes over the number, any other one gets a number that no rule of
// the sets before had, so that what vanished rules left behind is found by nobody, and makes room in time.
void RuleSet::take_state_of(RuleSet& before) {
  Compiled& set = *compiled_;
  Compiled& old = *before.compiled_;
  set.table = std::move(old.table);
  set.table.bound(set.capacity);
  set.next_memory = old.next_memory;
  std::vector<bool> taken(old.rules.size(), false);
  for (std::size_t i = 0; i < set.rules.size(); ++i) {
    std::size_t found = 0;
    while (found < old.rules.size() &&
           (taken[found] || key_labels(old.rules[found]) == nullptr || old.rules[found] != set.rules[i]))
      ++found;
    if (found < old.rules.size()) {
      taken[found] = true;
      set.machines[i].memory = old.machines[found].memory;
    } else {
      set.machines[i].memory = set.next_memory++;
    }
  }
  old.table = AgingTable(old.capacity);
  set.forget_plans();
}

}  // namespace weir::rules
