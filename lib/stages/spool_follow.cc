#include "stages/follow_source.h"

#include "scan/spool_scan.h"
#include "spool/reader.h"
#include "stages/query_metrics.h"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <set>

namespace weir::stages {

using base::Code;
using base::fail;
using base::Result;
using pipeline::Context;
using pipeline::Outlet;
using record::Batch;

namespace {

constexpr base::Duration kPoll = 250 * base::kMillisecond;  // it costs a look at shared memory

// A writer with --spill stores a block after others with higher numbers, at most so far behind.
constexpr std::uint64_t kBehind = 10'000;

// A commit adds blocks, and no block ever changes its records. So what is new is in the blocks that were not there before, however
// old the records in them are.
class SpoolFollow : public FollowSource {
 public:
  SpoolFollow(const QuerySpec& query, const FollowSpec& follow, const Context& context) : FollowSource(query, follow, context) {
    range_ = spec_.range;
    range_.to = base::TimeRange::kForever;
  }

  Result<void> open() {
    auto reader = spool::Reader::open(spec_.spools.front());
    if (!reader) return std::move(reader).error();
    reader_ = std::move(*reader);
    if (auto checked = reader_->changed(); !checked) return std::move(checked).error();
    return {};
  }

  Result<void> run(Outlet& out, base::Stop& stop) override {
    auto next = look(out, stop, spec_.limit);
    for (;;) {
      if (!next) return std::move(next).error();
      const Next decided = looked();
      if (*next == Next::end || decided == Next::end || stop.stopped()) return {};
      bool changed = false;
      while (!changed) {
        next = wait_until(base::after(context_.clock->monotonic(), kPoll), out, stop);
        if (!next) return std::move(next).error();
        if (*next == Next::end) return {};
        auto committed = reader_->changed();
        if (!committed) return std::move(committed).error();
        changed = *committed || is_replaced() || is_over();
        if (!changed && looked() == Next::end) return {};  // a look that finds nothing more
      }
      if (is_replaced()) {
        context_.diagnostics->say(fmt::format("{} was replaced: following the new one", spec_.spools.front()));
        read_.clear();
        through_ = 0;
        if (auto opened = open(); !opened) return opened;
      }
      next = look(out, stop, 0);
    }
  }

 private:
  // Another file is there. Between a removal and a new file there is none, which is said once.
  bool is_replaced() {
    if (!reader_->replaced()) {
      removed_ = false;
      return false;
    }
    if (::access(spec_.spools.front().c_str(), F_OK) == 0) return true;
    if (!removed_) context_.diagnostics->say(fmt::format("{} was removed: waiting for a new one", spec_.spools.front()));
    removed_ = true;
    return false;
  }

  // The blocks behind the last one; of their records the newest `limit`, 0 for all.
  Result<Next> look(Outlet& out, base::Stop& stop, std::uint64_t limit) {
    auto blocks = reader_->list({.time = {}, .after = through_});
    if (!blocks) return std::move(blocks).error();
    std::set<std::uint64_t> added;
    for (const spool::BlockInfo& block : *blocks) {
      if (read_.insert(block.id).second) added.insert(block.id);
    }
    if (added.empty()) return Next::go_on;
    if (*read_.rbegin() > kBehind) through_ = std::max(through_, *read_.rbegin() - kBehind);
    read_.erase(read_.begin(), read_.upper_bound(through_));
    auto scan = scan::SpoolScan::open(spec_.spools.front(), spec_.logql, range_, *context_.diagnostics);
    if (!scan) return std::move(scan).error();
    (*scan)->take_blocks([&](const spool::BlockInfo& block) { return added.contains(block.id); });
    (*scan)->watch([&](const scan::SpoolScan::Work&) { return !stop.stopped(); });
    if (limit > 0) {
      if (auto older = (*scan)->keep_newest(limit); !older) return std::move(older).error();
    }
    Next next = Next::go_on;
    const auto result = (*scan)->run([&](Batch& batch) -> Result<bool> {
      const auto passed = pass_on(out, batch);
      if (!passed) return passed.error();
      next = *passed;
      return next == Next::go_on && !stop.stopped();
    });
    unreadable_.add((*scan)->unreadable_blocks());
    if (!result) return result.error();
    return next;
  }

  base::TimeRange range_;
  std::unique_ptr<spool::Reader> reader_;
  std::set<std::uint64_t> read_;  // blocks
  std::uint64_t through_ = 0;     // all blocks up to this one count as read
  bool removed_ = false;          // the removal of the spool was said
  metrics::Counter unreadable_ = block_.counter(kQueryUnreadableBlocks);
};

}  // namespace

Result<std::unique_ptr<pipeline::Source>> make_spool_follow(const QuerySpec& query, const FollowSpec& follow,
                                                            const Context& context) {
  auto source = std::make_unique<SpoolFollow>(query, follow, context);
  if (auto opened = source->open(); !opened) return std::move(opened).error();
  return std::unique_ptr<pipeline::Source>(std::move(source));
}

}  // namespace weir::stages
