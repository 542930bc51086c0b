#include "loki/push_pages.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

namespace weir::loki {

void PagePool::Free::operator()(char* slab) const { std::free(slab); }

char* PagePool::take() {
  const std::lock_guard lock(mutex_);
  if (free_.empty()) {
    char* slab = static_cast<char*>(std::aligned_alloc(kPage, kSlab * kPage));
    if (slab == nullptr) throw std::bad_alloc();
    slabs_.emplace_back(slab);
    free_.reserve(slabs_.size() * kSlab);  // so that give_back() never allocates
    for (std::size_t i = kSlab; i > 0; --i) free_.push_back(slabs_.back().get() + (i - 1) * kPage);
  }
  char* page = free_.back();
  free_.pop_back();
  unneeded_ = std::min(unneeded_, free_.size());
  without_memory_ = std::min(without_memory_, free_.size());
  in_use_.fetch_add(1, std::memory_order_relaxed);
  return page;
}

void PagePool::give_back(const std::vector<char*>& pages) {
  const std::lock_guard lock(mutex_);
  free_.insert(free_.end(), pages.begin(), pages.end());
  in_use_.fetch_sub(pages.size(), std::memory_order_relaxed);
}

bool PagePool::trim() {
  const std::lock_guard lock(mutex_);
  for (; without_memory_ + kKept < unneeded_; ++without_memory_) ::madvise(free_[without_memory_], kPage, MADV_DONTNEED);
  unneeded_ = free_.size();
  return without_memory_ + kKept < unneeded_;
}

}  // namespace weir::loki
