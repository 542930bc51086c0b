#include "scan/new_blocks.h"

#include <algorithm>
#include <utility>

namespace weir::scan {
namespace {

// A writer with --spill stores a block after others with higher numbers, at most so far behind.
constexpr std::uint64_t kBehind = 10'000;

}  // namespace

base::Result<NewBlocks> NewBlocks::of(std::shared_ptr<spool::Reader> reader) {
  NewBlocks blocks;
  blocks.reader_ = std::move(reader);
  if (auto checked = blocks.reader_->changed(); !checked) return std::move(checked).error();
  return blocks;
}

base::Result<NewBlocks> NewBlocks::open(const std::string& path) {
  auto reader = spool::Reader::open(path);
  if (!reader) return std::move(reader).error();
  return of(std::move(*reader));
}

base::Result<std::optional<NewBlocks>> NewBlocks::open_if_there(const std::string& path) {
  auto reader = spool::Reader::open_if_there(path, 30 * base::kSecond);
  if (!reader) return std::move(reader).error();
  if (*reader == nullptr) return std::optional<NewBlocks>();
  auto blocks = of(std::move(*reader));
  if (!blocks) return std::move(blocks).error();
  return std::optional<NewBlocks>(std::move(*blocks));
}

base::Result<NewBlocks::Change> NewBlocks::look() {
  const bool gone = reader_->replaced();
  auto committed = reader_->changed();
  if (!committed) return std::move(committed).error();
  // Its writer may still commit to a file without a name: that keeps nobody from the new one.
  const bool was_gone = std::exchange(gone_, gone);
  if (*committed && !was_gone) return Change::committed;
  if (!gone) return *committed ? Change::committed : Change::none;
  auto next = open_if_there(reader_->path());
  if (!next) return std::move(next).error();
  if (!*next) return *committed ? Change::committed : Change::removed;
  *this = std::move(**next);
  return Change::replaced;
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
