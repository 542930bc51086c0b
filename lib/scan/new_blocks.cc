#include "scan/new_blocks.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace weir::scan {
namespace {

// A writer with --spill stores a block after others with higher numbers, at most so far behind.
constexpr std::uint64_t kBehind = 10'000;

}  // namespace

base::Result<NewBlocks> NewBlocks::open(const std::string& path) {
  auto reader = spool::Reader::open(path);
  if (!reader) return std::move(reader).error();
  NewBlocks blocks;
  blocks.reader_ = *std::move(reader);
  if (auto checked = blocks.reader_->changed(); !checked) return std::move(checked).error();
  return blocks;
}

base::Result<NewBlocks::Change> NewBlocks::look() {
  auto committed = reader_->changed();
  if (!committed) return std::move(committed).error();
  if (reader_->replaced()) return ::access(reader_->path().c_str(), F_OK) == 0 ? Change::replaced : Change::removed;
  return *committed ? Change::committed : Change::none;
}

base::Result<std::vector<spool::BlockInfo>> NewBlocks::take() {
  auto blocks = reader_->list({.time = {}, .after = known_.through});
  if (!blocks) return blocks;
  std::set<std::uint64_t>& some = known_.some;
  std::erase_if(*blocks, [&some](const spool::BlockInfo& block) { return !some.insert(block.id).second; });
  if (!some.empty() && *some.rbegin() > kBehind) known_.through = std::max(known_.through, *some.rbegin() - kBehind);
  some.erase(some.begin(), some.upper_bound(known_.through));
  return blocks;
}

}  // namespace weir::scan
