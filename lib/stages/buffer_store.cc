#include "stages/buffer_store.h"

#include "base/count.h"
#include "base/secrets.h"
#include "record/gap.h"
#include "spool/spool_file.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <utility>

namespace weir::stages {
namespace {

constexpr base::Duration kFullPollMost = base::kSecond;
constexpr base::Duration kTroubleAfter = 10 * base::kSecond;  // what ends sooner is not worth an alarm

std::string command_line(base::Diagnostics& diagnostics) {
  const base::Secrets* secrets = diagnostics.secrets();
  return secrets != nullptr ? secrets->command_line() : std::string();
}

}  // namespace

base::Result<std::unique_ptr<spool::Writer>> open_writer(const spool::WriterOptions& options, const pipeline::Context& context) {
  while (true) {
    auto writer = spool::Writer::open(options, *context.clock, context.stop);
    if (writer || writer.error().code != base::Code::full || context.stop->stopped()) return writer;
    context.diagnostics->warn("spool-full",
                              fmt::format("{}; waiting (it goes on by itself when there is room)", writer.error().message));
    struct pollfd stop = {context.stop->fd(), POLLIN, 0};
    ::poll(&stop, 1, static_cast<int>(kFullPollMost / base::kMillisecond));
  }
}

BufferStore::BufferStore(std::string path, std::unique_ptr<spool::Writer> writer, const spool::BlockBuilder& open,
                         BufferMetrics& metrics, const pipeline::Context& context)
    : path_(std::move(path)),
      writer_(std::move(writer)),
      status_(spool::writer_status_path(spool::real_path(path_)), writer_->spool(), command_line(*context.diagnostics),
              *context.clock),
      open_(open),
      metrics_(metrics),
      context_(context) {}

std::optional<base::Error> BufferStore::wait_for_room(const base::Error& error, Patience& patience) {
  // Nobody makes room any more, and the chain ends.
  if (error.code == base::Code::full && drain_ != nullptr && drain_->ended()) {
    if (auto trouble = drain_->error()) return trouble;
    return not_taken(error);
  }
  const base::Monotonic now = context_.clock->monotonic();
  if (!std::exchange(patience.waited, true)) {
    patience.since = now;
    patience.named.emplace(context_.driver, error.code == base::Code::busy ? metrics::On::lock : metrics::On::room);
  }
  context_.diagnostics->warn("spool-full",
                             error.message + "; waiting" + (error.hint.empty() ? "" : fmt::format(" ({})", error.hint)));
  if (error.code == base::Code::full) {
    status_.out_of_room(error.message, context_.clock->wall());
  } else {
    status_.blocked(error.message, context_.clock->wall());
  }
  status_.failed(error.message, context_.clock->wall());
  status_.due(now);
  if (now >= context_.stop->deadline(now)) return not_taken(error);
  if (now - patience.since >= kTroubleAfter && !metrics_.is_nearly_full()) metrics_.positions.raise(error.message);
  while_waiting();
  ::poll(nullptr, 0, static_cast<int>(patience.wait / base::kMillisecond));
  patience.wait = std::min(patience.wait * 2, kFullPollMost);
  return std::nullopt;
}

void BufferStore::has_room_again() {
  metrics_.positions.clear();
  context_.diagnostics->say(fmt::format("the spool '{}' takes records again", path_));
  unblocked();
}

void BufferStore::unblocked() {
  status_.blocked({}, 0);
  status_.due(context_.clock->monotonic());
}

void BufferStore::note_gap(const record::Record& record) {
  const record::GapReport gap = record::gap_report(record);
  writer_->note_gap(gap.log, gap.bytes);
}

base::Error BufferStore::not_taken(const base::Error& error) const {
  return base::fail(error.code, "{}; {} not taken", error.message, base::count_of(open_.records(), "record was", "records were"))
      .with_hint(error.hint);
}

void BufferStore::note(const spool::Appended& appended) {
  const spool::Report report = writer_->take_report();
  for (const std::string& sentence : report.sentences) context_.diagnostics->say(sentence);
  metrics_.lost(report.lost);
  evicted_.add(appended.evicted_streams, context_.clock->monotonic());
  if (appended.evicted_rejected > 0) {
    context_.diagnostics->warn(
        "spool-rejected",
        fmt::format("{} evicted from the spool '{}'",
                    base::count_of(appended.evicted_rejected, "rejected record was", "rejected records were"), path_));
  }
  const std::uint64_t evicted = metrics_.note_evicted(appended);
  if (evicted == 0) return;
  context_.diagnostics->warn("spool-evicted", fmt::format("the spool '{}' is full: {} lost, {} since the start", path_,
                                                          base::count_of(evicted, "undelivered record was evicted and is",
                                                                         "undelivered records were evicted and are"),
                                                          base::grouped(metrics_.evicted())));
}

void BufferStore::note_missed() {
  const std::uint64_t missed = drain_ != nullptr ? drain_->evicted() : 0;
  const std::uint64_t fresh = metrics_.note_missed(missed);
  if (fresh == 0) return;
  context_.diagnostics->warn("spool-missed", fmt::format("the spool '{}' is full: {} lost, {} since the start", path_,
                                                         base::count_of(fresh, "record was evicted before it was passed on and is",
                                                                        "records were evicted before they were passed on and are"),
                                                         base::grouped(missed)));
}

}  // namespace weir::stages
