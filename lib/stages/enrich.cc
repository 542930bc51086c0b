#include "stages/enrich.h"

#include "kube/pods.h"
#include "names/level.h"
#include "names/service_name.h"
#include "record/json.h"
#include "record/pod_path.h"
#include "stages/enrich_check.h"
#include "stages/enrich_plan.h"
#include "stages/pod_gate.h"
#include "stages/pod_metrics.h"

#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>
#include <utility>

namespace weir::stages {
namespace {

using base::Code;
using base::Result;
using metrics::Account;
using record::Label;
using record::LabelSet;
using record::LabelSetRef;
using record::Record;

constexpr auto kRecordsIn = metrics::counter("weir_enrich_input_records_total", "records", "Records that enrich got.", Account::in);
constexpr auto kBytesIn =
    metrics::counter("weir_enrich_input_bytes_total", "bytes", "Bytes of the lines that enrich got.", Account::in);
constexpr auto kRecordsOut =
    metrics::counter("weir_enrich_output_records_total", "records", "Records that enrich passed on.", Account::out);
constexpr auto kBytesOut =
    metrics::counter("weir_enrich_output_bytes_total", "bytes", "Bytes of the lines that enrich passed on.", Account::out);

constexpr auto kUnknown =
    metrics::counter("weir_enrich_unknown_records_total", "records",
                     "Records whose pod is not known: neither a label nor a path names it, or nobody has told enrich of it.");

using names::kServiceName;
constexpr std::string_view kFilename = "filename";
constexpr std::string_view kPodUid = "pod_uid";

// Plans kept at most; more at once than a node has pods. Forgotten plans are worked out again.
constexpr std::size_t kMaxPlans = 1280;
constexpr std::size_t kMaxPlansOfPods = 4 * kMaxPlans;  // with pods: tail's labels and each uid have a plan
constexpr std::size_t kMaxPlanBytes = 32 << 20;         // of the label sets of all plans

using Plan = EnrichPlan;
using Key = EnrichKey;

struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

class EnrichStage : public pipeline::Stage {
 public:
  EnrichStage(EnrichSpec spec, std::vector<std::pair<std::string, std::string>> labels, std::unique_ptr<LineFields> fields,
              std::unique_ptr<ValueBudget> budget, const pipeline::Context& context)
      : spec_(std::move(spec)),
        labels_(std::move(labels)),
        fields_(std::move(fields)),
        budget_(std::move(budget)),
        clock_(context.clock),
        block_(context.metrics, context.driver) {
    if (spec_.keep_labels) keep_.insert(spec_.keep_labels->begin(), spec_.keep_labels->end());
    if (spec_.service_name) keep_.emplace(kServiceName);
    if (spec_.level == EnrichSpec::Level::label) keep_.insert(spec_.level_label);
    if (spec_.knowledge != nullptr) gate_ = std::make_unique<PodGate>(spec_.knowledge, block_, context);
    if (spec_.pods == nullptr) return;
    pods_ = &spec_.pods->directory();
    of_pods_.emplace(spec_, block_);
    if (context.driver != nullptr)
      context.driver->on_ask([this] { of_pods_->metrics.show(spec_.pods->status(), clock_->monotonic()); });
  }

  Result<pipeline::Flow> consume(record::Batch& batch, pipeline::Outlet& out) override;
  Result<void> attach(base::Wake& wake) override { return gate_ ? gate_->attach(wake) : Result<void>(); }
  Result<base::Monotonic> nudge(base::Monotonic now, pipeline::Outlet& out) override {
    if (!gate_) return base::kNever;
    return gate_->nudge(now, [&](record::Batch& batch) { return pass_on(batch, out); });
  }
  Result<pipeline::Flushed> flush(pipeline::Outlet& out, base::Monotonic) override {
    if (auto gone = let_all_go(out); !gone) return std::move(gone).error();
    return pipeline::Flushed::safe;
  }
  Result<void> finish(pipeline::Outlet& out, base::Monotonic deadline) override;
  [[nodiscard]] pipeline::Counters counters() const override { return pipeline::counters_of(block_); }
  [[nodiscard]] std::string_view name() const override { return "enrich"; }

 private:
  // What consume() does, but for the word that pods are used.
  Result<pipeline::Flow> take(record::Batch& batch, pipeline::Outlet& out);
  Result<pipeline::Flow> pass_on(record::Batch& batch, pipeline::Outlet& out);
  Result<void> let_all_go(pipeline::Outlet& out);
  void enrich(record::Batch& batch, Record& record);
  Plan& plan_for(const Key& key);
  void work_out(Plan& plan, const Key& key);
  Plan& plan_of_uid(Plan& plan, Key& key, std::string_view uid);
  void renew(Plan& plan, const Key& key);
  bool has_place(Plan& plan, const Label& label) const;
  const record::PodPath* pod_path(std::string_view text);
  std::string_view level_of(const Record& record, const Plan& plan);
  std::string_view decoded_line(const Record& record);
  std::span<const Label> metadata_with(record::Batch& batch, const Record& record, const Plan& plan, std::string_view level);
  void forget();

  EnrichSpec spec_;
  std::vector<std::pair<std::string, std::string>> labels_;
  std::set<std::string, std::less<>> keep_;
  const std::unique_ptr<LineFields> fields_;   // null: nothing is taken out of lines
  const std::unique_ptr<ValueBudget> budget_;  // null: no label is limited
  base::Clock* clock_;
  metrics::Block block_;
  metrics::Counter records_in_ = block_.counter(kRecordsIn), bytes_in_ = block_.counter(kBytesIn);
  metrics::Counter records_out_ = block_.counter(kRecordsOut), bytes_out_ = block_.counter(kBytesOut);
  metrics::Counter unknown_ = block_.counter(kUnknown);
  std::uint64_t unknown_records_ = 0;  // of the batch at hand

  // What follows from the pods; nothing without them.
  struct OfPods {
    OfPods(const EnrichSpec& spec, metrics::Block& block) : labels(spec.pod_labels, spec.node_name), metrics(block) {
      for (const auto& [name, value] : spec.labels) own.insert(name);
      for (const auto& [name, variable] : spec.labels_from_environment) own.insert(name);
      for (const PodName& one : spec.pod_labels.labels) own.insert(one.as);
      for (const PodName& one : spec.pod_labels.annotations) own.insert(one.as);
    }
    [[nodiscard]] bool keeps(std::string_view label) const { return labels.keeps(label) || own.contains(label); }

    PodLabels labels;
    std::set<std::string, std::less<>> own;  // labels that the options name, which stay whatever the scheme says
    PodMetrics metrics;
  };
  kube::PodDirectory* pods_ = nullptr;
  std::optional<OfPods> of_pods_;
  std::uint64_t pods_version_ = 0;  // as of the batch at hand
  std::set<std::string, std::less<>> uids_;

  std::unordered_map<Key, Plan, EnrichKeyHash> plans_;
  std::size_t plan_bytes_ = 0;
  // What was looked for last, by a part of the hash: of few records after a pause, each step into `plans_` is a step into memory
  // that no cache holds any more.
  std::array<std::pair<Key, Plan*>, 128> recent_;
  // What the keys point at. No value: not the path of a pod's log.
  std::unordered_map<std::string, std::optional<record::PodPath>, StringHash, std::equal_to<>> paths_;
  std::set<std::string, std::less<>> levels_;
  std::uint64_t batch_number_ = 0;
  std::vector<char> line_;  // the decoded form of the line at hand

  // Metadata made for a record of this batch, for the next one to which the same happens.
  struct Shared {
    const Plan* plan = nullptr;
    const Label* before = nullptr;
    std::size_t before_size = 0;
    const char* level = nullptr;
    std::span<const Label> after;
  };
  std::array<Shared, 16> shared_;
  std::unique_ptr<PodGate> gate_;  // null where no pods are known
};

Result<pipeline::Flow> EnrichStage::consume(record::Batch& batch, pipeline::Outlet& out) {
  const bool uses_pods = of_pods_ && !batch.empty();
  auto flow = take(batch, out);
  // Behind the batch: used() may make a request due at once, which is to be for the pods that this batch asked for too.
  if (uses_pods) spec_.pods->used();
  return flow;
}

Result<pipeline::Flow> EnrichStage::take(record::Batch& batch, pipeline::Outlet& out) {
  if (!gate_) return pass_on(batch, out);
  const auto pass = [&](record::Batch& ready) { return pass_on(ready, out); };
  // Before anything of this batch is counted: what is below may show the books meanwhile.
  if (auto flow = gate_->let_due_go(pass); !flow || *flow == pipeline::Flow::done) return flow;
  pipeline::Tally tally;
  for (const Record& record : batch.records) {
    if (!record.is_marker()) tally.add(record);
  }
  records_in_.add(tally.records);
  bytes_in_.add(tally.bytes);
  if (auto flow = gate_->sift(batch, tally.records, pass); !flow || *flow == pipeline::Flow::done) return flow;
  if (!batch.empty()) {
    if (auto flow = pass_on(batch, out); !flow || *flow == pipeline::Flow::done) return flow;
  }
  return gate_->hold_back(pass);
}

Result<void> EnrichStage::let_all_go(pipeline::Outlet& out) {
  if (!gate_) return {};
  auto flow = gate_->let_all_go([&](record::Batch& batch) { return pass_on(batch, out); });
  if (!flow) return std::move(flow).error();
  return {};
}

// What enrich is for. Of a batch of its input, or of what had waited.
Result<pipeline::Flow> EnrichStage::pass_on(record::Batch& batch, pipeline::Outlet& out) {
  const std::size_t most = pods_ == nullptr ? kMaxPlans : kMaxPlansOfPods;
  if (plans_.size() + paths_.size() + levels_.size() + uids_.size() > most || plan_bytes_ > kMaxPlanBytes) forget();
  if (budget_ && budget_->begin()) forget();
  if (fields_) fields_->begin();
  ++batch_number_;
  if (pods_ != nullptr) pods_version_ = pods_->version();
  shared_.fill({});
  pipeline::Tally tally;
  for (Record& record : batch.records) {
    if (record.is_marker()) continue;
    tally.add(record);
    if (record.sample) continue;
    if (fields_) fields_->apply(batch, record);
    enrich(batch, record);
  }
  if (fields_) fields_->count();
  if (budget_) budget_->end();
  if (!gate_) {
    records_in_.add(tally.records);
    bytes_in_.add(tally.bytes);
  }
  records_out_.add(tally.records);
  bytes_out_.add(tally.bytes);
  unknown_.add(std::exchange(unknown_records_, 0));
  return out.emit(batch);
}

Result<void> EnrichStage::finish(pipeline::Outlet& out, base::Monotonic) {
  Result<pipeline::Flow> flow = pipeline::Flow::more;
  if (gate_) {
    flow = gate_->wait_for_all([&](record::Batch& batch) { return pass_on(batch, out); });
    gate_->finish();
  }
  if (budget_) budget_->close();
  if (!flow) return std::move(flow).error();
  return {};
}

// Between two batches, since within one nothing may go that a record points at.
void EnrichStage::forget() {
  recent_.fill({});
  plans_.clear();
  plan_bytes_ = 0;
  paths_.clear();
  levels_.clear();
  uids_.clear();
}

void EnrichStage::enrich(record::Batch& batch, Record& record) {
  Key key{record.labels, nullptr, {}};
  Plan* plan = &plan_for(key);
  if (plan->asks_for_path && !record.metadata.empty()) {
    if (const std::string_view path = record::find(record.metadata, kFilename); !path.empty()) {
      key.path = pod_path(path);
      if (key.path != nullptr) plan = &plan_for(key);
    }
  }
  if (pods_ != nullptr) {
    if (plan->asks_for_uid && !record.metadata.empty()) {
      if (const std::string_view uid = record::find(record.metadata, kPodUid); !uid.empty()) plan = &plan_of_uid(*plan, key, uid);
    }
    if (plan->looked_at != pods_version_) renew(*plan, key);
  }
  std::string_view level;
  if (spec_.level != EnrichSpec::Level::off) {
    level = level_of(record, *plan);
    if (spec_.level == EnrichSpec::Level::label) {
      key.level = level;
      plan = &plan_for(key);
      if (plan->looked_at != pods_version_) renew(*plan, key);
      level = {};
    }
  }
  unknown_records_ += plan->unknown ? 1 : 0;
  if (plan->held_by != batch_number_) {
    batch.hold(plan->out);
    batch.hold(plan->full);
    if (plan->gives_metadata) batch.hold(plan->pods->given);
    if (plan->unknown && pods_ != nullptr && !plan->pods->id.uid.empty()) spec_.pods->ask(plan->pods->id);
    plan->held_by = batch_number_;
    for (ValueBudget::Place* place : plan->places) budget_->use(*place);
  }
  for (const int limit : plan->no_place) budget_->demoted(limit, 1);

  if (record.labels != plan->out.get()) {
    record.labels = plan->out.get();
    record.touch();
  }
  if (!spec_.tenant_from.empty()) {
    const std::string_view tenant = !plan->tenant.empty() ? plan->tenant : record::find(record.metadata, spec_.tenant_from);
    if (!tenant.empty() && tenant != record.tenant) {
      record.tenant = tenant;
      record.touch();
    }
  }
  const bool same_level = level.empty() || level == record::find(record.metadata, names::kDetectedLevel);
  if (!plan->demoted.empty() || !plan->pod_uid.empty() || !same_level || plan->gives_metadata) {
    record.metadata = metadata_with(batch, record, *plan, level);
    record.touch();
  }
}

const record::PodPath* EnrichStage::pod_path(std::string_view text) {
  auto found = paths_.find(text);
  if (found == paths_.end()) {
    found = paths_.emplace(std::string(text), std::nullopt).first;
    found->second = record::parse_pod_path(found->first);
  }
  return found->second ? &*found->second : nullptr;
}

Plan& EnrichStage::plan_for(const Key& key) {
  auto& [recent_key, recent_plan] = recent_[EnrichKeyHash()(key) * 0x9E3779B97F4A7C15U >> 57];
  if (recent_plan != nullptr && recent_key == key) return *recent_plan;
  if (const auto found = plans_.find(key); found != plans_.end()) {
    recent_key = found->first;
    recent_plan = &found->second;
    return found->second;
  }
  Key kept = key;
  if (!key.level.empty()) kept.level = *levels_.emplace(key.level).first;
  Plan& plan = plans_[kept];
  work_out(plan, kept);
  plan_bytes_ += bytes_of(plan);
  return plan;
}

// The uid lives as long as the plans.
Plan& EnrichStage::plan_of_uid(Plan& plan, Key& key, std::string_view uid) {
  PodPart& part = *plan.pods;
  if (part.met != nullptr && *part.met == uid) {
    key.uid = part.met;
    return *part.met_plan;
  }
  auto found = uids_.find(uid);
  if (found == uids_.end()) found = uids_.emplace(uid).first;
  key.uid = &*found;
  part.met = key.uid;
  part.met_plan = &plan_for(key);
  return *part.met_plan;
}

// Its pod may have changed since the plan was worked out. Records of this batch do not use the plan yet; those of earlier batches
// hold their sets themselves.
void EnrichStage::renew(Plan& plan, const Key& key) {
  plan.looked_at = pods_version_;
  if (pods_->find(plan.pods->id) == plan.pods->pod) return;
  plan_bytes_ -= bytes_of(plan);
  Plan fresh;
  work_out(fresh, key);
  fresh.pods->met = plan.pods->met;
  fresh.pods->met_plan = plan.pods->met_plan;
  plan = std::move(fresh);
  plan_bytes_ += bytes_of(plan);
}

void EnrichStage::work_out(Plan& plan, const Key& key) {
  plan.in = LabelSetRef::share(key.labels);
  std::vector<Label> labels(key.labels->labels().begin(), key.labels->labels().end());
  const auto value_of = [&labels](std::string_view name) {
    const auto found = std::ranges::find(labels, name, &Label::name);
    return found == labels.end() ? std::string_view() : found->value;
  };
  const auto set = [&labels](std::string_view name, std::string_view value) {
    std::erase_if(labels, [name](const Label& label) { return label.name == name; });
    labels.push_back({name, value});
  };
  const auto fill = [&](std::string_view name, std::string_view value) {
    if (value_of(name).empty() && !value.empty()) labels.push_back({name, value});
  };

  std::optional<record::PodPath> path;
  if (spec_.path) {
    path = record::parse_pod_path(value_of(kFilename));
    plan.asks_for_path =
        !path && key.path == nullptr && (value_of("namespace").empty() || value_of("pod").empty() || value_of("container").empty());
    if (!path && key.path != nullptr) path = *key.path;
    if (path) {
      fill("namespace", path->namespace_name);
      fill("pod", path->pod);
      fill("container", path->container);
      if (value_of(kPodUid).empty()) plan.pod_uid = path->uid;
    }
    plan.unknown = value_of("pod").empty();
  }
  std::vector<PodLabels::Given> given;  // the views below point into it
  if (pods_ != nullptr) {
    plan.pods = std::make_unique<PodPart>();
    PodPart& part = *plan.pods;
    part.id = path ? kube::PodId{path->uid, path->namespace_name, path->pod}
                   : kube::PodId{value_of(kPodUid), value_of("namespace"), value_of("pod")};
    if (part.id.uid.empty()) part.id.uid = value_of(kPodUid);
    plan.asks_for_uid = part.id.uid.empty() && key.uid == nullptr;
    if (part.id.uid.empty() && key.uid != nullptr) part.id.uid = *key.uid;
    part.pod = pods_->find(part.id);
    plan.looked_at = pods_version_;
    plan.unknown = part.pod == nullptr;
    if (part.pod != nullptr) given = of_pods_->labels.labels_of(*part.pod, value_of("container"));
    for (const auto& [name, value, replaces] : given) {
      if (replaces) {
        set(name, value);
      } else {
        fill(name, value);
      }
    }
  }
  const bool by_scheme = of_pods_ && !value_of("pod").empty();
  for (const auto& [name, value] : labels_) set(name, value);
  if (spec_.service_name && value_of(kServiceName).empty()) {
    set(kServiceName, names::service_name(value_of));
  }
  if (spec_.level == EnrichSpec::Level::label && !key.level.empty()) set(spec_.level_label, key.level);

  plan.full = LabelSet::intern(labels);
  plan.tenant = spec_.tenant_from.empty() ? std::string_view() : plan.full->get(spec_.tenant_from);
  plan.level = names::level_of_labels(plan.full->labels());
  plan.out = plan.full;
  if (spec_.keep_labels || by_scheme || budget_) {
    labels.clear();
    for (const Label& label : plan.full->labels()) {
      const bool in_index = keep_.contains(label.name);
      const bool kept = in_index || (!spec_.keep_labels && (!by_scheme || of_pods_->keeps(label.name)));
      (kept && has_place(plan, label) ? labels : plan.demoted).push_back(label);
    }
    if (!plan.demoted.empty()) plan.out = LabelSet::intern(labels);
  }
  if (plan.pods == nullptr || plan.pods->pod == nullptr) return;
  given = of_pods_->labels.metadata_of(*plan.pods->pod);
  if (given.empty()) return;
  labels.clear();
  for (const auto& one : given) {
    labels.push_back({one.name, one.value});
    std::erase_if(plan.demoted, [&one](const Label& label) { return label.name == one.name; });
  }
  plan.pods->given = LabelSet::intern(labels);
  plan.gives_metadata = true;
}

bool EnrichStage::has_place(Plan& plan, const Label& label) const {
  const int limit = budget_ ? budget_->limit_of(label.name) : -1;
  if (limit < 0) return true;
  ValueBudget::Place* const place = budget_->find_place(limit, label.value);
  if (place != nullptr) {
    plan.places.push_back(place);
  } else {
    plan.no_place.push_back(limit);
  }
  return place != nullptr;
}

std::string_view EnrichStage::level_of(const Record& record, const Plan& plan) {
  if (!record.metadata.empty()) {
    if (const std::string_view given = record::find(record.metadata, names::kDetectedLevel); !given.empty())
      return names::normalize_level(given);
  }
  if (!plan.level.empty()) return plan.level;
  if (const std::string_view level = names::level_of_metadata(record.metadata); !level.empty()) return level;
  return names::level_of_line(decoded_line(record));
}

// Into a buffer of our own: the record keeps the escaped form, which the writer can print as it is.
std::string_view EnrichStage::decoded_line(const Record& record) {
  if (record.line.decoded()) return record.line.data;
  if (line_.size() < record.line.data.size()) line_.resize(record.line.data.size());
  return {line_.data(), record::unescape(line_.data(), record.line.data)};
}

std::span<const Label> EnrichStage::metadata_with(record::Batch& batch, const Record& record, const Plan& plan,
                                                  std::string_view level) {
  const std::span<const Label> before = record.metadata;
  const Label* const place = before.empty() ? nullptr : before.data();
  const std::size_t slot = (reinterpret_cast<std::uintptr_t>(place) >> 4 ^ reinterpret_cast<std::uintptr_t>(&plan) >> 4 ^
                            reinterpret_cast<std::uintptr_t>(level.data())) %
                           shared_.size();
  Shared& shared = shared_[slot];
  if (shared.plan == &plan && shared.before == place && shared.before_size == before.size() && shared.level == level.data()) {
    return shared.after;
  }

  const std::span<const Label> given = plan.gives_metadata ? plan.pods->given->labels() : std::span<const Label>();
  const std::span<Label> after = batch.allocate_labels(before.size() + plan.demoted.size() + given.size() + 2);
  std::size_t size = 0;
  bool has_uid = plan.pod_uid.empty();
  for (Label entry : before) {
    has_uid = has_uid || entry.name == kPodUid;
    if (!level.empty() && entry.name == names::kDetectedLevel) continue;
    if (!given.empty() && std::ranges::find(given, entry.name, &Label::name) != given.end()) continue;
    const Label* const shadow = find_demoted(plan, entry.name);
    if (shadow != nullptr) {
      if (shadow->value == entry.value) continue;
      entry.name = batch.copy(std::string(entry.name) + "_extracted");
    }
    after[size++] = entry;
  }
  for (const Label& label : plan.demoted) after[size++] = label;
  for (const Label& label : given) after[size++] = label;
  if (!has_uid) after[size++] = {kPodUid, batch.copy(plan.pod_uid)};
  if (!level.empty()) after[size++] = {names::kDetectedLevel, level};
  shared = {&plan, place, before.size(), level.data(), after.first(size)};
  return shared.after;
}

}  // namespace

Result<std::unique_ptr<pipeline::Stage>> make_enrich(const EnrichSpec& spec, const pipeline::Context& context) {
  if (auto ok = check(spec); !ok) return std::move(ok).error();
  std::vector<std::pair<std::string, std::string>> labels = spec.labels;
  for (const auto& [name, variable] : spec.labels_from_environment) {
    const char* value = context.environment == nullptr ? nullptr : context.environment(variable.c_str());
    if (value == nullptr || *value == '\0') {
      return base::fail(Code::config, "cannot set label \"{}\": the environment variable {} is {}", name,
                        base::escape_control(variable), value == nullptr ? "not set" : "empty");
    }
    if (auto ok = check_label_value(name, value); !ok) return std::move(ok).error();
    labels.emplace_back(name, value);
  }
  std::unique_ptr<LineFields> fields;
  if (!spec.fields.takes_nothing()) {
    auto opened = LineFields::open(spec.fields, context);
    if (!opened) return std::move(opened).error();
    fields = *std::move(opened);
  }
  std::unique_ptr<ValueBudget> budget;
  if (!spec.budget.limits.empty()) {
    auto opened = ValueBudget::open(spec.budget, context);
    if (!opened) return std::move(opened).error();
    budget = *std::move(opened);
  }
  return std::unique_ptr<pipeline::Stage>(
      std::make_unique<EnrichStage>(spec, std::move(labels), std::move(fields), std::move(budget), context));
}

}  // namespace weir::stages
