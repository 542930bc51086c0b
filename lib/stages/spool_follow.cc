#include "stages/follow_source.h"

#include "scan/new_blocks.h"
#include "scan/spool_scan.h"
#include "stages/query_metrics.h"

#include <fmt/format.h>

#include <optional>
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

class SpoolFollow : public FollowSource {
 public:
  SpoolFollow(const QuerySpec& query, const FollowSpec& follow, const Context& context) : FollowSource(query, follow, context) {
    range_ = spec_.range;
    range_.to = base::TimeRange::kForever;
  }

  Result<void> open() {
    auto blocks = scan::NewBlocks::open(spec_.spools.front());
    if (!blocks) return std::move(blocks).error();
    blocks_.emplace(*std::move(blocks));
    return {};
  }

  Result<void> run(Outlet& out, base::Stop& stop) override {
    auto next = look(out, stop, spec_.limit);
    for (;;) {
      if (!next) return std::move(next).error();
      const Next decided = looked();
      if (*next == Next::end || decided == Next::end || stop.stopped()) return {};
      using Change = scan::NewBlocks::Change;
      Change change = Change::none;
      do {
        next = wait_until(base::after(context_.clock->monotonic(), kPoll), out, stop);
        if (!next) return std::move(next).error();
        if (*next == Next::end) return {};
        auto looked_at = blocks_->look();
        if (!looked_at) return std::move(looked_at).error();
        change = *looked_at;
        // Between a removal and a new file there is none, which is said once.
        if (change == Change::removed && !removed_)
          context_.diagnostics->say(fmt::format("{} was removed: waiting for a new one", spec_.spools.front()));
        removed_ = change == Change::removed;
        if (changes_nothing(change) && !is_over() && looked() == Next::end) return {};  // a look that finds nothing more
      } while (changes_nothing(change) && !is_over());
      if (change == Change::replaced)
        context_.diagnostics->say(fmt::format("{} was replaced: following the new one", spec_.spools.front()));
      next = look(out, stop, 0);
    }
  }

 private:
  static bool changes_nothing(scan::NewBlocks::Change change) {
    return change == scan::NewBlocks::Change::none || change == scan::NewBlocks::Change::removed;
  }

  // The blocks behind the last one; of their records the newest `limit`, 0 for all.
  Result<Next> look(Outlet& out, base::Stop& stop, std::uint64_t limit) {
    auto blocks = blocks_->take();
    if (!blocks) return std::move(blocks).error();
    if (blocks->empty()) return Next::go_on;
    std::set<std::uint64_t> added;
    for (const spool::BlockInfo& block : *blocks) added.insert(block.id);
    auto scan = scan::SpoolScan::open(blocks_->spool(), spec_.logql, range_, damage_);
    if (!scan) return std::move(scan).error();
    (*scan)->take_tenant(spec_.tenant);
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
    unreadable_.reach(damage_.unreadable());
    if (!result) return result.error();
    return next;
  }

  base::TimeRange range_;
  std::optional<scan::NewBlocks> blocks_;
  bool removed_ = false;                        // the removal of the spool was said
  scan::Damage damage_{*context_.diagnostics};  // of all looks
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
