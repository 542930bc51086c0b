#include "logql/scope.h"

#include "base/utf8.h"
#include "gotext/unicode.h"
#include "logql/label_filter.h"
#include "names/label_name.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <span>

namespace weir::logql {
namespace {

constexpr std::string_view kExtractedSuffix = "_extracted";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_plain_name(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return names::is_name_byte(c); });  // inlined, unlike its address
}

bool is_error_name(std::string_view name) { return name == kErrorLabel || name == kErrorDetailsLabel; }

// The name under which Loki has it.
std::string_view metadata_name(std::string_view name, gotext::Scratch& scratch) {
  if (names::is_metadata_name(name)) return name;
  const std::span<char> room(scratch.allocate(names::max_metadata_name(name.size())), names::max_metadata_name(name.size()));
  const std::string_view made = names::metadata_name(name, room);
  scratch.shrink(room.data(), made.size());
  return made;
}

}  // namespace

LabelSlots::Slot* LabelSlots::find_in_index(std::string_view name) {
  for (std::size_t i = index_.size(); i < slots_.size(); ++i) index_.emplace(slots_[i].name, i);
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &slots_[found->second];
}

void LabelSlots::forget() {
  index_.clear();
  if (slots_.capacity() * sizeof(Slot) > 1 << 20) slots_ = {};
}

bool Scope::changes_metadata(const record::Record& record) {
  constexpr std::size_t kFew = 16;
  const auto labels = record.labels->labels();
  std::set<std::string_view> seen;  // only of many: few are compared with each other
  for (std::size_t i = 0; i < record.metadata.size(); ++i) {
    const record::Label& label = record.metadata[i];
    const auto same_name = [&](const record::Label& other) { return other.name == label.name; };
    if (label.value.empty() || !names::is_metadata_name(label.name) || is_error_name(label.name)) return true;
    if (labels.size() > kFew ? std::ranges::binary_search(labels, label.name, {}, &record::Label::name)
                             : std::any_of(labels.begin(), labels.end(), same_name)) {
      return true;
    }
    if (record.metadata.size() > kFew) {
      if (!seen.insert(label.name).second) return true;
      continue;
    }
    if (std::any_of(record.metadata.begin(), record.metadata.begin() + static_cast<std::ptrdiff_t>(i), same_name)) return true;
  }
  return false;
}

void Scope::begin(record::Record& record, record::Batch& batch, const Demand& demand, std::span<const EarlyFilter> early,
                  bool explain) {
  record_ = &record;
  batch_ = &batch;
  demand_ = &demand;
  early_ = early;
  explain_ = explain;
  has_line_ = false;
  metadata_loaded_ = false;
  stream_ = record.labels->labels();
  stream_gone_.clear();
  metadata_.clear();
  parsed_.clear();
  error_ = {};
  details_.clear();
  // Metadata of these names is the error of the record.
  for (const record::Label& label : record.metadata) {
    if (label.name == kErrorLabel) error_ = label.value;
    if (label.name == kErrorDetailsLabel && explain) details_ = label.value;
  }
  scratch_.clear();
  budget_.renew();
  value_ = 0;
  constexpr std::size_t kBits = 64;
  until_found_ = demand.until_found && !demand.everything && !demand.names.empty() && demand.names.size() < kBits;
  missing_ = until_found_ ? (std::uint64_t{1} << demand.names.size()) - 1 : 0;
}

void Scope::note_found(std::string_view name) {
  for (std::size_t i = 0; i < demand_->names.size(); ++i) {
    if (demand_->names[i] == name) missing_ &= ~(std::uint64_t{1} << i);
  }
}

std::string_view Scope::line() {
  if (!has_line_) set_line(batch_->line(*record_));
  return line_;
}

void Scope::load_metadata() {
  if (metadata_loaded_) return;
  metadata_loaded_ = true;
  // Several names may become the same. The last of equal ones counts, before it one that Loki has to change, and a name that only
  // collides with a label gives way to all.
  bool odd = false;
  for (const record::Label& label : record_->metadata) {
    if (label.value.empty() || is_error_name(label.name)) continue;
    std::size_t index = 0;
    if (!names::is_metadata_name(label.name) || find_in_stream(label.name, index)) {
      odd = true;
    } else {
      metadata_.set(label.name, label.value);
    }
  }
  if (!odd) return;
  for (const bool collides : {false, true}) {
    for (const record::Label& label : record_->metadata) {
      if (label.value.empty()) continue;
      std::size_t index = 0;
      const std::string_view name = metadata_name(label.name, scratch_);
      if (name.empty() || is_error_name(name) || find_in_stream(name, index) != collides) continue;
      if (!collides && name != label.name) metadata_.set(name, label.value);
      if (!collides) continue;
      const std::string_view other = extracted_name(name);
      if (metadata_.find(other) == nullptr) metadata_.add(other, label.value);
    }
  }
}

std::string_view Scope::extracted_name(std::string_view name) {
  char* out = scratch_.allocate(name.size() + kExtractedSuffix.size());
  std::memcpy(out, name.data(), name.size());
  std::memcpy(out + name.size(), kExtractedSuffix.data(), kExtractedSuffix.size());
  return {out, name.size() + kExtractedSuffix.size()};
}

bool Scope::find_in_stream(std::string_view name, std::size_t& index) const {
  constexpr std::size_t kFew = 16;
  if (stream_.size() > kFew) {  // sorted by name
    const auto found = std::ranges::lower_bound(stream_, name, {}, &record::Label::name);
    index = static_cast<std::size_t>(found - stream_.begin());
    return found != stream_.end() && found->name == name;
  }
  for (index = 0; index < stream_.size(); ++index) {
    if (stream_[index].name == name) return true;
  }
  return false;
}

bool Scope::find(std::string_view name, std::string_view& value) {
  if (const Slot* slot = parsed(name); slot != nullptr && !slot->gone) {
    value = slot->value;
    return true;
  }
  if (!record_->metadata.empty()) {
    load_metadata();
    if (const Slot* slot = metadata_.find(name); slot != nullptr && !slot->gone) {
      value = slot->value;
      return true;
    }
  }
  std::size_t index = 0;
  if (!find_in_stream(name, index) || (!stream_gone_.empty() && stream_gone_[index])) return false;
  value = stream_[index].value;
  return true;
}

bool Scope::collides(std::string_view name) {
  std::size_t index = 0;
  if (find_in_stream(name, index)) return true;  // also when it was dropped
  if (record_->metadata.empty()) return false;
  load_metadata();
  const Slot* slot = metadata_.find(name);
  return slot != nullptr && !slot->gone;
}

bool Scope::wants(std::string_view name) const {
  if (demand_->everything) return true;
  for (const std::string& wanted : demand_->names) {
    if (wanted.size() == name.size() + kExtractedSuffix.size()) {
      if (wanted.starts_with(name) && wanted.ends_with(kExtractedSuffix)) return true;
    } else if (wanted == name) {
      return true;
    }
  }
  return false;
}

bool Scope::wants_below(std::string_view prefix) const {
  if (demand_->everything) return true;
  return std::any_of(demand_->names.begin(), demand_->names.end(),
                     [&](const std::string& wanted) { return std::string_view(wanted).starts_with(prefix); });
}

bool Scope::extract(std::string_view name, std::string_view value) {
  if (collides(name)) {
    name = extracted_name(name);
    if (!wants(name)) return true;
  }
  return extract_as(name, value);
}

bool Scope::extract_as(std::string_view name, std::string_view value) {
  if (was_set(name)) return true;
  remove_from_metadata(name);
  parsed_.add(name, value);
  if (until_found_) note_found(name);
  return passes_early(name);
}

bool Scope::put_as(std::string_view name, std::string_view value) {
  put(name, value);
  return passes_early(name);
}

bool Scope::passes_early(std::string_view name) {
  const auto early = std::find_if(early_.begin(), early_.end(), [&](const EarlyFilter& one) { return one.name == name; });
  return early == early_.end() || early->filter->test(*this);
}

void Scope::put(std::string_view name, std::string_view value) {
  remove_from_stream(name);
  remove_from_metadata(name);
  if (Slot* slot = parsed(name)) {
    slot->value = value;
    slot->gone = false;
  } else {
    parsed_.add(name, value);
  }
  if (until_found_) note_found(name);
}

void Scope::remove_from_stream(std::string_view name) {
  std::size_t index = 0;
  if (!find_in_stream(name, index)) return;
  stream_gone_.resize(stream_.size());
  stream_gone_[index] = true;
}

void Scope::remove_from_metadata(std::string_view name) {
  if (record_->metadata.empty()) return;
  load_metadata();
  if (Slot* slot = metadata_.find(name)) slot->gone = true;
}

void Scope::remove(std::string_view name) {
  remove_from_stream(name);
  remove_from_metadata(name);
  if (Slot* slot = parsed(name)) slot->gone = true;
}

void Scope::set_error(std::string_view error, std::string_view details) {
  error_ = error;
  if (explain_) details_ = details;
}

std::span<const record::Label> Scope::stream_labels(std::vector<record::Label>& buffer) {
  if (stream_gone_.empty()) return stream_;
  buffer.clear();
  for (std::size_t i = 0; i < stream_.size(); ++i) {
    if (!stream_gone_[i]) buffer.push_back(stream_[i]);
  }
  return buffer;
}

std::span<const record::Label> Scope::metadata_labels(std::vector<record::Label>& buffer) {
  load_metadata();
  buffer.clear();
  for (const Slot& slot : metadata_) {
    if (!slot.gone) buffer.push_back({slot.name, slot.value});
  }
  return buffer;
}

std::span<const record::Label> Scope::parsed_labels(std::vector<record::Label>& buffer) {
  buffer.clear();
  // Loki shows the details of an error that was dropped only beside other changes.
  const bool dropped = std::any_of(stream_gone_.begin(), stream_gone_.end(), [](bool gone) { return gone; });
  const bool detailed = !details_.empty() && (errored() || !parsed_.empty() || !metadata_.empty() || dropped);
  auto is_shadowed = [&](std::string_view name) {
    return (name == kErrorLabel && errored()) || (name == kErrorDetailsLabel && detailed);
  };
  for (const Slot& slot : parsed_) {
    if (!slot.gone && !is_shadowed(slot.name)) buffer.push_back({slot.name, slot.value});
  }
  if (errored()) buffer.push_back({kErrorLabel, error_});
  if (detailed) buffer.push_back({kErrorDetailsLabel, details_});
  return buffer;
}

std::string_view sanitize_name(std::string_view name, bool first_part, gotext::Scratch& scratch) {
  name = gotext::trim_space(name);
  if (name.empty()) return {};
  const bool prefix = first_part && is_digit(name.front());
  if (!prefix && is_plain_name(name)) return name;
  char* out = scratch.allocate(name.size() + 1);
  std::size_t size = 0;
  if (prefix) out[size++] = '_';
  for (std::size_t i = 0; i < name.size();) {
    std::size_t length = 1;
    if (static_cast<unsigned char>(name[i]) >= 0x80) (void)base::decode_utf8(name.substr(i), length);
    out[size++] = names::is_name_byte(name[i]) ? name[i] : '_';
    i += length;
  }
  scratch.shrink(out, size);
  return {out, size};
}

std::string_view clean_value(std::string_view value, gotext::Scratch& scratch) {
  if (base::is_ascii(value)) return value;
  bool dirty = false;
  for (std::size_t i = 0; i < value.size() && !dirty;) {
    std::size_t length = 0;
    dirty = base::decode_utf8(value.substr(i), length) == base::kReplacement;
    i += length;
  }
  if (!dirty) return value;
  char* out = scratch.allocate(value.size());
  std::size_t size = 0;
  for (std::size_t i = 0; i < value.size();) {
    std::size_t length = 0;
    if (base::decode_utf8(value.substr(i), length) == base::kReplacement) {
      out[size++] = ' ';
    } else {
      std::memcpy(out + size, value.data() + i, length);
      size += length;
    }
    i += length;
  }
  scratch.shrink(out, size);
  return {out, size};
}

}  // namespace weir::logql
