#include "stages/push_ledger.h"

#include "record/json.h"
#include "record/jsonl_writer.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <poll.h>

namespace weir::stages {
namespace {

using loki::PushToken;

// A token of a log file is its log and the index of the record within it; one of a spool is block and ordinal. A block holds about
// a MiB, so that 24 bits are plenty for its records.
constexpr int kIndexBits = 40;
constexpr int kOrdinalBits = 24;
constexpr std::uint64_t kIndexMask = (std::uint64_t{1} << kIndexBits) - 1;
constexpr std::uint64_t kOrdinalMask = (std::uint64_t{1} << kOrdinalBits) - 1;

constexpr base::Duration kCommitEvery = base::kSecond;
constexpr base::Duration kCommitNoted = 2 * base::kSecond;  // what is noted survives a kill meanwhile

std::string rejected_object(const loki::RejectedRecord& rejected, std::string_view url, base::Timestamp now) {
  std::string out = "{\"reason\":\"";
  record::append_escaped(out, rejected.text);
  out += fmt::format("\",\"status\":{},\"url\":\"", rejected.status);
  record::append_escaped(out, url);
  out += "\",\"tenant\":\"";
  record::append_escaped(out, rejected.tenant);
  out += fmt::format("\",\"time\":\"{}\"}}", record::to_rfc3339(now));
  return out;
}

// A full disk is waited for: what is in front waits, too, and nothing is lost.
template <typename Open>
auto open_when_there_is_room(const Open& open, const base::Stop* stop, base::Diagnostics& diagnostics) {
  while (true) {
    auto opened = open();
    if (opened || opened.error().code != base::Code::full || (stop != nullptr && stop->stopped())) return opened;
    diagnostics.warn("disk-full", fmt::format("{}; waiting\nit goes on by itself when there is room", opened.error().message));
    struct pollfd stopped = {stop != nullptr ? stop->fd() : -1, POLLIN, 0};
    ::poll(&stopped, 1, static_cast<int>(kCommitEvery / base::kMillisecond));
  }
}

}  // namespace

DeliveryLedger::DeliveryLedger(std::string url, base::Clock& clock, base::Diagnostics& diagnostics)
    : url_(std::move(url)), clock_(clock), diagnostics_(diagnostics) {}

DeliveryLedger::~DeliveryLedger() = default;

base::Result<void> DeliveryLedger::keep_positions(const std::string& checkpoint, base::Duration wait, const base::Stop* stop) {
  auto store = open_when_there_is_room([&] { return spool::PositionStore::open(checkpoint, wait, clock_, stop); }, stop, diagnostics_);
  if (!store) return std::move(store).error();
  auto keeper = (*store)->load();
  if (!keeper) return std::move(keeper).error();
  const std::lock_guard lock(mutex_);
  store_ = std::move(*store);
  keeper_.emplace(std::move(*keeper));
  return {};
}

base::Result<void> DeliveryLedger::consume_spool(const spool::ConsumerOptions& options, const base::Stop* stop) {
  auto consumer = open_when_there_is_room([&] { return spool::Consumer::open(options, clock_, stop); }, stop, diagnostics_);
  if (!consumer) return std::move(consumer).error();
  const std::lock_guard lock(mutex_);
  consumer_ = std::move(*consumer);
  return {};
}

std::optional<PushToken> DeliveryLedger::enter(const record::Source& source, bool marker) {
  if (source.kind == record::Source::Kind::block) return source.block << kOrdinalBits | source.ordinal;
  if (source.kind != record::Source::Kind::file) return kNoToken;
  Lane& lane = lanes_[source.log];
  lane.entries.push_back({source, marker, false});
  return std::uint64_t{source.log} << kIndexBits | ((lane.first + lane.entries.size() - 1) & kIndexMask);
}

base::Result<std::optional<PushToken>> DeliveryLedger::see(const record::Record& record) {
  if (!tracks()) return std::optional(kNoToken);
  const std::lock_guard lock(mutex_);
  auto verdict = keeper_ ? keeper_->see(record) : consumer_->see(record);
  if (!verdict) return std::move(verdict).error();
  if (*verdict == spool::Verdict::repeat) return std::optional<PushToken>();
  if (record.source.kind == record::Source::Kind::block && record.source.ordinal > kOrdinalMask)
    return base::fail(base::Code::bug, "a block of a spool has more than {} records", kOrdinalMask);
  return enter(record.source, false);
}

base::Result<void> DeliveryLedger::see_marker(const record::Record& record) {
  if (!tracks()) return {};
  const std::lock_guard lock(mutex_);
  auto verdict = keeper_ ? keeper_->see(record) : consumer_->see(record);
  if (!verdict) return std::move(verdict).error();
  dirty_ = true;
  if (*verdict == spool::Verdict::repeat || !keeper_ || record.source.kind != record::Source::Kind::file) return {};
  if (record.marker->type != record::Marker::Type::position && record.marker->type != record::Marker::Type::done) return {};
  if (const auto token = enter(record.source, true)) settle_locked(*token);
  return {};
}

void DeliveryLedger::advance(Lane& lane) {
  std::vector<Entry> run;
  while (!lane.entries.empty() && lane.entries.front().settled) {
    run.push_back(lane.entries.front());
    lane.entries.pop_front();
    ++lane.first;
  }
  // Of records without a marker between them only the last of each substream says something that no later one says, too.
  bool later[2] = {false, false};
  std::vector<bool> tell(run.size());
  for (std::size_t i = run.size(); i-- > 0;) {
    if (run[i].marker) later[0] = later[1] = false;
    bool& seen = later[run[i].source.substream & 1];
    tell[i] = run[i].marker || !seen;
    if (!run[i].marker) seen = true;
  }
  for (std::size_t i = 0; i < run.size(); ++i)
    if (tell[i]) keeper_->advance(run[i].source);
  dirty_ = dirty_ || !run.empty();
}

void DeliveryLedger::settle_locked(PushToken token) {
  if (token == kNoToken) return;
  if (consumer_) {
    const auto ordinal = static_cast<std::uint32_t>(token & kOrdinalMask);
    consumer_->acknowledge(token >> kOrdinalBits, ordinal, ordinal);
    dirty_ = true;
    return;
  }
  const auto found = lanes_.find(static_cast<std::uint32_t>(token >> kIndexBits));
  if (found == lanes_.end()) return;
  Lane& lane = found->second;
  const std::uint64_t index = token & kIndexMask;
  if (index < lane.first || index - lane.first >= lane.entries.size()) return;
  lane.entries[index - lane.first].settled = true;
  if (index == lane.first) advance(lane);
}

void DeliveryLedger::settle(PushToken token) {
  if (!tracks()) return;
  const std::lock_guard lock(mutex_);
  settle_locked(token);
}

void DeliveryLedger::delivered(std::span<const PushToken> tokens) {
  if (!tracks()) return;
  const std::lock_guard lock(mutex_);
  if (consumer_) {
    for (std::size_t i = 0; i < tokens.size();) {
      std::size_t end = i + 1;
      while (end < tokens.size() && tokens[end] == tokens[end - 1] + 1 && tokens[end] >> kOrdinalBits == tokens[i] >> kOrdinalBits) ++end;
      if (tokens[i] != kNoToken)
        consumer_->acknowledge(tokens[i] >> kOrdinalBits, static_cast<std::uint32_t>(tokens[i] & kOrdinalMask),
                               static_cast<std::uint32_t>(tokens[end - 1] & kOrdinalMask));
      i = end;
    }
    dirty_ = dirty_ || !tokens.empty();
    return;
  }
  // From the last to the first: each lane then advances once, over all of them.
  for (std::size_t i = tokens.size(); i-- > 0;) settle_locked(tokens[i]);
}

void DeliveryLedger::rejected(PushToken token, const loki::RejectedRecord& rejected) {
  if (!tracks()) return;
  const std::lock_guard lock(mutex_);
  const std::string object = rejected_object(rejected, url_, clock_.wall());
  record::Record record = *rejected.record;
  record::Extra extra;
  if (record.extra != nullptr) extra = *record.extra;
  extra.rejected = object;
  record.extra = &extra;
  record.source = {};
  record.raw = {};
  std::string line;
  record::append_jsonl(line, record);
  if (!line.empty()) line.pop_back();
  const spool::Rejection rejection{rejected.status, rejected.text, url_, rejected.tenant, line};
  dirty_ = true;
  if (consumer_ && token != kNoToken) {
    consumer_->reject(token >> kOrdinalBits, static_cast<std::uint32_t>(token & kOrdinalMask), rejection);
    return;
  }
  if (store_) store_->reject(rejection);
  settle_locked(token);
}

base::Result<void> DeliveryLedger::commit_locked() {
  if (!dirty_) return {};
  auto stored = consumer_ ? consumer_->commit() : store_->commit(*keeper_);
  if (stored) dirty_ = false;
  return stored;
}

base::Monotonic DeliveryLedger::commit_due(base::Monotonic now) {
  if (!tracks()) return base::kNever;
  const std::lock_guard lock(mutex_);
  if (!dirty_) return base::kNever;
  const bool noted = consumer_ ? consumer_->note() : store_->note(*keeper_);
  if (now < next_commit_) return next_commit_;
  next_commit_ = base::after(now, noted ? kCommitNoted : kCommitEvery);
  auto stored = commit_locked();
  if (stored) return base::kNever;
  diagnostics_.warn("commit", fmt::format("{}; trying again", stored.error().message));
  return next_commit_;
}

base::Result<void> DeliveryLedger::commit() {
  if (!tracks()) return {};
  const std::lock_guard lock(mutex_);
  return commit_locked();
}

}  // namespace weir::stages
