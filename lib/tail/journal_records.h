// The fields of an entry of the journal as a record. What reads journal files and what reads `journalctl -o json` both use this, so
// that they give the same records. journal_options.h says which field becomes what.
#pragma once

#include "record/label_set.h"
#include "record/record.h"
#include "tail/journal_options.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weir::tail {

// Takes one entry after the other. Not thread safe.
class JournalRecords {
 public:
  // `fields` outlives it.
  explicit JournalRecords(const std::vector<JournalField>& fields) : fields_(&fields), values_(fields.size()) {}

  // A new entry.
  void begin();
  // Whether a field of this name is asked for. What else an entry has need not be given to field().
  [[nodiscard]] bool wants(std::string_view name) const;
  // Copies what it keeps; what is large into the batch.
  void field(std::string_view name, std::string_view value, record::Batch& batch);

  // Of the entry. Nothing: it has no MESSAGE.
  [[nodiscard]] std::optional<std::string_view> message() const { return message_; }
  // With those of `base`, which are not of the entry and may be null; of equal names the entry's counts.
  const record::LabelSet* labels(const record::LabelSet* base, record::Batch& batch);
  // `front` comes first. The last `more` pairs are left to the caller.
  std::span<record::Label> metadata(std::span<const record::Label> front, std::size_t more, record::Batch& batch) const;

 private:
  static constexpr std::size_t kRememberedSets = 1024;

  const std::vector<JournalField>* fields_;
  std::vector<std::optional<std::string_view>> values_;  // of fields_
  std::optional<std::string_view> message_;
  bool has_unit_ = false, has_host_ = false;
  std::string unit_, host_;
  int priority_ = -1;

  record::LabelSetRef base_;                                   // that the sets were made with
  std::unordered_map<std::string, record::LabelSetRef> sets_;  // by unit and host
  std::string key_;                                            // of the latest
  const record::LabelSet* latest_ = nullptr;
};

}  // namespace weir::tail
