#include "stages/buffer_release.h"

#include "base/count.h"
#include "base/thread.h"
#include "scan/held_selection.h"

#include <algorithm>
#include <random>

namespace weir::stages {

void BufferReleases::end() {
  if (selection_ == nullptr) return;
  selection_->stop->request();
  join();
}

void BufferReleases::join() {
  if (selection_->thread.joinable()) selection_->thread.join();
  selection_.reset();
}

void BufferReleases::listen() {
  if (listens_ || wake_ == nullptr) return;
  listens_ = true;
  auto bell = spool::Bell::listen(spool_);
  auto watched = bell ? wake_->watch(bell->fd()) : base::Result<void>(std::move(bell).error());
  if (!watched) {
    context_.diagnostics->warn("release-bell", fmt::format("{}; a release begins some seconds later", watched.error().message));
    return;
  }
  bell_ = std::move(*bell);
}

void BufferReleases::asked(const record::Marker& marker, base::Monotonic now) {
  if (std::ranges::any_of(asked_, [&](const Asked& one) { return one.order.id == marker.release; })) return;
  std::random_device random;
  const base::Duration wait = jitter_ <= 0 ? 0 : std::uniform_int_distribution<base::Duration>(0, jitter_)(random);
  asked_.push_back({{std::string(marker.release), std::string(marker.query), marker.range}, base::after(now, wait)});
}

void BufferReleases::ended(const record::Marker& marker) {
  std::erase_if(asked_, [&](const Asked& one) { return one.order.id == marker.release; });
  if (selection_ != nullptr && selection_->id == marker.release) {
    selection_->stop->request();
    join();
  }
  auto left = spool::cancel_release(spool_, marker.release);
  if (!left && left.error().code == base::Code::usage) return;  // it was never asked for
  if (!left) {
    context_.diagnostics->warn("release", left.error().message);
  } else if (*left > 0) {
    context_.diagnostics->say(
        fmt::format("release '{}' is cancelled: {} held", marker.release, base::count_of(*left, "record stays", "records stay")));
  }
}

bool BufferReleases::must_select(base::Monotonic now) const {
  return selection_ == nullptr && std::ranges::any_of(asked_, [&](const Asked& one) { return one.due <= now; });
}

void BufferReleases::select(base::Monotonic now) {
  const auto next = std::ranges::find_if(asked_, [&](const Asked& one) { return one.due <= now; });
  if (next == asked_.end() || selection_ != nullptr) return;
  auto stop = base::Stop::create_child(*context_.stop);
  if (!stop) {
    next->due = base::after(now, base::kMinute);
    context_.diagnostics->warn("release", stop.error().message);
    return;
  }
  selection_ = std::make_unique<Selection>();
  selection_->id = next->order.id;
  selection_->stop = std::move(*stop);
  auto thread = base::start_thread("select the records of a release",
                                   [this, order = next->order, selection = selection_.get()] { run(*selection, order); });
  if (!thread) {
    selection_.reset();
    next->due = base::after(now, base::kMinute);
    context_.diagnostics->warn("release", thread.error().message);
    return;
  }
  selection_->thread = std::move(*thread);
  asked_.erase(next);
}

void BufferReleases::run(Selection& selection, const spool::ReleaseOrder& order) const {
  auto asked = scan::ask_for_release(spool_, order, base::kMinute, *context_.clock, *context_.diagnostics, selection.stop.get());
  if (!asked && asked.error().code != base::Code::interrupted) {
    context_.diagnostics->say(fmt::format("cannot release '{}': {}", order.id, asked.error().message));
  } else if (asked && !asked->known) {
    context_.diagnostics->say(fmt::format("release '{}': {} to be delivered", order.id,
                                          base::count_of(asked->selected.records, "held record is", "held records are")));
  }
  selection.ended.store(true, std::memory_order_release);
}

bool BufferReleases::waits() {
  if (bell_.was_rung()) waits_ = true;
  if (selection_ != nullptr && selection_->ended.load(std::memory_order_acquire)) {
    join();
    waits_ = true;
  }
  return waits_;
}

base::Monotonic BufferReleases::due(base::Monotonic now) const {
  base::Monotonic due = waits_ ? pace.due() : base::kNever;
  // Its thread does not ring: few selections are worth a descriptor each.
  if (selection_ != nullptr) return std::min(due, base::after(now, ReleasePace::kCheckEvery));
  for (const Asked& one : asked_) due = std::min(due, one.due);
  return due;
}

}  // namespace weir::stages
