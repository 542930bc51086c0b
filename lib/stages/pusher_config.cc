#include "stages/pusher_config.h"

#include <algorithm>
#include <random>

namespace weir::stages {
namespace {

constexpr std::uint64_t kDrainRate = 1 << 20;
// Bytes of one stream in one request, where the request is sent again after a kill. Loki drops a repeat that it finds in the open
// block of its chunk, and it closes that block at 256 KiB. So of a request of S bytes S/512 KiB are stored twice, and all of a
// request of 256 KiB. Old data has twice as much.
constexpr std::size_t kTrackedBytes = 32 << 10;
constexpr base::Duration kSpoolJitter = 30 * base::kSecond;
// Short, because a kubelet deletes log files. About the turn of one request, so that not all agents begin at once.
constexpr base::Duration kFilesJitter = 4 * base::kSecond;
constexpr base::Duration kGiveUp = 5 * base::kMinute;

}  // namespace

loki::PusherConfig pusher_config(const PushSpec& spec, const PusherInput& input) {
  loki::PusherConfig config;
  config.url = input.url;
  config.tenant = spec.tenant;
  config.limits = spec.limits;
  config.request_bytes = spec.batch_bytes;
  config.stream_bytes = std::min(config.stream_bytes, spec.batch_bytes);
  if (input.listens) config.calm_bytes = kTrackedBytes;
  config.request_records = spec.batch_records;
  config.wait = spec.wait.value_or(input.in_spool ? 0 : kBatchWait);
  config.parallel = spec.parallel;
  config.memory = spec.memory;
  config.retry.usual = spec.backoff;
  config.retry.unreachable.base = std::min(config.retry.unreachable.base, spec.backoff.base);
  config.retry.unreachable.ceiling = std::min(config.retry.unreachable.ceiling, spec.backoff.ceiling);
  if (input.tracked) config.catch_up.rate = static_cast<double>(spec.drain_rate.value_or(input.follows ? kDrainRate : 0));
  config.catch_up.jitter = spec.start_jitter.value_or(input.in_spool ? kSpoolJitter : kFilesJitter);
  config.can_leave = input.in_spool;
  config.give_up = spec.give_up.value_or(input.tracked ? 0 : kGiveUp);
  config.one_shot = !input.tracked;
  config.tracked = input.listens;
  config.doubt_clock = input.doubt_clock;
  config.metadata = spec.metadata;
  config.seed = std::random_device()();
  return config;
}

}  // namespace weir::stages
