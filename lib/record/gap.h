// What a gap record says: which log lost how much. tail makes such records, and a keeper counts them.
#pragma once

#include "record/record.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace weir::record {

struct GapReport {
  std::string log;                     // "NAMESPACE/POD/CONTAINER" of a pod's log, otherwise its path; "" when nothing names it
  std::optional<std::uint64_t> bytes;  // that are lost; nullopt: unknown
};

// Of a record for which is_gap() is true.
[[nodiscard]] GapReport gap_report(const Record& record);

// What logs have lost, for status and summary.
struct LostData {
  static constexpr std::size_t kMostLogs = 100;     // that are known by name
  static constexpr std::size_t kLongestName = 512;  // bytes; the rest is cut

  std::uint64_t parts = 0;                                 // gap records
  std::uint64_t parts_unknown = 0;                         // of unknown size
  std::uint64_t bytes = 0;                                 // of the others
  std::map<std::string, std::uint64_t, std::less<>> logs;  // bytes, as far as they are known, by GapReport::log

  void add(std::string_view log, std::optional<std::uint64_t> lost);
  // "3 logs lost data: shop/web/app, shop/db/app, …, at least 12.0 KiB"; the logs' names as they are.
  [[nodiscard]] std::string text() const;
};

}  // namespace weir::record
