#include "loki/catch_up.h"

#include <algorithm>

namespace weir::loki {
namespace {

constexpr double kLeastStep = 4 << 10;  // bytes per second
constexpr base::Duration kStepEvery = 15 * base::kSecond;
constexpr double kGrowth = 0.4;  // share of the rate, per step
constexpr double kGrowthNearLimit = 1.0 / 16;
constexpr double kLeastNearLimit = 1.0 / 8;  // share of the first rate
constexpr base::Duration kQuickAnswer = base::kSecond;
constexpr base::Duration kSlowAnswer = 5 * base::kSecond;
constexpr base::Duration kRequestEvery = 4 * base::kSecond;
constexpr std::size_t kLeastRequest = 16 << 10;
constexpr std::size_t kMostRequest = 256 << 10;

}  // namespace

// What the rate begins with, and the unit that its growth is measured in.
double CatchUp::step() const { return std::min(limits_.rate, std::max(kLeastStep, inflow())); }

double CatchUp::ceiling(base::Monotonic now) const {
  if (inflow_) return limits_.rate;
  return limits_.rate * (1 + static_cast<double>(std::max<base::Duration>(0, now - start_)) / base::kMinute);
}

void CatchUp::begin(base::Monotonic now, double usual) {
  if (!limits()) return;
  usual_ = usual;
  active_ = true;
  near_limit_ = false;
  begun_ = start_ = now;
  if (limits_.jitter > 0) start_ = base::after(now, std::uniform_int_distribution<base::Duration>(0, limits_.jitter)(random_));
  drain_ = step();
  level_ = 0;
  filled_ = changed_ = start_;
}

void CatchUp::set_inflow(double bytes_per_second, base::Monotonic now) {
  refill(now);
  inflow_ = bytes_per_second;
  drain_ = std::min(limits_.rate, std::max(drain_, step()));
}

void CatchUp::refill(base::Monotonic now) {
  if (now <= filled_) return;
  level_ = std::min(allowed(), level_ + allowed() * static_cast<double>(now - filled_) / base::kSecond);
  filled_ = now;
}

base::Monotonic CatchUp::ready_at(base::Monotonic now) {
  if (!active_) return now;
  if (now < start_) return start_;
  refill(now);
  return level_ >= 0 ? now : base::after(now, static_cast<base::Duration>(-level_ / allowed() * base::kSecond) + 1);
}

void CatchUp::spend(std::size_t bytes, base::Monotonic now) {
  if (!active_) return;
  refill(now);
  level_ -= static_cast<double>(bytes);
}

std::size_t CatchUp::request_bytes() const {
  if (!active_) return kMostRequest;
  const double bytes = allowed() * static_cast<double>(kRequestEvery) / base::kSecond;
  return static_cast<std::size_t>(std::clamp<double>(bytes, kLeastRequest, kMostRequest));
}

void CatchUp::passed(base::Duration took, base::Monotonic now) {
  if (!active_) return;
  if (took >= kSlowAnswer) return refused(now);
  if (took >= kQuickAnswer || now - changed_ < kStepEvery) return;
  refill(now);
  drain_ = std::min(ceiling(now),
                    drain_ + (near_limit_ ? std::max(step() * kLeastNearLimit, drain_ * kGrowthNearLimit) : drain_ * kGrowth));
  changed_ = now;
}

void CatchUp::refused(base::Monotonic now) {
  // Requests that were in flight together are refused together, so only the first refusal counts.
  if (!active_ || now - changed_ < kSlowAnswer) return;
  refill(now);
  drain_ = std::max(step() / 4, drain_ / 2);
  near_limit_ = true;
  changed_ = now;
}

}  // namespace weir::loki
