#include "stages/buffer_spill.h"

#include <poll.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace weir::stages {
namespace {

constexpr int kAskAgain = 5;  // ms between two checks for acknowledgements while the window is full

}  // namespace

base::Result<void> BufferSpill::make_room(std::uint64_t bytes) {
  std::optional<metrics::Wait> waits;
  while (true) {
    const base::Monotonic now = context_.clock->monotonic();
    if (auto read = read_acknowledgements(now); !read) return read;
    if (window_.has_room(bytes)) return {};
    if (window_.stuck(now) != nullptr || context_.stop->stopped() || store_.drain()->done()) {
      if (auto stored = store_oldest(); !stored) return stored;
    } else {
      if (!waits) waits.emplace(context_.driver, metrics::On::room);
      store_.while_waiting();
      ::poll(nullptr, 0, kAskAgain);
    }
  }
}

record::Batch BufferSpill::spare() {
  record::Batch fresh = window_.spare();
  store_.drain()->synchronize();
  return fresh;
}

base::Result<void> BufferSpill::pass(delivery::SpilledBlock block) {
  const std::uint64_t number = block.number;
  std::shared_ptr<const record::Batch> shared = block.records;
  window_.add(std::move(block));
  // Without the note, a chain that is killed sends again what was acknowledged since positions were last stored.
  static_cast<void>(store_.plain_writer().note(window_.unstored()));
  if (shared != nullptr) {
    store_.drain()->pass(number, std::move(shared));
    return {};
  }
  // Positions without records only wait for the blocks before them.
  return read_acknowledgements(context_.clock->monotonic());
}

base::Result<void> BufferSpill::read_acknowledgements(base::Monotonic now) {
  {
    const metrics::Wait reading(context_.driver, metrics::On::disk, metrics::kLongRead);
    if (auto read = window_.read_acknowledgements(now); !read) return read;
  }
  while (window_.overdue(now) != nullptr) {
    if (auto stored = store_oldest(); !stored) return stored;
  }
  if (window_.settle_due(now)) return settle();
  return {};
}

base::Result<void> BufferSpill::store_oldest() {
  const std::uint64_t number = window_.oldest()->number;
  if (const auto& records = window_.oldest()->records; records != nullptr) {
    for (const record::Record& record : records->records) builder_.add(record);
  }
  const std::vector<spool::Handed> handed = window_.with_oldest();
  const auto effort = builder_.line_bytes() < group_bytes_ ? spool::Effort::thorough : spool::Effort::fast;
  // A block that is acknowledged while the disk is full is not stored.
  const auto acknowledged = [&] {
    return window_.read_acknowledgements(context_.clock->monotonic()) && (window_.empty() || window_.oldest()->number != number);
  };
  base::Monotonic from = 0;
  const auto store = [&] {
    from = context_.clock->monotonic();
    return store_.writer().append_handed(builder_, handed, effort);
  };
  auto appended = store_.patiently(store, acknowledged);
  if (appended) metrics_.committed(context_.clock->monotonic() - from, context_.clock->wall());
  if (appended && !window_.empty() && window_.oldest()->number == number) {
    store_.note(*appended);
    metrics_.stored({builder_.records(), builder_.line_bytes()});
    store_.drain()->stored(number);
    window_.stored_oldest();
  }
  builder_.take(builder_.take());
  if (!appended) return std::move(appended).error();
  return {};
}

// Stores the positions of acknowledged blocks. On a full disk they wait: all that depends on them is how much is read again after
// a power cut.
base::Result<void> BufferSpill::settle() {
  auto appended = [this] {
    const metrics::Wait writing(context_.driver, metrics::On::disk, metrics::kLongRead);
    return store_.writer().append_handed(builder_, window_.settled());
  }();
  if (appended) {
    window_.stored_settled();
    return {};
  }
  if (appended.error().code != base::Code::full && appended.error().code != base::Code::busy) return std::move(appended).error();
  context_.diagnostics->warn("spool-settle", appended.error().message + "; positions are stored later");
  window_.settle_later(context_.clock->monotonic());
  return {};
}

base::Result<void> BufferSpill::empty(base::Monotonic deadline) {
  BufferDrain* const drain = store_.drain();  // null: it could not be started, so the window is empty
  if (drain != nullptr && !drain->error() && !drain->done()) {
    const base::Monotonic until = std::min(deadline, base::after(context_.clock->monotonic(), end_wait_));
    static_cast<void>(drain->flush(until));
    const metrics::Wait waits(context_.driver, metrics::On::drain);
    while (!window_.empty() && context_.stop->level() != base::Stop::leave) {
      const base::Monotonic now = context_.clock->monotonic();
      if (auto read = read_acknowledgements(now); !read) return read;
      if (window_.empty() || now >= until) break;
      ::poll(nullptr, 0, kAskAgain);
    }
  }
  while (!window_.empty()) {
    if (auto stored = store_oldest(); !stored) return stored;
  }
  if (!window_.settled().empty()) {
    if (auto settled = settle(); !settled) return settled;
  }
  static_cast<void>(store_.plain_writer().note(window_.unstored()));
  return {};
}

}  // namespace weir::stages
