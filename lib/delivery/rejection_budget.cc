#include "delivery/rejection_budget.h"

#include "record/jsonl_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace weir::delivery {
namespace {

constexpr double kRate = 16 << 10;  // bytes per second
constexpr std::size_t kCost = 512;  // bytes per record beside the line

constexpr std::string_view kTimeReasons[] = {"greater_than_max_sample_age", "too_far_in_future", "too_far_behind", "out_of_order"};

}  // namespace

bool RejectionBudget::admits(const loki::RejectedRecord& rejected, base::Monotonic now) {
  if (std::ranges::find(kTimeReasons, rejected.reason) != std::end(kTimeReasons)) return false;
  credit_ = std::min(kBurst, credit_ + static_cast<double>(now - filled_) / base::kSecond * kRate);
  filled_ = now;
  const auto cost = static_cast<double>(rejected.record->line.data.size() + kCost);
  if (credit_ < cost) return false;
  credit_ -= cost;
  return true;
}

std::string whole_record(const loki::RejectedRecord& rejected, std::string_view object) {
  record::Record record = *rejected.record;
  record::Extra extra;
  if (record.extra != nullptr) extra = *record.extra;
  extra.rejected = object;
  record.extra = &extra;
  record.source = {};
  record.raw = {};
  std::string line;
  record::append_jsonl(line, record);
  if (!line.empty()) line.pop_back();
  return line;
}

std::string common_reason(const loki::RejectedRecord& rejected) {
  if (rejected.reason == "too_far_in_future") return "entry has timestamp too new";
  if (rejected.reason == "too_far_behind") return "entry too far behind its stream";
  if (rejected.reason == "out_of_order") return "entry out of order";
  if (rejected.reason != "greater_than_max_sample_age") return std::string(rejected.text);
  constexpr std::string_view bound = "oldest acceptable timestamp is: ";
  const auto at = rejected.text.find(bound);
  const std::string_view oldest = at == std::string_view::npos ? std::string_view() : rejected.text.substr(at, bound.size() + 20);
  return fmt::format("entry has timestamp too old{}{}", oldest.empty() ? "" : ", ", oldest);
}

}  // namespace weir::delivery
