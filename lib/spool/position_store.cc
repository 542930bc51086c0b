#include "spool/position_store.h"

#include "spool/block_builder.h"
#include "spool/rejected_store.h"
#include "spool/writer.h"

#include <utility>

namespace weir::spool {

constexpr std::uint64_t kLogRoom = 8 << 20;
constexpr std::uint64_t kRejected = 8 << 20;  // bytes of rejected records: a file of positions stays small

struct PositionStore::State {
  const base::Clock* clock = nullptr;
  std::unique_ptr<Writer> writer;
  BlockBuilder none;
  RejectedStore rejections;
  std::uint64_t evicted_rejected = 0;
};

PositionStore::PositionStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
PositionStore::~PositionStore() = default;

base::Result<std::unique_ptr<PositionStore>> PositionStore::open(const std::string& path, base::Duration wait,
                                                                 const base::Clock& clock, const base::Stop* stop) {
  WriterOptions options;
  options.path = path;
  options.wait = wait;
  options.min_free = 0;
  options.max_size = kLogRoom;  // bounds only the log and the reserve here
  options.rejected_max = kRejected;
  auto writer = Writer::open(options, clock, stop);
  if (!writer) return std::move(writer).error();
  auto state = std::make_unique<State>();
  state->clock = &clock;
  state->writer = std::move(*writer);
  return std::unique_ptr<PositionStore>(new PositionStore(std::move(state)));
}

std::uint64_t PositionStore::spool() const { return state_->writer->spool(); }
void PositionStore::note_gap(std::string_view log, std::optional<std::uint64_t> bytes) { state_->writer->note_gap(log, bytes); }

base::Result<Keeper> PositionStore::load() { return state_->writer->load_keeper(); }

base::Result<void> PositionStore::commit(Keeper& keeper) {
  auto done = state_->writer->append(state_->none, &keeper, &state_->rejections);
  if (!done) return std::move(done).error();
  state_->evicted_rejected += done->evicted_rejected;
  return {};
}

std::size_t PositionStore::rejections_waiting() const { return state_->rejections.bytes(); }
std::uint64_t PositionStore::take_evicted_rejected() { return std::exchange(state_->evicted_rejected, 0); }

bool PositionStore::note(const Keeper& keeper) {
  if (!state_->rejections.empty()) return false;
  return !keeper.moved() || state_->writer->note_safe(keeper.delta());
}

void PositionStore::reject(const Rejection& rejection) { state_->rejections.add(state_->clock->wall(), "", {}, rejection); }

base::Result<void> PositionStore::close() { return state_->writer->close(); }

}  // namespace weir::spool
