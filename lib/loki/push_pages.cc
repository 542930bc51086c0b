#include "loki/push_pages.h"

namespace weir::loki {

char* PagePool::take() {
  const std::lock_guard lock(mutex_);
  if (free_.empty()) {
    slabs_.push_back(std::make_unique_for_overwrite<char[]>(kSlab * kPage));
    free_.reserve(slabs_.size() * kSlab);  // so that giving back never allocates
    for (std::size_t i = kSlab; i > 0; --i) free_.push_back(slabs_.back().get() + (i - 1) * kPage);
  }
  char* page = free_.back();
  free_.pop_back();
  in_use_.fetch_add(1, std::memory_order_relaxed);
  return page;
}

void PagePool::give_back(const std::vector<char*>& pages) {
  const std::lock_guard lock(mutex_);
  free_.insert(free_.end(), pages.begin(), pages.end());
  in_use_.fetch_sub(pages.size(), std::memory_order_relaxed);
}

}  // namespace weir::loki
