#include "spool/needles.h"

#include "base/byte_search.h"
#include "spool/line_values.h"

#include <algorithm>

namespace weir::spool {
namespace {

bool contains_any(std::string_view text, const Needles& needles) {
  return std::ranges::any_of(needles, [&](const std::string& needle) { return base::contains_bytes(text, needle); });
}

// The longer the texts, the fewer lines have one of them.
std::size_t least_length(const Needles& needles) { return std::ranges::min_element(needles, {}, &std::string::size)->size(); }

}  // namespace

NeedleSearch::NeedleSearch(std::span<const Needles> groups) : groups_(groups) {
  if (groups_.empty()) return;
  rarest_ = static_cast<std::size_t>(std::ranges::max_element(groups_, {}, least_length) - groups_.begin());
  for (const std::string& needle : groups_[rarest_]) hits_.push_back({needle, 0});
}

bool NeedleSearch::possible(std::string_view left) const {
  return std::ranges::all_of(groups_, [&](const Needles& group) {
    return std::ranges::any_of(group,
                               [&](const std::string& needle) { return base::contains_bytes(left, part_outside_values(needle)); });
  });
}

bool NeedleSearch::begin(std::string_view lines) {
  lines_ = lines;
  bool any = groups_.empty();
  for (Hit& hit : hits_) {
    hit.at = base::find_bytes(lines, hit.needle);
    any = any || hit.at != std::string_view::npos;
  }
  for (std::size_t i = 0; any && i < groups_.size(); ++i) any = i == rarest_ || contains_any(lines, groups_[i]);
  return any;
}

bool NeedleSearch::any_within(std::size_t offset, std::size_t length) {
  bool found = false;
  for (Hit& hit : hits_) {
    if (hit.at == std::string_view::npos) continue;
    if (hit.at < offset) {
      hit.at = base::find_bytes(lines_.substr(offset), hit.needle);
      if (hit.at == std::string_view::npos) continue;
      hit.at += offset;
    }
    found = found || hit.at + hit.needle.size() <= offset + length;
  }
  return found;
}

bool NeedleSearch::wanted(std::size_t offset, std::size_t length) {
  if (groups_.empty()) return true;
  if (!any_within(offset, length)) return false;
  const std::string_view line = lines_.substr(offset, length);
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    if (i != rarest_ && !contains_any(line, groups_[i])) return false;
  }
  return true;
}

}  // namespace weir::spool
