#include "stages/push_from_spool.h"

#include "pipeline/chain.h"

#include <utility>
#include <vector>

namespace weir::stages {
namespace {

// Drives the spool's source into the push stage that it owns.
class PushFromSpool : public pipeline::Source {
 public:
  // `all`: what the source says of itself to push.
  PushFromSpool(std::unique_ptr<std::uint64_t> all, std::unique_ptr<pipeline::Source> source, std::unique_ptr<pipeline::Stage> push,
                const pipeline::Context& context)
      : all_(std::move(all)), source_(std::move(source)), context_(context) {
    stages_.push_back(std::move(push));
  }
  base::Result<void> run(pipeline::Outlet&, base::Stop& stop) override {
    pipeline::Context context = context_;
    context.stop = &stop;
    return pipeline::run_chain(*source_, stages_, context).ended;
  }
  [[nodiscard]] bool is_tracked() const override { return true; }
  [[nodiscard]] bool keeps_positions() const override { return stages_.front()->keeps_positions(); }
  [[nodiscard]] pipeline::Counters counters() const override {
    pipeline::Counters counters = stages_.front()->counters();
    counters.lost += source_->counters().lost;
    return counters;
  }
  [[nodiscard]] std::string_view name() const override { return "push"; }
  [[nodiscard]] std::string summary() const override { return stages_.front()->summary(); }

 private:
  const std::unique_ptr<std::uint64_t> all_;
  std::unique_ptr<pipeline::Source> source_;
  std::vector<std::unique_ptr<pipeline::Stage>> stages_;
  const pipeline::Context context_;
};

}  // namespace

base::Result<std::unique_ptr<pipeline::Source>> make_push_from_spool(const PushSpec& spec, SpoolSourceSpec spool,
                                                                     const pipeline::Context& context) {
  if (!spec.checkpoint.empty())
    return base::fail(base::Code::usage, "cannot use --checkpoint together with --spool: the spool keeps the positions");
  auto all = std::make_unique<std::uint64_t>(0);
  if (!spool.follow) spool.all = all.get();
  auto push = make_push(spec, context, {.direct = true, .follows = spool.follow, .all = all.get()});
  if (!push) return std::move(push).error();
  spool.consumer = spec.consumer;
  auto source = make_spool_source(spool, context);
  if (!source) return std::move(source).error();
  return std::unique_ptr<pipeline::Source>(
      std::make_unique<PushFromSpool>(std::move(all), std::move(*source), std::move(*push), context));
}

}  // namespace weir::stages
