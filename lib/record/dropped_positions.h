// The markers of a stage that drops records: per batch and log one, with the source of the last record that was dropped and
// has no survivor behind it, so that a restart does not read it again.
#pragma once

#include "record/record.h"

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace weir::record {

// Not thread safe. Costs nothing in chains that track nothing.
class DroppedPositions {
 public:
  void kept(const record::Source& source) {
    if (source && source.kind != record::Source::Kind::rejected) slot(source).pending = false;
  }
  void dropped(const record::Source& source) {
    // What is dropped of a replay of rejected records stays rejected.
    if (!source || source.kind == record::Source::Kind::rejected) return;
    Slot& at = slot(source);
    at.source = source;
    at.pending = true;
    if (at.batch == batch_) return;
    at.batch = batch_;
    touched_.push_back(&at);
  }
  // Writes the markers behind the first `kept` records of `batch` and begins anew; the number of records then. Due at the
  // end of a batch and before any other marker: what was dropped before the end of a generation or of the stream has its place before that.
  std::size_t emit(record::Batch& batch, std::size_t kept);

 private:
  struct Slot {
    record::Source source;
    std::uint64_t batch = 0;
    bool pending = false;
  };
  void forget();
  Slot& slot(const record::Source& source) {
    const std::uint64_t key = source.kind == record::Source::Kind::block ? source.spool : source.log;
    if (latest_ == nullptr || key != latest_key_) {
      latest_ = &slots_[key];  // nodes of an unordered_map stay where they are
      latest_key_ = key;
    }
    return *latest_;
  }

  std::unordered_map<std::uint64_t, Slot> slots_;
  std::vector<Slot*> touched_;
  Slot* latest_ = nullptr;
  std::uint64_t latest_key_ = 0;
  std::uint64_t batch_ = 1;
};

}  // namespace weir::record
