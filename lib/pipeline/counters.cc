#include "pipeline/counters.h"

namespace weir::pipeline {

using metrics::Account;

void Counters::enter(const metrics::Metric& metric, std::string_view label_value, std::uint64_t value) {
  const bool records = metric.unit == "records";
  switch (metric.account) {
    case Account::none:
      break;
    case Account::in:
      (records ? records_in : bytes_in) += value;
      break;
    case Account::added:
      records_added += records ? value : 0;
      break;
    case Account::out:
      (records ? records_out : bytes_out) += value;
      break;
    case Account::dropped:
      if (records && value > 0) dropped[std::string(label_value)] += value;
      break;
    case Account::held:
      held += value;
      break;
    case Account::rejected:
      rejected += value;
      if (value > 0) rejected_by_reason[std::string(label_value)] += value;
      break;
    case Account::in_flight:
      in_flight += value;
      break;
    case Account::invalid:
      invalid += value;
      break;
    case Account::lost:
      lost += value;
      break;
    case Account::unreadable:
      unreadable_files += value;
      break;
  }
}

std::int64_t Counters::unaccounted() const {
  std::uint64_t known = records_out + held + rejected + in_flight;
  for (const auto& [reason, count] : dropped) known += count;
  return static_cast<std::int64_t>(records_in + records_added - known);
}

Counters counters_of(const metrics::Block& block) {
  const metrics::Block* one = &block;
  return counters_of({&one, 1});
}

Counters counters_of(std::span<const metrics::Block* const> blocks) {
  Counters counters;
  for (const metrics::Block* block : blocks) {
    block->each([&](const metrics::Metric& metric, std::string_view label_value, std::uint64_t value) {
      counters.enter(metric, label_value, value);
    });
  }
  return counters;
}

Counters counters_of(std::span<const metrics::Sample> samples, std::string_view stage) {
  const std::string prefix = stage.empty() ? "weir_" : "weir_" + std::string(stage) + "_";
  Counters counters;
  for (const metrics::Sample& sample : samples) {
    if (sample.metric->name.starts_with(prefix)) counters.enter(*sample.metric, sample.label_value, sample.value + sample.left);
  }
  return counters;
}

Tally tally_of(const record::Batch& batch) {
  Tally tally;
  for (const record::Record& record : batch.records)
    if (!record.is_marker()) tally.add(record);
  return tally;
}

}  // namespace weir::pipeline
