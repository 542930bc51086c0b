#include "tail/journal_records.h"

#include <algorithm>
#include <array>
#include <vector>

namespace weir::tail {
namespace {

// Loki's words for what syslog calls emerg, alert, crit, err, warning, notice, info, debug.
constexpr std::array<std::string_view, 8> kLevels = {"fatal", "fatal", "critical", "error", "warn", "info", "info", "debug"};

constexpr std::string_view kMessage = "MESSAGE", kUnit = "_SYSTEMD_UNIT", kHost = "_HOSTNAME", kPriority = "PRIORITY";

}  // namespace

void JournalRecords::begin() {
  message_.reset();
  has_unit_ = has_host_ = false;
  unit_.clear();
  host_.clear();
  priority_ = -1;
  std::ranges::fill(values_, std::nullopt);
}

bool JournalRecords::wants(std::string_view name) const {
  if (name == kMessage || name == kUnit || name == kHost || name == kPriority) return true;
  return std::ranges::any_of(*fields_, [&](const JournalField& field) { return field.name == name; });
}

void JournalRecords::field(std::string_view name, std::string_view value, record::Batch& batch) {
  if (name == kMessage) {
    if (!message_) message_ = batch.copy(value);
  } else if (name == kUnit) {
    if (!has_unit_) unit_ = value;
    has_unit_ = true;
  } else if (name == kHost) {
    if (!has_host_) host_ = value;
    has_host_ = true;
  } else if (name == kPriority && priority_ < 0 && value.size() == 1 && value[0] >= '0' && value[0] <= '7') {
    priority_ = value[0] - '0';
  }
  for (std::size_t i = 0; i < fields_->size(); ++i) {
    if ((*fields_)[i].name == name && !values_[i]) values_[i] = batch.copy(value);
  }
}

const record::LabelSet* JournalRecords::labels(const record::LabelSet* base, record::Batch& batch) {
  if (base != base_.get()) {
    base_ = base != nullptr ? record::LabelSetRef::share(base) : record::LabelSetRef();
    sets_.clear();
    latest_ = nullptr;
  }
  // No name has a zero byte.
  const bool same = latest_ != nullptr && key_.size() == unit_.size() + 1 + host_.size() && key_.starts_with(unit_) &&
                    key_[unit_.size()] == '\0' && key_.ends_with(host_);
  if (!same) {
    key_.assign(unit_).append(1, '\0').append(host_);
    auto known = sets_.find(key_);
    if (known == sets_.end()) {
      if (sets_.size() >= kRememberedSets) sets_.clear();
      std::vector<record::Label> pairs;
      if (base_) pairs.assign(base->labels().begin(), base->labels().end());
      pairs.push_back({"job", "systemd-journal"});
      pairs.push_back({"node_name", host_});
      pairs.push_back({"unit", unit_});
      known = sets_.emplace(key_, record::LabelSet::intern(pairs)).first;
    }
    latest_ = known->second.get();
  }
  return batch.hold(record::LabelSetRef::share(latest_));
}

std::span<record::Label> JournalRecords::metadata(std::span<const record::Label> front, std::size_t more,
                                                  record::Batch& batch) const {
  const auto given = static_cast<std::size_t>(std::ranges::count_if(values_, [](const auto& value) { return value.has_value(); }));
  const std::size_t level = priority_ >= 0 ? 1 : 0;
  const std::size_t size = front.size() + level + given + more;
  if (size == 0) return {};
  const std::span<record::Label> pairs = batch.allocate_labels(size);
  auto at = std::ranges::copy(front, pairs.begin()).out;
  if (level > 0) *at++ = {"detected_level", kLevels[static_cast<std::size_t>(priority_)]};
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (values_[i]) *at++ = {(*fields_)[i].key, *values_[i]};
  }
  return pairs;
}

}  // namespace weir::tail
