#include "stages/spool_source.h"

#include "base/count.h"
#include "delivery/spool_stream.h"
#include "spool/reader.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>

namespace weir::stages {
namespace {

using base::Code;
using base::Result;
using metrics::Account;
using pipeline::Flow;

constexpr auto kRecordsIn = metrics::counter("weir_spool_read_records_total", "records",
                                             "Records that were read from the spool to be delivered.", Account::in);
constexpr auto kBytesIn = metrics::counter("weir_spool_read_bytes_total", "bytes",
                                           "Bytes of the lines that were read from the spool to be delivered.", Account::in);
constexpr auto kRecordsOut =
    metrics::counter("weir_spool_output_records_total", "records", "Records of the spool that were passed on.", Account::out);
constexpr auto kBytesOut = metrics::counter("weir_spool_output_bytes_total", "bytes",
                                            "Bytes of the lines of the spool that were passed on.", Account::out);
constexpr auto kLost =
    metrics::counter("weir_spool_lost_records_total", "records", "Records of blocks that could not be read.", Account::lost);

class SpoolSource : public pipeline::Source {
 public:
  SpoolSource(const SpoolSourceSpec& spec, const pipeline::Context& context)
      : spec_(spec), context_(context), block_(context.metrics, context.driver) {}

  Result<void> run(pipeline::Outlet& out, base::Stop& stop) override {
    if (auto opened = open(out, stop); !opened) return opened;
    if (!reader_) return {};  // stopped before the spool existed
    auto flow = begin(out);
    if (!flow) return std::move(flow).error();
    while (*flow == Flow::more && !stop.stopped()) {
      flow = emit_next(out);
      if (!flow) return std::move(flow).error();
      if (*flow == Flow::done || more_) continue;
      if (!spec_.follow) break;
      if (reader_->replaced()) {
        return base::fail(Code::io, "cannot go on with spool '{}': another file is in its place", spec_.spool)
            .with_hint("start again: push continues at the place of its consumer in the new file");
      }
      if (auto waited = wait(out, stop); !waited) return waited;
    }
    if (*flow == Flow::done) return {};
    batch_.records.clear();
    batch_.clear();
    delivery::append_end(batch_);
    flow = out.emit(batch_);
    if (!flow) return std::move(flow).error();
    return {};
  }

  [[nodiscard]] pipeline::Counters counters() const override { return pipeline::counters_of(block_); }
  [[nodiscard]] std::string_view name() const override { return "spool"; }

 private:
  // When following, waits for a spool that does not exist yet.
  Result<void> open(pipeline::Outlet& out, base::Stop& stop) {
    const base::Monotonic deadline = base::after(context_.clock->monotonic(), spec_.wait);
    while (!stop.stopped()) {
      const bool waits = spec_.follow && context_.clock->monotonic() < deadline;
      auto reader = waits ? spool::Reader::open_if_there(spec_.spool, spec_.wait) : spool::Reader::open(spec_.spool, spec_.wait);
      if (!reader) return std::move(reader).error();
      reader_ = std::move(*reader);
      if (reader_) {
        if (const auto missing = reader_->missing()) context_.diagnostics->say(*missing);
        break;
      }
      if (auto waited = wait(out, stop); !waited) return waited;
    }
    return {};
  }

  Result<Flow> begin(pipeline::Outlet& out) {
    auto places = reader_->acknowledged(spec_.consumer);
    if (!places) return std::move(places).error();
    if (*places) acknowledged_ = std::move(**places);
    auto oldest = reader_->list({.time = {}, .after = 0, .limit = 1});
    if (!oldest) return std::move(oldest).error();
    if (!oldest->empty()) acknowledged_.add_before({oldest->front().id, 0});
    last_ = acknowledged_.before().block - 1;
    if (auto reported = look_ahead(); !reported) return std::move(reported).error();
    const std::string path = std::filesystem::absolute(spec_.spool).lexically_normal().string();
    delivery::append_begin(batch_, path, reader_->spool(), acknowledged_.before());
    return out.emit(batch_);
  }

  // Reports how many records are not delivered because they are held. Counts the others that are not acknowledged.
  Result<void> look_ahead() {
    auto blocks = reader_->list({});
    if (!blocks) return std::move(blocks).error();
    std::uint64_t held = 0, open = 0;
    for (const spool::BlockInfo& block : *blocks) {
      held += block.held;
      if (block.id > last_) open += block.records - block.held;
    }
    if (spec_.all != nullptr) *spec_.all = open - std::min<std::uint64_t>(open, acknowledged_.before().ordinal);
    if (held == 0) return {};
    context_.diagnostics->say(fmt::format("{} in the spool; `weir replay {} --held` reads them",
                                          base::count_of(held, "held record stays", "held records stay"), spec_.spool));
    return {};
  }

  // Emits the next block. Sets more_ to whether there was one.
  Result<Flow> emit_next(pipeline::Outlet& out) {
    std::optional<metrics::Wait> reading(std::in_place, context_.driver, metrics::On::disk, metrics::kLongRead);
    auto blocks = reader_->list({.time = {}, .after = last_, .limit = 1, .deliverable = true});
    if (!blocks) return std::move(blocks).error();
    more_ = !blocks->empty();
    if (!more_) return Flow::more;
    last_ = blocks->front().id;
    batch_.records.clear();
    batch_.clear();
    auto loaded = reader_->load(last_, {}, batch_);
    if (!loaded && loaded.error().code == Code::corrupt) {
      lost_.add(delivery::leave_out_block(spec_.spool, blocks->front(), loaded.error(), *context_.clock, *context_.diagnostics));
      return Flow::more;
    }
    if (!loaded) return std::move(loaded).error();
    if (!*loaded) return Flow::more;
    reading.reset();
    const std::uint64_t bytes = delivery::finish_block(batch_, reader_->spool(), last_, &acknowledged_);
    const std::uint64_t records = batch_.records.size() - 1;
    records_in_.add(records);
    bytes_in_.add(bytes);
    records_out_.add(records);
    bytes_out_.add(bytes);
    return out.emit(batch_);
  }

  Result<void> wait(pipeline::Outlet& out, base::Stop& stop) {
    const base::Clock& clock = *context_.clock;
    const base::Monotonic now = clock.monotonic();
    auto next = out.nudge(now);
    if (!next) return std::move(next).error();
    std::array<pollfd, 2> inputs = {{{stop.fd(), POLLIN, 0}, {out.wake_fd(), POLLIN, 0}}};
    const metrics::Wait waits(context_.driver, metrics::On::input);
    ::poll(inputs.data(), inputs.size(), base::poll_timeout(now, std::min(*next, base::after(now, spec_.poll))));
    return {};
  }

  SpoolSourceSpec spec_;
  pipeline::Context context_;
  std::unique_ptr<spool::Reader> reader_;
  spool::PlaceSet acknowledged_;
  std::uint64_t last_ = 0;
  bool more_ = false;
  record::Batch batch_;
  metrics::Block block_;
  metrics::Counter records_in_ = block_.counter(kRecordsIn), bytes_in_ = block_.counter(kBytesIn);
  metrics::Counter records_out_ = block_.counter(kRecordsOut), bytes_out_ = block_.counter(kBytesOut);
  metrics::Counter lost_ = block_.counter(kLost);
};

}  // namespace

Result<std::unique_ptr<pipeline::Source>> make_spool_source(const SpoolSourceSpec& spec, const pipeline::Context& context) {
  if (spec.spool.empty()) return base::fail(Code::usage, "SPOOL is missing").with_hint("name a file, or set WEIR_SPOOL");
  return std::unique_ptr<pipeline::Source>(std::make_unique<SpoolSource>(spec, context));
}

}  // namespace weir::stages
