// What enrich does to labels is a function of the record's label set (and, rarely, of a path in its metadata or of its level), so
// it is worked out once a set and looked up by pointer from then on: a Plan holds the sets on both sides, hence no pointer in
// the table can come to mean another set.
#include "stages/enrich.h"

#include "base/utf8.h"
#include "names/label_name.h"
#include "names/level.h"
#include "record/json.h"
#include "record/pod_path.h"

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
    metrics::counter("weir_enrich_unknown_records_total", "records", "Records without a pod, neither as a label nor in a path.");

// Loki's default for discover_service_name, in its order.
constexpr std::array<std::string_view, 13> kServiceNameFrom = {"service",
                                                               "app",
                                                               "application",
                                                               "app_name",
                                                               "name",
                                                               "app_kubernetes_io_name",
                                                               "container",
                                                               "container_name",
                                                               "k8s_container_name",
                                                               "component",
                                                               "workload",
                                                               "job",
                                                               "k8s_job_name"};
constexpr std::string_view kServiceName = "service_name";
constexpr std::string_view kFilename = "filename";
constexpr std::string_view kPodUid = "pod_uid";

// Plans kept at most; more at once than a node has pods. Forgotten plans are worked out again.
constexpr std::size_t kMaxPlans = 1280;
constexpr std::size_t kMaxPlanBytes = 32 << 20;  // of the label sets of all plans

// Loki's defaults for labels: max_label_name_length, max_label_value_length.
constexpr std::size_t kMaxName = 1024;
constexpr std::size_t kMaxValue = 2048;

struct Plan {
  LabelSetRef in;
  LabelSetRef out;   // none while the level that becomes a label is not known
  LabelSetRef full;  // before labels become metadata; the views below point into it
  std::vector<Label> demoted;
  std::string_view tenant;
  std::string_view level;                   // that the labels give
  std::string_view pod_uid;                 // that a path gave and no label has
  bool asks_for_path = false;               // a path in the metadata would tell something
  bool unknown = false;                     // neither a label nor a path names the pod
  std::vector<ValueBudget::Place*> places;  // of the values of limited labels
  std::vector<int> no_place;                // limits whose label is one of `demoted`
  std::uint64_t held_by = 0;                // the number of the batch that holds `out` and `full`
};

// They come sorted, out of a label set.
const Label* find_demoted(const Plan& plan, std::string_view name) {
  const auto found = std::ranges::lower_bound(plan.demoted, name, {}, &Label::name);
  return found != plan.demoted.end() && found->name == name ? &*found : nullptr;
}

struct Key {
  const LabelSet* labels = nullptr;
  const record::PodPath* path = nullptr;  // from the metadata
  std::string_view level;                 // that becomes a label
  friend bool operator==(const Key&, const Key&) = default;
};

struct KeyHash {
  std::size_t operator()(const Key& key) const {
    return (std::hash<const void*>()(key.labels) >> 4) ^ std::hash<const void*>()(key.path) * 31 ^
           (key.level.empty() ? 0 : std::hash<std::string_view>()(key.level));
  }
};

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
        block_(context.metrics, context.driver) {
    if (spec_.keep_labels) keep_.insert(spec_.keep_labels->begin(), spec_.keep_labels->end());
    if (spec_.service_name) keep_.emplace(kServiceName);
    if (spec_.level == EnrichSpec::Level::label) keep_.insert(spec_.level_label);
  }

  Result<pipeline::Flow> consume(record::Batch& batch, pipeline::Outlet& out) override;
  Result<void> finish(pipeline::Outlet& out, base::Monotonic deadline) override;
  [[nodiscard]] pipeline::Counters counters() const override { return pipeline::counters_of(block_); }
  [[nodiscard]] std::string_view name() const override { return "enrich"; }

 private:
  void enrich(record::Batch& batch, Record& record);
  Plan& plan_for(const Key& key);
  void work_out(Plan& plan, const Key& key) const;
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
  metrics::Block block_;
  metrics::Counter records_in_ = block_.counter(kRecordsIn), bytes_in_ = block_.counter(kBytesIn);
  metrics::Counter records_out_ = block_.counter(kRecordsOut), bytes_out_ = block_.counter(kBytesOut);
  metrics::Counter unknown_ = block_.counter(kUnknown);
  std::uint64_t unknown_records_ = 0;  // of the batch at hand

  std::unordered_map<Key, Plan, KeyHash> plans_;
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
};

Result<pipeline::Flow> EnrichStage::consume(record::Batch& batch, pipeline::Outlet& out) {
  if (plans_.size() + paths_.size() + levels_.size() > kMaxPlans || plan_bytes_ > kMaxPlanBytes) forget();
  if (budget_ && budget_->begin()) forget();
  if (fields_) fields_->begin();
  ++batch_number_;
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
  records_in_.add(tally.records);
  bytes_in_.add(tally.bytes);
  records_out_.add(tally.records);
  bytes_out_.add(tally.bytes);
  unknown_.add(std::exchange(unknown_records_, 0));
  return out.emit(batch);
}

Result<void> EnrichStage::finish(pipeline::Outlet&, base::Monotonic) {
  if (budget_) budget_->close();
  return {};
}

// Between two batches, since within one nothing may go that a record points at.
void EnrichStage::forget() {
  recent_.fill({});
  plans_.clear();
  plan_bytes_ = 0;
  paths_.clear();
  levels_.clear();
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
  std::string_view level;
  if (spec_.level != EnrichSpec::Level::off) {
    level = level_of(record, *plan);
    if (spec_.level == EnrichSpec::Level::label) {
      key.level = level;
      plan = &plan_for(key);
      level = {};
    }
  }
  unknown_records_ += plan->unknown ? 1 : 0;
  if (plan->held_by != batch_number_) {
    batch.hold(plan->out);
    batch.hold(plan->full);
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
  if (!plan->demoted.empty() || !plan->pod_uid.empty() || !same_level) {
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
  auto& [recent_key, recent_plan] = recent_[KeyHash()(key) * 0x9E3779B97F4A7C15U >> 57];
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
  plan_bytes_ += plan.in->json().size() + plan.out->json().size() + plan.full->json().size();
  return plan;
}

void EnrichStage::work_out(Plan& plan, const Key& key) const {
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

  if (spec_.path) {
    std::optional<record::PodPath> path = record::parse_pod_path(value_of(kFilename));
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
  for (const auto& [name, value] : labels_) set(name, value);
  if (spec_.service_name && value_of(kServiceName).empty()) {
    std::string_view service = "unknown_service";
    for (const std::string_view name : kServiceNameFrom) {
      if (value_of(name).empty()) continue;
      service = value_of(name);
      break;
    }
    set(kServiceName, service);
  }
  if (spec_.level == EnrichSpec::Level::label && !key.level.empty()) set(spec_.level_label, key.level);

  plan.full = LabelSet::intern(labels);
  plan.tenant = spec_.tenant_from.empty() ? std::string_view() : plan.full->get(spec_.tenant_from);
  plan.level = names::level_of_labels(plan.full->labels());
  plan.out = plan.full;
  if (!spec_.keep_labels && !budget_) return;
  labels.clear();
  for (const Label& label : plan.full->labels()) {
    const bool stays = (!spec_.keep_labels || keep_.contains(label.name)) && has_place(plan, label);
    (stays ? labels : plan.demoted).push_back(label);
  }
  if (!plan.demoted.empty()) plan.out = LabelSet::intern(labels);
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

  const std::span<Label> after = batch.allocate_labels(before.size() + plan.demoted.size() + 2);
  std::size_t size = 0;
  bool has_uid = plan.pod_uid.empty();
  for (Label entry : before) {
    has_uid = has_uid || entry.name == kPodUid;
    if (!level.empty() && entry.name == names::kDetectedLevel) continue;
    const Label* const shadow = find_demoted(plan, entry.name);
    if (shadow != nullptr) {
      if (shadow->value == entry.value) continue;
      entry.name = batch.copy(std::string(entry.name) + "_extracted");
    }
    after[size++] = entry;
  }
  for (const Label& label : plan.demoted) after[size++] = label;
  if (!has_uid) after[size++] = {kPodUid, batch.copy(plan.pod_uid)};
  if (!level.empty()) after[size++] = {names::kDetectedLevel, level};
  shared = {&plan, place, before.size(), level.data(), after.first(size)};
  return shared.after;
}

Result<void> check_name(std::string_view what, std::string_view name) {
  if (!names::is_label_name(name)) {
    return base::fail(Code::usage, "{} \"{}\" is no label name", what, base::escape_control(name))
        .with_hint("a name has letters, digits and _, and no digit in front");
  }
  if (name.size() > kMaxName) return base::fail(Code::usage, "{} has {} bytes; Loki takes {}", what, name.size(), kMaxName);
  if (name.starts_with("__")) {
    return base::fail(Code::usage, "{} \"{}\" is reserved: names that begin with __ are never sent to Loki", what, name);
  }
  if (name == names::kDetectedLevel) {
    return base::fail(Code::usage, "{} \"{}\" is Loki's own metadata and never a label", what, name)
        .with_hint("--level writes it as metadata, --level label:level makes a label of another name");
  }
  return {};
}

Result<void> check_value(std::string_view name, std::string_view value) {
  if (value.empty()) return base::fail(Code::usage, "label \"{}\" has no value", name).with_hint("Loki drops empty labels");
  if (value.size() > kMaxValue) {
    return base::fail(Code::usage, "the value of label \"{}\" has {} bytes; Loki takes {}", name, value.size(), kMaxValue);
  }
  if (!base::is_utf8(value)) return base::fail(Code::usage, "the value of label \"{}\" is not UTF-8", name);
  return {};
}

}  // namespace

Result<void> check(const EnrichSpec& spec) {
  std::set<std::string_view> seen;
  const auto once = [&seen](std::string_view name) -> Result<void> {
    if (seen.insert(name).second) return {};
    return base::fail(Code::usage, "label \"{}\" is set twice", name);
  };
  for (const auto& [name, value] : spec.labels) {
    if (auto ok = check_name("label", name); !ok) return ok;
    if (auto ok = check_value(name, value); !ok) return ok;
    if (auto ok = once(name); !ok) return ok;
  }
  for (const auto& [name, variable] : spec.labels_from_environment) {
    if (auto ok = check_name("label", name); !ok) return ok;
    if (variable.empty()) return base::fail(Code::usage, "label \"{}\" names no environment variable", name);
    if (auto ok = once(name); !ok) return ok;
  }
  if (spec.level == EnrichSpec::Level::label) {
    if (auto ok = check_name("the level's label", spec.level_label); !ok) return ok;
    if (auto ok = once(spec.level_label); !ok) return ok;
  }
  if (spec.keep_labels) {
    for (const std::string& name : *spec.keep_labels) {
      if (auto ok = check_name("label to keep", name); !ok) return ok;
    }
  }
  for (const LineFieldsSpec::Field& field : spec.fields.to_labels) {
    if (auto ok = check_name("label", field.as); !ok) return ok;
    if (auto ok = once(field.as); !ok) return ok;
  }
  for (const ValueBudgetSpec::Limit& limit : spec.budget.limits) {
    if (auto ok = check_name("label of --max-values", limit.label); !ok) return ok;
  }
  if (auto ok = check(spec.fields); !ok) return ok;
  return check(spec.budget);
}

Result<std::unique_ptr<pipeline::Stage>> make_enrich(const EnrichSpec& spec, const pipeline::Context& context) {
  if (auto ok = check(spec); !ok) return std::move(ok).error();
  std::vector<std::pair<std::string, std::string>> labels = spec.labels;
  for (const auto& [name, variable] : spec.labels_from_environment) {
    const char* value = context.environment == nullptr ? nullptr : context.environment(variable.c_str());
    if (value == nullptr || *value == '\0') {
      return base::fail(Code::config, "cannot set label \"{}\": the environment variable {} is {}", name,
                        base::escape_control(variable), value == nullptr ? "not set" : "empty");
    }
    if (auto ok = check_value(name, value); !ok) return std::move(ok).error();
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
